"""The tables `off` and `holds`: what is off the air, and what nobody may start."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.catalog.effects import LISTED_FOR, MAYBE, announce_at
from bot.catalog.registry import action_of
from bot.errors import TamperedRowError
from bot.model.actions import Effect, Json
from bot.model.messages import MessageKind
from bot.model.off_air import Hold, OffAirChange, OffAirEntry, StartScope
from bot.model.operations import LaterEvent, LaterKind, Operation
from bot.storage.later_events import LaterEvents
from bot.storage.outbox import Outbox
from bot.storage.prepared import Prepared
from bot.storage.session import MOST, NOW, Session, write
from bot.storage.signed_holds import find_signed_hold
from bot.storage.tables import ENDS, FOR_A_WHILE, holds, off, operations
from bot.storage.watches import Watches
from bot.storage.writer import Transaction

_VERIFIED_AFTER = 2.0
"""Seconds from the end of something until its state is read."""

_EARLIER_MOST = 8
"""How many earlier operations learn what becomes of what they took off the air."""


class OffAir:
    """Lists what is off the air and what is held."""

    def __init__(
        self, session: Session, outbox: Outbox, later_events: LaterEvents, watches: Watches
    ) -> None:
        self.session = session
        self._outbox = outbox
        self._later_events = later_events
        self._watches = watches

    # --- within a transition ---------------------------------------------------------

    def apply(self, tx: Transaction, operation: Operation, change: OffAirChange) -> None:
        """Store what an ending changes, and enqueue messages about it.

        They are the cards of those operations that had turned it off before, and one about its
        end if that is known.
        """
        key = _entry_key(change)
        before = _ENTRY.first(tx.connection, key)
        known = _turned_off_by(before) if before is not None else []
        earlier = [id_ for id_ in known if id_ != operation.id]
        changed = False
        if change.resource_gone or not change.off:
            since = {"is_since": tx.now - change.minimum_age}
            changed = _TURN_ON.run(tx.connection, key | since) > 0
        if change.off:
            row = {name.removeprefix("is_"): value for name, value in key.items()}
            row |= _entry(operation, change, earlier, tx.now)
            written = _turn_off(self.session.insert).first(tx.connection, row)
            changed = changed or written is not None
        if changed:
            self._watches.follow(tx, operation, change)
        if before is not None and changed:
            self._later_events.record(tx, earlier, _event(operation, change, before, tx.now))
        if change.off and change.announced:
            self._outbox.enqueue(tx, operation, MessageKind.LIFT)

    def apply_late(
        self,
        tx: Transaction,
        operation: Operation,
        change: OffAirChange,
        *,
        verify_in: float | None,
    ) -> None:
        """Store what an answer changes that came after its operation had been ended.

        What another operation has changed since the request left stays as it is; only a state
        that is read afterwards tells which of the two came last.

        Args:
            verify_in: Seconds until the state is read; None where it is not.
        """
        sent = operation.sent_at or operation.asked_at
        if not change.off:
            self.apply(tx, operation, replace(change, minimum_age=tx.now - sent))
            return
        row = _ENTRY.first(tx.connection, _entry_key(change))
        is_newer = row is not None and row.operation != operation.id and row.since > sent
        # Without an entry, something has turned it on since.
        if is_newer or (row is None and verify_in is None):
            return
        self.apply(tx, operation, change)
        if verify_in is not None:
            due = sa.update(operations).where(operations.c.id == operation.id)
            tx.connection.execute(due.values(look_at=tx.now + verify_in))

    def forget_unknown(self, tx: Transaction, operation: Operation) -> None:
        """Take off the list what an operation may have turned off, and did not.

        What was read of it since, or may have been turned off by an earlier operation, stays.
        """
        if operation.verified_state:
            return
        mine = off.c.operation == operation.id, off.c.weight == MAYBE
        for row in tx.connection.execute(sa.select(off).where(*mine)).all():
            earlier: list[str] = json.loads(row.earlier)
            this = *mine, off.c.key == row.key
            if earlier:
                back = {"operation": earlier.pop(), "earlier": json.dumps(earlier)}
                tx.connection.execute(sa.update(off).where(*this).values(back))
            else:
                tx.connection.execute(sa.delete(off).where(*this))

    def hold(self, tx: Transaction, operation: Operation, hold: Hold) -> None:
        """Store a hold, unless its target is held already."""
        row = {
            "account": hold.account,
            "target": hold.target,
            "operation": operation.id,
            "actor": hold.held_by,
            "reason": hold.reason,
            "since": tx.now,
        }
        tx.connection.execute(self.session.insert(holds).values(row).on_conflict_do_nothing())

    def release(self, tx: Transaction, operation: Operation, scope: StartScope) -> None:
        """Delete the holds of some targets, and enqueue the cards of what began them."""
        gone = sa.delete(holds).where(*_in_scope(scope)).returning(holds.c.operation)
        ids = tx.connection.execute(gone).scalars().all()
        event = LaterEvent(LaterKind.UNDONE, tx.now, by=operation.actor.user)
        self._later_events.record(tx, ids, event)

    def holder(self, tx: Transaction, scope: StartScope) -> Hold | None:
        """Return a hold of one of some targets, within a transaction."""
        return _find_hold(tx.connection, scope)

    def forbids(self, tx: Transaction, scope: StartScope) -> bool:
        """Return whether a start is held; a hold whose row was taken away is stored again."""
        if self.holder(tx, scope) is not None:
            return True
        operation = find_signed_hold(tx, self.session.integrity, scope)
        if operation is None:
            return False
        target, reason = (str(operation.params[name]) for name in ("Target", "Reason"))
        hold = Hold(operation.account, target, operation.id, operation.actor.user, reason, 0.0)
        self.hold(tx, operation, hold)
        why = f"the hold of {target} was taken away, and nobody has released it"
        self.session.quarantine.add(TamperedRowError(holds.name, target, operation.id, why))
        return True

    # --- what ends by itself ---------------------------------------------------------

    @write
    def claim_expiring(self, tx: Transaction, limit: int = 16) -> Sequence[tuple[Operation, float]]:
        """Announce what ends soon, and claim what has ended, to be verified.

        What nothing brings back is taken off the list after a day.

        Returns:
            The operations that turned it off, and when it has ended, epoch seconds.
        """
        _UNLIST.run(tx.connection, {"is_before": tx.now - LISTED_FOR})
        return list(self._claim_some(tx, limit))

    def _claim_some(self, tx: Transaction, limit: int) -> Iterator[tuple[Operation, float]]:
        for row in _DUE.all(tx.connection, {"is_now": tx.now, "most": limit}):
            ended = tx.now >= row.until
            # A claim that is not followed up lapses.
            next_at = tx.now + 3 * self.session.lease if ended else row.until + _VERIFIED_AFTER
            one = off.c.account == row.account, off.c.thing == row.thing, off.c.key == row.key
            tx.connection.execute(sa.update(off).where(*one).values(next_at=next_at))
            query = sa.select(operations).where(operations.c.id == row.operation)
            found = tx.connection.execute(query).all()
            for operation in self.session.integrity.operations(tx, found):
                if ended:
                    yield operation, row.until
                else:
                    self._outbox.enqueue(tx, operation, MessageKind.LIFT, "soon")

    @write
    def record_expiry(
        self,
        tx: Transaction,
        operation: Operation,
        observed: str,
        facts: Mapping[str, Json],
        *,
        still: bool,
    ) -> None:
        """Record, once, that something has ended by itself, and enqueue a message about it.

        Args:
            observed: Its state then; empty where it could not be read.
            still: Whether it is off all the same.
        """
        mine = off.c.operation == operation.id, ENDS
        entry = tx.connection.execute(sa.select(off).where(*mine)).first()
        if entry is None:
            return
        ended = sa.delete(off).where(*mine)
        stays = sa.update(off).where(*mine).values(until=None, next_at=None)
        tx.connection.execute(stays if still else ended)
        tx.facts.append(Fact("lifted", operation.id, dict(facts)))
        self._outbox.enqueue(tx, operation, MessageKind.LIFTED, observed)
        kind = LaterKind.STILL_OFF if still else LaterKind.ENDED
        event = LaterEvent(kind, entry.until or tx.now, observed)
        self._later_events.record(tx, _turned_off_by(entry), event)

    @write
    def record_on_again(
        self, tx: Transaction, id_: str, observed: str, facts: Mapping[str, Json]
    ) -> bool:
        """Record that what an operation turned off was observed to be on again.

        Args:
            observed: Its state.

        Returns:
            Whether it was news.
        """
        return self.turn_on_again(tx, id_, observed, facts)

    def turn_on_again(
        self, tx: Transaction, id_: str, observed: str, facts: Mapping[str, Json]
    ) -> bool:
        """Do the same within a transaction; return whether it was news."""
        self._watches.end(tx, id_)
        mine = sa.delete(off).where(off.c.operation == id_).returning(*off.c)
        entry = tx.connection.execute(mine).first()
        if entry is not None:
            tx.facts.append(Fact("on again", id_, dict(facts)))
            event = LaterEvent(LaterKind.ON_AGAIN, tx.now, observed)
            self._later_events.record(tx, _turned_off_by(entry), event)
        return entry is not None

    @write
    def adopt_account(self, tx: Transaction, account: str, by: str) -> None:
        """File what is off and held under the name of one account under another's."""
        moved = 0
        for table in (off, holds):
            names = [column for column in table.primary_key if column.name != "account"]
            theirs = sa.select(*names).where(table.c.account == by)
            free = sa.tuple_(*names).not_in(theirs)
            ours = sa.update(table).where(table.c.account == account, free)
            moved += tx.connection.execute(ours.values(account=by)).rowcount
        if moved:
            tx.facts.append(Fact("adopted", "", {"account": account, "by": by, "rows": moved}))

    # --- reading ---------------------------------------------------------------------

    async def latest_stop(self, account: str, thing: str, key: str) -> Operation | None:
        """Return the operation by which something is off now; see OffAirChange."""
        given = {"is_account": account, "is_thing": thing, "is_key": key}
        return await self.session.fetch_operation(_LATEST_STOP, given)

    async def list_holds(self) -> Sequence[Operation]:
        """Return the operations by which targets are held, the newest first."""
        query = (
            sa.select(operations, holds.c.account.label("filed"))
            .join(holds, holds.c.operation == operations.c.id)
            .order_by(holds.c.since.desc())
        )
        return [one for one, _ in self._filed(await self.session.fetch(query))]

    async def filed_account(self, id_: str) -> str:
        """Return the account that an operation's entry or hold is filed under, or empty."""
        under = (sa.select(t.c.account).where(t.c.operation == id_) for t in (off, holds))
        query = sa.union_all(*under).limit(1)
        return str(await self.session.read(lambda c: c.execute(query).scalar()) or "")

    async def find_hold(self, scope: StartScope) -> Hold | None:
        """Return a hold of what would be started, if there is one."""
        return await self.session.read(lambda connection: _find_hold(connection, scope))

    async def list(self, limit: int) -> Sequence[OffAirEntry]:
        """Return what is off and not yet on, the newest first."""
        query = (
            sa.select(operations, off.c.until, off.c.account.label("filed"))
            .join(off, off.c.operation == operations.c.id)
            .order_by(off.c.since.desc())
            .limit(limit)
        )
        found = self._filed(await self.session.fetch(query))
        return [OffAirEntry(operation, row.until) for operation, row in found]

    def _filed(self, found: Sequence[sa.Row[Any]]) -> Iterator[tuple[Operation, sa.Row[Any]]]:
        """Decode operations, each with the account that its entry is filed under."""
        for row in found:
            for operation in self.session.quarantine.operations([row]):
                yield replace(operation, account=row.filed), row


def _turned_off_by(entry: sa.Row[Any]) -> list[str]:
    """Return the ids of the operations that turned something off, the oldest first."""
    return [*json.loads(entry.earlier), entry.operation]


def _entry_key(change: OffAirChange) -> dict[str, Any]:
    """Return the parameters of the queries for one entry."""
    return {
        "is_account": change.account,
        "is_thing": change.resource_type,
        "is_key": change.key,
    }


def _entry(
    operation: Operation, change: OffAirChange, earlier: Sequence[str], now: float
) -> dict[str, Any]:
    """Return the columns of an entry beside its key."""
    return {
        "operation": operation.id,
        "weight": change.weight,
        "since": now,
        "until": change.until,
        "next_at": announce_at(now, change.until) if change.until is not None else None,
        "earlier": json.dumps(earlier[-_EARLIER_MOST:]),
    }


def _event(
    operation: Operation, change: OffAirChange, before: sa.Row[Any], now: float
) -> LaterEvent:
    """Return what a change means for the operations that had turned the same thing off."""
    action, by = action_of(operation), operation.actor.user
    if not change.off:
        if action is not None and action.effect is Effect.READ:
            state = action.effect_spec.resource_type.on or ""
            return LaterEvent(LaterKind.ON_AGAIN, now, state)
        return LaterEvent(LaterKind.UNDONE, now, by=by)
    later = before.until is not None and (change.until or 0.0) > before.until
    kind = LaterKind.EXTENDED if later else LaterKind.STOPPED_AGAIN
    return LaterEvent(kind, now, by=by, until=change.until)


def _in_scope(scope: StartScope) -> tuple[sa.ColumnElement[bool], ...]:
    account = holds.c.account == scope.account
    if scope.known_accounts is not None:
        account = sa.or_(account, holds.c.account.not_in(scope.known_accounts))
    return account, holds.c.target.in_(scope.targets)


def _find_hold(connection: sa.Connection, scope: StartScope) -> Hold | None:
    row = connection.execute(sa.select(holds).where(*_in_scope(scope)).limit(1)).first()
    if row is None:
        return None
    return Hold(row.account, row.target, row.operation, row.actor, row.reason, row.since)


_IS_ENTRY = tuple(off.c[name] == sa.bindparam(f"is_{name}") for name in ("account", "thing", "key"))
_ENTRY = Prepared(sa.select(off).where(*_IS_ENTRY))
_LATEST_STOP = Prepared(
    sa.select(operations).join(off, off.c.operation == operations.c.id).where(*_IS_ENTRY)
)
_TURN_ON = Prepared(
    sa.delete(off).where(*_IS_ENTRY, off.c.since <= sa.bindparam("is_since", type_=sa.Double))
)
_UNLIST = Prepared(
    sa.delete(off).where(FOR_A_WHILE, off.c.since < sa.bindparam("is_before", type_=sa.Double))
)
_DUE = Prepared(
    sa.select(off).where(ENDS, off.c.next_at <= NOW).order_by(off.c.next_at).limit(MOST)
)


_REPLACED = ("operation", "weight", "since", "until", "next_at", "earlier")


@cache
def _turn_off(insert: Callable[[sa.Table], Any]) -> Prepared:
    statement = insert(off)
    given = statement.excluded
    return Prepared(
        statement.on_conflict_do_update(
            index_elements=[off.c.account, off.c.thing, off.c.key],
            set_={n: given[n] for n in _REPLACED},
            where=off.c.weight <= given.weight,
        ).returning(off.c.operation)
    )
