"""What is off and not yet on, what ends by itself, and what is held."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.catalog import effects as offair
from bot.catalog.registry import ACTIONS, ALL_ACTIONS, action_of, by_api
from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox, sandbox
from bot.commands.parser import OffAir, Vocabulary, format_command, parse
from bot.errors import ApiError, NeverSentError, NoAnswerError, ParseError
from bot.model.actions import Effect, Json
from bot.model.commands import Command, Invocation, Via
from bot.model.messages import MessageKind
from bot.model.off_air import Hold, OffAirChange, OffAirEntry, StartScope
from bot.model.operations import Choice, Operation, State
from bot.model.people import Actor, Place, Presence
from bot.operations.follow_ups import FollowUp
from bot.operations.service import Accepted, NotRecorded, OffAirList
from bot.redact import apart
from bot.sandbox.page.user_actions import UserActions
from bot.sandbox.slack import block_kit as blockkit
from bot.sandbox.slack.entities import Message
from bot.storage.store import Move, Store
from bot.times import format_utc, parse_instant
from handlers.messages import mrkdwn as words
from handlers.messages import off_air as shown
from handlers.messages import replies as receipts
from handlers.messages import views
from handlers.messages.cards import wanted
from tests.conftest import House, built
from tests.fakes import ALICE, BOB, MALLORY

WHERE: dict[str, Json] = {
    "StreamName": "s1",
    "DomainName": "push.example.com",
    "AppName": "live",
}
WORDS = Vocabulary(
    ALL_ACTIONS,
    {"live": {"DomainName": "push.example.com"}},
    {"main-stage": "live stream9"},
    "",
    {"live": "mainland"},
)


def command(text: str) -> Command:
    found = parse(text, verb=Effect.STOP, vocabulary=WORDS, now=0.0)
    assert isinstance(found, Command), found
    return found


def ended(api: str, state: State = State.ACCEPTED, **params: Json) -> Operation:
    return Operation(
        id="op1",
        key="k",
        state=state,
        actor=Actor("T0HOME", "U0ALICE"),
        place=Place("C0INC"),
        via=Via.COMMAND,
        text="x",
        asked_at=1000.0,
        api=api,
        params=WHERE | params,
        ended_at=1000.0,
    )


def switch(api: str, state: State = State.ACCEPTED, **params: Json) -> OffAirChange | None:
    return offair.off_air_change(ended(api, state, **params), by_api(api), {}, 1000.0)


# --- what an ending changes ------------------------------------------------------------


def test_every_stop_of_the_catalog_that_lasts_is_listed_and_every_way_back_takes_it_off() -> None:
    for action in ACTIONS:
        if action.undo and action.toggles == "off":
            assert by_api(action.undo).toggles == "on", action.api
            assert (
                by_api(action.undo).effect_spec.resource_type == action.effect_spec.resource_type
            ), action.api
    lasting = {a.api for a in ACTIONS if a.toggles == "off" or a.toggle_param}
    assert {"DropLiveStream", "ForbidLiveStream", "ForbidLiveDomain", "StopPublishStream"} < lasting
    assert "StartLivePadStream" in lasting, "a pad takes a stream off the air"
    assert lasting.isdisjoint({a.api for a in ACTIONS if a.effect is Effect.READ})


@pytest.mark.parametrize(
    ("api", "state", "off", "weight"),
    [
        ("DropLiveStream", State.ACCEPTED, True, offair.SURE),
        ("DropLiveStream", State.UNKNOWN, True, offair.MAYBE),
        ("ForbidLiveStream", State.ACCEPTED, True, offair.UNDOABLE),
        ("ForbidLiveStream", State.ALREADY, True, offair.UNDOABLE),
        ("ResumeLiveStream", State.ACCEPTED, False, offair.UNDOABLE),
    ],
)
def test_what_ran_is_off_or_on(api: str, state: State, off: bool, weight: int) -> None:
    found = switch(api, state)
    assert found is not None
    assert (found.off, found.resource_type) == (off, "stream")
    assert found.weight == weight or not off


@pytest.mark.parametrize("state", [State.FAILED, State.DENIED, State.EXPIRED, State.CANCELLED])
def test_what_did_not_run_changes_nothing(state: State) -> None:
    assert switch("ForbidLiveStream", state) is None
    assert switch("ResumeLiveStream", State.UNKNOWN) is None, "it may not have run"


def test_a_pause_is_off_and_its_other_way_round_is_on() -> None:
    task: dict[str, Json] = {"TaskId": "t", "SdkAppId": 1}
    paused = switch("UpdateStreamIngest", State.ACCEPTED, IsPause=True, **task)
    goes_on = switch("UpdateStreamIngest", State.ACCEPTED, IsPause=False, **task)
    assert paused is not None
    assert goes_on is not None
    assert (paused.off, goes_on.off) == (True, False)
    assert paused.key == goes_on.key


def test_a_ban_ends_when_it_says_or_after_seven_days() -> None:
    said = switch("ForbidLiveStream", ResumeTime=format_utc(2800.0))
    unsaid = switch("ForbidLiveStream")
    assert said is not None
    assert unsaid is not None
    assert (said.until, said.announced) == (2800.0, True)
    assert (unsaid.until, unsaid.announced) == (1000.0 + 7 * 86_400, False)


def test_a_read_that_shows_a_stream_live_takes_it_off_the_list() -> None:
    read = ended("DescribeLiveStreamState")
    action = by_api("DescribeLiveStreamState")
    live = offair.off_air_change(read, action, {"StreamState": "active"}, 0.0)
    assert live is not None
    assert not live.off
    assert offair.off_air_change(read, action, {"StreamState": "inactive"}, 0.0) is None


def test_a_mistyped_name_is_found_and_a_row_of_names_is_not_mistaken() -> None:
    live = ["stream1", "cam-2", "stream2", "other"]
    assert offair.near_names("straem1", live) == ("stream1", "stream2")
    assert offair.near_names("cam-1", live) == ()
    assert offair.near_names("main-stage", ["main-stage-hd", "main"]) == ()
    assert offair.near_names("main-staeg", ["main-stage"]) == ("main-stage",)
    assert offair.near_names("stream1", ["stream1"]) == ()


# --- what people say -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("hold live s1 reason=legal", "stream s1"),
        ("hold main-stage reason=“court order”", "stream stream9"),
        ("hold live rtmp://push.example.com/live/s1?txSecret=5ECRE7 reason=x", "stream s1"),
        ("hold pad s1 reason=x", "stream s1"),
        ("hold car u1 --reason x", "stream u1"),
        ("release 'stream s1' account=default", "stream s1"),
        ("hold domain PUSH.example.com reason=x", "domain push.example.com"),
        ("hold stream s1 reason=x", "stream s1"),
        ("Hold Target='live s1' Reason=x", "stream s1"),
        ("release live s1", "stream s1"),
        ("release ingest 123 1400000000", "ingest 123 1400000000"),
    ],
)
def test_a_hold_names_what_a_start_would_touch(text: str, target: str) -> None:
    found = command(text)

    assert found.params["Target"] == target
    assert command(format_command(found)) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hold live s1", "reason is missing"),
        ("hold", "Say what, for example: /stopstream hold live stream1 reason=legal"),
        ("hold lvie s1 reason=x", 'Did you mean "live"'),
        ("hold remove 12 users=a sdkappid=14 region=ap-guangzhou reason=x", "needs no hold"),
        ("hold record s1 44 reason=x", "needs no hold"),
        ("hold whoami reason=x", "Say what, for example"),
        ("hold live s1 for=30m reason=x", 'A hold takes no "for"'),
        ("hold stream s1 domain=a.example.com reason=x", "no kind"),
        ("hold record-task 12 region=ap-guangzhou reason=x", "needs no hold"),
        ("hold stream x?txSecret=5ECRE75ECRE7 reason=x", "A key stands in that name"),
        ("hold target='stream x?txSecret=5ECRE75ECRE7' reason=x", "A key stands in that name"),
        ("hold live s1 reason=a reason=b", "given twice"),
        ("release live s1 reason=x", 'takes no "reason"'),
        ("off now", '"off" stands alone'),
    ],
)
def test_what_cannot_be_held_is_said(text: str, problem: str) -> None:
    with pytest.raises(ParseError, match=problem):
        command(text)


def test_the_key_in_an_address_that_is_held_is_shown_in_no_mistake() -> None:
    with pytest.raises(ParseError) as caught:
        command("hold live rtmp://push.example.com/live/s1?txSecret=5ECRE7 oops reason=x")
    assert "5ECRE7" not in caught.value.text


def test_off_is_asked_for_by_a_word() -> None:
    assert parse("off", verb=Effect.STOP, vocabulary=WORDS, now=0.0) == OffAir()


def test_a_stop_with_an_end_is_a_ban_and_an_api_is_what_it_says() -> None:
    found = command("live s1 for=30m reason=loop")
    assert found.action.api == "ForbidLiveStream"
    assert (found.params["ResumeTime"], found.params["Reason"]) == ("1970-01-01T00:30:00Z", "loop")
    assert command("main-stage for=30m").action.api == "ForbidLiveStream"
    with pytest.raises(ParseError, match='takes no "for"'):
        command("DropLiveStream s1 for=30m")


# --- the list --------------------------------------------------------------------------

POLICY = """
defaults: {live: {DomainName: push.example.com}}
roles:
  oncall: {members: {users: [U0ALICE]}, allow: [{actions: ["*"]}]}
  some: {members: {users: [U0MALLORY]}, allow: [{actions: ["*LiveStream"]}]}
  leads: {members: {users: [U0BOB]}, allow: [{actions: ["*"], approval: confirm}]}
"""


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with built(store, policy=POLICY) as one:
        one.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
        yield one


def press_of(actor: Actor) -> Invocation:
    return Invocation("press", actor, Place("C0INC"), "", Via.BUTTON, None)


async def listed(house: House, actor: Actor = ALICE, *, look: bool = False) -> list[str]:
    found = await house.service.off(actor, Place("C0INC"), look=look)
    return [f"{one.operation.api} {one.operation.target}" for one in found.off]


async def test_what_was_stopped_is_listed_until_it_is_started(home: House) -> None:
    await home.run("live s1")
    await home.run("car u1")
    await home.run("ban s2")
    assert await listed(home) == [
        "ForbidLiveStream s2",
        "StopPublishStream u1",
        "DropLiveStream s1",
    ]
    assert await listed(home, MALLORY) == await listed(home)

    await home.run("car u1", verb=Effect.START, key="start")
    await home.run("live s2", verb=Effect.START)
    assert await listed(home) == ["DropLiveStream s1"]


async def test_a_drop_does_not_hide_a_ban_and_a_ban_replaces_a_drop(home: House) -> None:
    await home.run("live s1")
    await home.run("ban s1")
    await home.run("live s1", key="again")
    assert await listed(home) == ["ForbidLiveStream s1"]


async def test_a_key_does_not_lie_there_once_it_has_been_used(home: House) -> None:
    url = "rtmp://push.example.com/live/s?txSecret=5ECRE7"
    ran = await home.run(f"car-url u1 pushurl={url}", verb=Effect.START)
    (sent,) = [c for c in home.cloud.sent if c.action.api == "StartPublishStreamWithURL"]
    assert sent.params["PublishStreamURL"] == url
    assert ran.params["PublishStreamURL"] == "[hidden]"
    await home.run("live s1")
    (dropped,) = await home.store.list_off_air(10)
    assert dropped.operation.params["StreamName"] == "s1"


async def test_a_stranger_is_not_told(home: House) -> None:
    await home.run("live s1")
    home.policy(POLICY.replace("U0MALLORY", "U0OTHER"))
    found = await home.service.off(MALLORY, Place("C0INC"))
    assert found == OffAirList(may=False)
    assert "no role" in shown.listed(found).text


async def test_a_look_takes_off_what_is_on_again_and_says_so(home: House) -> None:
    await home.run("live s1")
    await home.run("ban s2")
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "active"}
    found = await home.service.off(ALICE, Place("C0INC"))

    assert found.off == ()
    assert {one.operation.target for one in found.on} == {"s1", "s2"}
    assert "On again" in shown.listed(found).text
    assert await listed(home) == []
    assert (await home.kinds()).count("on again") == 2


async def test_what_nothing_brings_back_is_listed_for_a_day(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await home.run("live s1")
    await home.run("ban s2")
    monkeypatch.setattr("bot.storage.off_air.FORGOTTEN", -1.0)
    await home.store.claim_expiring()
    assert await listed(home) == ["ForbidLiveStream s2"]


async def test_undo_means_what_was_done_and_nothing_that_came_after(home: House) -> None:
    first = await home.run("ban s1 reason=first")
    press = press_of(ALICE)
    undone = await home.service.follow(first.id, FollowUp.UNDO, press)
    assert isinstance(undone, Accepted)
    await home.ended(undone.operation.id)
    second = await home.run("ban s1 reason=court", BOB)
    await home.decide(second.id, Choice.CONFIRM, BOB)
    await home.ended(second.id)

    stale = await home.service.follow(first.id, FollowUp.UNDO, replace(press, key="press2"))
    assert not isinstance(stale, Accepted)
    assert "U0BOB asked for ForbidLiveStream since" in str(stale)
    assert await listed(home) == ["ForbidLiveStream s1"]


async def test_what_was_asked_from_a_terminal_is_brought_back_in_a_channel(home: House) -> None:
    banned = await home.run("ban s1", channel="", via=Via.TERMINAL)
    press = Invocation("press", ALICE, Place(""), "", Via.BUTTON, None)
    told = await home.service.follow(banned.id, FollowUp.UNDO, press, afar=True)
    assert isinstance(told, NotRecorded)
    assert told.instead is not None
    assert told.instead.action.api == "ResumeLiveStream"
    assert "`/startstream live s1 domain=push.example.com`" in receipts.receipt(told, WORDS).text


# --- ends by itself --------------------------------------------------------------------


async def test_a_ban_is_announced_before_and_after_its_end_once(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.off_air._LIFTED", 0.0)
    home.store.lease = 1.0
    banned = await home.run("live s1 for=3s")
    assert banned.api == "ForbidLiveStream"
    (first,) = home.desk.said(MessageKind.LIFT)
    assert first.observed == ""
    async with asyncio.timeout(15):
        while not home.desk.said(MessageKind.LIFTED):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.6)

    assert [one.observed for one in home.desk.said(MessageKind.LIFT)] == ["", "soon"]
    (after,) = home.desk.said(MessageKind.LIFTED)
    assert after.observed == "inactive"
    assert await listed(home) == []
    assert (await home.kinds()).count("lifted") == 1


async def test_what_is_still_off_after_its_end_stays_on_the_list(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.off_air._LIFTED", 0.0)
    home.store.lease = 1.0
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    await home.run("live s1 for=1s")
    async with asyncio.timeout(15):
        while not home.desk.said(MessageKind.LIFTED):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert await listed(home) == ["ForbidLiveStream s1"]
    (after,) = home.desk.said(MessageKind.LIFTED)
    said = shown.lifted(after.operation, action_of(after.operation), after.observed)
    assert "off all the same" in said.text
    assert "Lift now" in str(said.blocks)


async def test_two_replicas_speak_of_an_end_once(store: Store) -> None:
    operation = replace(ended("ForbidLiveStream"), state=State.ASKED, id="op9", key="k9")
    await store.ask(operation, {})
    ban = OffAirChange("default", "stream", "[]", off=True, weight=2, until=time.time() - 1)
    for path in ((State.ASKED, State.DUE), (State.DUE, State.RUNNING)):
        assert await store.move(Move("op9", path, {}))
    assert await store.move(Move("op9", (State.RUNNING, State.ACCEPTED), {}, off_air=ban))

    taken = await store.claim_expiring()
    assert [found.id for found, _ in taken] == ["op9"]
    assert await store.claim_expiring() == [], "another one has it"
    for _ in range(2):
        await store.record_expiry(taken[0][0], "inactive", {}, still=False)
    assert await store.list_off_air(10) == []
    with store.records() as records:
        assert [record.kind for record in records].count("lifted") == 1


async def test_what_was_extended_ends_later_and_what_was_lifted_ends_no_more(
    home: House,
) -> None:
    banned = await home.run("live s1 for=30m")
    press = press_of(ALICE)
    extended = await home.service.follow(banned.id, FollowUp.EXTEND, press)
    assert isinstance(extended, Accepted)
    again = await home.ended(extended.operation.id)
    before, after = (parse_instant(one.params["ResumeTime"]) for one in (banned, again))
    assert before is not None
    assert after is not None
    assert 1700 < after - before < 1900
    (one,) = await home.store.list_off_air(10)
    assert (one.operation.id, one.until) == (again.id, after)

    lifted = await home.service.follow(again.id, FollowUp.LIFT, replace(press, key="press2"))
    assert isinstance(lifted, Accepted)
    await home.ended(lifted.operation.id)
    assert await listed(home) == []
    assert await home.store.claim_expiring() == []


# --- holds -----------------------------------------------------------------------------


async def test_a_hold_refuses_every_start_of_it_and_names_who_and_why(home: House) -> None:
    await home.run("ban s1")
    held = await home.run("hold live s1 reason='court order'")
    assert held.state is State.ACCEPTED
    for text in ("live s1", "live s1 domain=other.example.com", "ResumeLiveStream s1"):
        refused = await home.run(text, verb=Effect.START)
        assert refused.state is State.DENIED, text
        assert "U0ALICE holds «stream s1» since" in refused.detail
        assert "«court order»" in refused.detail
        assert "«/stopstream release stream s1»" in refused.detail
    assert (await home.run("pad s1")).state is State.DENIED, "taking the pad away shows it again"
    assert (await home.run("live s2", verb=Effect.START)).state is State.ACCEPTED
    assert (await home.run("live s1", key="stop")).state is State.ACCEPTED, "stops go on"
    assert (await home.run("hold live s1 reason=mine", MALLORY)).state is State.DENIED

    released = await home.run("release live s1")
    assert released.state is State.ACCEPTED
    again = await home.run("live s1", verb=Effect.START, key="now it may")
    assert again.state is State.ACCEPTED


async def test_the_first_hold_counts_and_nothing_is_released_twice(home: House) -> None:
    await home.run("hold live s1 reason=first")
    second = await home.run("hold live s1 reason=second", BOB)
    await home.decide(second.id, Choice.CONFIRM, BOB)
    second = await home.ended(second.id)
    assert (second.state, second.detail) == (State.ALREADY, "U0ALICE holds it already: «first».")
    await home.run("release live s1")
    twice = await home.run("release live s1", key="twice")
    assert (twice.state, twice.detail) == (State.ALREADY, "Nobody holds it.")
    assert await home.store.list_holds() == []
    assert [c for c in home.cloud.sent if c.action.product.local] == [], "nothing is sent"


async def test_a_hold_that_comes_between_question_and_press_is_asked_at_the_press(
    home: House,
) -> None:
    await home.run("ban s1")
    waiting = await home.run("live s1", BOB, verb=Effect.START)
    assert waiting.state is State.WAITING
    await home.run("hold live s1 reason=legal")
    settled = await home.decide(waiting.id, Choice.CONFIRM, BOB)
    found = await home.now(waiting.id)
    assert found.state in (State.DENIED, State.WAITING)
    assert "legal" in (settled.words + found.detail)
    assert "ResumeLiveStream" not in {c.action.api for c in home.cloud.sent}


async def test_a_hold_that_comes_after_the_judgement_wins_in_the_database(home: House) -> None:
    operation = replace(
        ended("ResumeLiveStream"), state=State.ASKED, id="op7", key="k7", ended_at=None
    )
    await home.store.ask(operation, {})
    held = Hold("default", "stream s1", "op8", "U0BOB", "legal", 0.0)
    other = replace(operation, id="op8", key="k8")
    await home.store.ask(other, {})
    await home.store.move(Move("op8", (State.ASKED, State.DUE), {}, hold=held))
    path = (State.ASKED, State.DUE, State.RUNNING)

    start = StartScope("default", ("stream s1",), ("default",))
    move = Move("op7", path, {}, start_scope=start)
    ((_, started),) = await home.store.start_requests("default", "ResumeLiveStream", 0.01, [move])
    assert started is None
    # A hold on an account that the policy names no more holds on all.
    gone = replace(move, start_scope=StartScope("second", ("stream s1",), ("second",)))
    ((_, started),) = await home.store.start_requests("default", "ResumeLiveStream", 0.01, [gone])
    assert started is None
    elsewhere = replace(
        move, start_scope=StartScope("second", ("stream s1",), ("default", "second"))
    )
    ((_, started),) = await home.store.start_requests(
        "default", "ResumeLiveStream", 0.01, [elsewhere]
    )
    assert started is not None, "a hold is one account's"


async def test_a_start_that_is_held_while_it_waits_for_its_turn_ends_denied(home: House) -> None:
    gate = asyncio.Event()
    verdict = home.engine._rights.verdict  # noqa: SLF001 (to hold it up between two steps)

    async def slow(operation: Operation, command: Command) -> Any:
        found = await verdict(operation, command)
        if operation.api == "ResumeLiveStream" and not gate.is_set():
            gate.set()
            await home.run("hold live s1 reason=legal")
        return found

    home.engine._rights.verdict = slow  # type: ignore[method-assign] # noqa: SLF001
    ran = await home.run("live s1", verb=Effect.START)

    assert ran.state is State.DENIED
    assert "legal" in ran.detail
    assert "ResumeLiveStream" not in {c.action.api for c in home.cloud.sent}


async def test_of_two_holds_at_once_one_is_accepted(home: House) -> None:
    home.policy(POLICY.replace(", approval: confirm", ""))
    one, two = await asyncio.gather(
        home.run("hold live s1 reason=one"), home.run("hold live s1 reason=two", BOB)
    )
    assert sorted(o.state for o in (one, two)) == [State.ACCEPTED, State.ALREADY]
    (held,) = await home.store.list_holds()
    assert held.state is State.ACCEPTED


async def test_the_undo_of_a_hold_that_has_ended_releases_no_other(home: House) -> None:
    home.policy(POLICY.replace(", approval: confirm", ""))
    first = await home.run("hold live s1 reason=mine")
    await home.run("release live s1")
    await home.run("hold live s1 reason='court order'", BOB)
    press = press_of(ALICE)
    stale = await home.service.follow(first.id, FollowUp.UNDO, press)

    assert isinstance(stale, NotRecorded)
    assert "U0BOB holds it since" in stale.sentence
    assert (await home.run("live s1", verb=Effect.START)).state is State.DENIED


async def test_what_comes_while_a_press_waits_for_its_confirmation_overtakes_it(
    home: House,
) -> None:
    banned = await home.run("live s1 for=30m")
    press = press_of(BOB)
    waiting = await home.service.follow(banned.id, FollowUp.EXTEND, press)
    assert isinstance(waiting, Accepted)
    await home.engine.ending(waiting.operation.id)
    court = await home.run("ban s1 for=30d reason=court")
    settled = await home.decide(waiting.operation.id, Choice.CONFIRM, BOB)

    assert "U0ALICE asked for ForbidLiveStream since" in settled.words
    assert "no longer lets" not in settled.words
    (one,) = await home.store.list_off_air(10)
    assert one.operation.id == court.id


async def test_a_span_counts_from_the_sending_on(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await home.run("live s1 for=30m", BOB)
    assert "for `30m`" in wanted(waiting, action_of(waiting))
    later = time.time() + 600
    monkeypatch.setattr(home.engine, "_clock", lambda: later)
    await home.decide(waiting.id, Choice.CONFIRM, BOB)
    ran = await home.ended(waiting.id)

    ends = parse_instant(ran.params["ResumeTime"])
    assert ends is not None
    assert later + 1795 < ends < later + 1805
    assert home.cloud.sent[-1].params == ran.params
    fixed = format_utc(time.time() + 1800)
    said = await home.run(f"ban s2 for={fixed}")
    assert said.params["ResumeTime"] == fixed, "a moment stays what it is"


async def test_a_retry_of_a_ban_lasts_as_long_again(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.cloud.faults += [NeverSentError("away")] * 3
    failed = await home.run("live s1 for=30m")
    assert failed.state is State.FAILED
    later = time.time() + 3000
    monkeypatch.setattr(home.engine, "_clock", lambda: later)
    press = press_of(ALICE)
    again = await home.service.follow(failed.id, FollowUp.RETRY, press)
    assert isinstance(again, Accepted), again
    ran = await home.ended(again.operation.id)
    ends = parse_instant(ran.params["ResumeTime"])
    assert ran.state is State.ACCEPTED
    assert ends is not None
    assert later + 1795 < ends < later + 1805


async def test_a_key_in_a_reason_is_shown_nowhere(home: House) -> None:
    url = "rtmp://push.example.com/live/s?txSecret=5ECRE75ECRE7"
    held = await home.run(f"hold live s1 reason='pushed by {url}'", key="k1")
    refused = await home.run("live s1", verb=Effect.START)
    listed_ = shown.listed(await home.service.off(ALICE, Place("C0INC")))
    again = await home.run("hold live s1 reason=x", BOB)
    with home.store.records() as records:
        everything = f"{held}{refused.detail}{listed_}{again}{list(records)}"
    assert "5ECRE7" not in everything


async def test_what_pushes_to_a_held_stream_is_a_start_of_it(home: House) -> None:
    await home.run("hold live s9 reason=legal")
    url = "pushurl=rtmp://push.example.com/live/s9?txSecret=5ECRE75ECRE7"
    assert (await home.run(f"car-url u1 {url}", verb=Effect.START)).state is State.DENIED
    other = url.replace("s9", "s8")
    assert (await home.run(f"car-url u1 {other}", verb=Effect.START)).state is State.ACCEPTED
    assert (await home.run("car s9", verb=Effect.START)).state is State.DENIED, "its stream"


async def test_a_name_for_the_bots_own_account_leaves_what_is_off_and_held(home: House) -> None:
    banned = await home.run("ban s1")
    await home.run("hold live s2 reason=legal")
    named = POLICY.replace("defaults:", "accounts: {main: {}}\ndefaults:")
    home.policy(named)
    refused = await home.run("live s2", verb=Effect.START)
    assert "legal" in refused.detail, "before it is adopted, too"
    await home.store.adopt_account("default", home.rules[0].account_now("default"))
    assert "legal" in (await home.run("live s2", verb=Effect.START, key="again")).detail

    press = press_of(ALICE)
    undone = await home.service.follow(banned.id, FollowUp.UNDO, press)
    assert isinstance(undone, Accepted), undone
    assert (await home.ended(undone.operation.id)).account == "main"
    assert await listed(home) == []
    (held,) = (await home.service.off(ALICE, Place("C0INC"))).holds
    released = await home.service.follow(held.id, FollowUp.UNDO, replace(press, key="press2"))
    assert isinstance(released, Accepted), released
    assert (await home.ended(released.operation.id)).state is State.ACCEPTED
    assert await home.store.list_holds() == []


async def test_a_hold_on_an_account_that_is_gone_holds_and_is_released_on_any(
    home: House,
) -> None:
    several = "accounts: {main: {}, europe: {secret_id: EU_ID, secret_key: EU_KEY}}\ndefaults:"
    on_all = POLICY.replace('["*"]', '["*"], accounts: ["*"]')
    on_all = on_all.replace('["*LiveStream"]', '["*LiveStream"], accounts: ["*"]')
    home.policy(on_all.replace("defaults:", several))
    held = await home.run("hold live s1 reason=legal account=europe")
    assert held.state is State.ACCEPTED
    home.policy(on_all.replace("defaults:", "accounts: {main: {}}\ndefaults:"))
    refused = await home.run("live s1", verb=Effect.START)
    assert "«/stopstream release stream s1 account=main»" in refused.detail
    assert (await home.run("release stream s1 account=main")).state is State.ACCEPTED
    assert await home.store.list_holds() == []
    assert (await home.run("live s1", verb=Effect.START, key="2")).state is State.ACCEPTED


async def test_a_request_for_what_was_overtaken_is_overtaken_too(home: House) -> None:
    home.policy(
        POLICY.replace('"*LiveStream"', "ForbidLiveStream").replace(
            '[{actions: ["*"]}]', '[{actions: ["*"], requests: true}]'
        )
    )
    banned = await home.run("live s1 for=30m", MALLORY)
    press = press_of(MALLORY)
    lift = await home.service.follow(banned.id, FollowUp.LIFT, press)
    assert isinstance(lift, Accepted), lift
    denied = await home.ended(lift.operation.id)
    assert denied.consent.request_from, denied
    asked = await home.service.request(denied.id, replace(press, key="press2"))
    assert isinstance(asked, Accepted), asked
    await home.engine.ending(asked.operation.id)
    court = await home.run("ban s1 for=30d reason=court", ALICE)
    settled = await home.decide(asked.operation.id, Choice.APPROVE, ALICE)
    assert "ForbidLiveStream since" in settled.words
    (one,) = await home.store.list_off_air(10)
    assert one.operation.id == court.id


async def test_what_one_may_see_is_not_hidden_by_what_one_may_not(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.operations.service._LISTED", 2)
    home.directory.channels["C0PRIV"] = Presence.IN
    home.policy(POLICY.replace('"*LiveStream"', '"Describe*"'))
    await home.run("ban s0")
    for number in range(1, 5):
        await home.run(f"ban s{number}", channel="C0PRIV")
    assert await listed(home, MALLORY) == ["ForbidLiveStream s0"]


async def test_a_timer_of_another_release_comes_to_an_end(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.off_air._LIFTED", 0.0)
    monkeypatch.setattr("bot.operations.worker.LOOK_AFTER", 1e6)
    home.store.lease = 0.5
    await home.run("live s1 for=2s")
    with home.store._engine.begin() as connection:  # noqa: SLF001 (another release wrote it)
        connection.exec_driver_sql("UPDATE operations SET api = 'NewAction'")
    async with asyncio.timeout(15):
        while (await home.store.list_off_air(1))[0].until is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_only_what_somebody_may_know_of_is_listed_and_read(home: House) -> None:
    home.directory.channels["C0PRIV"] = Presence.IN
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    home.policy(
        POLICY.replace('"*LiveStream"', '"Describe*"').replace("U0MALLORY]}", "U0MALLORY]}")
        + "  auditors: {members: {users: [U0BOB]}, audit: true}\n"
    )
    await home.run("ban s1 reason=raid", channel="C0PRIV")
    await home.run("hold live s1 reason=informant", channel="C0PRIV")
    theirs = await home.service.off(MALLORY, Place("C0INC"))
    assert theirs == OffAirList(), "she may bring nothing back, and has not seen it"
    assert len((await home.service.off(MALLORY, Place("C0PRIV"))).off) == 1
    assert len((await home.service.off(BOB, Place("C0INC"))).holds) == 1
    before = len(home.cloud.sent)
    home.policy(POLICY.replace('"*LiveStream"', "ForbidLiveStream, ResumeLiveStream"))
    (seen,) = (await home.service.off(MALLORY, Place("C0INC"))).off
    assert seen.state == "", "she may not read how it is"
    assert len(home.cloud.sent) == before


async def test_what_is_no_more_has_no_way_back(home: House) -> None:
    await home.run("car u1")
    await home.run("session u1")
    assert await listed(home) == ["DestroySession u1"]
    await home.run("car u2")
    home.cloud.faults.append(ApiError("ResourceNotFound.SessionNotFound", "gone", request_id="r"))
    failed = await home.run("car u2", verb=Effect.START, key="start u2")
    assert failed.state is State.FAILED
    assert "StopPublishStream u2" not in await listed(home)


async def test_a_row_of_another_release_does_not_break_the_list(home: House) -> None:
    await home.run("live s1")
    with home.store._engine.begin() as connection:  # noqa: SLF001 (another release wrote it)
        connection.exec_driver_sql("UPDATE operations SET api = 'NewAction'")
    found = await home.service.off(ALICE, Place("C0INC"))
    assert "NewAction" in shown.listed(found).text


async def test_an_end_that_cannot_be_seen_is_looked_at_again(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.off_air._LIFTED", 0.0)
    monkeypatch.setattr("bot.operations.worker.LOOK_AFTER", 1e6)
    home.store.lease = 0.5
    await home.run("live s1 for=1s")
    home.cloud.faults += [NoAnswerError("away"), NoAnswerError("away")]
    async with asyncio.timeout(20):
        while not home.desk.said(MessageKind.LIFTED):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    (after,) = home.desk.said(MessageKind.LIFTED)
    assert after.observed == "inactive"


async def test_a_look_that_comes_after_the_end_is_passed_over(home: House) -> None:
    ran = await home.run("live s1 for=30m")
    late = (offair.expires_at(ran, by_api(ran.api)) or 0.0) + 1
    home.engine._clock = lambda: late  # noqa: SLF001 (the bot was down meanwhile)
    await home.engine._look_after(ran)  # noqa: SLF001
    await home.courier.drain()
    assert home.desk.said(MessageKind.LOOKED) == []


def test_foreign_text_in_a_sentence_means_nobody() -> None:
    said = words.worded("U0ALICE holds «U0BOB C0INC» since 2026-11-21 08:00 UTC: «a `b` <!here>».")
    assert said.startswith("<@U0ALICE> holds `U0BOB C0INC` since <!date^")
    assert "<!here>" not in said
    assert "<@U0BOB>" not in said
    long = words.worded(f"U0ALICE: {apart('x' * 990 + ' U0BOB')}. To end that: say so.")
    assert long.endswith("To end that: say so.")
    assert "<@U0BOB>" not in words.worded("«U0BOB is not closed")


async def test_a_dry_run_of_a_hold_says_that_nothing_would_leave(home: House) -> None:
    reply = await home.ask("hold live s1 reason=x --dry-run")
    asked = Invocation("k", ALICE, Place("C0INC"), "")
    found = await home.service.dry_run(asked, reply.command)  # type: ignore[union-attr]
    assert "Nothing would leave" in receipts.rehearsal(found).text
    assert await home.store.list_holds() == []


# --- as it is seen ---------------------------------------------------------------------


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setattr("bot.operations.worker.LOOK_AFTER", 0.5)
    monkeypatch.setattr("handlers.listeners.home.EVERY", 0.2)
    policy = "roles: {r: {members: {users: [U0ALICE, U0BOB]}, allow: [{actions: ['*']}]}}\n"
    text = f"defaults: {{live: {{DomainName: {DOMAIN}}}}}\n{policy}"
    async with sandbox(tmp_path, policy=text, socket=False, limits=False) as one:
        yield one


async def found(world: Sandbox, user: str, words: str, label: str = "") -> Message:
    def there() -> list[Message]:
        return [
            m
            for m in (*world.slack.channels[INCIDENTS].messages, *world.slack.seen(user))
            if words in m.text and (not label or label in m.buttons())
        ]

    messages: list[Message] = await world.slack.wait_for(there, timeout=20)
    return messages[-1]


async def test_a_shift_hands_over_what_is_off_and_the_next_one_brings_it_back(
    world: Sandbox,
) -> None:
    slack = world.slack
    alice, bob = slack.person("U0ALICE"), UserActions(slack, "U0BOB")
    await alice.slash("/stopstream", "ban stream1 reason=loop case=INC-9", INCIDENTS)
    await found(world, "U0ALICE", "*Accepted.*", "Undo")
    await alice.slash("/stopstream", "hold car user1 reason='court order'", INCIDENTS)
    await found(world, "U0ALICE", "Nobody may start it")

    await bob.slash("/stopstream", "off", INCIDENTS)
    told = await found(world, "U0BOB", "• Off:", "Bring it back")
    assert "<@U0ALICE>" in told.text
    assert "case `INC-9`" in told.text
    assert "now `forbid`" in told.text
    assert "Held: `stream user1`" in told.text
    assert "because: court order" in told.text
    home = await bob.open_home()
    assert "Off and not yet on" in str(home)

    button = next(
        b["accessory"]
        for b in home["blocks"]
        if b.get("accessory", {}).get("text", {}).get("text") == "Bring it back"
    )
    await bob.act(home, button["action_id"], button["value"], {})
    await slack.wait_for(lambda: world.cloud.ran("ResumeLiveStream"))
    await slack.wait_for(lambda: "Bring it back" not in str(slack.homes["U0BOB"]))
    await bob.press("Release", told, INCIDENTS)
    await found(world, "U0BOB", "It may be started again")
    lines = slack.channels[AUDIT].messages
    await slack.wait_for(lambda: any("Release" in line.text for line in lines))
    assert any("Hold" in line.text and "court order" in line.text for line in lines)


async def test_a_stop_for_a_while_has_its_end_its_buttons_and_its_words(world: Sandbox) -> None:
    slack = world.slack
    alice = slack.person("U0ALICE")
    await alice.slash("/stopstream", "live stream1 for=30m", INCIDENTS)
    lift = await found(world, "U0ALICE", "*It ends by itself*", "Lift now")
    assert "<!date^" in lift.text
    assert "Extend" in lift.buttons()
    await alice.press("Extend", lift, INCIDENTS)
    await slack.wait_for(lambda: len(world.cloud.ran("ForbidLiveStream")) == 2)
    later = await slack.wait_for(
        lambda: [
            m
            for m in slack.channels[INCIDENTS].messages
            if "Lift now" in m.buttons() and m.ts != lift.ts and "ends by itself" in m.text
        ]
    )
    await alice.press("Lift now", lift, INCIDENTS)
    await found(world, "U0ALICE", "This is not what it was")
    assert not world.cloud.ran("ResumeLiveStream")
    await alice.press("Lift now", later[-1], INCIDENTS)
    await slack.wait_for(lambda: world.cloud.ran("ResumeLiveStream"))


async def test_whoever_mistypes_a_name_is_asked_about_it(world: Sandbox) -> None:
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "live straem1", INCIDENTS)
    asked = await found(world, "U0ALICE", "Is it the right name?")
    assert "`stream1`" in asked.text
    assert "this one was `straem1`" in asked.text
    await alice.slash("/stopstream", "live stream2", INCIDENTS)
    held = await found(world, "U0ALICE", "stream2")
    held = await world.slack.wait_for(
        lambda: [m for m in world.slack.channels[INCIDENTS].messages if "It has held" in m.text][1:]
    )
    assert "right name" not in held[0].text


async def test_a_ban_that_is_undone_at_once_is_not_said_to_have_held(world: Sandbox) -> None:
    slack = world.slack
    alice = slack.person("U0ALICE")
    await alice.slash("/stopstream", "ban stream2", INCIDENTS)
    banned = await found(world, "U0ALICE", "*Accepted.*", "Undo")
    await alice.press("Undo", banned, INCIDENTS)
    await slack.wait_for(lambda: world.cloud.ran("ResumeLiveStream"))
    await alice.slash("/stopstream", "live stream2", INCIDENTS)
    dropped = await found(world, "U0ALICE", "DropLiveStream", "Keep it off")

    def looks() -> list[Message]:
        return [m for m in slack.channels[INCIDENTS].messages if "ooked at afterwards" in m.text]

    await slack.wait_for(looks)
    # The ban's own look would have come before.
    assert [m.thread_ts for m in looks()] == [dropped.thread_ts]


def test_the_list_fits_slack_whatever_is_on_it() -> None:
    long = ended("ForbidLiveStream", StreamName="&" * 1000, Reason="<" * 2000)
    hold = replace(ended("Hold"), params={"Target": "stream " + "é" * 1000, "Reason": "`" * 2000})
    off, on = OffAirEntry(long, 1.0, "&" * 80), OffAirEntry(long, None, "x")
    absent = OffAirList((off,) * 60, (hold,) * 60, (on,) * 10)
    message = shown.listed(absent)
    assert blockkit.problems(list(message.blocks)) == []
    assert len(message.text) <= 4000
    home = views.home(None, [], away=absent)
    assert blockkit.view_problems(home) == []
    for text in (
        shown.lift(long, action_of(long), "soon"),
        shown.lifted(long, action_of(long), "&" * 80),
        shown.lifted(long, action_of(long), "forbid"),
    ):
        assert blockkit.problems(list(text.blocks)) == []
        assert len(text.text) <= 4000
