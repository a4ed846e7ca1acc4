"""A replica that was stopped for longer than its lease sends nothing, and loses no answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from bot.errors import ApiError, CloudError, StoreError
from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.operations.results import Accepted
from handlers.messages import endings
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import FakeCloud
from tests.support.waiting import BOUND, until

START, STOP = "start car user1", "stop live stream1"


@dataclass
class Stopped:
    """A replica whose heart does not beat, as while it is stopped."""

    house: House
    clock: ManualClock
    url: str

    async def ask(self, text: str) -> str:
        reply = await self.house.ask(text, verb=None)
        assert isinstance(reply, Accepted)
        return reply.operation.id

    async def others_end(self, id_: str, after: float = 11.0) -> Operation:
        """Let the lease run out, and another replica take the operation over."""
        self.clock.advance(after)
        async with (
            opened(self.url, owner="other", lease=0.5, clock=self.clock) as store,
            built(store, clock=self.clock) as other,
        ):
            ended = await other.engine.ending(id_)
            self.clock.advance(10.0)
            return ended


@pytest.fixture
async def stopped(database_url: str) -> AsyncIterator[Stopped]:
    clock = ManualClock()
    async with (
        opened(database_url, clock=clock) as store,
        built(store, cloud=FakeCloud(gate=asyncio.Event()), clock=clock) as house,
    ):

        async def still() -> None:
            raise StoreError("the heart stands still")

        store.leases.renew = still  # type: ignore[method-assign]
        yield Stopped(house, clock, database_url)


@contextlib.asynccontextmanager
async def held_after_intent(house: House) -> AsyncIterator[asyncio.Event]:
    """Stop a replica when an intent is on disk and nothing has left; yield what is set then."""
    start, there, go_on = house.store.operations.start, asyncio.Event(), asyncio.Event()

    async def start_and_stop(*given: Any) -> Any:
        started = await start(*given)
        there.set()
        await go_on.wait()
        return started

    house.store.operations.start = start_and_stop  # type: ignore[method-assign, assignment]
    try:
        yield there
    finally:
        go_on.set()


@pytest.mark.parametrize(("text", "state"), [(START, State.UNKNOWN), (STOP, State.ACCEPTED)])
async def test_request_does_not_leave_after_the_lease(
    stopped: Stopped, text: str, state: State
) -> None:
    """What another replica has taken over meanwhile is left to it."""
    async with held_after_intent(stopped.house) as recorded:
        id_ = await stopped.ask(text)
        await recorded.wait()
        assert (await stopped.others_end(id_)).state is state
    await until(lambda: not stopped.house.engine._in_progress())  # noqa: SLF001 (what is in hand)

    assert stopped.house.cloud.sent == []


async def held_for(stopped: Stopped, seconds: float) -> Operation:
    """Ask for a start that is held after its intent, and return it as it ends."""
    async with held_after_intent(stopped.house) as recorded:
        id_ = await stopped.ask(START)
        await recorded.wait()
        stopped.clock.advance(seconds)
    async with asyncio.timeout(BOUND):
        return await stopped.house.engine.ending(id_)


async def test_request_leaves_where_nobody_has_taken_it_over(stopped: Stopped) -> None:
    """A lease that has run out is renewed before the request leaves, if it is still ours."""
    assert stopped.house.cloud.gate is not None
    stopped.house.cloud.gate.set()
    ended = await held_for(stopped, 60.0)

    assert ended.state is State.ACCEPTED
    assert len(stopped.house.cloud.sent) == 1


async def test_request_that_got_too_old_does_not_leave(stopped: Stopped) -> None:
    """What nobody has taken over, but was asked for too long ago, ends as not sent."""
    ended = await held_for(stopped, 3600.0)

    assert ended.state is State.FAILED
    assert ended.detail.startswith("Too old, not sent")
    assert stopped.house.cloud.sent == []


async def test_a_stop_before_the_last_moment_is_noticed(stopped: Stopped) -> None:
    """A replica that is stopped between the check of its lease and the connection checks again."""
    cloud, gate = stopped.house.cloud, stopped.house.cloud.gate
    assert gate is not None
    gate.set()
    call, tries = cloud.call, [60.0, 0.0]

    async def stop_then_call(command: Any, may_leave: Any) -> Any:
        stopped.clock.advance(tries.pop(0))
        return await call(command, may_leave)

    cloud.call = stop_then_call  # type: ignore[method-assign, assignment]
    id_ = await stopped.ask(START)
    async with asyncio.timeout(BOUND):
        ended = await stopped.house.engine.ending(id_)

    assert ended.state is State.ACCEPTED
    assert (tries, len(cloud.sent)) == ([], 1)


@pytest.mark.parametrize(
    ("text", "fault", "facts", "said"),
    [
        (START, None, {"answer": "accepted"}, "the request to"),
        (STOP, None, {"answer": "accepted"}, "an earlier request to"),
        (START, ApiError("InternalError", "x", request_id="r1"), {"code": "InternalError"}, ""),
        (STOP, ApiError("InternalError", "x", request_id="r1"), {"code": "InternalError"}, ""),
        (STOP, ApiError("RequestLimitExceeded", "x", request_id="r1"), {}, ""),
    ],
)
async def test_late_answer_is_recorded_and_told(
    stopped: Stopped, text: str, fault: CloudError | None, facts: dict[str, str], said: str
) -> None:
    """An answer that comes after another replica has taken over is on the trail and in Slack."""
    house = stopped.house
    assert house.cloud.gate is not None
    house.cloud.faults.append(fault)
    id_ = await stopped.ask(text)
    await house.cloud.called.wait()
    await stopped.others_end(id_)
    house.cloud.gate.set()

    async def records() -> list[Any]:
        with house.store.audit_log.records(operation=id_) as found:
            return [record for record in found if record.kind == "late answer"]

    (late,) = await until(records)
    request_id = "r1" if fault else "request-1"
    assert late.facts["request_id"] == request_id
    assert facts.items() <= late.facts.items()

    def late_said() -> list[Any]:
        # A claim of the outbox that is not followed up lapses after three leases.
        stopped.clock.advance(0.01)
        return list(house.desk.said(MessageKind.LATE))

    (told,) = await until(late_said)
    assert told.observed.endswith(request_id)
    assert said in endings.late_answer(told.operation, None, told.observed).text
    assert request_id in endings.late_answer(told.operation, None, told.observed).text
