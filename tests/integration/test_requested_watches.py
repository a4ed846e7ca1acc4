"""A stream that somebody watches: each change is told in the thread once, until the watch ends."""

import pytest

from bot.catalog.registry import action_of
from bot.errors import ConfigError
from bot.model.commands import Via
from bot.model.live_notices import LiveNotice, NoticeKind
from bot.model.messages import MessageKind
from bot.model.operations import Choice, Operation, State
from bot.model.people import Presence
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, NotRecorded
from bot.policy.loader import loader
from bot.storage.requested_watches import OWN_MOST
from handlers.messages import cards, endings
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.off_air import POLICY, press_of

STATE = "DescribeLiveStreamState"
ON, OFF, BANNED = "active", "inactive", "forbid"
READERS = """
defaults: {live: {DomainName: push.example.com}}
roles:
  some: {members: {users: [U0ALICE]}, allow: [{actions: [DescribeLiveStreamState]}]}
"""


def sees(house: House, state: str) -> None:
    house.cloud.bodies[STATE] = {"StreamState": state}


async def look(house: House, clock: ManualClock, seconds: float = 31.0) -> None:
    """Let time pass, and read what is due."""
    clock.advance(seconds)
    await house.watcher.read_due()
    await house.courier.drain()


def told(house: House) -> list[str]:
    return [
        endings.seen(one.operation, action_of(one.operation), one.observed).text
        for one in house.desk.said(MessageKind.SEEN)
    ]


def buttons(house: House) -> list[str]:
    last = house.desk.said(MessageKind.SEEN)[-1]
    blocks = endings.seen(last.operation, action_of(last.operation), last.observed).blocks
    return [one["text"]["text"] for block in blocks[1:] for one in block["elements"]]


async def card(house: House, watch: Operation) -> str:
    found = await house.now(watch.id)
    return cards.card(found, action_of(found)).text


async def test_each_change_is_told_once_with_the_next_step(
    timed_bot: House, clock: ManualClock
) -> None:
    """Live, off, live again: a line each, with the buttons of what is possible then."""
    watch = await timed_bot.run("watch s1 for=30m")
    assert watch.state is State.ACCEPTED
    assert (await card(timed_bot, watch)).startswith("👀 *Watching: `s1` until ")
    sees(timed_bot, ON)
    await look(timed_bot, clock)
    assert buttons(timed_bot) == ["Stop", "Ban 30 min", "Ban 2 h", "Ban 7 days"]
    await look(timed_bot, clock)
    sees(timed_bot, OFF)
    await look(timed_bot, clock, 149.0)
    assert buttons(timed_bot) == ["Check status"]
    sees(timed_bot, BANNED)
    await look(timed_bot, clock)
    assert told(timed_bot) == [
        "🔴 <@U0ALICE> *Live: `s1`*",
        "🔵 <@U0ALICE> *Off: `s1`* · after 3 min live",
        "🔵 <@U0ALICE> *Banned: `s1`*",
    ]
    assert (await timed_bot.kinds()).count("seen") == 3


async def test_notice_has_a_watched_stream_read_at_once(
    timed_bot: House, clock: ManualClock
) -> None:
    """With callbacks nobody waits for the next read; a notice alone says nothing."""
    await timed_bot.run("watch s1 for=8h")
    await look(timed_bot, clock, 3600.0)
    sees(timed_bot, ON)
    clock.advance(1.0)
    began = LiveNotice("default", NoticeKind.BEGAN, "s1", "push.example.com", "live", clock(), "1")
    await timed_bot.store.watches.take_notice(began)
    await look(timed_bot, clock, 0.0)
    assert told(timed_bot) == ["🔴 <@U0ALICE> *Live: `s1`*"]


async def test_watch_ends_by_itself_with_one_line(timed_bot: House, clock: ManualClock) -> None:
    """When its time is over, the thread and the card say so, and nothing is read any more."""
    sees(timed_bot, ON)
    watch = await timed_bot.run("watch s1 for=2m")
    await look(timed_bot, clock, 121.0)
    await look(timed_bot, clock)
    (line,) = told(timed_bot)
    assert line == (
        "⚪ *No longer watching: `s1`*: the time is up. To keep watching: `/stopstream watch s1`."
    )
    assert (await card(timed_bot, watch)).startswith("⚪ *No longer watching: `s1`* · ended ")
    before = len(timed_bot.cloud.sent)
    await look(timed_bot, clock, 600.0)
    assert len(timed_bot.cloud.sent) == before
    assert "watch over" in await timed_bot.kinds()


async def test_button_ends_a_watch(timed_bot: House, clock: ManualClock) -> None:
    """Stop watching ends it, for anyone who may read the state; a second press has no effect."""
    watch = await timed_bot.run("watch s1")
    pressed = press_of(ALICE)
    reply = await timed_bot.service.follow(watch.id, FollowUp.UNDO, pressed)
    assert isinstance(reply, Accepted)
    ended = await timed_bot.ended(reply.operation.id)
    assert (ended.api, ended.state) == ("Unwatch", State.ACCEPTED)
    assert "ended by <@U0ALICE>" in await card(timed_bot, watch)
    again = await timed_bot.service.follow(watch.id, FollowUp.UNDO, pressed)
    assert isinstance(again, NotRecorded)
    sees(timed_bot, ON)
    await look(timed_bot, clock)
    assert told(timed_bot) == []


async def test_button_answers_in_the_thread_of_the_watch(timed_bot: House) -> None:
    """Pressed on the card in the channel, it adds nothing there: one line comes under the card."""
    watch = await timed_bot.run("watch s1")
    reply = await timed_bot.service.follow(watch.id, FollowUp.UNDO, press_of(ALICE))
    assert isinstance(reply, Accepted)
    ended = await timed_bot.ended(reply.operation.id)
    await timed_bot.courier.drain()

    assert ended.place.thread_ts == (await timed_bot.now(watch.id)).card_ts != ""
    own = [one.kind for one in timed_bot.desk.heard if one.operation.id == ended.id]
    assert MessageKind.CARD in own
    assert MessageKind.ENDING not in own


@pytest.mark.parametrize("stop", ["live s1", "ban s1 for=30m"])
@pytest.mark.parametrize("first", ["watch", "stop"])
@pytest.mark.parametrize("becomes", ["off", "live again"])
async def test_stop_in_the_thread_of_a_watch_is_told_once(
    timed_bot: House, clock: ManualClock, stop: str, first: str, becomes: str
) -> None:
    """Whichever of the two sees it first tells it; the other one is silent, and both cards know."""
    sees(timed_bot, ON)
    watch = await timed_bot.run("watch s1 for=1h")
    clock.advance(60.0)
    root = (await timed_bot.now(watch.id)).card_ts
    stopped = await timed_bot.run(stop, thread_ts=root)
    state = (OFF if stop.startswith("live") else BANNED) if becomes == "off" else ON
    sees(timed_bot, state)
    clock.advance(8.0)
    for one in (first, "stop" if first == "watch" else "watch"):
        if one == "watch":
            await look(timed_bot, clock, 31.0)
        else:
            await timed_bot.verifier.verify(stopped)
            await timed_bot.courier.drain()
    kinds = (MessageKind.SEEN, MessageKind.LOOKED)
    lines = [one for kind in kinds for one in timed_bot.desk.said(kind)]

    assert len(lines) == 1, lines
    later = (await timed_bot.now(watch.id)).later
    assert later is not None
    assert later.state == state
    ended = (await timed_bot.now(stopped.id)).later
    assert ended is not None
    assert ended.state == state
    await look(timed_bot, clock, 60.0)
    assert len([one for kind in kinds for one in timed_bot.desk.said(kind)]) == 1


async def test_stop_on_a_line_goes_the_usual_way(timed_bot: House) -> None:
    """Its press asks the policy about whoever pressed."""
    watch = await timed_bot.run("watch s1")
    reply = await timed_bot.service.follow(watch.id, FollowUp.STOP, press_of(BOB))
    assert isinstance(reply, Accepted)
    waiting = await timed_bot.engine.ending(reply.operation.id)
    assert (waiting.api, waiting.state) == ("DropLiveStream", State.WAITING)
    await timed_bot.decide(waiting.id, Choice.CONFIRM, BOB)
    assert (await timed_bot.ended(waiting.id)).state is State.ACCEPTED
    timed_bot.policy(READERS)
    reply = await timed_bot.service.follow(watch.id, FollowUp.STOP, press_of(ALICE))
    assert isinstance(reply, Accepted)
    assert (await timed_bot.ended(reply.operation.id)).state is State.DENIED


async def test_whoever_may_read_the_state_may_watch(timed_bot: House, clock: ManualClock) -> None:
    """Without the policy's leave for the read nobody watches, and a watch ends when it is gone."""
    assert (await timed_bot.run("watch s1", MALLORY)).state is State.DENIED
    timed_bot.policy(READERS)
    assert (await timed_bot.run("watch s1")).state is State.ACCEPTED
    assert (await timed_bot.run("watch s1", BOB)).state is State.DENIED
    timed_bot.policy(READERS.replace("U0ALICE", "U0BOB"))
    sees(timed_bot, ON)
    await look(timed_bot, clock)
    (line,) = told(timed_bot)
    assert "<@U0ALICE> may no longer read its state" in line


@pytest.mark.parametrize("rules", ["{actions: [Watch]}", "{actions: [Watch], deny: true}"])
def test_policy_that_names_the_watch_is_refused(rules: str) -> None:
    """A rule or limit for a name that is never asked for would not do what it says."""
    section = "limits" if "deny" in rules else "roles"
    role = f"{{some: {{members: {{users: [U0ALICE]}}, allow: [{rules}]}}}}"
    text = f"limits: [{rules}]" if section == "limits" else f"roles: {role}"
    with pytest.raises(ConfigError, match="goes by DescribeLiveStreamState"):
        loader(source="policy.yml", sites={}, region="", now=1_700_000_000.0)(text)


async def test_one_stream_is_watched_once_in_a_channel(timed_bot: House) -> None:
    """Who asks again is told of the watch that is there; another channel has its own."""
    await timed_bot.run("watch s1")
    again = await timed_bot.run("watch s1", key="again")
    assert again.state is State.ALREADY
    assert again.detail.startswith("U0ALICE watches it here until ")
    timed_bot.directory.channels["C0LIVE"] = Presence.IN
    elsewhere = await timed_bot.run("watch s1", channel="C0LIVE", key="elsewhere")
    assert elsewhere.state is State.ACCEPTED


async def test_watches_are_bounded(timed_bot: House) -> None:
    """One person watches ten streams at most, and is told so; one that ends makes room."""
    for number in range(OWN_MOST):
        assert (await timed_bot.run(f"watch cam{number}")).state is State.ACCEPTED
    refused = await timed_bot.run("watch one-more")
    assert refused.state is State.FAILED
    assert f"You are watching {OWN_MOST} streams" in refused.detail
    assert (await timed_bot.run("unwatch cam3")).state is State.ACCEPTED
    assert (await timed_bot.run("watch one-more", key="again")).state is State.ACCEPTED
    assert (await timed_bot.run("unwatch cam3", key="twice")).state is State.ALREADY


async def test_watch_without_a_channel_says_where_it_works(timed_bot: House) -> None:
    """From a terminal there is no thread to tell anything in."""
    from_terminal = await timed_bot.run("watch s1", channel="", via=Via.TERMINAL)
    assert from_terminal.state is State.FAILED
    assert "ask for it in a channel" in from_terminal.detail


async def test_change_is_told_once_over_replicas_and_restarts(database_url: str) -> None:
    """Two replicas have claimed the same read: one tells it, and a later start goes on."""
    clock = ManualClock()
    async with (
        opened(database_url, clock=clock) as first,
        opened(database_url, "replica-2", clock=clock) as second,
    ):
        async with built(first, policy=POLICY, clock=clock) as one:
            sees(one, OFF)
            await one.run("watch s1")
            clock.advance(31.0)
            (claimed,) = await first.watches.claim()
            assert await first.requested_watches.record_state(claimed, ON, {}, 30.0)
            assert not await second.requested_watches.record_state(claimed, ON, {}, 30.0)
            await one.courier.drain()
            assert len(told(one)) == 1
        async with built(second, policy=POLICY, clock=clock) as later:
            sees(later, OFF)
            await look(later, clock)
            assert told(later) == ["🔵 <@U0ALICE> *Off: `s1`* · after 31 s live"]


async def test_unreadable_state_is_read_again(timed_bot: House, clock: ManualClock) -> None:
    """Where the state cannot be read nothing is said, at the beginning neither."""
    timed_bot.cloud.bodies[STATE] = {}
    watch = await timed_bot.run("watch s1")
    assert watch.result == {}
    await look(timed_bot, clock)
    assert told(timed_bot) == []
    sees(timed_bot, OFF)
    await look(timed_bot, clock)
    assert told(timed_bot) == ["🔵 <@U0ALICE> *Off: `s1`*"]


async def test_notice_during_a_read_that_fails_is_read_soon(
    timed_bot: House, clock: ManualClock
) -> None:
    """A read that could not be made puts off no notice that has come meanwhile."""
    await timed_bot.run("watch s1")
    clock.advance(31.0)
    watches = timed_bot.store.watches
    (claimed,) = await watches.claim()
    began = LiveNotice("default", NoticeKind.BEGAN, "s1", "push.example.com", "live", clock(), "1")
    assert await watches.take_notice(began)
    await timed_bot.store.requested_watches.postpone(claimed, 30.0)
    clock.advance(2.0)

    (again,) = await watches.claim()
    assert again.heard is NoticeKind.BEGAN


async def test_stop_of_a_watched_stream_keeps_both_watches(
    timed_bot: House, clock: ManualClock
) -> None:
    """A stop begins a watch of its own, and a push long after it is told under both."""
    sees(timed_bot, ON)
    await timed_bot.run("watch s1 for=1h")
    await timed_bot.run("live s1")
    sees(timed_bot, OFF)
    await look(timed_bot, clock)
    await look(timed_bot, clock, 700.0)
    sees(timed_bot, ON)
    clock.advance(1.0)
    began = LiveNotice("default", NoticeKind.BEGAN, "s1", "push.example.com", "live", clock(), "1")
    await timed_bot.store.watches.take_notice(began)
    await look(timed_bot, clock, 0.0)
    assert sorted(line.partition("`")[0] for line in told(timed_bot)[1:]) == [
        "🔴 <@U0ALICE> *Live again: ",
        "🔴 <@U0ALICE> *Live: ",
    ]


def _load(text: str) -> object:
    from bot.policy.loader import loader  # noqa: PLC0415

    return loader(source="policy.yml", sites={}, region="", now=1_700_000_000.0)(text)
