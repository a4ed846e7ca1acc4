"""Approvals that nobody gives in time: reminders, escalation and expiry."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.model.messages import MessageKind
from bot.model.operations import Choice, Operation, State
from bot.storage.store import Store
from tests.conftest import built, opened
from tests.support.approvals import DAVE, POLICY, directory, ran, waiting
from tests.support.clocks import ManualClock
from tests.support.fakes import BOB, FakeNotifier
from tests.support.waiting import until


@pytest.fixture
async def timed_store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """A store that takes its time from the test's clock."""
    async with opened(f"sqlite:///{tmp_path / 'timed.db'}", clock=clock) as one:
        yield one


async def test_approval_expires_without_decision(timed_store: Store, clock: ManualClock) -> None:
    """An operation that nobody decides in time expires and is reported once."""
    async with built(timed_store, policy=POLICY, directory=directory(), clock=clock) as house:
        operation = await waiting(house)
        clock.advance(901.0)
        ended = await house.ended(operation.id)
        late = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert ended.state is State.EXPIRED
    assert "expired" in late.words
    assert house.heard(MessageKind.ENDING) == 1
    assert ran(house) == []


async def test_approval_past_expiry_is_refused_before_expiry_job(
    timed_store: Store, clock: ManualClock
) -> None:
    """An approval after the expiry is refused even if the expiry job has not run."""
    async with built(timed_store, policy=POLICY, directory=directory(), clock=clock) as house:
        operation = await waiting(house)
        await house.approvals.stop()
        clock.advance(901.0)
        settled = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert not settled.counts
    assert (await timed_store.operations.get(operation.id) or operation).state is State.EXPIRED


async def test_approval_reminds_once_and_escalates_to_next_role(
    timed_store: Store, clock: ManualClock
) -> None:
    """An undecided operation sends one reminder and escalates to the next role."""
    desk = FakeNotifier()

    def reminders(of: Operation) -> int:
        return [one.operation.id for one in desk.said(MessageKind.REMINDER)].count(of.id)

    shared = {"policy": POLICY, "directory": directory(), "clock": clock, "desk": desk}
    async with built(timed_store, **shared) as house:
        operation = await waiting(house)
        early = await house.decide(operation.id, Choice.APPROVE, DAVE)
        clock.advance(121.0)
        await until(lambda: reminders(operation))
        later = await waiting(house, "live stream2")
        clock.advance(121.0)
        await until(lambda: reminders(later))
        widened = await house.now(operation.id)
        settled = await house.decide(operation.id, Choice.APPROVE, DAVE)
        await house.ended(operation.id)

    assert not early.counts
    assert widened.approvals.roles == ("leads", "chiefs")
    assert "U0DAVE" in widened.approvals.people
    assert reminders(operation) == 1
    assert settled.counts
