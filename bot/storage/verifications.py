"""Verifications: whether a stop has held, read from the cloud a moment after it."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.model.actions import Json, Params
from bot.model.messages import MessageKind
from bot.model.operations import LaterEvent, LaterKind, Operation
from bot.storage import rows
from bot.storage.later_events import LaterEvents
from bot.storage.outbox import Outbox
from bot.storage.prepared import Prepared
from bot.storage.quarantine import without
from bot.storage.row_integrity import LOOKED
from bot.storage.session import MOST, NOW, Session, write
from bot.storage.shared_threads import SharedThreads
from bot.storage.tables import UNSEEN, operations
from bot.storage.writer import Transaction


class Verifications:
    """Hands out the operations that are due for verification, and records what was observed."""

    def __init__(
        self, session: Session, outbox: Outbox, later_events: LaterEvents, threads: SharedThreads
    ) -> None:
        self.session = session
        self._outbox = outbox
        self._later_events = later_events
        self._threads = threads

    @write
    def claim(self, tx: Transaction, limit: int = 16) -> list[Operation]:
        """Claim ended operations that are due; a claim that is not followed up lapses."""
        claim = _claim(self.session.quarantine.of(operations.name))
        again_at = tx.now + 3 * self.session.lease
        given = {"is_now": tx.now, "most": limit, "new_look_at": again_at}
        return self.session.integrity.operations(tx, claim.all(tx.connection, given))

    @write
    def skip(self, tx: Transaction, operation: Operation) -> None:
        """Cancel a verification: its subject has been changed since, on purpose."""
        due = sa.update(operations).where(operations.c.id == operation.id, UNSEEN)
        tx.connection.execute(due.values(look_at=None))

    @write
    def record(
        self,
        tx: Transaction,
        operation: Operation,
        observed: str,
        facts: Mapping[str, Json],
        live_now: Sequence[Params] = (),
        *,
        on: bool = False,
        announced: bool = True,
    ) -> None:
        """Record the state that was observed, once, and enqueue a message about it.

        Args:
            live_now: Keys of what is live where it is not known that anything was stopped.
            on: Whether it is on again.
            announced: Whether there is anything to say about it.
        """
        found = {"live_now": rows.keys(live_now)} if live_now else {}
        change = self.session.integrity.begin(tx, operation.id, operation.state)
        if change is None:
            return
        found |= change.code(found)
        given = {"is_id": operation.id, "new_looked": observed}
        given |= {f"new_{name}": value for name, value in found.items()}
        row = _observed(tuple(sorted(found))).first(tx.connection, given)
        if row is not None:
            tx.facts.append(Fact(LOOKED, operation.id, {**facts, **change.version}))
            if announced and not _is_told(seen := rows.operation(row), observed, on=on):
                if not self._threads.is_told(tx, seen, tx.now, observed):
                    after = str(round(tx.now - (seen.ended_at or tx.now)))
                    self._outbox.enqueue(tx, seen, MessageKind.LOOKED, after)
                kind = LaterKind.ON_AGAIN if on else LaterKind.CHECKED
                self._later_events.record(tx, [row.id], LaterEvent(kind, tx.now, observed))


@lru_cache(8)
def _claim(quarantined: tuple[str | int, ...]) -> Prepared:
    """Return the UPDATE that claims what is due."""
    due = (
        sa.select(operations.c.id)
        .where(UNSEEN, operations.c.look_at <= NOW, without(operations, quarantined))
        .order_by(operations.c.look_at)
        .limit(MOST)
    )
    return Prepared(
        sa.update(operations)
        .where(operations.c.id.in_(due.scalar_subquery()))
        .values(look_at=sa.bindparam("new_look_at"))
        .returning(*operations.c)
    )


def _is_told(operation: Operation, observed: str, *, on: bool) -> bool:
    """Return whether a watch has told of the same before, perhaps since the state was read."""
    later = operation.later
    if later is None:
        return False
    return later.kind is LaterKind.ON_AGAIN if on else later.state == observed


@cache
def _observed(names: tuple[str, ...]) -> Prepared:
    """Return the UPDATE that stores what was observed, and some other columns."""
    return Prepared(
        sa.update(operations)
        .where(operations.c.id == sa.bindparam("is_id"), operations.c.look_at.is_not(None))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
        .values(look_at=None, looked=sa.bindparam("new_looked"), seq=operations.c.seq + 1)
        .returning(*operations.c)
    )
