"""Moves operations from state to state, and wakes those that wait for an ending."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from bot.catalog import effects as offair
from bot.catalog.builtin import HOLD, UNWATCH, WATCH
from bot.catalog.live import DESCRIBE_LIVE_STREAM_STATE
from bot.errors import StoreError, UnreadableRowError, UnstorableError
from bot.metrics import Metrics
from bot.model.actions import Json, Params
from bot.model.commands import Command
from bot.model.lifecycle import ENDINGS
from bot.model.live_notices import WatchBegin
from bot.model.messages import MessageKind
from bot.model.off_air import Hold, OffAirChange
from bot.model.operations import Operation, State
from bot.model.verdicts import Denied
from bot.operations.audit_facts import facts_of, without_secrets
from bot.operations.authorizer import Authorizer
from bot.operations.joining import superseded_by_ending
from bot.operations.transition_log import log_transition
from bot.policy.evaluation import UNKNOWN_OR_OUTSIDE
from bot.storage.requested_watches import scope_of
from bot.storage.store import Store
from bot.storage.transition import Changes, Effects, Guards, LateAnswer, Transition
from bot.times import format_duration

log = structlog.get_logger("stopstream.engine")

T = TypeVar("T")

TO_RUNNING = (State.DUE, State.RUNNING)

ASK_EXPIRES = 600.0
"""Seconds after which what was asked, or last consented to, may not leave any more."""

_DONE = (State.ACCEPTED, State.ALREADY)

_NOT_STORED = (
    "Tencent Cloud's answer holds something that I can't save, so only the outcome is kept."
)

_AGAIN = 1.0
"""Seconds between two tries to store an ending, or two looks at an operation."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ends.

    Attributes:
        changes: Fields to set besides the state.
        body: Fields of the answer.
        verify_in: Seconds until its effect is verified; None: it is not.
    """

    state: State
    changes: Changes = field(default_factory=Changes)
    body: Params = field(default_factory=dict)
    verify_in: float | None = None


@dataclass(frozen=True, slots=True)
class UnstoredAnswer:
    """What is known of an operation that has run, while the database does not take it.

    Attributes:
        why: The database's own words.
    """

    state: State
    request_id: str
    code: str
    why: str = ""


class Transitions:
    """Stores each transition with its audit record and its messages, in one transaction.

    Args:
        ask_expires: Seconds that may pass from the asking, or the last consent, to the sending.
        clock: Epoch seconds.

    Attributes:
        ask_expires: As given.
        unstored: The answers that wait for the database, by operation.
    """

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        metrics: Metrics,
        ask_expires: float = ASK_EXPIRES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ask_expires = ask_expires
        self.unstored: dict[str, UnstoredAnswer] = {}
        self._store = store
        self._authorizer = authorizer
        self._metrics = metrics
        self._clock = clock
        self._waiting: dict[str, asyncio.Future[Operation]] = {}

    async def wait_for_ending(self, id_: str) -> Operation:
        """Wait until an operation has ended, or waits for somebody; return it."""
        waiting = self._waiting.setdefault(id_, asyncio.get_running_loop().create_future())
        while True:
            try:
                found = await self._store.operations.get(id_)
            except UnreadableRowError:
                raise
            except StoreError as error:
                log.warning("the store does not answer", operation=id_, why=str(error))
                found = None
            if found is not None and (found.state in ENDINGS or found.state is State.WAITING):
                return found
            # Another replica may end it, which wakes nobody here.
            await asyncio.wait({waiting}, timeout=_AGAIN)
            if waiting.done():
                return waiting.result()

    def wake(self, operation: Operation) -> None:
        """Wake those that wait for an operation's ending."""
        if (waiting := self._waiting.pop(operation.id, None)) and not waiting.done():
            waiting.set_result(operation)

    async def end(self, operation: Operation, command: Command, outcome: Outcome) -> None:
        """Store an ending, with what it changes about what is off.

        Where another replica has taken the operation over meanwhile, the answer is recorded.
        """
        state, changes = outcome.state, outcome.changes
        if state in _DONE:
            # Nothing asks for it again, so its secrets need not stay stored.
            changes = changes | Changes(params=without_secrets(operation, command.action))
        before = changes.get("live_before")
        ended = replace(operation, state=state, code=changes.get("code", ""), live_before=before)
        off_air = offair.off_air_change(ended, command.action, outcome.body, self._clock())
        moved = await self.move(
            operation,
            command,
            (operation.state, state),
            changes,
            verify_in=outcome.verify_in,
            off_air=off_air,
        )
        if moved is None and (request_id := changes.get("request_id", "")):
            code, verify_in = changes.get("code", ""), outcome.verify_in
            refused_try = operation.attempts if state is State.FAILED else 0
            late = LateAnswer(
                operation.id, state, request_id, code, off_air, verify_in, refused_try
            )
            await self.note_late(late)

    async def note_late(self, answer: LateAnswer) -> None:
        """Record an answer that no transition takes; if it came too late, tell of it."""
        log.warning(
            "an answer is no ending", operation=answer.operation, request_id=answer.request_id
        )
        unstored = UnstoredAnswer(answer.state, answer.request_id, answer.code)
        await self._until_stored(
            answer.operation, unstored, lambda: self._store.operations.note_late(answer)
        )

    async def deny(
        self,
        operation: Operation,
        command: Command,
        denied: Denied,
        request_from: tuple[str, ...] = (),
    ) -> None:
        """Store that the policy does not allow it.

        Args:
            request_from: Roles whose members may be asked to let it pass all the same.
        """
        changes: Changes = {"detail": denied.reason, "rule": denied.rule}
        extra: dict[str, Json] = {"check": denied.check}
        withheld = denied.check in UNKNOWN_OR_OUTSIDE
        if request_from or withheld:
            changes["approvals"] = replace(
                operation.approvals, request_from=request_from, withheld=withheld
            )
        if request_from:
            extra["may_ask"] = list(request_from)
        if denied.domains:
            changes["preview"] = replace(operation.preview, domains=denied.domains)
        await self.move(
            operation,
            command,
            (operation.state, State.DENIED),
            changes,
            enqueue=(MessageKind.CARD,) if operation.card_ts else (),
            extra=extra,
        )

    def may_be_too_old(self, operation: Operation) -> bool:
        """Return whether it is too old by this machine's clock; the store's decides."""
        consent = operation.decided_at or operation.asked_at
        return self._clock() - consent > self.ask_expires

    async def end_too_old(
        self, operation: Operation, command: Command, *, sent: bool | None = None
    ) -> Operation | None:
        """End what is too old to be sent; return None where it is not, by the store's clock.

        Args:
            sent: Whether it was sent before; None takes its state's word for it.

        Raises:
            StoreError: It is not stored.
        """
        ran = operation.state is State.RUNNING if sent is None else sent
        since = "approved" if operation.decided_at else "asked for"
        age = format_duration(
            max(1.0, self._clock() - (operation.decided_at or operation.asked_at))
        )
        detail = (
            f"{'Too old, not sent again' if ran else 'Too old, not sent'}: it was {since} {age} "
            f"ago, and a request may leave for {format_duration(self.ask_expires)} after that."
        )
        return await self.move(
            operation,
            command,
            (operation.state, State.UNKNOWN if ran else State.FAILED),
            {"detail": detail},
            older_than=self.ask_expires,
        )

    async def end_unsigned(self, operation: Operation, command: Command) -> None:
        """End what a release that signs nothing began, or a key that was replaced.

        Raises:
            StoreError: It is not stored.
        """
        ran = operation.state is State.RUNNING
        done = "it may have run, and is not sent again" if ran else "so it was not sent"
        detail = (
            f"The bot was changed since this was asked for and can't verify it, {done}. "
            "Ask again if you still want it."
        )
        path = (operation.state, State.UNKNOWN if ran else State.FAILED)
        await self.move(operation, command, path, {"detail": detail})

    async def end_unknown_action(self, operation: Operation) -> None:
        """End what another release began with an action that this one does not have.

        Raises:
            StoreError: It is not stored.
        """
        ending = State.UNKNOWN if operation.state is State.RUNNING else State.DENIED
        detail = f"This release has no action {operation.api}; another one has begun this."
        facts = facts_of(replace(operation, detail=detail), None)
        path = (operation.state, ending)
        guards = Guards(owner=self._store.session.owner)
        moved = await self._store.operations.apply(
            Transition(operation.id, path, facts, {"detail": detail}, guards)
        )
        if moved is not None:
            log_transition(moved, operation.state, self._metrics)

    async def move(
        self,
        operation: Operation,
        command: Command,
        path: tuple[State, ...],
        changes: Changes,
        *,
        due_in: float = 0.0,
        enqueue: tuple[MessageKind, ...] = (),
        extra: Mapping[str, Json] | None = None,
        verify_in: float | None = None,
        off_air: OffAirChange | None = None,
        older_than: float | None = None,
    ) -> Operation | None:
        """Store one transition; return the operation after it, or None if it was not possible.

        Args:
            extra: Facts to record besides those of the operation.
            older_than: See Guards.

        Raises:
            StoreError: It is not stored. An ending of what has run is tried until it is.
        """
        after = replace(operation, state=path[-1], **changes)
        if path[-1] is State.UNKNOWN and off_air is None:
            # It may have run, whatever ended it.
            off_air = offair.off_air_change(after, command.action, {}, self._clock())
        effects = Effects(
            due_in=due_in,
            enqueue=enqueue,
            verify_in=verify_in,
            off_air=off_air,
            supersedes=superseded_by_ending(operation, command, after),
        )
        transition = Transition(
            operation.id,
            path,
            facts_of(after, command.action) | dict(extra or {}),
            changes,
            guards=Guards(owner=self._store.session.owner, older_than=older_than),
            effects=self._with_own(effects, after, command),
        )
        try:
            moved = await self._apply(transition)
        except UnstorableError as error:
            if path[0] is not State.RUNNING:
                raise
            log.error("an outcome cannot be stored", operation=operation.id, why=str(error))
            moved = await self._apply_without_answer(operation, command, transition)
        if moved is not None:
            log_transition(moved, path[0], self._metrics)
            if moved.state in ENDINGS:
                self.wake(moved)
        return moved

    async def _apply(self, transition: Transition) -> Operation | None:
        def apply() -> Awaitable[Operation | None]:
            return self._store.operations.apply(transition)

        if transition.path[0] is State.RUNNING:
            state, changes = transition.path[-1], transition.changes
            request_id, code = changes.get("request_id", ""), changes.get("code", "")
            unstored = UnstoredAnswer(state, request_id, code)
            return await self._until_stored(transition.id, unstored, apply)
        return await apply()

    async def _until_stored(
        self, id_: str, answer: UnstoredAnswer, store: Callable[[], Awaitable[T]]
    ) -> T:
        """Store what must not be lost while the database is away: it has run."""
        try:
            while True:
                try:
                    return await store()
                except (UnreadableRowError, UnstorableError):
                    raise
                except StoreError as error:
                    # Said once: it may last.
                    say = log.debug if id_ in self.unstored else log.error
                    say("an answer waits for the store", operation=id_, why=str(error))
                    self.unstored[id_] = replace(answer, why=str(error))
                    await asyncio.sleep(_AGAIN)
        finally:
            self.unstored.pop(id_, None)

    async def _apply_without_answer(
        self, operation: Operation, command: Command, transition: Transition
    ) -> Operation | None:
        """Store the state that a request has reached, with nothing of the answer.

        Otherwise what has run would be taken up, and sent, again.
        """
        changes: Changes = {"detail": _NOT_STORED}
        if "params" in transition.changes:
            changes["params"] = transition.changes["params"]
        after = replace(operation, state=transition.path[-1], **changes)
        plain = replace(transition, facts=facts_of(after, command.action), changes=changes)
        try:
            return await self._apply(plain)
        except UnstorableError as error:
            # What is off the air may be named by the answer, too.
            log.error("an effect cannot be stored", operation=operation.id, why=str(error))
            effects = replace(plain.effects, off_air=None)
            return await self._apply(replace(plain, effects=effects))

    def _with_own(self, effects: Effects, operation: Operation, command: Command) -> Effects:
        """Add what an action of the bot itself leaves unsaid, and once accepted begins or ends."""
        if not command.action.product.local:
            return effects
        if command.action is not WATCH and operation.place.thread_ts:
            # Nothing was sent, so its card in the same thread says it all.
            effects = replace(effects, unsaid=(MessageKind.ENDING,))
        if operation.state is not State.ACCEPTED:
            return effects
        if command.action in (WATCH, UNWATCH):
            return _with_watch(effects, replace(operation, ended_at=self._clock()), command)
        scope = self._authorizer.hold_scope(operation, command)
        if command.action is not HOLD:
            return replace(effects, release=scope)
        user, reason = operation.actor.user, str(command.params.get("Reason", ""))
        target = scope.targets[0]
        hold = Hold(operation.account, target, operation.id, user, reason, since=0.0)
        return replace(effects, hold=hold)


def _with_watch(effects: Effects, operation: Operation, command: Command) -> Effects:
    scope = scope_of(operation)
    if command.action is UNWATCH:
        return replace(effects, unwatch=scope)
    until = offair.expires_at(operation, WATCH) or 0.0
    state = DESCRIBE_LIVE_STREAM_STATE.effect_spec.read_state(operation.result)
    return replace(effects, watch=WatchBegin(scope, until, state))
