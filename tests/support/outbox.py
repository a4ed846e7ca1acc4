"""Puts messages into the outbox, and delivers them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from bot.metrics import Metrics
from bot.model.messages import MessageKind
from bot.model.operations import Operation
from bot.model.ports import Notifier
from bot.operations.outbox_relay import OutboxRelay
from bot.storage.outbox_message import OutboxMessage
from bot.storage.store import Store
from bot.storage.writer import Transaction
from bot.supervision import Supervisor


async def queue(store: Store, about: Operation, *kinds: MessageKind) -> None:
    """Enqueue messages about an operation, which is stored if it is not there."""

    def work(tx: Transaction, calls: Sequence[None]) -> list[None]:
        for kind in kinds:
            store.outbox.enqueue(tx, about, kind)
        return [None for _ in calls]

    if await store.operations.get(about.id) is None:
        await store.operations.add(about, {})
    await store.session.writer.do(work, None)


@contextlib.asynccontextmanager
async def delivering(store: Store, desk: Notifier) -> AsyncIterator[OutboxRelay]:
    """Run a relay that nothing renews the leases of."""
    metrics = Metrics()
    relay = OutboxRelay(store=store, notifier=desk, metrics=metrics, supervisor=Supervisor(metrics))
    relay.start()
    try:
        yield relay
    finally:
        await relay.stop()


@contextlib.contextmanager
def suspended(store: Store) -> Iterator[None]:
    """Let a replica claim nothing meanwhile, however long that takes."""
    claim, awake = store.outbox.claim, asyncio.Event()

    async def claims_awake(*given: Any) -> list[OutboxMessage]:
        await awake.wait()
        return await claim(*given)

    store.outbox.claim = claims_awake  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        store.outbox.claim = claim  # type: ignore[method-assign]
        awake.set()
