"""The audit trail: records that each carry the hash of the one before."""

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bot.model import Json
from bot.tables import trail

GENESIS = "0" * 64
"""What stands for the hash before the first record."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be put on the trail.

    Attributes:
        kind: `asked`, `denied`, `sending`, `ended`, …
        operation: Id of the operation, or empty.
        facts: Who, where, what, how; without secrets and stream keys.
    """

    kind: str
    operation: str
    facts: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the trail.

    Attributes:
        seq: 1 for the first; no gaps.
        at: The store's clock, epoch seconds.
        body: Canonical JSON of everything but the hash.
        hash: sha256 of the previous hash and the body, hex.
    """

    seq: int
    at: float
    kind: str
    operation: str
    body: str
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the trail does not hold."""

    seq: int
    why: str


def canonical(seq: int, at: float, fact: Fact) -> str:
    """Write a record in the one form that is hashed.

    JSON with sorted keys, no blanks, ASCII only, `at` rounded to microseconds.
    """
    return json.dumps(
        {
            "at": round(at, 6),
            "facts": fact.facts,
            "kind": fact.kind,
            "operation": fact.operation,
            "seq": seq,
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def digest(previous: str, body: str) -> str:
    """Chain a record to the one before: sha256 over `previous`, a line feed and `body`."""
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()


def append(connection: sa.Connection, now: float, facts: Sequence[Fact]) -> None:
    """Add records at the end, in the caller's transaction.

    The caller must be the only writer: the chain has one end.
    """
    if not facts:
        return
    seq, last = head(connection)
    rows: list[dict[str, object]] = []
    for fact in facts:
        seq += 1
        body = canonical(seq, now, fact)
        last = digest(last, body)
        rows.append(
            {
                "seq": seq,
                "at": now,
                "kind": fact.kind,
                "operation": fact.operation,
                "body": body,
                "hash": last,
            }
        )
    connection.execute(_INSERT, rows)


_INSERT = sa.insert(trail)
_HEAD = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc()).limit(1)


def head(connection: sa.Connection) -> tuple[int, str]:
    """Give the last record's number and hash; (0, GENESIS) of an empty trail."""
    row = connection.execute(_HEAD).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def read(
    connection: sa.Connection, *, since: float = 0.0, operation: str = "", last: int = 0
) -> Generator[Record, None, None]:
    """Stream records in order, in constant memory.

    Args:
        since: Epoch seconds.
        operation: Only those of this one.
        last: Only so many of the newest; 0 for all.
    """
    query = sa.select(trail).where(trail.c.at >= since).order_by(trail.c.seq)
    if operation:
        query = query.where(trail.c.operation == operation)
    if last:
        newest = query.order_by(None).order_by(trail.c.seq.desc()).limit(last).subquery()
        query = sa.select(newest).order_by(newest.c.seq)
    with connection.execution_options(yield_per=1000).execute(query) as rows:
        for row in rows:
            yield Record(row.seq, row.at, row.kind, row.operation, row.body, row.hash)


def verify(records: Iterator[Record]) -> tuple[int, Break | None]:
    """Check the whole chain from its beginning; give the count that holds and the first break."""
    previous, count = GENESIS, 0
    for record in records:
        if record.seq != count + 1:
            return count, Break(
                count + 1, f"record {count + 1} is missing; {record.seq} comes next"
            )
        if record.hash != digest(previous, record.body):
            return count, Break(record.seq, f"record {record.seq} does not match its hash")
        if (why := _columns_differ(record)) is not None:
            return count, Break(record.seq, f"record {record.seq}: {why}")
        previous, count = record.hash, record.seq
    return count, None


def _columns_differ(record: Record) -> str | None:
    """Compare what is indexed with what was hashed."""
    body = json.loads(record.body)
    indexed = (record.seq, round(record.at, 6), record.kind, record.operation)
    if indexed != (body["seq"], body["at"], body["kind"], body["operation"]):
        return "its columns say something else than its body"
    return None
