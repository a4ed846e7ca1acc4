"""Figures of the database that somebody watches: how much waits, and for how long."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import CHECKPOINT
from bot.storage.session import Session
from bot.storage.tables import WAITING, operations, outbox, trail


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures at one moment; ages are in seconds, and 0 where nothing waits.

    Attributes:
        outbox: Messages that Slack must still hear.
        outbox_age: Since the oldest of them was enqueued.
        approvals: Operations that wait for somebody to decide.
        approvals_age: Since the oldest of them was asked.
        checkpoint_age: Since the first record of the audit log that no checkpoint covers.
    """

    outbox: int
    outbox_age: float
    approvals: int
    approvals_age: float
    checkpoint_age: float


class Statistics:
    """Reads the figures."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def read(self) -> Figures:
        """Return the figures as they are now.

        Raises:
            StoreError: The database cannot be read.
        """
        return await self.session.read(self._read)

    def _read(self, connection: sa.Connection) -> Figures:
        now = self.session.read_clock(connection)
        messages = connection.execute(self._waiting_messages()).one()
        waiting = connection.execute(_APPROVALS).one()
        uncovered = connection.execute(_UNCOVERED).scalar()
        return Figures(
            messages.number,
            _age(now, messages.since),
            waiting.number,
            _age(now, waiting.since),
            _age(now, uncovered),
        )

    def _waiting_messages(self) -> sa.Select[int, Any]:
        """Count the messages that this process can decode; an older release noted no times."""
        noted = sa.func.min(sa.case((outbox.c.enqueued_at > 0, outbox.c.enqueued_at)))
        readable = self.session.quarantine.excluding(outbox)
        ours = self.session.message_integrity.may_be_ours
        columns = sa.func.count().label("number"), noted.label("since")
        return sa.select(*columns).select_from(outbox).where(readable, ours)


def _age(now: float, since: float | None) -> float:
    return 0.0 if since is None else max(0.0, now - since)


_APPROVALS = (
    sa.select(sa.func.count().label("number"), sa.func.min(operations.c.asked_at).label("since"))
    .select_from(operations)
    .where(WAITING)
)

_LAST_CHECKPOINT = (
    sa.select(sa.func.max(trail.c.seq))
    .where(trail.c.operation == "", trail.c.kind == CHECKPOINT)
    .scalar_subquery()
)

_UNCOVERED = (
    sa.select(trail.c.at)
    .where(trail.c.seq > sa.func.coalesce(_LAST_CHECKPOINT, 0))
    .order_by(trail.c.seq)
    .limit(1)
)
