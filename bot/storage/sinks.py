"""The table `sinks`: how far the trail has been copied to places that do not tell it themselves."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.audit.hash_chain import Record
from bot.storage.audit_end import TOMBSTONE, pruned
from bot.storage.session import Session, write
from bot.storage.tables import sinks, trail
from bot.storage.writer import Transaction

LEASE = 60.0
"""Seconds for which one replica alone copies to a sink; longer than one try may take."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are sent to a sink together, now and whenever that is tried again.

    Attributes:
        last: Number of the last record of all.
    """

    records: tuple[Record, ...]
    last: int


class Sinks:
    """Hands out what is to be sent next, the same until it was taken."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def behind(self, name: str) -> int:
        """Return how many records a sink has not taken yet."""

        def count(connection: sa.Connection) -> int:
            return _last(connection) - (_taken(connection, name) or 0)

        return await self.session.read(count)

    async def taken(self, name: str) -> int | None:
        """Return the number of the last record that a sink has taken; None if it never began."""
        return await self.session.read(lambda connection: _taken(connection, name))

    @write
    def begin_at_end(self, tx: Transaction, name: str) -> None:
        """Have a sink that is new begin with the records that come from now on."""
        values = {"seq": _last(tx.connection), "upto": 0, "owner": "", "lease_until": 0.0}
        begun = self.session.insert(sinks).values(name=name, **values)
        tx.connection.execute(begun.on_conflict_do_nothing(index_elements=["name"]))

    @write
    def claim(self, tx: Transaction, name: str, limit: int) -> Batch | None:
        """Claim the next records, or again those whose sending may have been interrupted.

        Where they end is stored before they are sent, so that whoever sends them again sends
        the very same.

        Returns:
            None while another replica copies, or if there is nothing new.
        """
        row = tx.connection.execute(_position(name)).first()
        ours = self.session.owner
        if row is not None and row.owner != ours and row.lease_until > tx.now:
            return None
        buried = tx.connection.execute(sa.select(TOMBSTONE.c.seq)).scalar() or 0
        if buried > (row.seq if row is not None else 0):
            # What was really removed, the log says.
            buried, _ = max(pruned(tx.connection), default=(0, ""))
        after, upto = (max(row.seq, buried), row.upto) if row is not None else (buried, 0)
        last = _last(tx.connection)
        if upto <= after:
            upto = min(after + limit, last)
        if upto <= after:
            return None
        values = {
            "seq": after,
            "upto": upto,
            "owner": ours,
            "lease_until": tx.now + LEASE,
        }
        claimed = self.session.insert(sinks).values(name=name, **values)
        tx.connection.execute(claimed.on_conflict_do_update(index_elements=["name"], set_=values))
        query = sa.select(trail).where(trail.c.seq > after, trail.c.seq <= upto)
        rows = tx.connection.execute(query.order_by(trail.c.seq)).all()
        return Batch(tuple(Record(*one) for one in rows), last)

    @write
    def mark_taken(self, tx: Transaction, name: str, upto: int) -> None:
        """Note that a sink has the records up to a number."""
        mine = sinks.c.name == name, sinks.c.owner == self.session.owner, sinks.c.seq < upto
        tx.connection.execute(sa.update(sinks).where(*mine).values(seq=upto))


def _position(name: str) -> sa.Select[tuple[str, int, int, str, float]]:
    return sa.select(sinks).where(sinks.c.name == name)


def _taken(connection: sa.Connection, name: str) -> int | None:
    return connection.execute(_position(name).with_only_columns(sinks.c.seq)).scalar()


def _last(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(trail.c.seq))).scalar() or 0
