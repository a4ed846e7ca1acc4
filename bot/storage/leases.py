"""Leases: which replica works on what, and what others may take over."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.model.lifecycle import IN_HAND
from bot.model.operations import Decision, Operation
from bot.storage.audit_log import AuditLog
from bot.storage.outbox import OutboxMessage
from bot.storage.session import Session, write
from bot.storage.tables import UNFINISHED, UNSETTLED, decisions, operations, outbox
from bot.storage.writer import Transaction

_LEASED = ((operations, UNFINISHED), (outbox, sa.true()), (decisions, UNSETTLED))
"""The tables whose rows are leased, and the rows that can be among a million that are done."""


class Leases:
    """Claims, renews and releases leases. A lease belongs to a row, not to a process."""

    def __init__(self, session: Session, audit_log: AuditLog) -> None:
        self.session = session
        self._audit_log = audit_log
        self._released: list[tuple[sa.Column[Any], str | int]] = []

    @write
    def claim(self, tx: Transaction, limit: int = 100) -> list[Operation]:
        """Claim operations in progress whose lease has lapsed."""
        lapsed = (
            sa.select(operations.c.id)
            .where(
                UNFINISHED,
                operations.c.state.in_([state.value for state in IN_HAND]),
                operations.c.lease_until < tx.now,
                operations.c.due_at <= tx.now,
                self.session.quarantine.excluding(operations),
            )
            .order_by(operations.c.lease_until)
            .limit(limit)
        )
        claimed = self.session.lease_rows(tx, operations, lapsed)
        found = self.session.integrity.operations(tx, claimed, replayed=True)
        self.session.release_quarantined(tx, operations)
        return found

    def release(self, what: str | OutboxMessage | Decision) -> None:
        """Release a lease at the next renewal, for work that was broken off here.

        Args:
            what: An operation's id, a message or a decision.
        """
        match what:
            case OutboxMessage():
                self._released.append((outbox.c.id, what.id))
            case Decision():
                self._released.append((decisions.c.key, what.key))
            case _:
                self._released.append((operations.c.id, what))

    async def renew(self) -> None:
        """Renew this replica's leases; call it at least three times a lease."""
        released = tuple(self._released)
        await self._renew(released)
        del self._released[: len(released)]
        quarantine = self.session.quarantine
        if unreported := quarantine.unreported():
            await self._audit_log.report_unreadable(unreported)
            quarantine.reported(unreported)

    @write
    def _renew(self, tx: Transaction, released: Sequence[tuple[sa.Column[Any], str | int]]) -> None:
        owner, lease = self.session.owner, self.session.lease
        for column, value in released:
            # Not free at once: what broke it off may have passed by the next round. A lease of 0
            # would mean that nobody holds it.
            tx.connection.execute(
                sa.update(column.table)
                .where(column == value, column.table.c.owner == owner)
                .values(owner="", lease_until=tx.now + lease / 5)
            )
        for table, unfinished in _LEASED:
            tx.connection.execute(
                sa.update(table)
                .where(unfinished, table.c.owner == owner, table.c.lease_until > 0)
                .values(lease_until=tx.now + lease)
            )

    @write
    def hand_over(self, tx: Transaction) -> None:
        """Release all leases, so that another replica or the next start claims the work."""
        for table, unfinished in _LEASED:
            mine = sa.update(table).where(unfinished, table.c.owner == self.session.owner)
            if table is outbox:
                # A message in flight may reach Slack after the next owner has looked for it.
                mine = mine.where(sa.not_(outbox.c.uncertain))
            tx.connection.execute(mine.values(owner="", lease_until=0.0))
