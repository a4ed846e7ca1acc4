"""Records what was asked before it is acked, and says honestly where that is not known."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from bot.catalog.registry import OPERATOR
from bot.commands.formatting import format_command
from bot.errors import CommitUnknownError, ParseError, StoreError
from bot.metrics import Metrics
from bot.model.actions import DEFAULT, Params
from bot.model.commands import Command, Invocation, Via
from bot.model.operations import NO_ORIGIN, Operation, Origin, State
from bot.operations.audit_facts import facts_of
from bot.operations.operation_ids import new_id
from bot.operations.results import Accepted, Invalid, NotRecorded, Reply
from bot.operations.transition_log import log_transition
from bot.operations.worker import Worker
from bot.policy.loader import LoadedPolicy
from bot.redact import redact
from bot.storage.store import Store
from bot.traces import ROOT, Kind, Traces

log = structlog.get_logger("stopstream.service")

BOOKING = 2.0
"""Seconds that an ack may wait for the store; Slack waits 3."""

_NOT_KNOWN = (
    "I don't know yet whether your request was saved: the database does not answer. If a card "
    "appears here, the request is running. Look for one before you ask again."
)

_NOT_KNOWN_HERE = (
    "It is not known yet whether your request was saved: the database does not answer. If "
    "stopstream audit tail shows it, it is running. Look before you ask again."
)

NOT_SAVED = (
    "Your request could not be saved: the database does not answer. If a card for it is here, it "
    "was saved before and is running. If not, try again in a minute, or do it in the Tencent "
    "Cloud console."
)

_NOTHING_SENT = (
    "Nothing was sent: I can't save the request right now. Try again in a minute, or do it in the "
    "Tencent Cloud console."
)

_MARKED = (Via.MENTION, Via.TERMINAL)
"""The ways in of which a second delivery says that it is one, or that have none."""


def in_time() -> asyncio.Timeout:
    """Limit how long an ack waits for the store."""
    return asyncio.timeout(BOOKING)


class Recorder:
    """Records operations and mistakes.

    Args:
        policy: Returns the policy as it is now.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        worker: Worker,
        policy: Callable[[], LoadedPolicy],
        metrics: Metrics,
        traces: Traces,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._worker = worker
        self._policy = policy
        self._metrics = metrics
        self._traces = traces
        self._clock = clock

    async def record(
        self, invocation: Invocation, command: Command, origin: Origin = NO_ORIGIN
    ) -> Reply:
        """Record an operation and let the worker take it."""
        self._metrics.asked.labels(invocation.via.value, command.action.api).inc()
        # A bare word may be a key, without a name that would show it.
        text = format_command(command) if command.action.secret_params else invocation.text
        vocabulary = self._policy().vocabulary
        usual = vocabulary.usual(command.action, command.account, command.params)
        origin = replace(origin, spans=command.spans, usual=usual)
        operation = self.operation(invocation, State.ASKED, command, text, origin=origin)
        began = time.monotonic()
        try:
            async with in_time():
                recorded = await self._add(operation, command)
                if recorded is None:
                    first = await self._store.operations.by_key(invocation.key)
                    return Accepted(first or operation, again=True)
        except (TimeoutError, CommitUnknownError) as error:
            # It may be committed all the same, or be by now; then any replica claims it.
            log.error("not recorded in time", why=str(error))
            self._store.leases.release(operation.id)
            at_terminal = invocation.via is Via.TERMINAL
            return NotRecorded(_NOT_KNOWN_HERE if at_terminal else _NOT_KNOWN)
        except StoreError as error:
            log.error("not recorded, so not done", why=str(error))
            return await self._refused(invocation, began + BOOKING - time.monotonic())
        # Not now: an ack that is due is written before the event loop does anything else.
        asyncio.get_running_loop().call_soon(self._worker.take, recorded)
        return Accepted(recorded)

    async def _add(self, operation: Operation, command: Command) -> Operation | None:
        """Store an operation; return None where its key is on file."""
        about = {
            "stopstream.action": operation.api,
            "stopstream.account": operation.account,
            "stopstream.via": operation.via.value,
            "user.id": operation.actor.user,
        }
        with self._traces.span(operation.id, ROOT, Kind.SERVER, about):
            return await self._store.operations.add(operation, facts_of(operation, command.action))

    async def _refused(self, invocation: Invocation, seconds: float) -> Reply:
        """Answer what the database has not taken; an earlier delivery of it may be there."""
        try:
            async with asyncio.timeout(seconds):
                first = await self._store.operations.by_key(invocation.key)
        except (StoreError, TimeoutError):
            return NotRecorded(_may_be_saved(invocation))
        if first is not None:
            return Accepted(first, again=True)
        return NotRecorded(_NOTHING_SENT)

    async def record_mistake(self, invocation: Invocation, error: ParseError) -> Invalid:
        """Record a mistake, and return it, also where it can't be recorded."""
        operation = self.operation(
            invocation, State.INVALID, None, error.text, detail=error.sentence
        )
        # While the database writes: the ack waits for that only.
        asyncio.get_running_loop().call_soon(
            log_transition, operation, operation.state, self._metrics
        )
        try:
            async with in_time():
                await self._store.operations.add(operation, facts_of(operation, None))
        except (StoreError, TimeoutError) as trouble:
            # Nothing was going to be done, so the actor is told of the mistake all the same.
            log.error("a mistake is not on the trail", why=str(trouble))
        return Invalid(error)

    def operation(
        self,
        invocation: Invocation,
        state: State,
        command: Command | None,
        text: str,
        *,
        detail: str = "",
        origin: Origin = NO_ORIGIN,
    ) -> Operation:
        """Return an operation as it was asked for; nothing is stored."""
        return Operation(
            id=new_id(),
            key=invocation.key,
            state=state,
            actor=invocation.actor,
            place=invocation.place,
            via=invocation.via,
            text=redact(text, 4000),
            asked_at=self._clock(),
            api=command.action.api if command else "",
            params=_params(invocation, command) if command else {},
            region=command.region if command else "",
            account=command.account if command else DEFAULT,
            target=command.target if command else "",
            case=self._case(invocation, command) if command else "",
            origin=self._with_reason(origin, command) if command else origin,
            detail=redact(detail),
        )

    def _with_reason(self, origin: Origin, command: Command) -> Origin:
        """Return an origin with the reason that was given, in the words of the policy now."""
        reason = self._policy().vocabulary.reasons.get(command.reason)
        if reason is None:
            return origin
        return replace(origin, reason_code=command.reason, reason_text=reason.text)

    def _case(self, invocation: Invocation, command: Command) -> str:
        """Return the case that was named, or the one that the policy sets for the channel."""
        return command.case or self._policy().policy.cases.get(invocation.place.channel, "")


def _params(invocation: Invocation, command: Command) -> Params:
    """Return the parameters, with who gave a reason where the API takes an operator."""
    if not command.reason or command.action.param(OPERATOR) is None:
        return command.params
    return {OPERATOR: invocation.actor.user, **command.params}


def _may_be_saved(invocation: Invocation) -> str:
    """Return what is known where the database can't be asked for an earlier delivery.

    Slack delivers a command again without saying so, perhaps to another replica.
    """
    if invocation.repeated:
        return _NOT_KNOWN
    return _NOTHING_SENT if invocation.via in _MARKED else NOT_SAVED
