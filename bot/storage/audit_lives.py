"""Reads the records of each operation's life from the table `trail`, one operation at a time."""

from collections.abc import Iterator

import sqlalchemy as sa

from bot.audit import lives
from bot.audit.lives import LifeRecord
from bot.audit.verifier import ChainError
from bot.storage.tables import trail

_BATCH = 2000
"""How many records are in memory at once."""


def first_gap(connection: sa.Connection, *, pruned: bool) -> ChainError | None:
    """Return the first record that does not follow on what its operation was before.

    Args:
        pruned: Whether old records were removed.
    """
    return lives.first_gap(_records(connection), pruned=pruned)


def _records(connection: sa.Connection) -> Iterator[LifeRecord]:
    query = (
        sa.select(trail.c.operation, trail.c.seq, trail.c.kind, trail.c.body)
        .where(trail.c.kind.in_(sorted(lives.KINDS)))
        .order_by(trail.c.operation, trail.c.seq)
    )
    with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
        yield from (tuple(row) for row in rows)
