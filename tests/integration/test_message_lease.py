"""Whoever is about to post a message has its lease, whatever came between."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.model.messages import Delivery, DeliveryResult, MessageKind
from bot.storage.outbox_message import OutboxMessage
from bot.storage.store import Store
from tests.conftest import opened
from tests.support.clocks import ManualClock
from tests.support.fakes import FakeNotifier
from tests.support.outbox import delivering, queue, suspended
from tests.support.stored_operations import operation
from tests.support.waiting import until

CARD = MessageKind.CARD


@pytest.fixture
async def timed_store(database_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    async with opened(database_url, clock=clock) as store:
        yield store


async def test_replica_that_was_suspended_posts_nothing_that_another_has(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the mark and the post a process may stand still for longer than its lease."""
    desk, slept, marks = FakeNotifier(), 0.0, 0
    for module in ("bot.operations.message_lease", "bot.storage.outbox"):
        monkeypatch.setattr(f"{module}.elapsed", lambda: slept)
    async with (
        opened(database_url, clock=clock) as store,
        opened(database_url, "replica-2", clock=clock) as other,
    ):
        mark = store.outbox.mark_in_flight

        async def stands_still(message: OutboxMessage) -> float | None:
            nonlocal slept, marks
            marks += 1
            marked = await mark(message)
            if marks == 1:
                slept = store.session.lease + 1.0
                with suspended(store):
                    clock.advance(slept)
                    async with delivering(other, desk) as second:
                        await second.drain()
            return marked

        store.outbox.mark_in_flight = stands_still  # type: ignore[method-assign]
        await queue(store, operation(1), CARD)
        async with delivering(store, desk):
            await until(lambda: marks == 2 or len(desk.said(CARD)) == 2)
    assert len(desk.said(CARD)) == 1


async def test_look_for_an_earlier_post_outlasts_no_lease(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the post another replica may have looked, and posted."""
    posted, passed, over = FakeNotifier(), 0.0, asyncio.Event()
    for module in ("bot.operations.message_lease", "bot.storage.outbox"):
        monkeypatch.setattr(f"{module}.elapsed", lambda: passed)
    async with (
        opened(database_url, clock=clock) as store,
        opened(database_url, "replica-2", clock=clock) as other,
    ):

        class LooksForLong(FakeNotifier):
            async def deliver(self, delivery: Delivery) -> DeliveryResult:
                nonlocal passed
                passed = store.session.lease + 1.0
                with suspended(store):
                    clock.advance(passed)
                    async with delivering(other, posted) as second:
                        await second.drain()
                try:
                    return await super().deliver(delivery)
                finally:
                    over.set()

        slow = LooksForLong()
        await queue(store, operation(1), CARD)
        async with delivering(store, slow):
            await over.wait()
    assert (len(posted.said(CARD)), len(slow.said(CARD))) == (1, 0)


async def test_message_is_posted_however_long_its_mark_waits(
    timed_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the writer is busy, its queue takes longer than half a lease each time."""
    passed, desk = 0.0, FakeNotifier()
    for module in ("bot.operations.message_lease", "bot.storage.outbox"):
        monkeypatch.setattr(f"{module}.elapsed", lambda: passed, raising=False)
    mark = timed_store.outbox.mark_in_flight

    async def waits(message: OutboxMessage) -> float | None:
        nonlocal passed
        passed += timed_store.session.lease
        return await mark(message)

    timed_store.outbox.mark_in_flight = waits  # type: ignore[method-assign]
    await queue(timed_store, operation(1), CARD)
    async with delivering(timed_store, desk) as relay:
        await relay.drain()
    assert passed == timed_store.session.lease
    assert len(desk.said(CARD)) == 1
