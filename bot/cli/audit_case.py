"""Finds the records of a case: of an operation, of an incident, or of a thread in Slack."""

import re
from collections.abc import Iterable

from bot.audit.hash_chain import Record
from bot.storage import operation_search
from bot.storage.store import Store

_LINK = re.compile(
    r"https://[a-z0-9.-]+/archives/(?P<channel>[A-Z0-9]+)/p(?P<seconds>[0-9]{10})(?P<rest>[0-9]{6})"
    r"(?:\?(?P<query>\S*))?",
    re.ASCII,
)
"""The link to a message, as Slack copies it."""

_ROOT = re.compile(r"(?:^|&)thread_ts=(?P<ts>[0-9]{10}\.[0-9]{6})(?:&|$)", re.ASCII)
"""In the query of a link to a reply, the message that it answers."""


async def records_of(store: Store, case: str) -> list[Record]:
    """Return the records of an operation, or of every operation of a case; empty for neither.

    Args:
        case: The id of an operation, a case, or the link to a message of a thread.
    """
    own = _records(store, [case])
    return own if has_history(own) else _records(store, await _operations_of(store, case))


def has_history(records: Iterable[Record]) -> bool:
    """Return whether records tell of an operation: a refused decision may name one that never was.

    An id that somebody has mistyped is no case.
    """
    return any(record.kind != "refused" for record in records)


def thread_of(link: str) -> tuple[str, str] | None:
    """Return the channel and the `ts` of the thread that a link leads to; None if it is no link."""
    found = _LINK.fullmatch(link.strip())
    if found is None:
        return None
    root = _ROOT.search(found["query"] or "")
    return found["channel"], root["ts"] if root else f"{found['seconds']}.{found['rest']}"


def case_name(case: str) -> str:
    """Return what a case is called in files and messages: a thread by its channel and `ts`."""
    thread = thread_of(case)
    return "-".join(thread) if thread else case


async def _operations_of(store: Store, case: str) -> list[str]:
    if (thread := thread_of(case)) is not None:
        return await store.operations.ids(operation_search.in_thread(*thread))
    return await store.operations.ids(operation_search.of_case(case))


def _records(store: Store, operations: list[str]) -> list[Record]:
    found: list[Record] = []
    for id_ in operations:
        with store.audit_log.records(operation=id_) as records:
            found += records
    return sorted(found, key=lambda one: one.seq)
