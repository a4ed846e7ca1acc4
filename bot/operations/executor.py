"""Sends requests to Tencent Cloud, and turns each answer into an outcome or another try."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.catalog.error_codes import Repeat, Sort, explain
from bot.errors import (
    ApiError,
    CloudError,
    HeldBackError,
    LapsedKeyError,
    NeverSentError,
    NoAnswerError,
)
from bot.metrics import Metrics
from bot.model.actions import Action, Effect
from bot.model.commands import Command
from bot.model.operations import Answer, LiveBefore, Operation, State
from bot.model.ports import Cloud
from bot.operations.lease_guard import LeaseGuard
from bot.operations.prior_state import PriorState
from bot.operations.rate_limiter import RateLimiter
from bot.operations.state_reader import StateReader, status_read
from bot.operations.transitions import Outcome
from bot.redact import redact
from bot.storage.transition import Changes
from bot.traces import Attributes, Kind, Traces

TRIES = 3
"""How often a request may be sent before its operation ends."""

EARLIER_TRY = "An earlier try got no clear answer."
"""Why a request that was refused in the end may have run."""

_NO_ANSWER, _NEVER_SENT = "no_answer", "never_sent"
_KINDS = (*(sort.name.lower() for sort in Sort), _NO_ANSWER, _NEVER_SENT)
"""What a request that was not accepted is counted as; each is there from the start."""

_REQUEST_ID = "tencentcloud.request_id"

LOOK_AFTER = 5.0
"""Seconds after a stop at which the bot verifies that it has lasted."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Send it again.

    Attributes:
        why: For the operation's detail.
        wait: Seconds until then.
        may_have_run: What was sent may have had its effect.
        request_id, code: Of the refusal, if it was one.
    """

    why: str
    wait: float
    may_have_run: bool
    request_id: str = ""
    code: str = ""


class Executor:
    """Sends one request at a time; decides nothing about queues and stores nothing.

    Args:
        patience: Seconds before a request's second try; doubled for each further one.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        cloud: Cloud,
        limiter: RateLimiter,
        prior: PriorState,
        reader: StateReader,
        metrics: Metrics,
        traces: Traces,
        patience: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cloud = cloud
        self._limiter = limiter
        self._prior = prior
        self._reader = reader
        self._metrics = metrics
        self._traces = traces
        self._patience = patience
        self._clock = clock
        for kind in _KINDS:
            metrics.cloud_errors.labels(kind)

    async def send(
        self,
        operation: Operation,
        command: Command,
        at: float,
        guard: LeaseGuard,
        *,
        sent_before: bool = False,
    ) -> Outcome | Retry | None:
        """Send the request in its slot of the rate limit.

        Args:
            at: When the slot begins, by `time.monotonic`.
            sent_before: An earlier try may have had its effect, whatever becomes of this one.

        Returns:
            None where it has not left: another replica has its lease, or it is too old.

        Raises:
            StoreError: It has not left, because the database does not tell whose it is.
        """
        try:
            with self._traces.span(operation.id, "send", attributes=_tried(operation)):
                answer = await self._call(operation, command, at, guard)
        except CloudError as error:
            self._metrics.cloud_errors.labels(_kind(error, command.action)).inc()
            result = self._failed(operation, command.action, error)
            if sent_before and command.action.effect is not Effect.READ:
                result = _after_unclear_try(result)
        else:
            if answer is None:
                self._prior.discard(operation.id)
                return None
            self._metrics.answered.labels(operation.api).observe(answer.duration)
            result = _accepted(operation, command.action, answer)
        result = await self._with_prior_state(operation, command, result)
        return await self._with_last_push(operation, command, result)

    async def _call(
        self, operation: Operation, command: Command, at: float, guard: LeaseGuard
    ) -> Answer | None:
        """Call the cloud as long as the lease stands; None if it does not any more."""
        while True:
            await self._limiter.wait_for(command, at)
            if not guard.is_fresh() and not await guard.renew():
                return None
            if operation.attempts <= 1:
                consent = operation.decided_at or operation.asked_at
                self._metrics.until_sent.observe(max(0.0, self._clock() - consent))
            self._prior.note_sent(operation.id)
            try:
                return await self._call_traced(operation, command, guard)
            except HeldBackError:
                # Something has stopped this process for long; the database is asked again.
                continue

    async def _call_traced(
        self, operation: Operation, command: Command, guard: LeaseGuard
    ) -> Answer:
        action = command.action
        name = f"{action.product.name}/{action.api}"
        with self._traces.span(operation.id, name, Kind.CLIENT, _called(action)) as span:
            try:
                answer = await self._cloud.call(command, guard.is_fresh)
            except ApiError as error:
                span.note({_REQUEST_ID: error.request_id})
                span.fail(error.code)
                raise
            span.note({_REQUEST_ID: answer.request_id})
            return answer

    async def _with_prior_state(
        self, operation: Operation, command: Command, result: Outcome | Retry
    ) -> Outcome | Retry:
        """Add to an ending what was live before; a retry after what never ran reads anew."""
        if isinstance(result, Retry):
            if not result.may_have_run:
                self._prior.discard(operation.id)
            return result
        before = await self._prior.result(operation.id)
        if before is None or result.state is State.FAILED:
            return result
        changes = result.changes | Changes(live_before=before)
        if before is LiveBefore.NOT_LIVE:
            changes["live_now"] = await self._prior.live_now(command)
        else:
            # What it has cut must not be named as live in another ending.
            self._reader.forget_lists(command.account)
        return replace(result, changes=changes)

    async def _with_last_push(
        self, operation: Operation, command: Command, result: Outcome | Retry
    ) -> Outcome | Retry:
        """Add to the ending of a read of a stream's state what a callback said of it last."""
        if isinstance(result, Retry):
            return result
        push = await self._reader.last_push(command)
        if push is None:
            return result
        preview = replace(operation.preview, last_push=push)
        return replace(result, changes=result.changes | Changes(preview=preview))

    def _failed(self, operation: Operation, action: Action, error: CloudError) -> Outcome | Retry:
        tries_left = operation.attempts < TRIES
        match error:
            case LapsedKeyError() if tries_left:
                at_once = self._retry(operation, error, may_have_run=False)
                return replace(at_once, wait=0.0)
            case ApiError():
                return self._refused(operation, action, error)
            case NoAnswerError() if action.repeatable and tries_left:
                return self._retry(operation, error, may_have_run=True)
            case NoAnswerError():
                return Outcome(State.UNKNOWN, {"detail": str(error)})
            case NeverSentError() if tries_left:
                return self._retry(operation, error, may_have_run=False)
            case _:
                return Outcome(State.FAILED, {"detail": str(error)})

    def _refused(self, operation: Operation, action: Action, error: ApiError) -> Outcome | Retry:
        repeat = explain(error.code, action).repeat
        changes: Changes = {
            "request_id": error.request_id,
            "code": error.code,
            "error_message": redact(error.message),
            "detail": _clock_skew(error),
        }
        if error.code in action.already_codes:
            return Outcome(State.ALREADY, changes)
        if repeat is Repeat.ANY and operation.attempts < 2 * TRIES:
            return self._retry(operation, error, may_have_run=False)
        if repeat is Repeat.READS and action.repeatable and operation.attempts < TRIES:
            return self._retry(operation, error, may_have_run=True)
        if repeat is Repeat.READS and action.effect is not Effect.READ:
            # The service failed while it worked on the request: it may have run.
            return Outcome(State.UNKNOWN, changes)
        return Outcome(State.FAILED, changes)

    def _retry(self, operation: Operation, error: CloudError, *, may_have_run: bool) -> Retry:
        doubled = min(8.0, 2.0 ** (operation.attempts - 1))
        wait = self._patience * doubled * random.uniform(1.0, 1.25)  # noqa: S311 (spreads tries)
        if isinstance(error, ApiError):
            why = f"{error} (RequestId {error.request_id})"
            return Retry(why, wait, may_have_run, error.request_id, error.code)
        return Retry(str(error), wait, may_have_run)


def _after_unclear_try(result: Outcome | Retry) -> Outcome | Retry:
    """Return what follows from the failure of a try, where an earlier one may have run."""
    if isinstance(result, Retry):
        return replace(result, may_have_run=True)
    if result.state is not State.FAILED:
        return result
    detail = f"{EARLIER_TRY} {result.changes.get('detail', '')}".strip()
    return replace(result, state=State.UNKNOWN, changes=result.changes | Changes(detail=detail))


def _accepted(operation: Operation, action: Action, answer: Answer) -> Outcome:
    changes: Changes = {
        "request_id": answer.request_id,
        "duration": answer.duration,
        "code": "",
        "error_message": "",
    }
    if action.effect is Effect.READ or action.effect_spec.creates:
        changes["result"] = dict(answer.body)
    verify_in = LOOK_AFTER if _needs_verification(operation, action) else None
    return Outcome(State.ACCEPTED, changes, answer.body, verify_in)


def _needs_verification(operation: Operation, action: Action) -> bool:
    """Return whether it is a stop whose state can be read, and a channel that reads of it."""
    is_stop = action.effect is Effect.STOP
    return is_stop and status_read(action) is not None and bool(operation.place.channel)


def _tried(operation: Operation) -> Attributes:
    return {"stopstream.attempt": operation.attempts}


def _called(action: Action) -> Attributes:
    """Return what the conventions for spans of a remote call name."""
    return {
        "rpc.system": "tencentcloud-api",
        "rpc.service": action.product.name,
        "rpc.method": action.api,
    }


def _kind(error: CloudError, action: Action) -> str:
    """Return the kind under which an error is counted."""
    match error:
        case ApiError():
            return explain(error.code, action).sort.name.lower()
        case NoAnswerError():
            return _NO_ANSWER
        case _:
            return _NEVER_SENT


def _clock_skew(error: ApiError) -> str:
    if error.skew is None:
        return ""
    side = "ahead of" if error.skew > 0 else "behind"
    return (
        f"This machine's clock is {abs(error.skew):.0f} s {side} Tencent Cloud's; "
        "more than 300 s is refused."
    )
