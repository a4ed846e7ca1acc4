"""A stop that ended as unknown, and was accepted after all, changes what is off the air."""

from dataclasses import replace

import pytest

from bot.catalog import effects
from bot.catalog.registry import command_of
from bot.errors import ApiError, NoAnswerError
from bot.model.actions import Effect
from bot.model.operations import Operation, State
from bot.operations.executor import TRIES
from bot.storage.transition import LateAnswer
from tests.conftest import House
from tests.integration.test_fencing import Stopped, stopped
from tests.support.off_air import listed
from tests.support.waiting import until

__all__ = ["stopped"]

TOO_OLD = 700.0


@pytest.mark.parametrize(("seen", "off"), [("inactive", True), ("active", False)])
async def test_late_stop_is_listed_as_the_verifier_sees_it(
    stopped: Stopped, seen: str, *, off: bool
) -> None:
    """What is read a moment after the late answer decides whether it is off."""
    house = stopped.house
    assert house.cloud.gate is not None
    house.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": seen}
    id_ = await stopped.ask("stop live stream1")
    await house.cloud.called.wait()
    assert (await stopped.others_end(id_, TOO_OLD)).state is State.UNKNOWN
    assert await listed(house) == ["DropLiveStream stream1"], "it may be off"
    house.cloud.gate.set()

    async def due() -> Operation | None:
        stopped.clock.advance(1e6)
        return next(iter(await house.store.verifications.claim()), None)

    await house.verifier.verify(await until(due))

    assert (await house.now(id_)).verified_state == seen
    assert await listed(house) == (["DropLiveStream stream1"] if off else [])


@pytest.mark.parametrize(
    ("code", "listed_after"),
    [
        ("InvalidParameterValue", []),
        ("RequestLimitExceeded", []),
        ("InternalError", ["DropLiveStream stream1"]),
    ],
)
async def test_late_refusal_takes_its_stop_off_the_list(
    stopped: Stopped, code: str, listed_after: list[str]
) -> None:
    """What was refused is not off; an answer that does not tell whether it ran changes nothing."""
    house = stopped.house
    assert house.cloud.gate is not None
    house.cloud.faults.append(ApiError(code, "x", request_id="r1"))
    id_ = await stopped.ask("stop live stream1")
    await house.cloud.called.wait()
    assert (await stopped.others_end(id_, TOO_OLD)).state is State.UNKNOWN
    assert await listed(house) == ["DropLiveStream stream1"], "it may be off"
    house.cloud.gate.set()

    def is_noted() -> bool:
        with house.store.audit_log.records(operation=id_) as found:
            return any(record.kind == "late answer" for record in found)

    await until(is_noted)
    assert await listed(house) == listed_after


async def test_late_refusal_leaves_what_an_earlier_stop_did(home: House) -> None:
    """What two stops may have turned off, and one did not, may still be off."""
    first = await ended_unknown(home, "car u1")
    second = await ended_unknown(home, "car u1 ")
    assert [one.operation.id for one in await home.store.off_air.list(10)] == [second.id]
    for operation, left in ((second, [first.id]), (first, [])):
        refused = LateAnswer(operation.id, State.FAILED, "r9", "InvalidParameter")
        refused = replace(refused, refused_try=operation.attempts)
        await home.store.operations.note_late(replace(refused, refused_try=9))
        await home.store.operations.note_late(refused)
        assert [one.operation.id for one in await home.store.off_air.list(10)] == left


async def ended_unknown(home: House, text: str, verb: Effect = Effect.STOP) -> Operation:
    """Ask for something that the cloud never answers."""
    home.cloud.faults += [NoAnswerError("silence")] * TRIES
    ended = await home.run(text, verb=verb, key=f"unanswered {text}")
    home.cloud.faults.clear()
    assert ended.state is State.UNKNOWN
    return ended


async def answer_late(home: House, operation: Operation, verify_in: float | None = None) -> None:
    """Hear that it was accepted after all."""
    command = command_of(operation)
    assert command is not None
    accepted = replace(operation, state=State.ACCEPTED)
    change = effects.off_air_change(accepted, command.action, {}, home.clock())
    assert change is not None
    await home.store.operations.note_late(
        LateAnswer(operation.id, State.ACCEPTED, "r9", "", change, verify_in)
    )


async def test_late_stop_is_as_sure_as_any_other(home: House) -> None:
    """Once its answer is known, what may have run later does not replace it on the list."""
    first = await ended_unknown(home, "car u1")
    await answer_late(home, first)
    await ended_unknown(home, "car u1 ")
    (entry,) = await home.store.off_air.list(10)
    assert entry.operation.id == first.id


async def test_late_stop_leaves_what_came_after_it(home: House) -> None:
    """A start or a stop that was accepted since stays on the list as it made it."""
    first = await ended_unknown(home, "car u1")
    await home.run("car u1")
    (since,) = await home.store.off_air.list(10)
    await answer_late(home, first)
    assert [one.operation.id for one in await home.store.off_air.list(10)] == [since.operation.id]

    await home.run("car u1", verb=Effect.START, key="start")
    await answer_late(home, first)
    assert await listed(home) == []


async def test_late_start_ends_only_earlier_stops(home: House) -> None:
    """A late start takes a stop off the list that was there when it left, and no later one."""
    await home.run("car u1")
    start = await ended_unknown(home, "car u1", Effect.START)
    assert await listed(home) == ["StopPublishStream u1"]
    await answer_late(home, start)
    assert await listed(home) == []

    await home.run("car u1", key="again")
    await answer_late(home, start)
    assert await listed(home) == ["StopPublishStream u1"]
