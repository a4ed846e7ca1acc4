"""Audit records as CSV rows in which no cell is a formula."""

import csv
import io
import json
import re
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
    "reason_code",
    "reason_text",
    "request_id",
    "code",
    "took",
    "attempts",
    "detail",
    "hash",
    "body",
)
"""The facts that are needed most; `body` holds all of them, as hashed."""

# A spreadsheet reads a cell that begins with one of these as a formula, also in full width.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


# Escape sequences move a terminal's cursor, what turns the direction of text hides some of it, and
# spaces without a width make two names look like one.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    r"\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)


def cell(value: Json) -> str:
    """Render a value so that no spreadsheet reads a formula and no terminal obeys it."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = _CONTROLS.sub("\ufffd", text)
    return f"'{text}" if text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA else text


def line(values: Iterable[Json]) -> str:
    """Render one row, with the end of line of RFC 4180."""
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()


def row(record: Record) -> list[Json]:
    """Return the cells of a record."""
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
    """Render epoch seconds as ISO 8601 in UTC, to the millisecond."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
