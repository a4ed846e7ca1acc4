"""A read is sent again where its key had lapsed; lists are shared, and compared off the loop."""

import asyncio
from collections import Counter
from typing import Any, cast

import pytest

from bot.catalog.near_names import near_names
from bot.catalog.registry import by_api
from bot.errors import LapsedKeyError, NoAnswerError
from bot.metrics import Metrics
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.live_notices import KeptList
from bot.off_loop import NAMES_AT_ONCE
from bot.operations import state_reader
from bot.operations.rate_limiter import RateLimiter
from bot.operations.state_reader import LIVE_NAMES_MOST, StateReader
from bot.storage.pushes import Pushes
from tests.conftest import House
from tests.support.fakes import FakeCloud
from tests.support.growth import MOST, TIMES, growth

READ = Command(
    by_api("DescribeLiveStreamState"),
    {"StreamName": "s1", "DomainName": "push.example.com", "AppName": "live"},
)
STOP = Command(by_api("DropLiveStream"), READ.params)
LISTS: dict[str, dict[str, Json]] = {
    "DescribeLiveStreamOnlineList": {"OnlineInfo": [{"StreamName": "cam-1"}]}
}
LAPSED = LapsedKeyError("AuthFailure.TokenFailure", "lapsed", request_id="r1")


@pytest.mark.parametrize(
    ("refusals", "wanted", "sent", "answered"),
    [(1, 9, 2, True), (2, 9, 2, False), (1, 1, 1, False)],
    ids=["lapsed once", "lapsed again", "not wanted any more"],
)
async def test_read_is_sent_once_more_with_another_key(
    house: House, refusals: int, wanted: int, sent: int, *, answered: bool
) -> None:
    """A second refusal is the answer; what is not wanted any more is not sent again."""
    cloud = FakeCloud(faults=[LAPSED] * refusals)
    limiter = RateLimiter(house.store, Metrics())
    reader = StateReader(
        cloud=cloud, limiter=limiter, authorizer=house.authorizer, pushes=house.store.pushes
    )
    left = iter([True] * wanted)

    body = await reader.send(READ, may_leave=lambda: next(left, False))

    assert len(cloud.sent) == sent
    assert (body is not None) is answered


async def test_many_stops_at_once_read_a_list_once(house: House) -> None:
    """Each of them would wait for its turn under the API's limit, and take one from a stop."""
    cloud = FakeCloud(bodies=dict(LISTS), gate=asyncio.Event(), faults=[NoAnswerError("lost")] * 2)
    reader = StateReader(
        cloud=cloud,
        limiter=RateLimiter(house.store, Metrics()),
        authorizer=house.authorizer,
        pushes=cast("Pushes", Kept(0, is_believed=False)),
        list_kept=600.0,
    )

    async def named(count: int = 1, stop: Command = STOP) -> list[list[Json]]:
        asking = [asyncio.create_task(reader.live_names(stop)) for _ in range(count)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert cloud.gate is not None
        cloud.gate.set()
        return [[one["StreamName"] for one in names] for names in await asyncio.gather(*asking)]

    assert await named(20) == [[]] * 20
    assert len(cloud.sent) == 2
    # What has failed is read again, and what has changed.
    assert await named() == await named() == [["cam-1"]]
    await named(stop=Command(STOP.action, {**STOP.params, "AppName": "other"}))
    assert len(cloud.sent) == 5
    reader.forget_lists("of another account")
    await named()
    assert len(cloud.sent) == 5
    reader.forget_lists(STOP.account)
    await named()

    apps = Counter(one.params.get("AppName") for one in cloud.sent)
    assert apps == {"live": 3, None: 3, "other": 1}


async def test_list_waits_as_long_as_who_asks_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verification waits for longer than an ending does, and each has its own patience."""
    monkeypatch.setattr(state_reader, "LOOK", 0.01)
    cloud = FakeCloud(bodies=dict(LISTS), gate=asyncio.Event())
    reader = StateReader(
        cloud=cloud,
        limiter=RateLimiter(house.store, Metrics()),
        authorizer=house.authorizer,
        pushes=house.store.pushes,
        list_kept=600.0,
    )
    patient = asyncio.create_task(reader.live_names(STOP, 30.0))

    assert await reader.live_names(STOP) == ()
    assert cloud.gate is not None
    cloud.gate.set()
    assert [one["StreamName"] for one in await patient] == ["cam-1"]


class Kept:
    """What callbacks keep of an account on which so many streams are live."""

    def __init__(self, count: int, *, is_believed: bool = True) -> None:
        keys = [(f"cam-{number}", "push.example.com", "live") for number in range(count)]
        self._list = KeptList(dict.fromkeys(keys, 1.0), is_believed=is_believed)

    async def kept(self, _account: str) -> KeptList:
        return self._list


async def live_names(count: int) -> list[str]:
    """Return the names that are offered in place of one that is not live."""
    nothing = cast("Any", None)
    pushes = cast("Pushes", Kept(count))
    reader = StateReader(cloud=FakeCloud(), limiter=nothing, authorizer=nothing, pushes=pushes)
    return [str(one["StreamName"]) for one in await reader.live_names(STOP)]


async def test_live_names_are_offered_once_each() -> None:
    """Those on the same path are among the account's, too."""
    assert await live_names(2) == ["cam-0", "cam-1"]
    assert len(set(await live_names(NAMES_AT_ONCE))) == LIVE_NAMES_MOST


@pytest.mark.parametrize(("count", "beside"), [(NAMES_AT_ONCE // 2, False), (NAMES_AT_ONCE, True)])
async def test_many_live_names_are_compared_beside_the_loop(
    count: int, monkeypatch: pytest.MonkeyPatch, *, beside: bool
) -> None:
    """An account with thousands of live streams keeps no ack waiting."""
    on_loop = list[bool]()

    def compare(*given: Any) -> tuple[str, ...]:
        on_loop.append(asyncio._get_running_loop() is not None)  # noqa: SLF001 (it does not raise)
        return near_names(*given)

    monkeypatch.setattr(state_reader, "near_names", compare)
    await live_names(count)

    assert set(on_loop) == {not beside}


def test_work_of_comparing_live_names_grows_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight times as many live streams take about eight times as long."""

    async def at_once(_count: int, compare: Any) -> Any:
        return compare()

    monkeypatch.setattr(state_reader, "compare_names", at_once, raising=False)

    short = "x" * 500
    assert growth(lambda text: asyncio.run(live_names(len(text))), short, short * TIMES) < MOST
