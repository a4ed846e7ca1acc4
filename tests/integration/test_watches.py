"""A stream that was stopped is watched: what comes back is told in its thread, once."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from bot.catalog.registry import action_of
from bot.model.actions import Effect
from bot.model.live_notices import LiveNotice, NoticeKind
from bot.model.messages import MessageKind
from bot.model.operations import LaterKind, LiveBefore, Operation
from bot.operations.results import Accepted
from bot.storage.watches import KEPT_FOR, WATCHED_FOR
from handlers.messages import endings
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import FakeCloud
from tests.support.off_air import POLICY

STATE = "DescribeLiveStreamState"
ON, OFF, BANNED = "active", "inactive", "forbid"


def sees(house: House, state: str) -> None:
    house.cloud.bodies[STATE] = {"StreamState": state}


def reads(house: House) -> int:
    return sum(one.action.api == STATE for one in house.cloud.sent)


def notice(house: House, kind: NoticeKind, *, ago: float = 0.0, sequence: str = "1") -> LiveNotice:
    at = house.store.session._clock  # noqa: SLF001 (the clock that the test moves)
    assert at is not None
    return LiveNotice("default", kind, "s1", "push.example.com", "live", at() - ago, sequence)


async def hears(house: House, one: LiveNotice) -> bool:
    """Take a notice, and read what it is about."""
    news = await house.store.watches.take_notice(one)
    await house.watcher.read_due()
    await house.courier.drain()
    return news


def told(house: House) -> list[str]:
    return [
        endings.seen(one.operation, action_of(one.operation), one.observed).text
        for one in house.desk.said(MessageKind.SEEN)
    ]


async def stop_of_live(house: House) -> Operation:
    """Stop a stream; the read beside a stop may be too slow to tell that it was live."""
    while True:
        stopped = await house.run("live s1", key=f"ask-{uuid.uuid4()}")
        if stopped.live_before is LiveBefore.LIVE:
            return stopped


async def later_of(house: House, stopped: Operation) -> LaterKind | None:
    later = (await house.now(stopped.id)).later
    return later.kind if later else None


async def test_push_that_begins_after_a_stop_is_told_with_a_ban_to_choose(
    timed_bot: House, clock: ManualClock
) -> None:
    """Notice and state say that it is live: the thread and the card say so once."""
    stopped = await timed_bot.run("live s1")
    clock.advance(8.0)
    sees(timed_bot, ON)
    assert await hears(timed_bot, notice(timed_bot, NoticeKind.BEGAN))

    assert told(timed_bot) == ["🔴 <@U0ALICE> *Live again: `s1`*, 8 s after the stop."]
    (said,) = timed_bot.desk.said(MessageKind.SEEN)
    buttons = endings.seen(said.operation, action_of(said.operation), said.observed).blocks[1]
    labels = [one["text"]["text"] for one in buttons["elements"]]
    assert labels == ["Ban 30 min", "Ban 2 h", "Ban 7 days", "Check status"]
    assert await later_of(timed_bot, stopped) is LaterKind.ON_AGAIN
    for _ in range(3):
        clock.advance(60.0)
        await hears(timed_bot, notice(timed_bot, NoticeKind.BEGAN, sequence="2"))
    assert len(told(timed_bot)) == 1


async def test_push_that_ends_confirms_the_stop_with_its_delay(
    timed_bot: House, clock: ManualClock
) -> None:
    """The end of the push is told with the seconds since the stop, and the later look is silent."""
    stopped = await stop_of_live(timed_bot)
    clock.advance(2.0)
    await hears(timed_bot, notice(timed_bot, NoticeKind.ENDED))
    await hears(timed_bot, notice(timed_bot, NoticeKind.ENDED, sequence="2"))

    assert told(timed_bot) == ["🔵 *Off: `s1`*, 2 s after the stop."]
    assert await later_of(timed_bot, stopped) is LaterKind.CHECKED
    await timed_bot.verifier.verify(await timed_bot.now(stopped.id))
    await timed_bot.courier.drain()
    assert timed_bot.desk.said(MessageKind.LOOKED) == []


async def test_end_of_a_push_that_came_before_the_answer_counts(timed_bot: House) -> None:
    """Tencent Cloud may tell the end before its answer to the stop is stored."""
    cloud = timed_bot.cloud
    stopped = None
    while stopped is None or stopped.live_before is not LiveBefore.LIVE:
        cloud.gate, cloud.called = asyncio.Event(), asyncio.Event()
        key = f"ask-{uuid.uuid4()}"
        reply = await timed_bot.ask("live s1", key=key)
        assert isinstance(reply, Accepted)
        await cloud.called.wait()
        await timed_bot.store.watches.take_notice(notice(timed_bot, NoticeKind.ENDED, sequence=key))
        cloud.gate.set()
        stopped = await timed_bot.ended(reply.operation.id)
    await timed_bot.watcher.read_due()
    assert await later_of(timed_bot, stopped) is LaterKind.CHECKED


@pytest.mark.parametrize("kind", NoticeKind)
async def test_notice_that_the_state_contradicts_says_nothing(
    timed_bot: House, clock: ManualClock, kind: NoticeKind
) -> None:
    """A notice alone says nothing: what is read does."""
    stopped = await timed_bot.run("live s1")
    clock.advance(2.0)
    sees(timed_bot, OFF if kind is NoticeKind.BEGAN else ON)
    await hears(timed_bot, notice(timed_bot, kind))

    assert told(timed_bot) == []
    assert await later_of(timed_bot, stopped) is None


async def test_begin_of_the_push_that_was_stopped_is_not_a_return(
    timed_bot: House, clock: ManualClock
) -> None:
    """A late notice of the push that the stop has cut reads nothing."""
    await timed_bot.run("live s1")
    before = reads(timed_bot)
    clock.advance(1.0)
    sees(timed_bot, ON)
    await hears(timed_bot, notice(timed_bot, NoticeKind.BEGAN, ago=30.0))
    assert (told(timed_bot), reads(timed_bot)) == ([], before)


async def test_repeated_notice_counts_once_over_replicas_and_restarts(database_url: str) -> None:
    """The same notice is news for one replica, once, and reads nothing again."""
    clock = ManualClock()
    async with (
        opened(database_url, clock=clock) as first,
        opened(database_url, "replica-2", clock=clock) as second,
        built(first, policy=POLICY, clock=clock) as one,
    ):
        await one.run("live s1")
        said = notice(one, NoticeKind.BEGAN)
        sees(one, OFF)
        assert await hears(one, said)
        before = reads(one)
        for store in (first, second, first):
            assert not await store.watches.take_notice(said)
            await one.watcher.read_due()
        assert reads(one) == before
        clock.advance(KEPT_FOR + 1)
        assert await second.watches.take_notice(said), "it is too old to be accepted by then"


async def test_stop_is_watched_without_any_notice(timed_bot: House, clock: ManualClock) -> None:
    """Where no notice comes, the state is read again and again for ten minutes."""
    stopped = await timed_bot.run("live s1")
    for _ in range(20):
        clock.advance(5.0)
        await timed_bot.watcher.read_due()
    quiet = reads(timed_bot)
    assert 5 <= quiet <= 20
    sees(timed_bot, ON)
    clock.advance(31.0)
    await timed_bot.watcher.read_due()
    await timed_bot.courier.drain()
    (said,) = told(timed_bot)
    assert said == "🔴 <@U0ALICE> *Live again: `s1`*, 2 min 11 s after the stop."
    assert await later_of(timed_bot, stopped) is LaterKind.ON_AGAIN


async def test_watch_ends_after_ten_minutes(timed_bot: House, clock: ManualClock) -> None:
    """What stays off is read no more after ten minutes; a notice has it read all the same."""
    await timed_bot.run("live s1")
    clock.advance(WATCHED_FOR + 1.0)
    await timed_bot.watcher.read_due()
    before = reads(timed_bot)
    for _ in range(10):
        clock.advance(60.0)
        await timed_bot.watcher.read_due()
    assert reads(timed_bot) == before
    sees(timed_bot, ON)
    await hears(timed_bot, notice(timed_bot, NoticeKind.BEGAN))
    assert len(told(timed_bot)) == 1


async def test_started_stream_is_watched_no_more(timed_bot: House, clock: ManualClock) -> None:
    """A stream that was stopped and resumed on purpose does not come back."""
    await timed_bot.run("ban s1 for=2h")
    await timed_bot.run("live s1", verb=Effect.START)
    sees(timed_bot, ON)
    clock.advance(20.0)
    await hears(timed_bot, notice(timed_bot, NoticeKind.BEGAN))
    assert told(timed_bot) == []


async def test_notice_of_another_account_or_stream_reads_nothing(
    timed_bot: House, clock: ManualClock
) -> None:
    """A notice concerns the streams of its account by their name alone."""
    await timed_bot.run("live s1")
    before = reads(timed_bot)
    clock.advance(2.0)
    sees(timed_bot, ON)
    one = notice(timed_bot, NoticeKind.BEGAN)
    for other in (replace(one, account="other"), replace(one, stream="s2")):
        assert await hears(timed_bot, other)
    assert reads(timed_bot) == before


async def test_flood_of_notices_reads_a_stream_once_a_second(
    timed_bot: House, clock: ManualClock
) -> None:
    """However many genuine notices come of a stream, its state is read once a second."""
    await timed_bot.run("live s1")
    clock.advance(2.0)
    before = reads(timed_bot)
    for number in range(50):
        await hears(timed_bot, notice(timed_bot, NoticeKind.ENDED, sequence=f"flood-{number}"))
    assert reads(timed_bot) - before == 1
    clock.advance(1.0)
    await timed_bot.watcher.read_due()
    assert reads(timed_bot) - before == 2


async def test_unreadable_state_is_read_again(timed_bot: House, clock: ManualClock) -> None:
    """Where the state cannot be read, nothing is said, and it is read again."""
    cloud: FakeCloud = timed_bot.cloud
    await timed_bot.run("live s1")
    clock.advance(8.0)
    cloud.bodies[STATE] = {}
    await hears(timed_bot, notice(timed_bot, NoticeKind.BEGAN))
    sees(timed_bot, ON)
    clock.advance(3.0)
    await timed_bot.watcher.read_due()
    await timed_bot.courier.drain()
    assert told(timed_bot) == ["🔴 <@U0ALICE> *Live again: `s1`*, 11 s after the stop."]


@pytest.mark.parametrize("watch_first", [True, False])
async def test_return_is_told_once_by_the_watch_or_the_verification(
    timed_bot: House, clock: ManualClock, *, watch_first: bool
) -> None:
    """Both have read that it is live again, and record it one after the other: one line of it."""
    stopped = await timed_bot.run("live s1")
    clock.advance(11.0)
    (watch,) = await timed_bot.store.watches.claim()
    store, facts = timed_bot.store, {"seen": ON}

    async def by_watch() -> None:
        await store.sightings.record_live_again(watch, ON, facts)

    async def by_verification() -> None:
        await store.verifications.record(stopped, ON, facts, on=True)

    for record in (by_watch, by_verification) if watch_first else (by_verification, by_watch):
        await record()
    await timed_bot.courier.drain()
    lines = [*timed_bot.desk.said(MessageKind.SEEN), *timed_bot.desk.said(MessageKind.LOOKED)]
    assert len(lines) == 1
    assert await later_of(timed_bot, stopped) is LaterKind.ON_AGAIN


async def test_notice_does_not_wait_for_other_streams(timed_bot: House, clock: ManualClock) -> None:
    """After many stops few are read at once unprompted, and what a notice is about comes first."""
    for name in ("s1", *(f"t{number}" for number in range(8))):
        await timed_bot.run(f"live {name}")
    clock.advance(60.0)
    watches = timed_bot.store.watches
    await watches.take_notice(notice(timed_bot, NoticeKind.BEGAN))

    claimed = [watch.operation.target for watch in await watches.claim()]
    assert claimed[0] == "s1"
    assert len(claimed) == 1 + 4
