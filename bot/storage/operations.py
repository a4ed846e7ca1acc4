"""Operations: their rows, and the transitions that are one transaction with all that follows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.model.actions import Json
from bot.model.lifecycle import BEGINNINGS, ENDINGS, IN_HAND, Step, step
from bot.model.messages import MessageKind
from bot.model.off_air import StartScope
from bot.model.operations import Operation, Search, State, requested
from bot.storage import floods, operation_search, rows
from bot.storage.off_air import OffAir
from bot.storage.outbox import Outbox
from bot.storage.prepared import Prepared
from bot.storage.rate_limits import RateLimits
from bot.storage.requested_watches import RequestedWatches
from bot.storage.session import Session, write
from bot.storage.tables import UNFINISHED, WAITING, operations
from bot.storage.transition import LateAnswer, Supersedes, Transition
from bot.storage.writer import Transaction


class Operations:
    """Stores operations and applies transitions to them."""

    def __init__(
        self,
        session: Session,
        *,
        outbox: Outbox,
        off_air: OffAir,
        watches: RequestedWatches,
        rate_limits: RateLimits,
    ) -> None:
        self.session = session
        self._outbox = outbox
        self._off_air = off_air
        self._watches = watches
        self._rate_limits = rate_limits

    # --- writing ---------------------------------------------------------------------

    async def add(self, operation: Operation, facts: Mapping[str, Json]) -> Operation | None:
        """Store a new operation; None if its key is stored already."""
        # Somebody waits for the ack.
        return await self.session.writer.do(self._add, (operation, facts), urgent=True)

    def _add(
        self, tx: Transaction, added: Sequence[tuple[Operation, Mapping[str, Json]]]
    ) -> list[Operation | None]:
        return [
            operation if self._add_one(tx, operation, facts) else None for operation, facts in added
        ]

    def _add_one(self, tx: Transaction, operation: Operation, facts: Mapping[str, Json]) -> bool:
        """Store an operation and its record; False if its key is stored already."""
        integrity = self.session.integrity
        columns = rows.columns(operation) | self._first_values(tx, operation)
        columns["mac"] = integrity.macs.operation(columns)
        if not _insertion(self.session.insert, tuple(columns)).run(tx.connection, columns):
            return False
        known_facts = {**facts, **integrity.version(operation.seq)}
        tx.facts.append(Fact(BEGINNINGS[operation.state].record, operation.id, known_facts))
        return True

    def _first_values(self, tx: Transaction, operation: Operation) -> dict[str, Any]:
        return {
            **self._lease(tx, operation.state),
            "asked_at": tx.now,
            "due_at": 0.0,
            "ended_at": tx.now if operation.state in ENDINGS else None,
        }

    def _lease(self, tx: Transaction, state: State) -> dict[str, Any]:
        """Return the columns of the lease: this replica's in a state that is worked on."""
        mine = state in IN_HAND
        return {
            "owner": self.session.owner if mine else "",
            "lease_until": tx.now + self.session.lease if mine else 0.0,
        }

    @write
    def apply(self, tx: Transaction, transition: Transition) -> Operation | None:
        """Apply a transition; None if a guard is not met or the state is another one.

        The row, the audit records of every step, the messages and the other effects are one
        transaction.
        """
        return self._apply(tx, transition)

    @write
    def examine(self, tx: Transaction, id_: str) -> None:
        """Quarantine an operation, and so have it reported, if somebody else has written it."""
        self.session.integrity.begin(tx, id_, State.FAILED)

    @write
    def start(
        self,
        tx: Transaction,
        account: str,
        api: str,
        interval: float,
        transitions: Sequence[Transition],
    ) -> list[tuple[float, Operation | None]]:
        """Store the intent to send requests, and reserve a slot for each.

        Args:
            interval: Seconds between two requests, over all replicas.

        Returns:
            For each transition when its request may leave, by `time.monotonic`, and the
            operation; None as for `apply`.
        """
        applied = [self._apply(tx, transition) for transition in transitions]
        count = len(applied) - applied.count(None)
        slots = iter(self._rate_limits.reserve_slots(tx, account, api, interval, count=count))
        return [(next(slots) if one else 0.0, one) for one in applied]

    @write
    def wait(
        self,
        tx: Transaction,
        transition: Transition,
        like: Operation,
        may_join: Callable[[Operation, float], bool],
    ) -> Operation | None:
        """Apply a transition to WAITING, unless it joins one that waits for the very same.

        Args:
            like: The operation itself: same action, parameters and account is the same.
            may_join: Tells, by the store's time, whether it may join one.

        Returns:
            The operation that waits, which may be another one; None as for `apply`.
        """
        waiting = self._waiting_for_same(tx, like)
        joined = next((other for other in waiting if may_join(other, tx.now)), None)
        return joined or self._update(tx, transition)

    def _waiting_for_same(self, tx: Transaction, like: Operation) -> Iterator[Operation]:
        found = _WAITING_LIKE.all(tx.connection, {"is_api": like.api, "is_now": tx.now})
        others = [one for one in self.session.integrity.operations(tx, found) if not one.unsigned]
        same = requested(like)
        return (one for one in others if one.id != like.id and requested(one) == same)

    def _supersede(self, tx: Transaction, supersedes: Supersedes) -> None:
        """End what waits for what another operation has done."""
        for waiting in list(self._waiting_for_same(tx, supersedes.done)):
            self._update(tx, supersedes.end(waiting))

    def _apply(self, tx: Transaction, transition: Transition) -> Operation | None:
        if self._is_held(tx, transition) or not self._watches.allow(tx, transition):
            return None
        return self._update(tx, transition)

    def _is_held(self, tx: Transaction, transition: Transition) -> bool:
        """Return whether a hold, or the end of one, prevents a transition."""
        start, effects = transition.guards.start_scope, transition.effects
        if start is not None and self._off_air.forbids(tx, start):
            return True
        if effects.hold is not None:
            scope = StartScope(effects.hold.account, (effects.hold.target,))
            there = self._off_air.holder(tx, scope)
            return there is not None and there.operation != transition.id
        if effects.release is not None:
            return self._off_air.holder(tx, effects.release) is None
        return False

    def _update(self, tx: Transaction, transition: Transition) -> Operation | None:
        # A transition that the lifecycle does not have fails before anything is written.
        steps = [step(*two, transition.meanwhile) for two in pairwise(transition.path)]
        change = self.session.integrity.begin(tx, transition.id, transition.path[-1])
        if change is None:
            return None
        values, guards = self._values(tx, transition), transition.guards
        values |= change.code(values)
        update = _conditional_update(
            tuple(sorted(values)),
            owned=bool(guards.owner),
            unchanged=guards.seq is not None,
            lapsed=guards.lapsed,
            younger=guards.younger_than is not None,
            older=guards.older_than is not None,
        )
        given = {f"new_{name}": value for name, value in values.items()}
        given |= {
            "is_id": transition.id,
            "is_state": transition.path[0].value,
            "is_owner": guards.owner,
            "is_seq": guards.seq,
            "is_now": tx.now,
            "is_after": tx.now - (guards.younger_than or 0.0),
            "is_before": tx.now - (guards.older_than or 0.0),
        }
        row = update.first(tx.connection, given)
        if row is None:
            return None
        operation = self.session.quarantine.operation(row)
        self._follow(tx, transition, steps, operation, change.version)
        return operation

    def _values(self, tx: Transaction, transition: Transition) -> dict[str, Any]:
        """Return the columns that a transition sets."""
        final, effects = transition.path[-1], transition.effects
        values = _changed_columns(tx, transition) | self._lease(tx, final)
        values["state"] = final.value
        if effects.due_in is not None:
            values["due_at"] = tx.now + effects.due_in
        if final in ENDINGS:
            values["ended_at"] = tx.now
        if final is State.RUNNING:
            values["sent_at"] = tx.now
        if effects.expires_in is not None:
            values["expires_at"] = tx.now + effects.expires_in
        if effects.decided:
            values["decided_at"] = tx.now
        if effects.verify_in is not None:
            values["look_at"] = tx.now + effects.verify_in
        return values

    def _follow(
        self,
        tx: Transaction,
        transition: Transition,
        steps: Sequence[Step],
        operation: Operation,
        version: Mapping[str, Json],
    ) -> None:
        """Write the audit records, the messages and the holds that follow from a transition."""
        facts, effects = {**transition.facts, **version}, transition.effects
        for one, after in zip(steps, transition.path[1:], strict=True):
            state: dict[str, Json] = {"state": after.value} if "state" in facts else {}
            tx.facts.append(Fact(one.record, operation.id, {**facts, **state}))
        kinds = dict.fromkeys([kind for one in steps for kind in one.owes] + [*effects.enqueue])
        is_refused = transition.path == (State.ASKED, State.DENIED)
        if is_refused and floods.is_of_flood(tx, self._outbox, operation):
            kinds = dict.fromkeys(kind for kind in kinds if kind not in floods.ONE_BY_ONE)
        for kind in [one for one in kinds if one not in effects.unsaid]:
            self._outbox.enqueue(tx, operation, kind)
        if effects.off_air is not None:
            self._off_air.apply(tx, operation, effects.off_air)
        if effects.hold is not None:
            self._off_air.hold(tx, operation, effects.hold)
        if effects.release is not None:
            self._off_air.release(tx, operation, effects.release)
        self._watches.follow(tx, operation, effects)
        if effects.supersedes is not None:
            self._supersede(tx, effects.supersedes)

    @write
    def note_late(self, tx: Transaction, answer: LateAnswer) -> None:
        """Record an answer that no transition takes.

        Where the operation is not in progress here any more, enqueue a message about it.
        """
        facts: dict[str, Json] = {"request_id": answer.request_id, "replica": self.session.owner}
        facts |= {"code": answer.code} if answer.code else {"answer": answer.state.value}
        query = sa.select(operations).where(operations.c.id == answer.operation)
        found = tx.connection.execute(query).all()
        running = (State.RUNNING.value, self.session.owner)
        if any((row.state, row.owner) == running for row in found):
            tx.facts.append(Fact("unclear answer", answer.operation, facts))
            return
        tx.facts.append(Fact("late answer", answer.operation, facts))
        for operation in self.session.quarantine.operations(found):
            observed = f"{answer.code or answer.state.value} {answer.request_id}"
            self._outbox.enqueue(tx, operation, MessageKind.LATE, observed)
            if operation.state not in _DONE and answer.off_air is not None:
                self._off_air.apply_late(tx, operation, answer.off_air, verify_in=answer.verify_in)
            if operation.state is State.UNKNOWN and operation.attempts == answer.refused_try:
                self._off_air.forget_unknown(tx, operation)

    # --- reading ---------------------------------------------------------------------

    async def get(self, id_: str) -> Operation | None:
        """Return an operation by its id.

        Raises:
            UnreadableRowError: It is stored, and this release cannot decode it.
        """
        return await self.session.fetch_operation(_BY_ID, {"is_id": id_})

    async def by_key(self, key: str) -> Operation | None:
        """Return an operation by the key that makes it unique."""
        return await self.session.fetch_operation(_BY_KEY, {"is_key": key})

    async def due_waits(self, limit: int = 50) -> list[Operation]:
        """Return waiting operations that are due for a reminder or have expired."""
        now = self.session.now()
        query = (
            sa.select(operations)
            .where(
                WAITING,
                self.session.quarantine.excluding(operations),
                sa.or_(operations.c.due_at <= now, operations.c.expires_at <= now),
            )
            .order_by(operations.c.due_at)
            .limit(limit)
        )
        return self._decode(await self.session.fetch(query))

    async def recent(self, *, user: str = "", limit: int = 10) -> list[Operation]:
        """Return the newest operations, newest first."""
        query = sa.select(operations).order_by(operations.c.asked_at.desc()).limit(limit)
        if user:
            query = query.where(operations.c.actor == user)
        return self._decode(await self.session.fetch(query))

    async def search(self, wanted: Search, limit: int) -> list[Operation]:
        """Return the newest operations that match, newest first."""
        return self._decode(
            await self.session.read(lambda c: operation_search.find(c, wanted, limit))
        )

    async def ids(self, which: sa.Select[tuple[str]]) -> list[str]:
        """Return the ids that `operation_search.of_case` or `in_thread` selects."""
        return [row.id for row in await self.session.fetch(which)]

    async def unfinished(self) -> list[Operation]:
        """Return all operations that have not ended, oldest first."""
        # Few are: by the index on times, SQLite would look through all that have ended.
        oldest_first = operations.c.asked_at + 0.0
        query = sa.select(operations).where(UNFINISHED).order_by(oldest_first)
        return self._decode(await self.session.fetch(query))

    def _decode(self, found: Sequence[sa.Row[Any]]) -> list[Operation]:
        return list(self.session.quarantine.operations(found))


_DONE = (State.ACCEPTED, State.ALREADY)
"""Endings that have changed what is off the air, as a late answer would."""

_WAITING_LIKE = Prepared(
    sa.select(operations).where(
        WAITING,
        # Few wait: by the index on APIs, SQLite would look through all that were ever asked.
        operations.c.api.concat("") == sa.bindparam("is_api"),
        operations.c.expires_at > sa.bindparam("is_now", type_=sa.Double),
    )
)
_BY_ID = Prepared(sa.select(operations).where(operations.c.id == sa.bindparam("is_id")))
_BY_KEY = Prepared(sa.select(operations).where(operations.c.key == sa.bindparam("is_key")))
_CONSENT = Prepared(sa.select(operations.c.consent).where(operations.c.id == sa.bindparam("is_id")))


@cache
def _insertion(insert: Callable[[sa.Table], Any], columns: tuple[str, ...]) -> Prepared:
    """Return the INSERT of an operation, which does nothing where its key is stored."""
    statement = insert(operations).on_conflict_do_nothing(index_elements=[operations.c.key])
    return Prepared(statement, columns=columns)


def _changed_columns(tx: Transaction, transition: Transition) -> dict[str, Any]:
    values = rows.changed_columns(transition.changes)
    parts = {name: value for name, value in transition.changes.items() if name in rows.CONSENT_KEYS}
    if parts:
        # The write lock keeps the parts that are not changed as they are until the update.
        stored = _CONSENT.scalar(tx.connection, {"is_id": transition.id})
        values["consent"] = rows.merged_consent(transition.id, stored or "{}", parts)
    return values


@lru_cache(256)
def _conditional_update(
    names: tuple[str, ...],
    *,
    owned: bool,
    unchanged: bool,
    lapsed: bool | None,
    younger: bool,
    older: bool,
) -> Prepared:
    """Return the UPDATE of a transition, made once for each form."""
    update = (
        sa.update(operations)
        .where(
            operations.c.id == sa.bindparam("is_id"),
            operations.c.state == sa.bindparam("is_state"),
        )
        .values({name: sa.bindparam(f"new_{name}") for name in names})
        .values(seq=operations.c.seq + 1)
        .returning(*operations.c)
    )
    if owned:
        update = update.where(operations.c.owner == sa.bindparam("is_owner"))
    if unchanged:
        update = update.where(operations.c.seq == sa.bindparam("is_seq"))
    if lapsed is not None:
        now = sa.bindparam("is_now", type_=sa.Double)
        expired = operations.c.expires_at <= now
        update = update.where(expired if lapsed else sa.not_(expired))
    # Only the last consent sets `decided_at` on what has not ended.
    consent = sa.func.coalesce(operations.c.decided_at, operations.c.asked_at)
    if younger:
        update = update.where(consent >= sa.bindparam("is_after", type_=sa.Double))
    if older:
        update = update.where(consent < sa.bindparam("is_before", type_=sa.Double))
    return Prepared(update)
