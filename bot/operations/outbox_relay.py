"""Carries what Slack must still hear: in order for each channel, once, for as long as it takes."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

import structlog

from bot.errors import StoreError
from bot.model.lifecycle import ENDINGS
from bot.model.messages import Delivery, MessageKind, RetryLater, Sent, Undeliverable
from bot.model.ports import Notifier
from bot.storage.outbox import OutboxMessage
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor, until_set
from bot.telemetry import Metrics

log = structlog.get_logger("stopstream.courier")

SPACING = 1.05
"""Seconds between two messages to one channel; Slack allows one a second and short bursts."""

BURST = 5
"""How many messages may go to a quiet channel at once."""

LONGEST = 15.0
"""Seconds between two tries, at most: once Slack is back, nobody waits longer for the first."""

PATIENCE = 60.0
"""Seconds between two tries of a closed audit channel, for which everything else waits in order."""

_REST = 3.0
"""How much longer than a look into the outbox takes the next one waits."""


class OutboxRelay:
    """Delivers the outbox.

    Args:
        spacing: Seconds between two messages to one channel, over all replicas.
        patience: Seconds between two tries of a closed audit channel.
        clock: Seconds, for the courier's own rest alone.
    """

    def __init__(
        self,
        *,
        store: Store,
        desk: Notifier,
        metrics: Metrics,
        supervisor: Supervisor,
        spacing: float = SPACING,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._desk = desk
        self._metrics = metrics
        self._supervisor = supervisor
        self._spacing = spacing
        self._patience = patience
        self._clock = clock
        self._loop: Loop | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to deliver."""
        self._loop = self._supervisor.start("courier", self._run)

    async def stop(self, grace: float = 2.0) -> None:
        """Deliver what is ready, at most for `grace` seconds; the rest stays owed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.drain()
        if self._loop:
            self._loop.stop()
        for task in list(self._under_way):
            task.cancel()

    async def drain(self) -> None:
        """Wait until nothing is owed any more."""
        while True:
            try:
                if not await self._store.outbox.depth():
                    return
            except StoreError:
                return
            await asyncio.sleep(0.02)

    async def _run(self) -> None:
        """Look into the outbox once, and wait until there is something new."""
        self._store.session.outbox_changed.clear()
        began = self._clock()
        try:
            claimed = await self._store.outbox.claim(self._spacing, BURST)
            for owing in claimed:
                task = asyncio.create_task(self._carry(owing), name=f"message {owing.key}")
                self._under_way.add(task)
                task.add_done_callback(partial(self._done, owing))
        except StoreError as error:
            log.error("the store does not answer", why=str(error))
        # Looking must leave the store to those who write, however much is owed.
        await asyncio.sleep(_REST * (self._clock() - began))
        await until_set(self._store.session.outbox_changed)

    def _done(self, owing: OutboxMessage, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a delivery broke off", exc_info=error)
            self._store.leases.release(owing)
        # The next one to the same channel may go.
        self._store.session.outbox_changed.set()

    async def _carry(self, owing: OutboxMessage) -> None:
        try:
            await asyncio.sleep(owing.wait)
            # From here on it may have reached Slack, whatever becomes of us.
            if await self._store.outbox.mark_in_flight(owing):
                await self._settle(owing, await self._hand_in(owing))
        except StoreError as error:
            log.error("a message waits for the store", key=owing.key, why=str(error))
            self._store.leases.release(owing)

    async def _hand_in(self, owing: OutboxMessage) -> Sent | RetryLater | Undeliverable:
        if owing.notice is not None:
            return await self._desk.send_ephemeral(owing.notice)
        if owing.operation is None:
            return await self._desk.announce(owing.text, owing.key, uncertain=owing.uncertain)
        return await self._desk.deliver(
            Delivery(
                owing.operation,
                owing.kind,
                owing.key,
                owing.about_state or owing.operation.state,
                uncertain=owing.uncertain,
                observed=owing.text,
            )
        )

    async def _settle(
        self, owing: OutboxMessage, result: Sent | RetryLater | Undeliverable
    ) -> None:
        kind = owing.kind.value
        match result:
            case Sent():
                await self._store.outbox.mark_delivered(owing, result)
                self._metrics.delivered.labels(kind, "sent").inc()
            case RetryLater(seconds, why, uncertain):
                wait = max(seconds, min(LONGEST, 0.5 * 2.0 ** min(owing.attempts, 8)))
                log.warning("not delivered yet", key=owing.key, why=why, again_in=round(wait, 1))
                await self._store.outbox.mark_postponed(
                    owing, wait, uncertain=uncertain or owing.uncertain
                )
                self._metrics.delivered.labels(kind, "later").inc()
            case Undeliverable(why, closed=True) if self._witnesses(owing):
                # The trail has it; the channel catches up when it is mended.
                log.error("the audit channel is closed", why=why, again_in=self._patience)
                await self._store.outbox.mark_postponed(
                    owing, self._patience, uncertain=owing.uncertain
                )
                self._metrics.delivered.labels(kind, "later").inc()
            case Undeliverable(why):
                log.error("undeliverable", key=owing.key, why=why)
                await self._store.outbox.mark_undeliverable(owing, why, tell=_lost(owing, why))
                self._metrics.delivered.labels(kind, "never").inc()

    def _witnesses(self, owing: OutboxMessage) -> bool:
        return (
            owing.kind is MessageKind.AUDIT
            and owing.destination == self._store.session.audit_channel
        )


def _lost(owing: OutboxMessage, why: str) -> str:
    operation = owing.operation
    if operation is None or owing.kind is MessageKind.AUDIT:
        return ""
    if owing.kind is MessageKind.CARD and operation.state in ENDINGS:
        # Its ending is owed beside it, and says so.
        return ""
    return (
        f"Nobody in the channel heard of {operation.api} ({operation.state.value}, "
        f"operation {operation.id}): {why}"
    )
