"""Leases: which replica works on what, and what others may take over."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
import structlog

from bot.model.lifecycle import IN_HAND
from bot.model.operations import Decision, Operation, State
from bot.storage.audit_log import AuditLog
from bot.storage.outbox_message import OutboxMessage
from bot.storage.prepared import Prepared, in_any, listed
from bot.storage.quarantine import without
from bot.storage.session import MOST, NOW, Session, write
from bot.storage.tables import UNFINISHED, UNSETTLED, decisions, operations, outbox
from bot.storage.writer import Transaction

log = structlog.get_logger("stopstream.store")

_LEASED = ((operations, UNFINISHED), (outbox, sa.true()), (decisions, UNSETTLED))
"""The tables whose rows are leased, and the rows that can be among a million that are done."""


_MINE = {
    table.name: Prepared(
        sa.select(table.c.id, table.c.lease_until).where(
            unfinished, table.c.owner == sa.bindparam("is_owner"), table.c.lease_until > 0
        )
    )
    for table, unfinished in _LEASED
}

_STRAY_LEASES = 2.0
"""How many leases long rows may be leased without work on them; each lapses within one."""

_AT_ONCE = 500
"""How many leases one statement renews."""

Leased: TypeAlias = Literal["operations", "outbox", "decisions"]
"""A table whose rows are leased."""

Row: TypeAlias = tuple[str, str | int]
"""A table and an id in it."""


class Leases:
    """Claims, renews and releases leases. A lease belongs to a row, not to a process.

    Attributes:
        strays: How many rows are leased to this process although nothing here works on them.
    """

    def __init__(self, session: Session, audit_log: AuditLog) -> None:
        self.session = session
        self.strays = 0
        self._audit_log = audit_log
        self._released: list[tuple[sa.Column[Any], str | int]] = []
        self._works_on: dict[str, list[Callable[[], Iterable[str | int]]]] = {}
        self._suspects: frozenset[Row] = frozenset()
        self._strays_since: float | None = None
        self._strays_for = 0.0

    def track(self, table: Leased, in_hand: Callable[[], Iterable[str | int]]) -> None:
        """Renew the leases on rows of a table from now on, for as long as they are in hand.

        Args:
            in_hand: Returns the ids of the rows that are worked on now.
        """
        self._works_on.setdefault(table, []).append(in_hand)

    def trouble(self) -> str:
        """Return that there are strays for longer than leases last, or nothing."""
        if self._strays_for < _STRAY_LEASES * self.session.lease:
            return ""
        return f"for {self._strays_for:.0f} s, {self.strays} rows are leased that nothing works on"

    @write
    def claim(self, tx: Transaction, limit: int = 100) -> list[Operation]:
        """Claim operations in progress whose lease has lapsed."""
        lapsed = _lapsed(self.session.quarantine.of(operations.name))
        claimed = self.session.lease_rows(tx, operations, lapsed, limit)
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
        """Renew the leases of what is in hand; call it at least three times a lease.

        Whatever else is leased to this process lapses, and is claimed by any replica: it may
        have lost track of a row where it did not hear that its transaction took place.
        """
        released = tuple(self._released)
        now, leased = await self._renew(released, self._in_hand())
        del self._released[: len(released)]
        self._note_strays(now, leased)
        quarantine = self.session.quarantine
        if unreported := quarantine.unreported():
            await self._audit_log.report_unreadable(unreported)
            quarantine.reported(unreported)

    def _in_hand(self) -> Mapping[str, Collection[str | int]]:
        return {
            table: frozenset(chain.from_iterable(in_hand() for in_hand in sources))
            for table, sources in self._works_on.items()
        }

    def _note_strays(self, now: float, leased: frozenset[Row]) -> None:
        """Count the rows that were leased and not in hand, this time and the time before."""
        in_hand = self._in_hand()
        suspects = frozenset(row for row in leased if row[1] not in in_hand.get(row[0], ()))
        strays, self._suspects = suspects & self._suspects, suspects
        self.strays, self._strays_for = len(strays), 0.0
        if not strays:
            self._strays_since = None
        elif self._strays_since is None:
            self._strays_since = now
            log.warning("rows are leased that nothing works on", rows=sorted(map(str, strays))[:10])
        else:
            self._strays_for = now - self._strays_since

    @write
    def _renew(
        self,
        tx: Transaction,
        released: Sequence[tuple[sa.Column[Any], str | int]],
        in_hand: Mapping[str, Collection[str | int]],
    ) -> tuple[float, frozenset[Row]]:
        """Renew what is in hand.

        Returns:
            The store's time, and what else is leased to this process.
        """
        owner, lease = self.session.owner, self.session.lease
        for column, value in released:
            # Not free at once: what broke it off may have passed by the next round. A lease of 0
            # would mean that nobody holds it.
            tx.connection.execute(
                sa.update(column.table)
                .where(column == value, column.table.c.owner == owner)
                .values(owner="", lease_until=tx.now + lease / 5)
            )
        self.session.message_integrity.reject_uncoded(tx)
        others: list[Row] = []
        for table, _ in _LEASED:
            renewed: list[str | int] = []
            for row in _MINE[table.name].all(tx.connection, {"is_owner": owner}):
                if row.id in in_hand.get(table.name, ()):
                    renewed.append(row.id)
                elif row.lease_until > tx.now:
                    others.append((table.name, row.id))
            for first in range(0, len(renewed), _AT_ONCE):
                count, ids = listed(renewed[first : first + _AT_ONCE])
                _renewal(table, count).run(tx.connection, {**ids, "new_until": tx.now + lease})
        return tx.now, frozenset(others)

    @write
    def renew_sending(self, tx: Transaction, operation: Operation, younger_than: float) -> bool:
        """Renew the lease of an operation whose request is about to leave.

        Args:
            operation: As its intent was stored.
            younger_than: Seconds that may have passed since it was asked or consented to.

        Returns:
            False if another replica has taken it over, or it is too old.
        """
        consent = sa.func.coalesce(operations.c.decided_at, operations.c.asked_at)
        renewed = tx.connection.execute(
            sa.update(operations)
            .where(
                operations.c.id == operation.id,
                operations.c.owner == self.session.owner,
                operations.c.state == State.RUNNING.value,
                operations.c.attempts == operation.attempts,
                consent >= tx.now - younger_than,
            )
            .values(lease_until=tx.now + self.session.lease)
        )
        return renewed.rowcount > 0

    @write
    def hand_over(self, tx: Transaction) -> None:
        """Release all leases, so that another replica or the next start claims the work."""
        for table, unfinished in _LEASED:
            mine = sa.update(table).where(unfinished, table.c.owner == self.session.owner)
            if table is outbox:
                # A message in flight may reach Slack after the next owner has looked for it.
                mine = mine.where(sa.not_(outbox.c.uncertain))
            tx.connection.execute(mine.values(owner="", lease_until=0.0))


@lru_cache(32)
def _renewal(table: sa.Table, count: int) -> Prepared:
    """Return what renews that many leases."""
    renewed = sa.update(table).where(in_any(table.c.id, count))
    return Prepared(renewed.values(lease_until=sa.bindparam("new_until")))


@lru_cache(8)
def _lapsed(quarantined: tuple[str | int, ...]) -> sa.Select[Any]:
    """Select the operations in progress whose lease has lapsed."""
    return (
        sa.select(operations.c.id)
        .where(
            UNFINISHED,
            operations.c.state.in_([sa.literal(state.value) for state in IN_HAND]),
            operations.c.lease_until < NOW,
            operations.c.due_at <= NOW,
            without(operations, quarantined),
        )
        .order_by(operations.c.lease_until)
        .limit(MOST)
    )
