"""The trail as rows of a spreadsheet, in which nothing is a formula; pure."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from bot.audit.hash_chain import Record
from bot.model.actions import Json

COLUMNS = (
    "seq",
    "at",
    "kind",
    "operation",
    "time",
    "team",
    "user",
    "via",
    "channel",
    "thread_ts",
    "permalink",
    "api",
    "params",
    "region",
    "account",
    "rule",
    "state",
    "by",
    "decided_by",
    "reason",
    "request_id",
    "code",
    "took",
    "attempts",
    "detail",
    "hash",
    "body",
)
"""Of a record: what is asked for most; `body` holds everything, as it was hashed."""

# A spreadsheet takes what begins so for a formula, in full-width forms, too.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def cell(value: Json) -> str:
    """Write a value so that no spreadsheet takes it for a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA else text


def line(values: Iterable[Json]) -> str:
    """Write one row, with its end of line as RFC 4180 wants it."""
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()


def row(record: Record) -> list[Json]:
    """Give the cells of a record."""
    given: dict[str, Json] = {
        **record.facts,
        "seq": record.seq,
        "at": record.at,
        "kind": record.kind,
        "operation": record.operation,
        "time": moment(record.at),
        "hash": record.hash,
        "body": record.body,
    }
    return [given.get(name) for name in COLUMNS]


def moment(at: float | None) -> str:
    """Write a time of epoch seconds as ISO 8601, in UTC, to the millisecond."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
