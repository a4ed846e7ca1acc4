"""`stopstream audit export`: the records as JSON lines or CSV on standard output."""

import contextlib
import getpass
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from bot.audit import csv_rows
from bot.audit.copies import format_line
from bot.audit.hash_chain import Fact, Record
from bot.cli.output import DONE, Progress
from bot.model.actions import Json
from bot.storage.store import Store


async def export(store: Store, *, as_format: str, since: float, until: float) -> int:
    """Write the records out, after a record of the export itself."""
    asked = {"since": since, "until": until}
    await record_export(store, as_format, {name: at for name, at in asked.items() if at})
    write = write_jsonl if as_format == "jsonl" else write_csv
    with store.audit_log.snapshot() as audited:
        progress = Progress("exporting", audited.buried, audited.last)
    with store.audit_log.records(since=since, until=until) as records:
        write(_with_progress(records, progress), sys.stdout.write)
    progress.done()
    return DONE


def _with_progress(records: Iterable[Record], progress: Progress) -> Iterator[Record]:
    # Where the records themselves go to the terminal, they show how far it has come.
    show = not sys.stdout.isatty()
    for record in records:
        yield record
        if show:
            progress(record.seq)


def write_jsonl(records: Iterable[Record], write: Callable[[str], object]) -> None:
    """Write each record as a line of JSON; see `format_line`."""
    for record in records:
        write(format_line(record))


def write_csv(records: Iterable[Record], write: Callable[[str], object]) -> None:
    """Write a header and a row for each record."""
    write(csv_rows.line(csv_rows.COLUMNS))
    for record in records:
        write(csv_rows.line(csv_rows.row(record)))


async def record_export(store: Store, as_format: str, facts: Mapping[str, Json]) -> None:
    """Record what is about to be handed out: nobody exports the audit log unseen."""
    by: dict[str, Json] = {"user": login(), "via": "terminal", "format": as_format}
    await store.audit_log.record(Fact("exported", "", by | dict(facts)))


def login() -> str:
    """Return the name under which this terminal's user is logged in."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "unknown"
