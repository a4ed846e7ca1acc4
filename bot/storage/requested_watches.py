"""The watches that people ask for: rows of `watches`, each told in the thread of its operation."""

from collections.abc import Mapping

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.catalog.builtin import UNWATCH, WATCH
from bot.catalog.effects import resource_key
from bot.model.actions import Json
from bot.model.live_notices import Watch, WatchPlace, WatchScope
from bot.model.messages import MessageKind
from bot.model.operations import LaterEvent, LaterKind, Operation
from bot.storage.later_events import LaterEvents
from bot.storage.outbox import Outbox
from bot.storage.session import Session, write
from bot.storage.tables import operations, watches
from bot.storage.transition import Effects, Transition
from bot.storage.watches import is_unheard, stream_of
from bot.storage.writer import Transaction

OWN_MOST, TOTAL_MOST = 10, 100
"""Streams that one person may watch at a time, and all people together."""

SEEN, OVER = "seen", "watch over"
"""Kinds of the records of a state that was told, and of the end of a watch."""

_FIRST_READ = 3.0
"""Seconds from the beginning to the next read: its own has just been made."""


class RequestedWatches:
    """Begins and ends these watches, and records the states that were seen."""

    def __init__(self, session: Session, outbox: Outbox, later_events: LaterEvents) -> None:
        self.session = session
        self._outbox = outbox
        self._later_events = later_events

    # --- within a transition ---------------------------------------------------------

    def allow(self, tx: Transaction, transition: Transition) -> bool:
        """Return whether the watch of a transition may begin, or end; true where it has none."""
        begin, end = transition.effects.watch, transition.effects.unwatch
        if begin is not None:
            query = sa.select(operations.c.actor).where(operations.c.id == transition.id)
            actor = tx.connection.execute(query).scalar() or ""
            return is_free(_place(tx.connection, begin.scope, actor))
        if end is not None:
            return tx.connection.execute(sa.select(watches).where(*_in(end))).first() is not None
        return True

    def follow(self, tx: Transaction, operation: Operation, effects: Effects) -> None:
        """Begin the watch of a transition, and end those that it ends."""
        if (begin := effects.watch) is not None:
            row = {
                "operation": operation.id,
                "account": begin.scope.account,
                "stream": stream_of(begin.scope.key),
                "key": begin.scope.key,
                "since": tx.now,
                "until": begin.until,
                "next_at": min(tx.now + _FIRST_READ, begin.until),
                "read_at": tx.now,
                "state": begin.state,
                "asked": True,
            }
            tx.connection.execute(self.session.insert(watches).values(row))
        if effects.unwatch is not None:
            gone = sa.delete(watches).where(*_in(effects.unwatch)).returning(watches.c.operation)
            ids = tx.connection.execute(gone).scalars().all()
            event = LaterEvent(LaterKind.UNDONE, tx.now, by=operation.actor.user)
            self._later_events.record(tx, ids, event)

    # --- reading ---------------------------------------------------------------------

    async def place(self, scope: WatchScope, actor: str) -> WatchPlace:
        """Return what is watched already, for a person who asks for one more."""
        return await self.session.read(lambda connection: _place(connection, scope, actor))

    async def exists(self, scope: WatchScope) -> bool:
        """Return whether anybody watches in a scope."""
        return bool(await self.session.fetch(sa.select(watches.c.operation).where(*_in(scope))))

    # --- what was seen ---------------------------------------------------------------

    @write
    def record_state(
        self, tx: Transaction, watch: Watch, state: str, facts: Mapping[str, Json], again_in: float
    ) -> bool:
        """Record a state that was read; one that differs from the last is told, once.

        Args:
            again_in: Seconds until it is read again.

        Returns:
            Whether it was told.
        """
        mine = watches.c.operation == watch.operation.id, watches.c.changes == watch.changes
        next_at = min(tx.now + again_in, watch.until)
        changed = state != watch.state
        values = {"state": state, "changes": watch.changes + int(changed)}
        if not tx.connection.execute(sa.update(watches).where(*mine).values(values)).rowcount:
            return False
        later = {"next_at": next_at, "heard": ""}
        tx.connection.execute(sa.update(watches).where(is_unheard(watch)).values(later))
        if changed:
            tx.facts.append(Fact(SEEN, watch.operation.id, dict(facts)))
            self._tell_state(tx, watch, state)
        return changed

    @write
    def postpone(self, tx: Transaction, watch: Watch, again_in: float) -> None:
        """Have a stream read again later whose state could not be read."""
        next_at = min(tx.now + again_in, watch.until)
        later = sa.update(watches).where(is_unheard(watch))
        tx.connection.execute(later.values(next_at=next_at))

    @write
    def finish(
        self, tx: Transaction, watch: Watch, facts: Mapping[str, Json], why: str = ""
    ) -> bool:
        """End a watch, and say so in its thread, once.

        Args:
            why: Why it ends before its time; empty where that is over.
        """
        gone = sa.delete(watches).where(watches.c.operation == watch.operation.id)
        if not tx.connection.execute(gone).rowcount:
            return False
        tx.facts.append(Fact(OVER, watch.operation.id, {**facts, **({"why": why} if why else {})}))
        event = LaterEvent(LaterKind.ENDED, tx.now, watch.state)
        self._later_events.record(tx, [watch.operation.id], event)
        self._outbox.enqueue(tx, watch.operation, MessageKind.SEEN, f"over {why}".rstrip())
        return True

    def _tell_state(self, tx: Transaction, watch: Watch, state: str) -> None:
        """Enqueue the line about a state, and the card, with how long the last one has lasted."""
        operation = watch.operation
        at = watch.heard_at if watch.heard and watch.heard_at else tx.now
        kind = LaterKind.ON_AGAIN if state == _LIVE else LaterKind.CHECKED
        lasted = ""
        if operation.later is not None and operation.later.kind is LaterKind.ON_AGAIN:
            lasted = f"{max(0.0, at - operation.later.at):.3f}"
        self._later_events.record(tx, [operation.id], LaterEvent(kind, at, state))
        observed = f"{watch.changes + 1} {lasted or '-'} {state}"
        self._outbox.enqueue(tx, operation, MessageKind.SEEN, observed)


_LIVE = WATCH.effect_spec.resource_type.on


def scope_of(operation: Operation) -> WatchScope:
    """Return which watch an operation asks for, or ends."""
    key = resource_key(WATCH, operation.params) or ""
    ended = operation.origin.undoes if operation.api == UNWATCH.api else ""
    return WatchScope(operation.account, key, operation.place.channel, ended)


def is_free(found: WatchPlace) -> bool:
    """Return whether one more may be watched."""
    return found.same is None and found.own < OWN_MOST and found.total < TOTAL_MOST


def _in(scope: WatchScope) -> tuple[sa.ColumnElement[bool], ...]:
    of_channel = sa.select(operations.c.id).where(operations.c.channel == scope.channel)
    found = (
        watches.c.asked,
        watches.c.account == scope.account,
        watches.c.key == scope.key,
        watches.c.operation.in_(of_channel),
    )
    return (*found, watches.c.operation == scope.operation) if scope.operation else found


def _place(connection: sa.Connection, scope: WatchScope, actor: str) -> WatchPlace:
    query = (
        sa.select(watches, operations.c.actor, operations.c.channel)
        .join(operations, operations.c.id == watches.c.operation)
        .where(watches.c.asked)
    )
    rows = connection.execute(query).all()
    same = (
        (row.actor, row.until)
        for row in rows
        if (row.account, row.key, row.channel) == (scope.account, scope.key, scope.channel)
    )
    own = sum(row.actor == actor for row in rows)
    return WatchPlace(next(same, None), own, len(rows))
