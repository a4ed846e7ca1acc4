"""An operation survives crashes, lost leases and storage errors."""

import asyncio
from pathlib import Path
from typing import Any

from bot.catalog.registry import action_of
from bot.errors import ApiError, StoreError
from bot.model.messages import MessageKind
from bot.model.operations import State
from bot.operations.results import Accepted, NotRecorded
from bot.storage.outbox_message import OutboxMessage
from handlers.messages import endings
from tests.conftest import built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import FakeCloud
from tests.support.waiting import until

STOP = "live stream1"


async def left_behind(url: str, text: str) -> str:
    """Send a request whose sender dies before it hears the answer; give its id."""
    async with opened(url, lease=0.3) as store:
        deaf = FakeCloud(gate=asyncio.Event())
        async with built(store, cloud=deaf, abandon=True) as house:
            reply = await house.ask(text, verb=None)
            assert isinstance(reply, Accepted)
            await deaf.called.wait()
            return reply.operation.id


async def test_recovery_ends_unrepeatable_operation_as_unknown(database_url: str) -> None:
    """After a crash an operation that may not run twice ends as unknown and is not resent."""
    id_ = await left_behind(database_url, "start car user1")

    async with opened(database_url, owner="replica-2", lease=0.3) as store, built(store) as house:
        operation = await house.engine.ending(id_)

    assert operation.state is State.UNKNOWN
    assert house.cloud.sent == []


async def test_recovery_reports_no_failure_of_what_may_have_run(database_url: str) -> None:
    """A stop that was sent before a crash, and is refused after it, may have run."""
    id_ = await left_behind(database_url, "stop live stream1")

    cloud = FakeCloud(faults=[ApiError("InvalidParameter", "no such stream", request_id="r")])
    async with (
        opened(database_url, owner="replica-2", lease=0.3) as store,
        built(store, cloud=cloud) as house,
    ):
        operation = await house.engine.ending(id_)

    assert (operation.state, operation.code) == (State.UNKNOWN, "InvalidParameter")
    ending = endings.ending(operation, action_of(operation)).text
    assert "*Unknown: it may have run.* An earlier try got no clear answer." in ending


async def test_recovery_resends_stop_and_records_it(database_url: str) -> None:
    """After a crash a stop is sent again, and the audit log says so."""
    id_ = await left_behind(database_url, "stop live stream1")

    async with opened(database_url, owner="replica-2", lease=0.3) as store, built(store) as house:
        operation = await house.engine.ending(id_)
        kinds = await house.kinds()

    assert operation.state is State.ACCEPTED
    assert operation.attempts == 2
    assert "sending again" in kinds


async def test_lease_prevents_takeover_while_renewed(database_url: str) -> None:
    """No other replica claims an operation while its lease is renewed."""
    clock, slow = ManualClock(), FakeCloud(gate=asyncio.Event())
    assert slow.gate is not None
    async with (
        opened(database_url, lease=0.5, clock=clock) as store,
        opened(database_url, owner="replica-2", clock=clock) as other,
        built(store, cloud=slow, clock=clock) as house,
    ):
        renew, renewed = store.leases.renew, asyncio.Event()

        async def renew_and_tell() -> None:
            await renew()
            renewed.set()

        store.leases.renew = renew_and_tell  # type: ignore[method-assign]
        await house.ask(STOP)
        await slow.called.wait()
        for _ in range(8):
            clock.advance(0.4)
            renewed.clear()
            # A renewal may have begun before the clock moved, so the second one counts.
            await renewed.wait()
            renewed.clear()
            await renewed.wait()
            assert await other.leases.claim() == []
        slow.gate.set()


async def test_worker_resumes_operations_after_storage_errors(tmp_path: Path) -> None:
    """Operations left behind by storage errors are claimed again and sent."""
    clock, url = ManualClock(), f"sqlite:///{tmp_path / 'x.db'}"
    async with (
        opened(url, lease=0.5, clock=clock) as store,
        built(store, clock=clock) as house,
    ):
        start, ask = store.operations.start, store.operations.add
        refused = ["once"]

        async def falters(*given: Any) -> Any:
            if refused:
                refused.pop()
                raise StoreError("the disk is full")
            return await start(*given)

        async def booked_too_late(*given: Any) -> Any:
            await ask(*given)
            raise TimeoutError

        store.operations.start = falters  # type: ignore[method-assign, assignment]
        first = await house.ask("live one")
        assert isinstance(first, Accepted)
        store.operations.add = booked_too_late  # type: ignore[method-assign, assignment]
        late = await house.ask("live two")
        assert isinstance(late, NotRecorded)
        store.operations.add = ask  # type: ignore[method-assign]

        async def both_ended() -> bool:
            # What nobody has in hand is claimed once its lease has lapsed.
            clock.advance(0.01)
            return len(house.cloud.sent) == 2 and not await store.operations.unfinished()

        await until(both_ended)


async def test_outbox_relay_delivers_after_storage_errors(tmp_path: Path) -> None:
    """The outbox relay delivers a result once although storage fails at first."""
    async with opened(f"sqlite:///{tmp_path / 'x.db'}", lease=0.5) as store, built(store) as house:
        trying = store.outbox.mark_in_flight
        refused = [1, 2, 3]

        async def falters(message: OutboxMessage) -> float | None:
            if refused:
                refused.pop()
                raise StoreError("the database is locked")
            return await trying(message)

        store.outbox.mark_in_flight = falters  # type: ignore[method-assign]
        await house.run("live one")
        assert not refused
        assert house.heard(MessageKind.ENDING) == 1
