"""Queues requests for each API, records the intent at the last moment, and has them sent."""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import structlog

from bot.errors import StoreError
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.operations import Operation, State
from bot.operations.audit_facts import facts_of
from bot.operations.authorizer import Authorizer
from bot.operations.evidence import EvidenceTaker
from bot.operations.executor import Executor, Retry
from bot.operations.lease_guard import Instant, LeaseGuard, clocks
from bot.operations.local_actions import LocalActions
from bot.operations.prior_state import PriorState
from bot.operations.priority_queue import ApiQueue
from bot.operations.rate_limiter import interval
from bot.operations.tasks import OperationTasks
from bot.operations.transition_log import log_step
from bot.operations.transitions import TO_RUNNING, Outcome, Transitions
from bot.policy.schema import EvidenceSettings
from bot.storage.store import Store
from bot.storage.transition import Changes, Guards, LateAnswer, Transition
from bot.supervision import Supervisor
from bot.times import format_duration

log = structlog.get_logger("stopstream.engine")

FRESH = 5.0
"""Seconds for which a verdict holds; after them the policy is asked again before sending."""

STATE_FRESH = 1.0
"""Seconds for which a state that was read counts as the state right before a stop."""

_AGAIN = 1.0
"""Seconds until a queue goes on after a dispatch that failed."""


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """An operation that waits for a slot under its API's limit.

    Attributes:
        path: The transition that records the intent to send it.
        changes: Fields to set with it.
        judged_at: When the policy was asked, epoch seconds.
        bulk: It was asked in bulk, so single requests go first.
        state: Of what it is about, as it was read when the policy was asked; None if it was not.
    """

    operation: Operation
    command: Command
    path: tuple[State, ...] = TO_RUNNING
    changes: Changes = field(default_factory=Changes)
    judged_at: float = 0.0
    bulk: bool = False
    state: str | None = None


class Scheduler:
    """Dispatches what is due, at the pace that each API allows.

    Args:
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        transitions: Transitions,
        executor: Executor,
        prior: PriorState,
        local_actions: LocalActions,
        evidence: EvidenceTaker,
        tasks: OperationTasks,
        supervisor: Supervisor,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._transitions = transitions
        self._executor = executor
        self._prior = prior
        self._local_actions = local_actions
        self._evidence = evidence
        self._tasks = tasks
        self._supervisor = supervisor
        self._clock = clock
        self._now = clocks(clock)
        self._queues: dict[tuple[str, str], ApiQueue[QueuedRequest]] = {}
        self._queued: set[str] = set()

    @property
    def ids(self) -> AbstractSet[str]:
        """The ids of the queued operations."""
        return self._queued

    def backlog(self, command: Command) -> int:
        """Return how many requests wait for the command's API."""
        return self._queue(command).backlog

    def enqueue(self, request: QueuedRequest) -> None:
        """Add a request to the queue of its API, once its evidence was asked for."""
        operation, command = request.operation, request.command
        self._queued.add(operation.id)
        wanted = self._evidence.wanted(operation, command)
        if wanted is None:
            self._queue(command).put(request, bulk=request.bulk)
        else:
            self._tasks.spawn(f"evidence:{operation.id}", self._enqueue_after(request, wanted))

    async def _enqueue_after(self, request: QueuedRequest, wanted: EvidenceSettings) -> None:
        """Ask for evidence, then queue the request whatever came of it."""
        operation = request.operation
        found = await self._evidence.take(operation, request.command, wanted)
        preview = replace(request.changes.get("preview", operation.preview), evidence=found)
        changes = request.changes | Changes(preview=preview)
        queue = self._queue(request.command)
        queue.put(replace(request, changes=changes), bulk=request.bulk)

    def close(self) -> None:
        """Dispatch nothing any more."""
        for queue in self._queues.values():
            queue.close()

    def _queue(self, command: Command) -> ApiQueue[QueuedRequest]:
        key = (command.account, command.action.api)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = ApiQueue(
                command.action.per_second,
                self._dispatch_or_release,
                supervisor=self._supervisor,
                name=f"lane {command.account} {command.action.api}",
            )
        return queue

    async def _dispatch_or_release(self, requests: list[QueuedRequest]) -> float:
        """Dispatch requests; after an unexpected error release them, so that the queue goes on."""
        try:
            return await self._dispatch(requests)
        except Exception as error:
            # A fault of ours: they are claimed again.
            log.exception("giving turns broke off", why=str(error))
            return self._release(requests)
        finally:
            # Until here they are in hand: what is sent has a task by now.
            self._queued.difference_update(request.operation.id for request in requests)

    def _release(self, requests: list[QueuedRequest]) -> float:
        """Give up the leases of requests; return when the queue may go on."""
        for request in requests:
            self._store.leases.release(request.operation.id)
        return time.monotonic() + _AGAIN

    async def _dispatch(self, requests: list[QueuedRequest]) -> float:
        """Record the intent of requests of one API, reserve their slots, and have them sent.

        Returns:
            When the last slot begins, by `time.monotonic`.
        """
        ready = [request for request in requests if await self._may_still_run(request)]
        if not ready:
            return 0.0
        command = ready[0].command
        for request in ready:
            fresh = self._clock() - request.judged_at < STATE_FRESH
            state = request.state if fresh else None
            self._prior.begin(request.operation, request.command, state)
        # The reads come first in the store's queue, so that they leave before what they precede.
        await asyncio.sleep(0)
        began = self._now()
        intents = [self._intent(request) for request in ready]
        try:
            started = await self._store.operations.start(
                command.account, command.action.api, interval(command), intents
            )
        except StoreError as error:
            log.error("not sent: the intent is not on disk", why=str(error))
            for request in ready:
                self._prior.discard(request.operation.id)
            return self._release(ready)
        for request, (at, operation) in zip(ready, started, strict=True):
            if operation is None:
                self._prior.discard(request.operation.id)
                self._tasks.spawn(request.operation.id, self._not_started(request))
                continue
            log_step(operation, request.path[0])
            self._queue(command).note_sent()
            sent = replace(request.command, params=operation.params)
            guard = self._guard(operation, began)
            sent_before = request.operation.state is State.RUNNING
            work = self._run(operation, sent, at, guard, sent_before=sent_before)
            self._tasks.spawn(operation.id, work)
        return max(at for at, _ in started)

    def _guard(self, operation: Operation, since: Instant) -> LeaseGuard:
        return LeaseGuard(
            self._store,
            operation,
            since=since,
            expires=self._transitions.ask_expires,
            now=self._now,
        )

    async def _may_still_run(self, request: QueuedRequest) -> bool:
        """Return whether it is still allowed; where the verdict is old the policy is asked."""
        operation = request.operation
        if operation.state is State.RUNNING or self._clock() - request.judged_at < FRESH:
            return True
        denied = await self._authorizer.recheck(operation, request.command)
        if denied is None:
            return True
        self._prior.discard(operation.id)
        await self._transitions.deny(operation, request.command, denied)
        return False

    async def _not_started(self, request: QueuedRequest) -> None:
        """Find out why the store did not let a request leave, and end what must not leave."""
        if await self._transitions.end_too_old(request.operation, request.command) is not None:
            return
        if self._authorizer.start_scope(request.command) is not None:
            # Its target is held since the policy was asked.
            await self._judge_again(request)

    async def _judge_again(self, request: QueuedRequest) -> None:
        """Ask the policy about a start whose target may be held by now."""
        operation = request.operation
        denied = await self._authorizer.recheck(operation, request.command)
        if denied is None:
            self._store.leases.release(operation.id)
        elif operation.state is State.RUNNING:
            # It was sent before, and may have run.
            detail = f"It was not sent again. {denied.reason}"
            outcome = Outcome(State.UNKNOWN, {"detail": detail})
            await self._transitions.end(operation, request.command, outcome)
        else:
            await self._transitions.deny(operation, request.command, denied)

    def _intent(self, request: QueuedRequest) -> Transition:
        """Return the transition that must be stored before the request may leave."""
        changes: Changes = {**request.changes, "attempts": request.operation.attempts + 1}
        if request.operation.origin.spans and request.path[0] is not State.RUNNING:
            changes["params"] = _with_spans(request, self._clock())
        operation = replace(request.operation, **changes)
        return Transition(
            operation.id,
            request.path,
            facts_of(operation, request.command.action),
            changes,
            guards=Guards(
                owner=self._store.session.owner,
                start_scope=self._authorizer.start_scope(request.command),
                younger_than=self._transitions.ask_expires,
            ),
        )

    async def _run(
        self,
        operation: Operation,
        command: Command,
        at: float,
        guard: LeaseGuard,
        *,
        sent_before: bool,
    ) -> None:
        """Send one request and store its outcome, or queue it again.

        Args:
            at: When its slot begins, by `time.monotonic`.
            sent_before: An earlier try may have run.
        """
        if command.action.product.local:
            self._queue(command).note_answered()
            await self._local_actions.run(operation, command)
            return
        try:
            result = await self._executor.send(
                operation, command, at, guard, sent_before=sent_before
            )
        except StoreError as error:
            why = f"The database does not answer: {error}"
            result = Retry(why, _AGAIN, may_have_run=sent_before)
        finally:
            self._queue(command).note_answered()
        match result:
            case Retry():
                await self._retry(operation, command, result)
            case None:
                log.warning("not sent: its lease is over", operation=operation.id)
                sent = operation.attempts > 1
                await self._transitions.end_too_old(operation, command, sent=sent)
            case _:
                await self._transitions.end(operation, command, result)

    async def _retry(self, operation: Operation, command: Command, retry: Retry) -> None:
        """Wait, and queue it again."""
        path: tuple[State, ...] = (State.RUNNING, State.RUNNING)
        changes: Changes = {"detail": retry.why}
        late = LateAnswer(operation.id, State.DUE, retry.request_id, retry.code)
        if retry.may_have_run:
            if retry.request_id:
                # The next try may be another replica's, which does not know of it.
                await self._transitions.note_late(late)
        else:
            due = (State.RUNNING, State.DUE)
            moved = await self._transitions.move(
                operation, command, due, changes, due_in=retry.wait
            )
            if moved is None:
                if retry.request_id:
                    refused_try = 1 if operation.attempts == 1 else 0
                    await self._transitions.note_late(replace(late, refused_try=refused_try))
                return
            operation, path, changes = moved, TO_RUNNING, {}
        await asyncio.sleep(retry.wait)
        # The verdict is old by now: what did not run is judged again before it is sent.
        self.enqueue(QueuedRequest(operation, command, path, changes))


def _with_spans(request: QueuedRequest, now: float) -> dict[str, Json]:
    """Return the parameters, with what was typed as a span counted from the sending on."""
    params, action = dict(request.operation.params), request.command.action
    for name, seconds in request.operation.origin.spans.items():
        if (param := action.param(name)) is not None:
            params[name] = param.type.read(format_duration(max(1.0, seconds)), now)
    return params
