"""Reads the audit log for copies of it outside the database."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from bot.audit.copies import Stored
from bot.audit.hash_chain import Record
from bot.storage.audit_end import holds
from bot.storage.tables import trail

_BATCH = 2000
"""How many records are in memory at once."""


@dataclass(frozen=True, slots=True)
class Following:
    """Records that a copy does not have yet.

    Attributes:
        records: The next ones, in order.
        last: Number of the last record of all.
        is_ours: Whether the last record of the copy is on this log.
    """

    records: tuple[Record, ...]
    last: int
    is_ours: bool


def following(connection: sa.Connection, seq: int, hash_: str, limit: int) -> Following:
    """Return what follows on the last record of a copy.

    Args:
        seq: Its number; 0 for an empty copy, which begins with the first record that is kept.
        hash_: Its hash.
    """
    last = connection.execute(sa.select(sa.func.max(trail.c.seq))).scalar() or 0
    if seq and not holds(connection, seq, hash_):
        return Following((), last, is_ours=False)
    query = sa.select(trail).where(trail.c.seq > seq).order_by(trail.c.seq).limit(limit)
    rows = connection.execute(query).all()
    if seq and rows and rows[0].seq != seq + 1:
        # What comes next was removed for its age.
        return Following((), last, is_ours=False)
    return Following(tuple(Record(*row) for row in rows), last, is_ours=True)


def stored(connection: sa.Connection, after: int) -> Iterator[Stored]:
    """Yield number, hash and time of each record after one, in order."""
    query = (
        sa.select(trail.c.seq, trail.c.hash, trail.c.at)
        .where(trail.c.seq > after)
        .order_by(trail.c.seq)
    )
    with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
        yield from (tuple(row) for row in rows)
