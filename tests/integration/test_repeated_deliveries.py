"""The same request, delivered again while the database refuses, is not told that nothing runs."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from bot.errors import ApiError, StoreError
from bot.model.commands import Invocation, Via
from bot.model.people import Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, NotRecorded
from tests.conftest import House
from tests.support.fakes import ALICE
from tests.support.waiting import until


class Outage:
    """Has some calls of the database refused."""

    def __init__(self, house: House, patch: pytest.MonkeyPatch) -> None:
        self._operations = house.store.operations
        self._patch = patch

    def refuse(self, *calls: str) -> None:
        async def refused(*_: Any, **__: Any) -> Any:
            raise StoreError("database or disk is full")

        for call in calls:
            self._patch.setattr(self._operations, call, refused)


@pytest.fixture
def outage(house: House) -> Iterator[Outage]:
    with pytest.MonkeyPatch.context() as patch:
        yield Outage(house, patch)


async def test_request_found_on_file_is_answered_as_accepted(house: House, outage: Outage) -> None:
    """A database that takes nothing more still tells that the first delivery was taken."""
    first = await house.run("live stream1", key="e1")
    outage.refuse("add")
    again = await house.ask("live stream1", key="e1")
    other = await house.ask("live stream2", key="e2")

    assert isinstance(again, Accepted)
    assert (again.operation.id, again.again) == (first.id, True)
    assert isinstance(other, NotRecorded)
    assert other.sentence.startswith("Nothing was sent")
    assert len(house.cloud.sent) == 1


@pytest.mark.parametrize(
    ("via", "repeated", "said"),
    [
        (Via.MENTION, True, "I don't know yet"),
        (Via.MENTION, False, "Nothing was sent"),
        (Via.TERMINAL, False, "Nothing was sent"),
        # Slack does not say that it delivers these again.
        (Via.COMMAND, False, "Your request could not be saved"),
        (Via.FORM, False, "Your request could not be saved"),
        (Via.BUTTON, False, "Your request could not be saved"),
    ],
)
async def test_database_that_is_away_tells_nothing_of_an_earlier_delivery(
    house: House, outage: Outage, via: Via, repeated: bool, said: str
) -> None:
    """Only what cannot have come before is said not to run."""
    await house.run("live stream1", key="e1")
    outage.refuse("add", "by_key")
    again = await house.ask("live stream1", key="e1", via=via, repeated=repeated)

    assert isinstance(again, NotRecorded)
    assert again.sentence.startswith(said)


@pytest.mark.parametrize("calls", [("get",), ("by_key",), ("by_key", "add"), ("add",)])
async def test_second_press_of_a_follow_up_is_not_told_that_nothing_was_sent(
    house: House, outage: Outage, calls: tuple[str, ...]
) -> None:
    """A press whose first one runs still is answered by what is known of it."""
    before = await house.run("live stream1")
    gate = house.cloud.gate = asyncio.Event()
    pressed = Invocation("t1", ALICE, Place("C0INC"), "", Via.BUTTON, None)
    first = await house.service.follow(before.id, FollowUp.CHECK, pressed)
    assert isinstance(first, Accepted)
    outage.refuse(*calls)
    second = await house.service.follow(before.id, FollowUp.CHECK, pressed)
    gate.set()

    if isinstance(second, Accepted):
        assert second.operation.id == first.operation.id
    else:
        assert isinstance(second, NotRecorded)
        assert "nothing was sent" not in second.sentence.lower()


async def test_request_id_of_an_unclear_try_is_recorded_before_the_next(
    house: House, outage: Outage
) -> None:
    """What a try was answered stays known, whoever makes the next one."""
    house.cloud.faults.append(ApiError("InternalError", "x", request_id="r1"))
    reply = await house.ask("live stream1")
    assert isinstance(reply, Accepted)
    await house.cloud.called.wait()
    outage.refuse("start")

    async def recorded() -> list[Any]:
        with house.store.audit_log.records(operation=reply.operation.id) as found:
            return [one for one in found if one.kind == "unclear answer"]

    (answer,) = await until(recorded)
    assert answer.facts["request_id"] == "r1"
    assert answer.facts["code"] == "InternalError"
