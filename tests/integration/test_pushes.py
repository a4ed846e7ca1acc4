"""What is live is kept by callbacks between two reads, and believed while they miss nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.model.live_notices import LiveNotice, NoticeKind, StreamKey
from bot.model.operations import LiveBefore, Operation, State
from bot.storage import pushes as kept_pushes
from bot.storage.pushes import BELIEVED_FOR, DOUBTED_FOR, SETTLING
from handlers.messages import endings
from tests.conftest import House
from tests.support.clocks import ManualClock

S1: StreamKey = ("s1", "push.example.com", "live")
S2: StreamKey = ("s2", "push.example.com", "live")
LIST = "DescribeLiveStreamOnlineList"
COUNT: Iterator[int] = iter(range(1_000_000))


async def hear(house: House, kind: NoticeKind, key: StreamKey = S1, *, at: float) -> None:
    one = LiveNotice("default", kind, *key, at, str(next(COUNT)))
    assert await house.store.watches.take_notice(one)


async def began(house: House, key: StreamKey = S1, *, at: float) -> None:
    await hear(house, NoticeKind.BEGAN, key, at=at)


async def read(house: House, *found: StreamKey) -> None:
    await house.store.pushes.correct("default", found, 0.1)


async def kept(house: House) -> tuple[set[StreamKey], bool]:
    found = await house.store.pushes.kept("default")
    return set(found.streams), found.is_believed


async def test_callbacks_are_believed_once_a_read_agrees(
    timed_bot: House, clock: ManualClock
) -> None:
    """After a read that found the same they keep the list for a while; then it is read again."""
    await began(timed_bot, at=clock())
    assert await kept(timed_bot) == ({S1}, False)
    clock.advance(SETTLING + 1)
    await read(timed_bot, S1)
    assert await kept(timed_bot) == ({S1}, True)

    clock.advance(60)
    await began(timed_bot, S2, at=clock())
    await hear(timed_bot, NoticeKind.ENDED, at=clock())
    assert await kept(timed_bot) == ({S2}, True)
    clock.advance(BELIEVED_FOR)
    assert await kept(timed_bot) == ({S2}, False)


async def test_lists_without_callbacks_are_never_believed(
    timed_bot: House, clock: ManualClock
) -> None:
    """Where no callback ever came, nothing keeps what was read."""
    await read(timed_bot, S1)
    clock.advance(1)
    await read(timed_bot, S1)
    assert await kept(timed_bot) == ({S1}, False)


@pytest.mark.parametrize("found", [(), (S1, S2)])
async def test_callbacks_that_missed_something_are_doubted(
    timed_bot: House, clock: ManualClock, found: tuple[StreamKey, ...]
) -> None:
    """A begin or an end that no callback told corrects the list, which is read for a while."""
    await began(timed_bot, at=clock())
    clock.advance(SETTLING + 1)
    await read(timed_bot, S1)
    clock.advance(60)
    await read(timed_bot, *found)
    assert await kept(timed_bot) == (set(found), False)

    await began(timed_bot, at=clock())
    clock.advance(DOUBTED_FOR - 1)
    await read(timed_bot, S1, *found)
    assert (await kept(timed_bot))[1] is False
    clock.advance(2)
    assert (await kept(timed_bot))[1] is True


async def test_callback_of_a_moment_ago_contradicts_no_read(
    timed_bot: House, clock: ManualClock
) -> None:
    """Tencent Cloud may list a stream a little later than it tells of it."""
    await read(timed_bot)
    await began(timed_bot, at=clock())
    clock.advance(SETTLING - 1)
    await read(timed_bot)
    assert await kept(timed_bot) == ({S1}, True)


async def test_callbacks_that_come_in_another_order_end_the_same(
    timed_bot: House, clock: ManualClock
) -> None:
    """The later one counts by its own time; a push that ended and began in one second is back."""
    await began(timed_bot, at=clock())
    await hear(timed_bot, NoticeKind.ENDED, at=clock() + 5)
    await began(timed_bot, at=clock() + 4)
    assert await kept(timed_bot) == (set(), False)

    await began(timed_bot, at=clock() + 5)
    await hear(timed_bot, NoticeKind.ENDED, at=clock() + 5)
    assert await kept(timed_bot) == ({S1}, False)


async def test_more_streams_than_are_kept_are_read(
    timed_bot: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many names notices make up, no more are kept, and none of them is believed."""
    monkeypatch.setattr(kept_pushes, "MOST", 2)
    await read(timed_bot)
    for number in range(4):
        await began(timed_bot, (f"s{number}", *S1[1:]), at=clock())
    found, believed = await kept(timed_bot)
    assert (len(found), believed) == (2, False)


async def test_list_of_more_streams_than_are_kept_is_not_kept(
    timed_bot: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is longer than what is kept is read each time."""
    await began(timed_bot, at=clock())
    clock.advance(SETTLING + 1)
    monkeypatch.setattr(kept_pushes, "MOST", 2)
    others = ((f"s{number}", *S1[1:]) for number in range(2, 4))
    await read(timed_bot, S1, *others)
    assert await kept(timed_bot) == ({S1}, False)


def online(*keys: StreamKey) -> dict[str, Any]:
    names = ("StreamName", "DomainName", "AppName")
    rows = [dict(zip(names, key, strict=True)) for key in keys]
    return {"TotalNum": len(rows), "TotalPage": 1, "OnlineInfo": rows}


async def test_names_that_are_live_instead_come_from_callbacks_while_they_are_believed(
    timed_bot: House, clock: ManualClock
) -> None:
    """Where nothing was live, what is live is told without reading it; in doubt it is read."""
    house = timed_bot
    house.cloud.before_stop = "inactive"
    house.cloud.bodies[LIST] = online(S2)

    async def stopped() -> tuple[list[str], int]:
        house.cloud.sent.clear()
        while True:
            one = await house.run("live s11", key=f"k{next(COUNT)}")
            # The read beside a stop may be too slow to tell.
            if one.live_before is LiveBefore.NOT_LIVE:
                break
        lists = sum(sent.action.api == LIST for sent in house.cloud.sent)
        return [str(key["StreamName"]) for key in one.live_now], lists

    names, lists = await stopped()
    assert (names, lists > 0) == (["s2"], True)
    await began(house, at=clock())
    clock.advance(SETTLING + 1)
    await read(house, S1)
    assert await stopped() == (["s1"], 0)


async def test_what_a_stop_has_cut_is_not_named_as_live(timed_bot: House) -> None:
    """A list that was read before is read anew, though it is a moment old."""
    house = timed_bot

    async def stopped(name: str, state: str, live: dict[str, Any]) -> Operation:
        house.cloud.bodies[LIST] = live
        house.cloud.before_stop = state
        while True:
            one = await house.run(f"live {name}", key=f"k{next(COUNT)}")
            # The read beside a stop may be too slow to tell.
            if one.live_before is not LiveBefore.UNREADABLE:
                return one

    missed = await stopped("s11", "inactive", online(S1, S2))
    assert [key["StreamName"] for key in missed.live_now] == ["s1", "s2"]
    await stopped("s1", "active", online(S1, S2))
    missed = await stopped("s12", "inactive", online(S2))

    assert [key["StreamName"] for key in missed.live_now] == ["s2"]


@pytest.mark.parametrize(
    ("state", "kind", "says"),
    [
        ("active", NoticeKind.BEGAN, "Push began at"),
        ("inactive", NoticeKind.ENDED, "Push ended at"),
        ("inactive", NoticeKind.BEGAN, ""),
        ("active", NoticeKind.ENDED, ""),
    ],
)
async def test_status_has_since_when_unless_the_state_contradicts(
    timed_bot: House, clock: ManualClock, state: str, kind: NoticeKind, says: str
) -> None:
    """What was read counts; a callback adds since when it is so."""
    house = timed_bot
    house.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": state}
    await hear(house, kind, at=clock() - 300)
    text = endings.ending(await house.run("status live s1"), None).text

    assert ("callback" in text) is bool(says)
    assert says in text
    if says:
        assert f"<!date^{int(clock() - 300)}^" in text


async def test_status_that_cannot_be_read_has_what_was_told(
    timed_bot: House, clock: ManualClock
) -> None:
    """Without an answer the last callback is told as what it is."""
    await hear(timed_bot, NoticeKind.BEGAN, at=clock() - 300)
    read_one = await timed_bot.run("status live s1")
    failed = replace(read_one, state=State.FAILED, result={}, code="InternalError")
    text = endings.ending(failed, None).text

    assert "The last callback said that its push began at <!date^" in text
    assert "Not checked." in text
