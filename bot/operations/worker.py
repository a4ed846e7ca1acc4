"""Runs operations: judged, given a turn, sent once, ended; and taken over where someone died."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from bot.catalog import effects as offair
from bot.catalog import readings as sights
from bot.catalog.builtin import HOLD
from bot.catalog.error_codes import Repeat, explain
from bot.catalog.registry import by_api, command_of, undo_of
from bot.errors import (
    ApiError,
    CloudError,
    NeverSentError,
    NoAnswerError,
    StoreError,
    UnreadableRowError,
)
from bot.model.actions import Action, Approval, Effect, Json, Params, Reading
from bot.model.commands import Command, Via
from bot.model.lifecycle import ENDINGS
from bot.model.messages import MessageKind
from bot.model.off_air import Hold, OffAirChange, OffAirEntry, StartScope
from bot.model.operations import UNREADABLE, Answer, Operation, Preview, State
from bot.model.ports import Cloud
from bot.model.verdicts import Denied, DryRunResult, Verdict
from bot.operations.authorizer import Authorizer
from bot.operations.priority_queue import ApiQueue, BurstDetector, PriorityQueue
from bot.redact import HIDDEN, apart, redact
from bot.storage.store import Store
from bot.storage.transition import NEVER, Changes, Effects, Guards, Transition
from bot.supervision import Loop, Supervisor, until_set
from bot.telemetry import Metrics
from bot.times import format_duration

log = structlog.get_logger("stopstream.engine")

TRIES = 3
"""How often a request may leave before its operation ends."""

PACE = 0.965
"""The part of a documented limit that is used, so that the network's jitter stays below it."""

LOOK_AFTER = 5.0
"""Seconds after a stop at which the bot looks whether it has held."""

LOOK = 2.0
"""Seconds that reading a state for a card may take."""

FRESH = 5.0
"""Seconds for which a verdict holds; after them the policy is asked again before sending."""


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """An operation that waits for its turn under its API's limit."""

    operation: Operation
    command: Command
    path: tuple[State, ...]
    changes: Changes
    judged_at: float
    bulk: bool = False


class Worker:
    """Works on every operation of this replica.

    Args:
        rights: Asked when it is taken up, and again before it is sent.
        patience: Seconds before a request's second try; doubled for each further one.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        cloud: Cloud,
        rights: Authorizer,
        metrics: Metrics,
        supervisor: Supervisor,
        patience: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._patience = patience
        self._cloud = cloud
        self._rights = rights
        self._metrics = metrics
        self._supervisor = supervisor
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lined: set[str] = set()
        self._taken: PriorityQueue[tuple[Operation, bool]] = PriorityQueue()
        self._bursts = BurstDetector()
        self._judging = asyncio.Semaphore(_TOGETHER)
        self._asks: deque[float] = deque(maxlen=_BURST)
        self._some = asyncio.Event()
        self._pump: Loop | None = None
        self._lanes: dict[tuple[str, str], ApiQueue[QueuedRequest]] = {}
        self._pulse: Loop | None = None
        self._ended: dict[str, asyncio.Future[Operation]] = {}

    # --- its own life --------------------------------------------------------------

    def start(self) -> None:
        """Begin to look for work that others left behind."""
        self._begin_to_beat(take_over=True)

    def keep_leases(self) -> None:
        """Hold what is in hand, and leave what others left behind to a replica that serves."""
        self._begin_to_beat(take_over=False)

    def _begin_to_beat(self, *, take_over: bool) -> None:
        beat = partial(self._heartbeat, take_over=take_over)
        self._pulse = self._supervisor.start(
            "engine", beat, every=lambda: self._store.session.lease / 5
        )

    async def stop(self, grace: float = 8.0) -> None:
        """Finish what is in hand, at most for `grace` seconds, and hand the rest over."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=grace)
        self.abandon()
        try:
            await self._store.leases.hand_over()
        except StoreError as error:
            log.warning("leases not handed over; they run out by themselves", why=str(error))

    def _held(self) -> set[str]:
        """Give the ids of all that is in hand here."""
        return self._lined.union(self._tasks, (operation.id for operation, _ in self._taken))

    def abandon(self) -> None:
        """Stop at once and keep the leases: whoever outlives them takes over."""
        for loop in (self._pulse, self._pump):
            if loop:
                loop.stop()
        self._pulse = self._pump = None
        for lane in self._lanes.values():
            lane.close()
        for task in list(self._tasks.values()):
            task.cancel()

    async def _heartbeat(self, *, take_over: bool) -> None:
        """Keep the leases, and take over what nobody keeps."""
        try:
            await self._store.leases.renew()
            for operation in await self._store.leases.claim() if take_over else ():
                if operation.id not in self._held():
                    log.info("taken over", operation=operation.id, state=operation.state.value)
                    self.take(operation)
            for operation in await self._store.verifications.claim() if take_over else ():
                self._spawn(f"look:{operation.id}", self._look_after(operation))
            for operation, ended in await self._store.off_air.claim_expiring() if take_over else ():
                self._spawn(f"lift:{operation.id}", self._see_lifted(operation, ended))
        except StoreError as error:
            log.error("the store does not answer", why=str(error))

    def take(self, operation: Operation) -> None:
        """Work on an operation that this replica holds, as soon as the asking is quiet."""
        bulk = self._bursts.counts(operation.actor.user)
        self._taken.put((operation, bulk), bulk=bulk)
        self._some.set()
        if self._pump is None:
            self._pump = self._supervisor.start("admission", self._drain_inbox, longest=_STUCK)

    def note_ack(self) -> None:
        """Note that someone is being answered: acks go before work."""
        self._asks.append(time.monotonic())

    async def _drain_inbox(self) -> None:
        """Begin some of what was taken, or wait a little for something to come."""
        if not len(self._taken):
            self._some.clear()
            await until_set(self._some)
            return
        await self._yield_to_acks()
        for _ in range(min(_BATCH, len(self._taken))):
            await self._judging.acquire()
            operation, bulk = self._taken.take()
            self._spawn(operation.id, self._work(operation, bulk=bulk))
            self._tasks[operation.id].add_done_callback(lambda _: self._judging.release())

    async def _yield_to_acks(self) -> None:
        """Let a burst of asking pass, at most for half a second: people wait for acks 3 s."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            recent = self._asks
            if len(recent) < _BURST or time.monotonic() - recent[0] > _SOON:
                return
            await asyncio.sleep(_SOON)

    def _spawn(self, id_: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"operation {id_}")
        self._tasks[id_] = task
        self._metrics.in_hand.set(len(self._tasks))
        task.add_done_callback(lambda _: self._let_go(id_, task))

    def _let_go(self, id_: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(id_) is task:
            del self._tasks[id_]
        self._metrics.in_hand.set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            # A fault of ours: the row keeps its state, and is taken up again.
            log.error("an operation's work broke off", operation=id_, exc_info=error)
            self._store.leases.release(id_)

    async def ending(self, id_: str) -> Operation:
        """Wait until an operation has ended, or waits for somebody."""
        waiting = self._ended.setdefault(id_, asyncio.get_running_loop().create_future())
        while True:
            found = await self._store.operations.get(id_)
            if found is not None and (found.state in ENDINGS or found.state is State.WAITING):
                return found
            # Another replica may end it, whose word does not reach here.
            await asyncio.wait({waiting}, timeout=1.0)
            if waiting.done():
                return waiting.result()

    # --- one operation -------------------------------------------------------------

    async def _work(self, operation: Operation, *, bulk: bool) -> None:
        command = command_of(operation)
        if command is None:
            await self._orphan(operation)
            return
        try:
            match operation.state:
                case State.ASKED:
                    await self._judge(operation, command, bulk=bulk)
                case State.DUE:
                    self._enqueue(QueuedRequest(operation, command, _FROM_DUE, {}, 0.0, bulk))
                case State.RUNNING:
                    await self._resume(operation, command)
                case _:
                    return
        except StoreError as error:
            # No trail, no action: it stays where it is and is taken up again.
            log.error("left where it is", operation=operation.id, why=str(error))
            self._store.leases.release(operation.id)

    async def _orphan(self, operation: Operation) -> None:
        """End what another release began with an action that this one does not have."""
        ending = State.UNKNOWN if operation.state is State.RUNNING else State.DENIED
        detail = f"This release has no action {operation.api}; another one has begun this."
        facts = facts_of(replace(operation, detail=detail), None)
        try:
            await self._store.operations.apply(
                Transition(
                    operation.id,
                    (operation.state, ending),
                    facts,
                    {"detail": detail},
                    guards=Guards(owner=self._store.session.owner),
                )
            )
        except StoreError as error:
            log.error("left where it is", operation=operation.id, why=str(error))
            self._store.leases.release(operation.id)

    async def _judge(self, operation: Operation, command: Command, *, bulk: bool) -> None:
        verdict = await self._rights.verdict(operation, command)
        if isinstance(verdict, Denied):
            await self._deny(operation, command, verdict, _askable(operation, verdict))
            return
        if verdict.approval is not Approval.NONE:
            await self._ask_consent(operation, command, verdict)
            return
        changes: Changes = {
            "rule": verdict.rule,
            "approval": verdict.approval,
            "runbook": verdict.runbook,
        }
        path: tuple[State, ...] = (State.ASKED, *_FROM_DUE)
        if self._lane(command).backlog > command.action.per_second:
            waiting = await self._move(
                operation, command, (State.ASKED, State.DUE), changes, owes=(MessageKind.CARD,)
            )
            if waiting is None:
                return
            operation, path, changes = waiting, _FROM_DUE, {}
        self._enqueue(QueuedRequest(operation, command, path, changes, self._clock(), bulk))

    async def _deny(
        self,
        operation: Operation,
        command: Command,
        denied: Denied,
        asks: tuple[str, ...] = (),
    ) -> None:
        changes: Changes = {"detail": denied.reason, "rule": denied.rule}
        extra: dict[str, Json] = {"check": denied.check}
        if asks:
            changes["approvals"] = replace(operation.approvals, request_from=asks)
            extra["may_ask"] = list(asks)
        owes = (MessageKind.CARD,) if operation.card_ts else ()
        await self._move(
            operation,
            command,
            (operation.state, State.DENIED),
            changes,
            owes=owes,
            extra=extra,
        )

    # --- consent -------------------------------------------------------------------

    async def _ask_consent(self, operation: Operation, command: Command, verdict: Verdict) -> None:
        """Let it wait for a confirmation or a second person, or lead to where the same waits."""
        second = verdict.approval is Approval.SECOND_PERSON
        roles = verdict.approvers if second else ()
        seen, saw = await self.preview(command, await self._hidden(operation, command))
        approvals = replace(
            operation.approvals,
            needed=verdict.needed if second else 1,
            roles=roles,
            people=self._rights.approver_ids(roles),
            escalates_to=verdict.escalates_to if second else (),
            remind=verdict.remind,
            break_glass_rule=verdict.break_glass_rule,
            lacking=verdict.lacking,
        )
        preview = replace(operation.preview, state=seen, readings=saw)
        changes: Changes = {
            "rule": verdict.rule,
            "approval": verdict.approval,
            "runbook": verdict.runbook,
            "approvals": approvals,
            "preview": preview,
        }
        after = replace(operation, state=State.WAITING, **changes)
        move = Transition(
            operation.id,
            (State.ASKED, State.WAITING),
            facts_of(after, command.action) | _saw(preview),
            changes,
            guards=Guards(owner=self._store.session.owner),
            effects=Effects(due_in=verdict.remind or NEVER, expires_in=verdict.expires),
        )
        waits = await self._store.operations.wait(move, operation)
        if waits is not None and waits.id != operation.id:
            detail = f"The same waits already, asked by {waits.actor.user}."
            joined: Changes = {
                "rule": verdict.rule,
                "detail": detail,
                "duplicate_of": waits.id,
                "card_channel": waits.card_channel,
                "card_ts": waits.card_ts,
            }
            await self._move(operation, command, (State.ASKED, State.CANCELLED), joined)
        elif waits is not None:
            self._heard(waits)

    async def dry_run(self, operation: Operation, command: Command) -> DryRunResult:
        """Say what would become of a command; nothing is sent, and nothing is put on file."""
        verdict = await self._rights.verdict(operation, command)
        if command.action.product.local:
            return DryRunResult(command, verdict, (), None)
        second = isinstance(verdict, Verdict) and verdict.approval is Approval.SECOND_PERSON
        people = self._rights.approver_ids(verdict.approvers) if second else ()  # type: ignore[union-attr] # see above
        return DryRunResult(command, verdict, people, self._cloud.preview(command))

    async def read_state(self, command: Command, patience: float = LOOK) -> str:
        """Read the state of what a command is about; empty where there is no read, or no answer."""
        look = _look(command.action)
        if look is None:
            return ""
        body = await self._body(command, look, patience)
        return redact(look.effect_spec.read_state(body))[:80] if body is not None else ""

    async def refresh(self, one: OffAirEntry) -> OffAirEntry:
        """Read the state of something that is off."""
        command = command_of(one.operation)
        return replace(one, state=await self.read_state(command)) if command else one

    def status_command(self, operation: Operation) -> Command | None:
        """Give the read that tells the state of what an operation was about."""
        command = command_of(operation)
        look = _look(command.action) if command else None
        return self._reading(command, look) if command and look else None

    async def preview(
        self, command: Command, hidden: Collection[str] = ()
    ) -> tuple[str, tuple[Reading, ...]]:
        """Read what a press will touch, all at once: its state, and what else is told of it.

        Args:
            hidden: Names of reads that are not made.
        """
        look = _look(command.action)
        shows = look is not None and look.api not in hidden
        reads = [by_api(api) for api in command.action.impact_reads if api not in hidden]
        seen, bodies = await asyncio.gather(
            self.read_state(command) if shows else _nothing(),
            asyncio.gather(*(self._body(command, read, LOOK) for read in reads)),
        )
        found = [sights.unread()] if shows and not seen else []
        if look is None and not command.action.impact_reads and not command.action.product.local:
            found.append(sights.unreadable())
        found += [sights.unshown(hidden)] if hidden else []
        for read, body in zip(reads, bodies, strict=True):
            found += sights.describe(
                read, sights.narrowing_params(command, read), body, self._clock()
            )
        return seen, tuple(found)

    async def _hidden(self, operation: Operation, command: Command) -> tuple[str, ...]:
        """Name the reads that a request leaves out: whoever asks may not see what they tell.

        Those who decide over it may look for themselves.
        """
        if not operation.origin.request_of:
            return ()
        look = _look(command.action)
        apis = dict.fromkeys([*([look.api] if look else []), *command.action.impact_reads])
        reads = {api: self._reading(command, by_api(api)) for api in apis}
        return tuple(
            [
                api
                for api, read in reads.items()
                if read is not None and not await self._rights.may_read(operation, read)
            ]
        )

    def _reading(self, command: Command, read: Action) -> Command | None:
        """Make a read of the thing of a command; None where no region is known for it."""
        region = self._rights.region(read, command.account, command.region)
        params = sights.complete_params(read, sights.narrowing_params(command, read), self._clock())
        return None if region is None else Command(read, params, region, command.account)

    async def _body(self, command: Command, read: Action, patience: float) -> Params | None:
        """Ask a read about the thing of a command; None where no answer comes in time."""
        asked = self._reading(command, read)
        if asked is None:
            log.warning("its state is not known", api=read.api, why="no region is configured")
            return None
        try:
            async with asyncio.timeout(patience):
                at = await self._store.rate_limits.reserve(
                    asked.account, read.api, _interval(asked)
                )
                await self._turn(asked, at)
                answer = await self._cloud.call(asked)
        except (CloudError, StoreError, TimeoutError) as error:
            log.warning("its state is not known", api=read.api, why=str(error))
            return None
        return answer.body

    async def _look_after(self, operation: Operation) -> None:
        """See whether a stop has held: an encoder that came back is what nobody else reports."""
        command = command_of(operation)
        if command is None:
            await self._store.verifications.skip(operation)
            return
        action = command.action
        hidden = await self._hidden(operation, command)
        seen = "" if action.status_read in hidden else await self.read_state(command, _LOOKING)
        seen = seen or UNREADABLE
        facts: dict[str, Json] = {"api": operation.api, "seen": seen}
        try:
            if await self._changed_since(operation, action):
                await self._store.verifications.skip(operation)
                return
            sure = seen == action.effect_spec.new_state and not operation.origin.request_of
            alike = await self._alike(command) if sure else ()
            if alike:
                facts["alike"] = list(alike)
            await self._store.verifications.record(operation, seen, facts, alike)
            if offair.is_on(action, undo_of(action), seen):
                await self._store.off_air.record_on_again(operation.id, facts)
        except StoreError as error:
            log.error("what was seen is not on file", operation=operation.id, why=str(error))

    async def _changed_since(self, operation: Operation, action: Action) -> bool:
        """Say whether somebody has turned it on since, or off anew."""
        switch = offair.off_air_change(operation, action, {}, self._clock())
        if switch is None:
            return False
        ends = offair.expires_at(operation, action)
        if ends is not None and ends <= self._clock():
            return True
        now = await self._store.off_air.latest_stop(
            switch.account, switch.resource_type, switch.key
        )
        return now is None or (now.ended_at or 0.0) > (operation.ended_at or 0.0)

    async def _alike(self, command: Command) -> tuple[str, ...]:
        """Find what is live under a name like this one: who mistypes it stops nothing."""
        names, thing = command.action.effect_spec.key, command.action.effect_spec.resource_type
        for read in map(by_api, command.action.impact_reads):
            if read.effect_spec.resource_type is not thing or not read.effect_spec.lists:
                continue
            others = {name: value for name, value in command.params.items() if name != names[0]}
            body = await self._body(replace(command, params=others), read, LOOK)
            rows = [row for field in read.effect_spec.lists for row in _rows(body, field)]
            return offair.near_names(command.target, (str(row.get(names[0], "")) for row in rows))
        return ()

    async def _see_lifted(self, operation: Operation, ended: float) -> None:
        """Look at what has ended by itself, and say so: a ban, of which nobody thinks any more."""
        command = command_of(operation)
        if command is None:
            await self._store.off_air.record_expiry(
                operation, "", {"api": operation.api}, still=True
            )
            return
        seen = await self.read_state(command, _LOOKING)
        if not seen and self._clock() < ended + _LIFTING:
            # It stays on the list and is looked at again.
            return
        facts: dict[str, Json] = {"api": operation.api, "seen": seen or UNREADABLE}
        try:
            still = not seen or seen == command.action.effect_spec.new_state
            await self._store.off_air.record_expiry(operation, seen, facts, still=still)
        except StoreError as error:
            log.error("an end is not on file", operation=operation.id, why=str(error))

    # --- turns ---------------------------------------------------------------------

    def _lane(self, command: Command) -> ApiQueue[QueuedRequest]:
        key = (command.account, command.action.api)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = ApiQueue(
                command.action.per_second,
                self._start,
                supervisor=self._supervisor,
                name=f"lane {command.account} {command.action.api}",
            )
        return lane

    def _enqueue(self, turn: QueuedRequest) -> None:
        self._lined.add(turn.operation.id)
        self._lane(turn.command).put(turn, bulk=turn.bulk)

    async def _start(self, turns: list[QueuedRequest]) -> float:
        """Give the first in line their turns; whatever goes wrong, the line goes on."""
        try:
            return await self._dispatch(turns)
        except Exception as error:
            # A fault of ours: they are taken up again.
            log.exception("giving turns broke off", why=str(error))
            self._lined.difference_update(turn.operation.id for turn in turns)
            for turn in turns:
                self._store.leases.release(turn.operation.id)
            return time.monotonic() + 1.0

    async def _dispatch(self, turns: list[QueuedRequest]) -> float:
        """Give the first in line their turns, and send each when it comes."""
        ready = [turn for turn in turns if await self._still_may(turn)]
        self._lined.difference_update(turn.operation.id for turn in turns)
        if not ready:
            return 0.0
        command = ready[0].command
        moves = [self._intent(turn) for turn in ready]
        try:
            started = await self._store.operations.start(
                command.account, command.action.api, _interval(command), moves
            )
        except StoreError as error:
            log.error("not sent: the intent is not on disk", why=str(error))
            for turn in ready:
                self._store.leases.release(turn.operation.id)
            return time.monotonic() + 1.0
        for turn, (at, operation) in zip(ready, started, strict=True):
            if operation is not None:
                self._lane(command).left()
                timed = replace(turn.command, params=operation.params)
                self._spawn(operation.id, self._send(operation, timed, at))
            elif self._rights.start_scope(turn.command) is not None:
                # Held since it was judged: it is judged anew.
                self._spawn(turn.operation.id, self._judge_anew(turn))
        return max(at for at, _ in started)

    async def _still_may(self, turn: QueuedRequest) -> bool:
        """Authorise again at the last moment, where the verdict has grown old."""
        operation = turn.operation
        if operation.state is State.RUNNING or self._clock() - turn.judged_at < FRESH:
            return True
        denied = await self._rights.recheck(operation, turn.command)
        if denied is None:
            return True
        await self._deny(operation, turn.command, denied)
        return False

    async def _judge_anew(self, turn: QueuedRequest) -> None:
        operation = turn.operation
        denied = await self._rights.recheck(operation, turn.command)
        if denied is None:
            self._store.leases.release(operation.id)
        elif operation.state is State.RUNNING:
            # It has left before, and may have run.
            detail = f"It was not sent again. {denied.reason}"
            await self._end(operation, turn.command, State.UNKNOWN, {"detail": detail})
        else:
            await self._deny(operation, turn.command, denied)

    def _intent(self, turn: QueuedRequest) -> Transition:
        changes: Changes = {**turn.changes, "attempts": turn.operation.attempts + 1}
        if turn.operation.origin.spans and turn.path[0] is not State.RUNNING:
            changes["params"] = _timed(turn, self._clock())
        operation = replace(turn.operation, **changes)
        return Transition(
            operation.id,
            turn.path,
            facts_of(operation, turn.command.action),
            changes,
            guards=Guards(
                owner=self._store.session.owner, start_scope=self._rights.start_scope(turn.command)
            ),
        )

    # --- sending -------------------------------------------------------------------

    async def _send(self, operation: Operation, command: Command, at: float) -> None:
        if command.action.product.local:
            self._lane(command).came_back()
            await self._do(operation, command)
            return
        try:
            answer = await self._call(operation, command, at)
        except CloudError as error:
            await self._failed(operation, command, error)
        else:
            await self._accepted(operation, command, answer)

    async def _do(self, operation: Operation, command: Command) -> None:
        """Hold a target or release it: nothing is sent."""
        start, begins = self._rights.hold_scope(operation, command), command.action is HOLD
        for _ in range(TRIES):
            held = await self._holder(start)
            state, detail = State.ACCEPTED, ""
            if begins and held is not None and held.operation != operation.id:
                state, detail = (
                    State.ALREADY,
                    f"{held.held_by} holds it already: {apart(held.reason)}.",
                )
            elif not begins and held is None:
                state, detail = State.ALREADY, "Nobody holds it."
            path = (operation.state, state)
            if await self._move(operation, command, path, {"detail": detail}) is not None:
                return
            # Somebody else was first, unless it is in other hands by now.

    async def _holder(self, start: StartScope) -> Hold | None:
        while True:
            try:
                return await self._store.off_air.find_hold(start)
            except StoreError as error:
                log.error("who holds it is not known yet", why=str(error))
                await asyncio.sleep(1.0)

    async def _call(self, operation: Operation, command: Command, at: float) -> Answer:
        try:
            await self._turn(command, at)
            self._metrics.until_sent.observe(max(0.0, self._clock() - operation.asked_at))
            return await self._cloud.call(command)
        finally:
            self._lane(command).came_back()

    async def _turn(self, command: Command, at: float) -> None:
        """Wait for a turn; whoever misses it takes another, so that no second is overfull."""
        while True:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            if time.monotonic() - at < _LATE:
                return
            try:
                api = command.action.api
                at = await self._store.rate_limits.reserve(command.account, api, _interval(command))
            except StoreError as error:
                # The intent is on disk and the limit is the cloud's to keep, too.
                log.warning("sent late, without another turn", why=str(error))
                return

    async def _accepted(self, operation: Operation, command: Command, answer: Answer) -> None:
        self._metrics.answered.labels(operation.api).observe(answer.duration)
        changes: Changes = {
            "request_id": answer.request_id,
            "duration": answer.duration,
            "code": "",
            "error_message": "",
        }
        if command.action.effect is Effect.READ or command.action.effect_spec.creates:
            changes["result"] = dict(answer.body)
        look_in = LOOK_AFTER if _may_come_back(operation, command.action) else None
        ended = replace(operation, state=State.ACCEPTED)
        switch = offair.off_air_change(ended, command.action, answer.body, self._clock())
        await self._end(operation, command, State.ACCEPTED, changes, look_in=look_in, switch=switch)

    async def _failed(self, operation: Operation, command: Command, error: CloudError) -> None:
        match error:
            case ApiError():
                await self._refused(operation, command, error)
            case NoAnswerError():
                if command.action.repeatable and operation.attempts < TRIES:
                    await self._again(operation, command, error, (State.RUNNING, State.RUNNING))
                else:
                    await self._end(operation, command, State.UNKNOWN, {"detail": str(error)})
            case NeverSentError() if operation.attempts < TRIES:
                await self._again(operation, command, error, (State.RUNNING, State.DUE))
            case _:
                await self._end(operation, command, State.FAILED, {"detail": str(error)})

    async def _refused(self, operation: Operation, command: Command, error: ApiError) -> None:
        action = command.action
        repeat = explain(error.code, action).repeat
        changes: Changes = {
            "request_id": error.request_id,
            "code": error.code,
            "error_message": redact(error.message),
            "detail": _skewed(error),
        }
        tries_left = operation.attempts < TRIES
        if error.code in action.already_codes:
            await self._end(operation, command, State.ALREADY, changes)
        elif repeat is Repeat.ANY and operation.attempts < 2 * TRIES:
            await self._again(operation, command, error, (State.RUNNING, State.DUE))
        elif repeat is Repeat.READS and action.repeatable and tries_left:
            await self._again(operation, command, error, (State.RUNNING, State.RUNNING))
        elif repeat is Repeat.READS and action.effect is not Effect.READ:
            # The service broke on the way: it may have run.
            await self._end(operation, command, State.UNKNOWN, changes)
        else:
            await self._end(operation, command, State.FAILED, changes)

    async def _again(
        self,
        operation: Operation,
        command: Command,
        error: CloudError,
        path: tuple[State, State],
    ) -> None:
        """Wait a little and line up again; `path` says whether it may have run."""
        doubled = min(8.0, 2.0 ** (operation.attempts - 1))
        wait = self._patience * doubled * random.uniform(1.0, 1.25)  # noqa: S311 (spreads tries)
        request_id = f" (RequestId {error.request_id})" if isinstance(error, ApiError) else ""
        changes: Changes = {"detail": f"{error}{request_id}"}
        if path[-1] is State.DUE:
            moved = await self._move(operation, command, path, changes, due_in=wait)
            if moved is None:
                return
            operation, path, changes = moved, _FROM_DUE, {}
        await asyncio.sleep(wait)
        # Judged long ago: whatever did not run is judged anew before it leaves.
        self._enqueue(QueuedRequest(operation, command, path, changes, 0.0))

    async def _resume(self, operation: Operation, command: Command) -> None:
        """Go on after whoever sent it fell silent: it may have run."""
        if command.action.repeatable and operation.attempts < 2 * TRIES:
            detail = "The bot stopped before it heard the answer, so it is sent again."
            turn = (State.RUNNING, State.RUNNING)
            self._enqueue(QueuedRequest(operation, command, turn, {"detail": detail}, 0.0))
            return
        detail = "The bot stopped between sending the request and hearing the answer."
        await self._end(operation, command, State.UNKNOWN, {"detail": detail})

    # --- transitions ---------------------------------------------------------------

    async def _end(
        self,
        operation: Operation,
        command: Command,
        state: State,
        changes: Changes,
        *,
        look_in: float | None = None,
        switch: OffAirChange | None = None,
    ) -> None:
        if state in _OVER:
            # Nothing asks for it again, so the keys it took need not lie there.
            changes = changes | Changes(params=_without_secrets(operation, command.action))
        ended = replace(operation, state=state, code=changes.get("code", ""))
        switch = switch or offair.off_air_change(ended, command.action, {}, self._clock())
        path = (operation.state, state)
        await self._move(operation, command, path, changes, look_in=look_in, switch=switch)

    async def _move(
        self,
        operation: Operation,
        command: Command,
        path: tuple[State, ...],
        changes: Changes,
        *,
        due_in: float = 0.0,
        owes: tuple[MessageKind, ...] = (),
        extra: Mapping[str, Json] | None = None,
        look_in: float | None = None,
        switch: OffAirChange | None = None,
    ) -> Operation | None:
        after = replace(operation, state=path[-1], **changes)
        facts = facts_of(after, command.action) | dict(extra or {})
        move = Transition(
            operation.id,
            path,
            facts,
            changes,
            guards=Guards(owner=self._store.session.owner),
            effects=self._with_hold(
                Effects(due_in=due_in, enqueue=owes, verify_in=look_in, off_air=switch),
                after,
                command,
            ),
        )
        while True:
            try:
                moved = await self._store.operations.apply(move)
                break
            except StoreError as error:
                if path[0] is not State.RUNNING or isinstance(error, UnreadableRowError):
                    raise
                # It has run: its ending must not be lost while the database is away.
                log.error("the ending waits for the store", operation=move.id, why=str(error))
                await asyncio.sleep(1.0)
        if moved is not None and moved.state in ENDINGS:
            self._metrics.ended.labels(moved.state.value, moved.api).inc()
            self._heard(moved)
        return moved

    def _with_hold(self, effects: Effects, operation: Operation, command: Command) -> Effects:
        """Add the hold that an accepted local action begins or ends."""
        if not command.action.product.local or operation.state is not State.ACCEPTED:
            return effects
        start = self._rights.hold_scope(operation, command)
        if command.action is not HOLD:
            return replace(effects, release=start)
        user, reason = operation.actor.user, str(command.params.get("Reason", ""))
        held = Hold(operation.account, start.targets[0], operation.id, user, reason, 0.0)
        return replace(effects, hold=held)

    def _heard(self, operation: Operation) -> None:
        """Wake whoever waits for what became of it."""
        if (waiting := self._ended.pop(operation.id, None)) and not waiting.done():
            waiting.set_result(operation)


def _timed(turn: QueuedRequest, now: float) -> dict[str, Json]:
    """Let what was said as a span from now count from the sending on, not from the asking."""
    params, action = dict(turn.operation.params), turn.command.action
    for name, seconds in turn.operation.origin.spans.items():
        if (param := action.param(name)) is not None:
            params[name] = param.type.read(format_duration(max(1.0, seconds)), now)
    return params


def _look(action: Action) -> Action | None:
    """Give the read that tells the state of what an action is about."""
    look = by_api(action.status_read) if action.status_read else None
    return look if look is not None and look.effect_spec.state_field is not None else None


_OVER = (State.ACCEPTED, State.ALREADY)


async def _nothing() -> str:
    return ""


def _without_secrets(operation: Operation, action: Action) -> dict[str, Json]:
    secret = {param.api for param in action.params if param.secret}
    return {name: HIDDEN if name in secret else v for name, v in operation.params.items()}


def _rows(body: Params | None, field: str) -> list[dict[str, Json]]:
    found = (body or {}).get(field)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _saw(preview: Preview) -> dict[str, Json]:
    """Give what an approver was shown, for the trail."""
    saw = [f"state: {preview.state}"] if preview.state else []
    saw += map(sights.to_text, preview.readings)
    return {"saw": list[Json](saw)} if saw else {}


def _askable(operation: Operation, denied: Denied) -> tuple[str, ...]:
    """Give the roles that may be asked in a channel where they can answer."""
    # Direct messages, a channel whose id begins with D, are seen by nobody else.
    private = operation.place.channel[:1] in ("", "D") or operation.via is Via.TERMINAL
    return () if private or operation.origin.request_of else denied.request_from


def _may_come_back(operation: Operation, action: Action) -> bool:
    """Say whether a stop should be looked after: somebody would read what was seen."""
    shows = _look(action) is not None
    return shows and action.effect is Effect.STOP and bool(operation.place.channel)


_LIFTING = 600.0
"""Seconds for which somebody tries to see that something has ended by itself."""

_LOOKING = 10.0
"""Seconds that looking after a stop may take."""

_FROM_DUE = (State.DUE, State.RUNNING)

_BURST, _SOON, _PATIENCE = 8, 0.05, 0.5
"""So many asks within so many seconds are a burst, which work lets pass for so long."""

_BATCH = 64
"""How many operations begin between two looks at the asking, so that no limit lies idle."""

_STUCK = 300.0
"""Seconds that beginning a batch may take: judging asks Slack and reads states first."""

_TOGETHER = 32
"""How many operations are judged at once; the others wait where what is urgent passes them."""

_LATE = 0.015
"""Seconds by which a request may miss its turn: what comes later would crowd another's second."""


def _interval(command: Command) -> float:
    """Give the seconds between two requests, over all replicas."""
    return 1 / (command.action.per_second * PACE)


def facts_of(operation: Operation, action: Action | None) -> dict[str, Json]:
    """Give what the trail keeps of an operation; stream keys and secrets are left out."""
    facts: dict[str, Json] = {
        "team": operation.actor.team,
        "user": operation.actor.user,
        "via": operation.via.value,
        "channel": operation.place.channel,
        "thread_ts": operation.place.thread_ts,
        "state": operation.state.value,
        "api": operation.api,
        "params": shown(operation, action),
        "region": operation.region,
        "account": operation.account,
        "rule": operation.rule,
        "attempts": operation.attempts,
        "request_id": operation.request_id,
        "code": operation.code,
        "detail": redact(operation.detail),
        "took": operation.duration,
        "decided_by": operation.decided_by,
        "approved_by": [one.user for one in operation.approvals.given],
        "emergency": operation.emergency,
        "reason": redact(operation.reason),
        "joined": operation.duplicate_of,
        "case": operation.case,
        "runbook": operation.runbook,
        "request_of": operation.origin.request_of,
        "undoes": operation.origin.undoes,
        "lacks": operation.approvals.lacking,
    }
    return {name: value for name, value in facts.items() if value not in ("", None, {}, [], 0)}


def shown(operation: Operation, action: Action | None) -> dict[str, Json]:
    """Give the parameters as people and the trail may see them."""
    values: dict[str, Json] = {}
    for name, value in operation.params.items():
        param = action.param(name) if action else None
        if param is None or param.secret:
            values[name] = "[hidden]"
        else:
            values[name] = redact(value) if isinstance(value, str) else value
    return values


def _skewed(error: ApiError) -> str:
    if error.skew is None:
        return ""
    side = "ahead of" if error.skew > 0 else "behind"
    return (
        f"This machine's clock is {abs(error.skew):.0f} s {side} Tencent Cloud's; "
        "more than 300 s is refused."
    )
