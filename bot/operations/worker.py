"""Works on the operations of this replica, and takes over those that another has left."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from functools import partial

import structlog

from bot.catalog.registry import command_of
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.model.commands import Command
from bot.model.lifecycle import IN_HAND
from bot.model.operations import Operation, State
from bot.operations.admission import Admission
from bot.operations.executor import TRIES
from bot.operations.priority_queue import BurstDetector, PriorityQueue
from bot.operations.scheduler import QueuedRequest, Scheduler
from bot.operations.tasks import OperationTasks
from bot.operations.transitions import Outcome, Transitions, UnstoredAnswer
from bot.operations.verifier import Verifier
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor, until_set

log = structlog.get_logger("stopstream.engine")

_BURST, _SOON = 8, 0.2
"""So many acks within so many seconds are a burst."""

_PACE = 0.04
"""Seconds between two operations that begin while a burst of acks lasts.

These are 25 a second: more than the 20 that an API takes. One at a time, because several together
would keep the loop from the acks for longer.
"""

_BATCH = 16
"""How many operations begin between two looks at the acks, while there is no burst."""

_HELD = 500
"""How many operations are in memory before their turn, here and as requests.

Of more, only the ids are kept; those of a bulk are judged when requests have left.
"""

_STUCK = 300.0
"""Seconds that beginning a batch may take: the policy asks Slack and reads states first."""

_TOGETHER = 32
"""How many operations are judged at once; urgent ones pass the others in the inbox."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An operation of the inbox.

    Attributes:
        operation: None where it is read when its turn comes.
        bulk: Whether it is one of many that one person has asked for at once.
    """

    id: str
    operation: Operation | None
    bulk: bool


class Worker:
    """The life of a replica: its inbox, its leases, and the tasks that work on operations."""

    def __init__(
        self,
        *,
        store: Store,
        tasks: OperationTasks,
        transitions: Transitions,
        scheduler: Scheduler,
        admission: Admission,
        verifier: Verifier,
        metrics: Metrics,
        supervisor: Supervisor,
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._transitions = transitions
        self._scheduler = scheduler
        self._admission = admission
        self._verifier = verifier
        self._metrics = metrics
        self._supervisor = supervisor
        self._inbox: PriorityQueue[_Waiting] = PriorityQueue()
        self._bursts = BurstDetector()
        self._judging = asyncio.Semaphore(_TOGETHER)
        self._acks: deque[float] = deque(maxlen=_BURST)
        self._some = asyncio.Event()
        self._intake: Loop | None = None
        self._heart: Loop | None = None
        store.leases.track("operations", self._in_progress)
        for state in IN_HAND:
            metrics.take_overs.labels(state.value)

    def start(self) -> None:
        """Begin to work, also on what other replicas have left."""
        self._start_heartbeat(take_over=True)

    def keep_leases(self) -> None:
        """Renew the leases of what is in progress here; leave the rest to a replica that serves."""
        self._start_heartbeat(take_over=False)

    def _start_heartbeat(self, *, take_over: bool) -> None:
        beat = partial(self._heartbeat, take_over=take_over)
        self._heart = self._supervisor.start(
            "engine", beat, every=lambda: self._store.session.lease / 5
        )

    async def stop(self, grace: float = 8.0) -> None:
        """Finish what is in progress, at most for `grace` seconds, and hand the rest over."""
        await self._tasks.wait(grace)
        self.abandon()
        try:
            await self._store.leases.hand_over()
        except StoreError as error:
            log.warning("leases not handed over; they run out by themselves", why=str(error))

    def abandon(self) -> None:
        """Stop at once and keep the leases: when they run out, another replica takes over."""
        for loop in (self._heart, self._intake):
            if loop:
                loop.stop()
        self._heart = self._intake = None
        self._scheduler.close()
        self._tasks.cancel()

    def take(self, operation: Operation) -> None:
        """Work on an operation that this replica holds, as soon as no acks are due."""
        bulk = self._bursts.counts(operation.actor.user)
        held = operation if len(self._inbox) < _HELD else None
        self._inbox.put(_Waiting(operation.id, held, bulk), bulk=bulk)
        self._some.set()
        if self._intake is None:
            self._intake = self._supervisor.start("admission", self._drain_inbox, longest=_STUCK)

    def note_ack(self) -> None:
        """Note that a person waits for an ack, which goes before work."""
        self._acks.append(time.monotonic())

    async def ending(self, id_: str) -> Operation:
        """Wait until an operation has ended, or waits for somebody; return it."""
        return await self._transitions.wait_for_ending(id_)

    def has(self, id_: str) -> bool:
        """Return whether this replica works on an operation."""
        return id_ in self._in_progress()

    def unstored(self, id_: str) -> UnstoredAnswer | None:
        """Return the answer to an operation that waits for the database; None if there is none."""
        return self._transitions.unstored.get(id_)

    async def _heartbeat(self, *, take_over: bool) -> None:
        """Renew the leases, and take over what no replica holds."""
        try:
            await self._store.leases.renew()
            if take_over:
                await self._take_over()
        except StoreError as error:
            # A terminal, which takes nothing over, says by itself what that means.
            (log.error if take_over else log.warning)("the store does not answer", why=str(error))

    async def _take_over(self) -> None:
        for operation in await self._store.leases.claim():
            if operation.id not in self._in_progress():
                self._metrics.take_overs.labels(operation.state.value).inc()
                log.info("taken over", operation=operation.id, state=operation.state.value)
                self.take(operation)
        for operation in await self._store.verifications.claim():
            self._tasks.spawn(f"look:{operation.id}", self._verifier.verify(operation))
        for operation, ended in await self._store.off_air.claim_expiring():
            self._tasks.spawn(
                f"lift:{operation.id}", self._verifier.record_expiry(operation, ended)
            )

    def _in_progress(self) -> set[str]:
        """Return the ids of the operations that this replica works on."""
        inbox = (waiting.id for waiting in self._inbox)
        return self._tasks.ids | self._scheduler.ids | set(inbox)

    async def _drain_inbox(self) -> None:
        """Begin a batch of the inbox, or wait a little until it is filled."""
        if not len(self._inbox):
            self._some.clear()
            await until_set(self._some)
            return
        if not self._inbox.urgent and len(self._scheduler.ids) >= _HELD:
            # What the cloud can't take yet costs less here than as a request.
            await asyncio.sleep(_PACE)
            return
        if burst := self._is_burst():
            await asyncio.sleep(_PACE)
        for _ in range(1 if burst else min(_BATCH, len(self._inbox))):
            await self._judging.acquire()
            waiting = self._inbox.take()
            task = self._tasks.spawn(waiting.id, self._begin(waiting))
            task.add_done_callback(lambda _: self._judging.release())

    def _is_burst(self) -> bool:
        """Return whether so many acks are due that work gives way to them."""
        return len(self._acks) == _BURST and time.monotonic() - self._acks[0] <= _SOON

    async def _begin(self, waiting: _Waiting) -> None:
        try:
            operation = waiting.operation or await self._store.operations.get(waiting.id)
            if operation is not None:
                await self._work(operation, bulk=waiting.bulk)
        except StoreError as error:
            # No audit record, no action: it stays as it is and is claimed again.
            log.error("left where it is", operation=waiting.id, why=str(error))
            self._store.leases.release(waiting.id)

    async def _work(self, operation: Operation, *, bulk: bool) -> None:
        """Do what is next for an operation.

        Raises:
            StoreError: It stays as it is.
        """
        command = command_of(operation)
        if command is None:
            await self._transitions.end_unknown_action(operation)
            return
        if operation.unsigned:
            await self._transitions.end_unsigned(operation, command)
            return
        match operation.state:
            case State.ASKED:
                await self._admission.admit(operation, command, bulk=bulk)
            case State.DUE:
                self._scheduler.enqueue(QueuedRequest(operation, command, bulk=bulk))
            case State.RUNNING:
                await self._resume(operation, command)
            case _:
                return

    async def _resume(self, operation: Operation, command: Command) -> None:
        """Go on with what a replica had sent before it died: it may have run."""
        if command.action.repeatable and operation.attempts < 2 * TRIES:
            detail = "The bot stopped before it heard the answer, so it is sent again."
            path = (State.RUNNING, State.RUNNING)
            self._scheduler.enqueue(QueuedRequest(operation, command, path, {"detail": detail}))
            return
        detail = "The bot stopped between sending the request and hearing the answer."
        outcome = Outcome(State.UNKNOWN, {"detail": detail})
        await self._transitions.end(operation, command, outcome)
