"""Delivers the outbox to Slack: in order for each channel, once, for as long as it takes."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import structlog

from bot.errors import StoreError
from bot.metrics import Metrics
from bot.model.lifecycle import ENDINGS
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    MessageKind,
    RetryLater,
    Sent,
    Undeliverable,
    Withdrawal,
)
from bot.model.ports import Notifier
from bot.operations.message_lease import MessageLease
from bot.storage.outbox_message import OutboxMessage
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor, until_set
from bot.traces import NO_TRACES, Kind, Traces

log = structlog.get_logger("stopstream.courier")

SPACING = 1.05
"""Seconds between two messages to one channel; Slack allows one a second and short bursts."""

BURST = 5
"""How many messages may go to a quiet channel at once."""

LONGEST = 15.0
"""Seconds between two tries, at most, and so until the first delivery once Slack is back."""

PATIENCE = 60.0
"""Seconds between two tries of a closed audit channel, whose messages wait in order."""

LONGEST_REFUSED = 60.0
"""Seconds between two tries of a message that Slack refuses with a code not known to be final."""

REFUSAL_PATIENCE = 6 * 3600.0
"""Seconds after which such a message is given up."""

REFUSALS_IN_LINE = 3
"""How often such a message is tried before the others to its channel pass it."""

_REST = 3.0
"""How many times as long as one claim works in its transaction the next one waits."""


Work: TypeAlias = Callable[[OutboxMessage], Coroutine[Any, Any, bool | None]]
"""What a task does with a message.

It returns whether there may be messages to claim after it; None where its outcome is not stored.
"""


@dataclass(slots=True)
class _Refusals:
    """How often, and since when, Slack refuses a message with a code not known to be final."""

    since: float
    count: int = 0


class OutboxRelay:
    """Delivers the outbox.

    Args:
        spacing: Seconds between two messages to one channel, over all replicas.
        patience: Seconds between two tries of a closed audit channel.
        refusal_patience: Seconds for which a message is tried that Slack refuses with a code
            not known to be final.
        clock: Seconds, monotonic, for that patience.
        epoch: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        notifier: Notifier,
        metrics: Metrics,
        supervisor: Supervisor,
        traces: Traces = NO_TRACES,
        spacing: float = SPACING,
        patience: float = PATIENCE,
        refusal_patience: float = REFUSAL_PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        epoch: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._metrics = metrics
        self._supervisor = supervisor
        self._traces = traces
        self._spacing = spacing
        self._patience = patience
        self._refusal_patience = refusal_patience
        self._refusals: dict[int, _Refusals] = {}
        # By channel, until when what goes there waits.
        self._late: dict[str, float] = {}
        self._clock = clock
        self._epoch = epoch
        self._loop: Loop | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # Of those among the tasks whose outcome is stored, what they have returned.
        self._settled: dict[int, bool] = {}
        self._next: dict[int, tuple[OutboxMessage, Work]] = {}
        self._withdrawals: set[asyncio.Task[None]] = set()
        store.leases.track("outbox", self._tasks.copy)
        for kind, result in itertools.product(MessageKind, ("sent", "later", "never")):
            metrics.delivered.labels(kind.value, result)

    def start(self) -> None:
        """Begin to deliver."""
        self._loop = self._supervisor.start("courier", self._run)

    def is_late(self, channel: str) -> bool:
        """Return whether Slack did not take the last message to a channel, and it waits now."""
        return self._clock() < self._late.get(channel, 0.0)

    async def stop(self, grace: float = 2.0) -> None:
        """Deliver what is ready, at most for `grace` seconds; the rest stays queued."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.drain()
                await asyncio.gather(*self._withdrawals, return_exceptions=True)
        if self._loop:
            self._loop.stop()
        for task in (*self._tasks.values(), *self._withdrawals):
            task.cancel()

    async def drain(self) -> None:
        """Wait until the outbox is empty."""
        while True:
            try:
                if not await self._store.outbox.depth():
                    return
            except StoreError:
                return
            await asyncio.sleep(0.02)

    async def _run(self) -> None:
        """Claim messages once, and wait until there are new ones."""
        self._store.session.outbox_changed.clear()
        try:
            claimed = await self._store.outbox.claim(self._spacing, BURST)
            for message in claimed:
                if message.id not in self._tasks:
                    self._begin(message, self._deliver)
                elif message.id in self._settled:
                    # It was put back a moment ago, by a task that has not quite ended.
                    self._next[message.id] = message, self._deliver
                else:
                    # Its lease has lapsed, as by a clock that is turned on: it is out of date.
                    self._next[message.id] = message, self._put_back
        except StoreError as error:
            log.error("the store does not answer", why=str(error))
        # Claims must leave the store to those who write, however deep the outbox is. How long one
        # has waited for them says nothing of that.
        await asyncio.sleep(_REST * self._store.outbox.claim_took)
        await until_set(self._store.session.outbox_changed)

    def _begin(self, message: OutboxMessage, work: Work) -> None:
        task = asyncio.create_task(self._work(message, work), name=f"message {message.key}")
        self._tasks[message.id] = task
        task.add_done_callback(partial(self._done, message))

    def _done(self, message: OutboxMessage, task: "asyncio.Task[None]") -> None:
        del self._tasks[message.id]
        more = self._settled.pop(message.id, True)
        claimed = self._next.pop(message.id, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a delivery broke off", exc_info=error)
        if claimed is not None and not task.cancelled():
            self._begin(*claimed)
        elif error is not None:
            self._store.leases.release(message)
        if more:
            # The next message to the same channel, for one.
            self._store.session.outbox_changed.set()

    async def _work(self, message: OutboxMessage, work: Work) -> None:
        try:
            more = await work(message)
            if more is not None:
                self._settled[message.id] = more
        except StoreError as error:
            log.error("a message waits for the store", key=message.key, why=str(error))
            self._store.leases.release(message)

    async def _deliver(self, message: OutboxMessage) -> bool | None:
        await asyncio.sleep(message.wait)
        lease = MessageLease(self._store, message)
        # From here on it may have reached Slack, even if this process dies.
        if not await lease.stands():
            return None
        return await self._settle(message, await self._send_traced(message, lease))

    async def _put_back(self, message: OutboxMessage) -> bool:
        """Have a message claimed anew."""
        await self._store.outbox.mark_postponed(message, 0.0, uncertain=message.uncertain)
        return True

    async def _send_traced(self, message: OutboxMessage, lease: MessageLease) -> DeliveryResult:
        if message.operation is None:
            return await self._send(message, lease)
        about = {
            "messaging.system": "slack",
            "messaging.operation.name": "post",
            "messaging.operation.type": "send",
            "messaging.destination.name": message.destination,
            "stopstream.message": message.kind.value,
        }
        with self._traces.span(message.operation.id, "post slack", Kind.PRODUCER, about) as span:
            result = await self._send(message, lease)
            if isinstance(result, Sent):
                span.note({"messaging.message.id": result.ts})
            else:
                span.fail(type(result).__name__)
            return result

    async def _send(self, message: OutboxMessage, lease: MessageLease) -> DeliveryResult:
        if message.notice is not None:
            return await self._notifier.send_ephemeral(message.notice)
        seal = await self._store.audit_log.seal() if self._is_witness(message) else ""
        if message.alert is not None:
            return await self._notifier.show_alert(
                message.alert,
                message.key,
                uncertain=message.uncertain,
                may_leave=lease.stands,
            )
        if message.operation is None:
            return await self._notifier.announce(
                message.text,
                message.key,
                uncertain=message.uncertain,
                seal=seal,
                may_leave=lease.stands,
            )
        return await self._notifier.deliver(
            Delivery(
                message.operation,
                message.kind,
                message.key,
                message.about_state or message.operation.state,
                uncertain=message.uncertain,
                observed=message.text,
                seal=seal,
                may_leave=lease.stands,
            )
        )

    async def _settle(self, message: OutboxMessage, result: DeliveryResult) -> bool:
        """Store what became of a message; return whether there may be messages to claim."""
        kind, more = message.kind.value, True
        result = self._with_patience(message, result)
        match result:
            case Sent():
                self._late.pop(message.destination, None)
                counts, is_alone, more = await self._store.outbox.mark_delivered(message, result)
                if counts == result.ts:
                    self._metrics.delivered.labels(kind, "sent").inc()
                    self._note_posted(message)
                if result.maybe_twice or not is_alone:
                    self._withdraw(message, result.channel, counts)
            case RetryLater(seconds, why, uncertain, refused, steady):
                longest = LONGEST_REFUSED if refused else LONGEST
                back_off = min(longest, 0.5 * 2.0 ** min(message.attempts, 8))
                wait = seconds if steady else max(seconds, back_off)
                if refused or (seconds and not steady and not message.is_edit):
                    self._late[message.destination] = self._clock() + wait
                log.warning("not delivered yet", key=message.key, why=why, again_in=round(wait, 1))
                counts = await self._store.outbox.mark_postponed(
                    message,
                    wait,
                    uncertain=uncertain or message.uncertain,
                    aside=refused and self._refusals[message.id].count >= REFUSALS_IN_LINE,
                )
                self._metrics.delivered.labels(kind, "later").inc()
                if uncertain and counts:
                    self._withdraw(message, message.destination, counts)
            case Undeliverable(why, closed=True) if self._is_witness(message):
                # The audit log has it; the channel gets it when it is open again.
                log.error("the audit channel is closed", why=why, again_in=self._patience)
                await self._store.outbox.mark_postponed(
                    message, self._patience, uncertain=message.uncertain
                )
                self._metrics.delivered.labels(kind, "later").inc()
            case Undeliverable(why):
                log.error("undeliverable", key=message.key, why=why)
                await self._store.outbox.mark_undeliverable(message, why, tell=_lost(message, why))
                self._metrics.delivered.labels(kind, "never").inc()
        return more

    def _withdraw(self, message: OutboxMessage, channel: str, counts: str) -> None:
        """Begin to delete what replicas have posted beside the message that counts."""
        about = message.about
        if about is None or not message.kind.may_be_withdrawn:
            return
        log.warning("it may have been posted twice", key=message.key, counts=counts)
        withdrawal = Withdrawal(about, message.kind, message.key, channel, counts)
        task = asyncio.create_task(self._notifier.withdraw(withdrawal), name="withdrawal")
        self._withdrawals.add(task)
        task.add_done_callback(self._withdrawals.discard)

    def _note_posted(self, message: OutboxMessage) -> None:
        operation = message.operation
        if message.kind is MessageKind.ENDING and operation is not None:
            consent = operation.decided_at or operation.asked_at
            self._metrics.until_posted.observe(max(0.0, self._epoch() - consent))

    def _with_patience(self, message: OutboxMessage, result: DeliveryResult) -> DeliveryResult:
        """Return a result, or that the message is given up once it was refused for too long."""
        if not (isinstance(result, RetryLater) and result.refused):
            self._refusals.pop(message.id, None)
            return result
        refusals = self._refusals.setdefault(message.id, _Refusals(self._clock()))
        refusals.count += 1
        patient = self._clock() - refusals.since < self._refusal_patience
        if patient or self._is_witness(message):
            return result
        del self._refusals[message.id]
        hours = self._refusal_patience / 3600
        return Undeliverable(f"{result.why}, again and again for {hours:.0f} hours.")

    def _is_witness(self, message: OutboxMessage) -> bool:
        return (
            message.kind is MessageKind.AUDIT
            and message.destination == self._store.session.audit_channel
        )


def _lost(message: OutboxMessage, why: str) -> str:
    operation, alert = message.operation, message.alert
    if alert is not None:
        return f"Nobody saw the alert «{alert.title}» (alert {alert.id}): {why}"
    if operation is None or message.kind is MessageKind.AUDIT:
        return ""
    if message.kind is MessageKind.CARD and operation.state in ENDINGS:
        # Its ending is a message of its own, and says so.
        return ""
    return (
        f"Nobody in the channel heard of {operation.api} ({operation.state.value}, "
        f"operation {operation.id}): {why}"
    )
