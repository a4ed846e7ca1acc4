"""`stopstream audit show` and `tail`: records as tables."""

import json
from collections.abc import Iterable, Mapping, Sequence

from bot.audit.hash_chain import Record
from bot.cli.audit_case import has_history
from bot.cli.output import DONE, FAILED, complain, one_line, say, table
from bot.model.actions import Json
from bot.storage.store import Store
from bot.times import TO_SECOND, format_utc

_OPERATION_FACTS = ("api", "params", "code", "request_id", "took", "rule", "detail", "reason")
_OTHER_FACTS = (
    "owed",
    "channel",
    "permalink",
    "policy",
    "why",
    "upto",
    "key",
    "format",
    "records",
)
_SUMMARY = (
    "team",
    "user",
    "via",
    "channel",
    "thread_ts",
    "api",
    "params",
    "region",
    "account",
    "rule",
    "reason_code",
    "reason_text",
    "state",
    "request_id",
    "code",
    "permalink",
)
"""Facts that are shown once, above the table."""

_LASTING = frozenset({*_SUMMARY, "attempts", "decided_by", "approved_by", "emergency", "joined"})
"""Facts of the operation itself, which are shown in the table only where they change."""

_NOT_SHOWN = frozenset(
    {"team", "user", "via", "api", "params", "region", "account", "by", "by_team", "press", "ts"}
)
_MESSAGE_KINDS = frozenset({"delivered", "refused", "undeliverable"})
"""Kinds whose facts are about a message or a press, not about the operation."""

_EMPTY: tuple[Json, ...] = ("", None, [], {})


def tail(store: Store, *, since: float, count: int) -> int:
    """Print the newest records."""
    with store.audit_log.records(since=since, last=max(1, count)) as records:
        rows = [_tail_row(record) for record in records]
    say(*table(("record", "time (UTC)", "kind", "operation", "who", "what"), rows))
    return DONE


def tail_line(record: Record) -> str:
    """Return a record as one line of text."""
    return one_line("  ".join(_tail_row(record))) + "\n"


def _tail_row(record: Record) -> list[str]:
    facts = record.facts
    text = _facts_text(facts, (*_OPERATION_FACTS, *_OTHER_FACTS))
    at = format_utc(record.at, TO_SECOND)
    return [str(record.seq), at, record.kind, record.operation, _who(facts), text[:300]]


def show(store: Store, id_: str) -> int:
    """Print the whole history of one operation on one screen."""
    with store.audit_log.records(operation=id_) as records:
        history = list(records)
    if not has_history(history):
        named = f"; {len(history)} refused decisions name it" if history else ""
        complain(f"the trail has no operation {one_line(id_)}{named}")
        return FAILED
    summary = _summary(history)
    first, last = history[0].at, history[-1].at
    say(f"operation {id_}", "")
    say(*(one_line(f"{name:<12} {_value(summary[name])}") for name in _SUMMARY if name in summary))
    say(f"{'asked':<12} {format_utc(first, TO_SECOND)} UTC, {last - first:.3f} s in all", "")
    say(*table(("record", "time (UTC)", "s", "kind", "who", "what"), _history_rows(history)))
    return DONE


def _summary(history: Iterable[Record]) -> Mapping[str, Json]:
    """Return the last value of each fact of the operation."""
    known: dict[str, Json] = {}
    for record in history:
        if record.kind not in _MESSAGE_KINDS or "permalink" not in known:
            known |= {n: v for n, v in record.facts.items() if n in _SUMMARY and v not in _EMPTY}
    return known


def _history_rows(history: Sequence[Record]) -> list[list[str]]:
    rows, before = [], dict[str, Json]()
    for record in history:
        facts = record.facts
        changed = {n: v for n, v in facts.items() if n not in _LASTING or before.get(n) != v}
        before |= {n: v for n, v in facts.items() if record.kind not in _MESSAGE_KINDS}
        at = f"{format_utc(record.at, '%H:%M:%S')}.{int(record.at * 1000) % 1000:03}"
        passed = f"+{record.at - history[0].at:.3f}"
        text = _facts_text(changed, sorted(changed.keys() - _NOT_SHOWN, key=_rank))
        rows.append([str(record.seq), at, passed, record.kind, _who(facts), text])
    return rows


def _rank(name: str) -> tuple[int, str]:
    order = ("decision", "state", "about", "rule", *_OPERATION_FACTS, *_OTHER_FACTS)
    return (order.index(name) if name in order else len(order), name)


def _who(facts: Mapping[str, Json]) -> str:
    return str(facts.get("by") or facts.get("user") or facts.get("replica") or "")


def _facts_text(facts: Mapping[str, Json], names: Iterable[str]) -> str:
    given = ((name, facts.get(name)) for name in names)
    return " ".join(f"{name}={_value(value)}" for name, value in given if value not in _EMPTY)


def _value(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, str) and value.isascii() and not set(value) & set(' ="'):
        return value
    return json.dumps(value, ensure_ascii=False)
