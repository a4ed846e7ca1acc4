"""What is off and not yet on, what ends by itself, and what is held."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.catalog import effects as offair
from bot.catalog.registry import ACTIONS, ALL_ACTIONS, action_of, by_api
from bot.commands.formatting import format_command
from bot.commands.parsed import OffAir
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.errors import ApiError, CloudError, NeverSentError, NoAnswerError, ParseError
from bot.model.actions import Effect, Json
from bot.model.commands import Command, Invocation, Via
from bot.model.messages import MessageKind
from bot.model.off_air import Hold, OffAirChange, OffAirEntry, StartScope
from bot.model.operations import Choice, Operation, State
from bot.model.people import Actor, Place, Presence
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, NotRecorded, OffAirList
from bot.redact import apart
from bot.sandbox.slack import block_kit as blockkit
from bot.storage.store import Store
from bot.storage.transition import Effects, Guards, Transition
from bot.times import format_utc, parse_instant
from handlers.messages import dry_run as dry_run_messages
from handlers.messages import home_view, mrkdwn, replies
from handlers.messages import off_air as off_air_messages
from handlers.messages.operation_text import request_text
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.waiting import until

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


def test_catalog_pairs_every_off_action_with_an_on_action() -> None:
    """The undo of each action that turns a resource off turns the same type on."""
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
def test_off_air_change_follows_the_final_state(
    api: str, state: State, off: bool, weight: int
) -> None:
    """An action that ran, or may have run, turns its stream off or on with its weight."""
    found = switch(api, state)
    assert found is not None
    assert (found.off, found.resource_type) == (off, "stream")
    assert found.weight == weight or not off


@pytest.mark.parametrize("state", [State.FAILED, State.DENIED, State.EXPIRED, State.CANCELLED])
def test_off_air_change_is_none_if_the_action_did_not_run(state: State) -> None:
    """A stop that did not run and a start of unknown outcome change nothing off the air."""
    assert switch("ForbidLiveStream", state) is None
    assert switch("ResumeLiveStream", State.UNKNOWN) is None, "it may not have run"


def test_off_air_change_follows_the_pause_flag() -> None:
    """IsPause=True turns an ingest off, and IsPause=False turns the same ingest on."""
    task: dict[str, Json] = {"TaskId": "t", "SdkAppId": 1}
    paused = switch("UpdateStreamIngest", State.ACCEPTED, IsPause=True, **task)
    goes_on = switch("UpdateStreamIngest", State.ACCEPTED, IsPause=False, **task)
    assert paused is not None
    assert goes_on is not None
    assert (paused.off, goes_on.off) == (True, False)
    assert paused.key == goes_on.key


def test_off_air_expiry_defaults_to_seven_days() -> None:
    """A ban expires at its ResumeTime, or after seven days if it has none."""
    said = switch("ForbidLiveStream", ResumeTime=format_utc(2800.0))
    unsaid = switch("ForbidLiveStream")
    assert said is not None
    assert unsaid is not None
    assert (said.until, said.announced) == (2800.0, True)
    assert (unsaid.until, unsaid.announced) == (1000.0 + 7 * 86_400, False)


def test_off_air_change_from_an_active_reading_is_on() -> None:
    """A status read of an active stream turns it on; one of an inactive stream does not."""
    read = ended("DescribeLiveStreamState")
    action = by_api("DescribeLiveStreamState")
    live = offair.off_air_change(read, action, {"StreamState": "active"}, 0.0)
    assert live is not None
    assert not live.off
    assert offair.off_air_change(read, action, {"StreamState": "inactive"}, 0.0) is None


def test_suggestions_match_typos_but_not_numbered_names() -> None:
    """Similar names are suggested for a typo, but not for a series such as cam-1 and cam-2."""
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
def test_hold_command_names_the_resource_a_start_would_touch(text: str, target: str) -> None:
    """Hold and release resolve their target to the type and name a start would touch."""
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
def test_hold_command_rejects_what_cannot_be_held(text: str, problem: str) -> None:
    """A hold, release or off command that is invalid raises ParseError with the reason."""
    with pytest.raises(ParseError, match=problem):
        command(text)


def test_hold_command_error_hides_the_stream_key() -> None:
    """The parse error for a hold on a stream URL does not contain the URL's key."""
    with pytest.raises(ParseError) as caught:
        command("hold live rtmp://push.example.com/live/s1?txSecret=5ECRE7 oops reason=x")
    assert "5ECRE7" not in caught.value.text


def test_parser_reads_off_as_the_off_air_list() -> None:
    """The word off alone parses as a request for the off-air list."""
    assert parse("off", verb=Effect.STOP, vocabulary=WORDS, now=0.0) == OffAir()


def test_parser_turns_a_stop_with_an_expiry_into_a_ban() -> None:
    """A stop with for= becomes ForbidLiveStream, unless the API is named explicitly."""
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


async def listed(house: House, actor: Actor = ALICE, *, read_states: bool = False) -> list[str]:
    found = await house.service.queries.off_air(actor, Place("C0INC"), read_states=read_states)
    return [f"{one.operation.api} {one.operation.target}" for one in found.off]


async def test_off_air_list_keeps_a_stop_until_its_start(home: House) -> None:
    """A stopped stream stays on the off-air list until it is started."""
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


async def test_off_air_list_prefers_a_ban_to_a_drop(home: House) -> None:
    """A ban replaces a drop of the same stream, and a later drop does not replace the ban."""
    await home.run("live s1")
    await home.run("ban s1")
    await home.run("live s1", key="again")
    assert await listed(home) == ["ForbidLiveStream s1"]


async def test_stream_url_key_is_hidden_after_the_call(home: House) -> None:
    """The key of a push URL reaches the cloud but is hidden in the operation afterwards."""
    url = "rtmp://push.example.com/live/s?txSecret=5ECRE7"
    ran = await home.run(f"car-url u1 pushurl={url}", verb=Effect.START)
    (sent,) = [c for c in home.cloud.sent if c.action.api == "StartPublishStreamWithURL"]
    assert sent.params["PublishStreamURL"] == url
    assert ran.params["PublishStreamURL"] == "[hidden]"
    await home.run("live s1")
    (dropped,) = await home.store.off_air.list(10)
    assert dropped.operation.params["StreamName"] == "s1"


async def test_off_air_list_refuses_a_user_without_a_role(home: House) -> None:
    """A user without a role sees no off-air list and is told why."""
    await home.run("live s1")
    home.policy(POLICY.replace("U0MALLORY", "U0OTHER"))
    found = await home.service.queries.off_air(MALLORY, Place("C0INC"))
    assert found == OffAirList(may=False)
    assert "no role" in off_air_messages.off_air_list(found).text


async def test_off_air_list_removes_streams_that_are_on_again(home: House) -> None:
    """A reading that shows streams active removes them from the off-air list and reports it."""
    await home.run("live s1")
    await home.run("ban s2")
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "active"}
    found = await home.service.queries.off_air(ALICE, Place("C0INC"))

    assert found.off == ()
    assert {one.operation.target for one in found.on} == {"s1", "s2"}
    assert "On again" in off_air_messages.off_air_list(found).text
    assert await listed(home) == []
    assert (await home.kinds()).count("on again") == 2


async def test_off_air_list_forgets_drops_but_keeps_bans(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drop leaves the off-air list once its retention is over, and a ban stays."""
    await home.run("live s1")
    await home.run("ban s2")
    monkeypatch.setattr("bot.storage.off_air.LISTED_FOR", -1.0)
    await home.store.off_air.claim_expiring()
    assert await listed(home) == ["ForbidLiveStream s2"]


async def test_undo_refuses_when_a_later_ban_supersedes_it(home: House) -> None:
    """An undo pressed for an old ban is refused when someone else banned the stream since."""
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


async def test_undo_of_a_terminal_operation_shows_the_command(home: House) -> None:
    """An undo of an operation from a terminal is not run, but its command is shown."""
    banned = await home.run("ban s1", channel="", via=Via.TERMINAL)
    press = Invocation("press", ALICE, Place(""), "", Via.BUTTON, None)
    told = await home.service.follow(banned.id, FollowUp.UNDO, press, afar=True)
    assert isinstance(told, NotRecorded)
    assert told.instead is not None
    assert told.instead.action.api == "ResumeLiveStream"
    assert "`/startstream live s1 domain=push.example.com`" in replies.receipt(told, WORDS).text


# --- ends by itself --------------------------------------------------------------------


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def timed_bot(database_url: str, clock: ManualClock) -> AsyncIterator[House]:
    """A bot whose store and clock stand still until a test moves them; its heart beats often."""
    async with (
        opened(database_url, lease=0.5, clock=clock) as store,
        built(store, policy=POLICY, clock=clock) as bot,
    ):
        bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
        yield bot


async def test_expiry_is_announced_once_before_and_after(
    timed_bot: House, clock: ManualClock
) -> None:
    """A ban's expiry is announced with the ban, shortly before it and after it, once each."""
    timed_bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    banned = await timed_bot.run("live s1 for=30m")
    assert banned.api == "ForbidLiveStream"
    (first,) = timed_bot.desk.said(MessageKind.LIFT)
    assert first.observed == ""
    clock.advance(1500.0)
    await until(lambda: len(timed_bot.desk.said(MessageKind.LIFT)) == 2)
    await until(lambda: timed_bot.desk.said(MessageKind.LOOKED))
    timed_bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
    clock.advance(600.0)
    await until(lambda: timed_bot.desk.said(MessageKind.LIFTED))
    # What is due afterwards is claimed by a later heartbeat than what was due before.
    await timed_bot.run("live s2 for=30m")
    clock.advance(2100.0)
    await until(lambda: len(timed_bot.desk.said(MessageKind.LIFTED)) == 2)

    of_first = [one for one in timed_bot.desk.heard if one.operation.id == banned.id]
    assert [one.observed for one in of_first if one.kind is MessageKind.LIFT] == ["", "soon"]
    (after,) = [one for one in of_first if one.kind is MessageKind.LIFTED]
    assert after.observed == "inactive"
    assert await listed(timed_bot) == []
    assert (await timed_bot.kinds()).count("lifted") == 2


async def test_expiry_keeps_a_stream_that_is_still_forbidden(
    timed_bot: House, clock: ManualClock
) -> None:
    """A stream still forbidden after its expiry stays on the off-air list and is reported."""
    timed_bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    await timed_bot.run("live s1 for=30m")
    clock.advance(2100.0)
    await until(lambda: timed_bot.desk.said(MessageKind.LIFTED))

    assert await listed(timed_bot) == ["ForbidLiveStream s1"]
    (after,) = timed_bot.desk.said(MessageKind.LIFTED)
    said = off_air_messages.expired_notice(
        after.operation, action_of(after.operation), after.observed
    )
    assert "off all the same" in said.text
    assert "Lift now" in str(said.blocks)


async def test_expiry_is_claimed_once(store: Store) -> None:
    """An expired ban is claimed once and recorded as lifted once."""
    operation = replace(ended("ForbidLiveStream"), state=State.ASKED, id="op9", key="k9")
    await store.operations.add(operation, {})
    ban = OffAirChange("default", "stream", "[]", off=True, weight=2, until=time.time() - 1)
    for path in ((State.ASKED, State.DUE), (State.DUE, State.RUNNING)):
        assert await store.operations.apply(Transition("op9", path, {}))
    assert await store.operations.apply(
        Transition("op9", (State.RUNNING, State.ACCEPTED), {}, effects=Effects(off_air=ban))
    )

    taken = await store.off_air.claim_expiring()
    assert [found.id for found, _ in taken] == ["op9"]
    assert await store.off_air.claim_expiring() == [], "another one has it"
    for _ in range(2):
        await store.off_air.record_expiry(taken[0][0], "inactive", {}, still=False)
    assert await store.off_air.list(10) == []
    with store.audit_log.records() as records:
        assert [record.kind for record in records].count("lifted") == 1


async def test_expiry_moves_with_extend_and_ends_with_lift(
    home: House,
) -> None:
    """Extend moves the expiry by 30 minutes, and a lift removes it from the off-air list."""
    banned = await home.run("live s1 for=30m")
    press = press_of(ALICE)
    extended = await home.service.follow(banned.id, FollowUp.EXTEND, press)
    assert isinstance(extended, Accepted)
    again = await home.ended(extended.operation.id)
    before, after = (parse_instant(one.params["ResumeTime"]) for one in (banned, again))
    assert before is not None
    assert after is not None
    assert 1700 < after - before < 1900
    (one,) = await home.store.off_air.list(10)
    assert (one.operation.id, one.until) == (again.id, after)

    lifted = await home.service.follow(again.id, FollowUp.LIFT, replace(press, key="press2"))
    assert isinstance(lifted, Accepted)
    await home.ended(lifted.operation.id)
    assert await listed(home) == []
    assert await home.store.off_air.claim_expiring() == []


# --- holds -----------------------------------------------------------------------------


async def test_hold_refuses_every_start_of_its_resource(home: House) -> None:
    """A hold denies every start of its stream with who and why, until it is released."""
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


async def test_hold_and_release_are_idempotent(home: House) -> None:
    """A second hold or release of the same stream ends as already done and sends nothing."""
    await home.run("hold live s1 reason=first")
    second = await home.run("hold live s1 reason=second", BOB)
    await home.decide(second.id, Choice.CONFIRM, BOB)
    second = await home.ended(second.id)
    assert (second.state, second.detail) == (State.ALREADY, "U0ALICE holds it already: «first».")
    await home.run("release live s1")
    twice = await home.run("release live s1", key="twice")
    assert (twice.state, twice.detail) == (State.ALREADY, "Nobody holds it.")
    assert await home.store.off_air.list_holds() == []
    assert [c for c in home.cloud.sent if c.action.product.local] == [], "nothing is sent"


async def test_hold_refuses_a_start_that_awaits_confirmation(
    home: House,
) -> None:
    """A hold placed before the confirmation of a start keeps the start from being sent."""
    await home.run("ban s1")
    waiting = await home.run("live s1", BOB, verb=Effect.START)
    assert waiting.state is State.WAITING
    await home.run("hold live s1 reason=legal")
    settled = await home.decide(waiting.id, Choice.CONFIRM, BOB)
    found = await home.now(waiting.id)
    assert found.state in (State.DENIED, State.WAITING)
    assert "legal" in (settled.words + found.detail)
    assert "ResumeLiveStream" not in {c.action.api for c in home.cloud.sent}


async def test_hold_is_rechecked_in_the_starting_transaction(home: House) -> None:
    """The store refuses to start an operation if a hold in its scope was committed before."""
    operation = replace(
        ended("ResumeLiveStream"), state=State.ASKED, id="op7", key="k7", ended_at=None
    )
    await home.store.operations.add(operation, {})
    held = Hold("default", "stream s1", "op8", "U0BOB", "legal", 0.0)
    other = replace(operation, id="op8", key="k8")
    await home.store.operations.add(other, {})
    await home.store.operations.apply(
        Transition("op8", (State.ASKED, State.DUE), {}, effects=Effects(hold=held))
    )
    path = (State.ASKED, State.DUE, State.RUNNING)

    start = StartScope("default", ("stream s1",), ("default",))
    move = Transition("op7", path, {}, guards=Guards(start_scope=start))
    ((_, started),) = await home.store.operations.start("default", "ResumeLiveStream", 0.01, [move])
    assert started is None
    # A hold on an account that the policy names no more holds on all.
    second = StartScope("second", ("stream s1",), ("second",))
    gone = replace(move, guards=Guards(start_scope=second))
    ((_, started),) = await home.store.operations.start("default", "ResumeLiveStream", 0.01, [gone])
    assert started is None
    both = StartScope("second", ("stream s1",), ("default", "second"))
    elsewhere = replace(move, guards=Guards(start_scope=both))
    ((_, started),) = await home.store.operations.start(
        "default", "ResumeLiveStream", 0.01, [elsewhere]
    )
    assert started is not None, "a hold is one account's"


async def test_hold_denies_a_start_after_its_policy_decision(home: House) -> None:
    """A start is denied when a hold is placed between its policy decision and its call."""
    gate = asyncio.Event()
    verdict = home.authorizer.verdict

    async def slow(operation: Operation, command: Command) -> Any:
        found = await verdict(operation, command)
        if operation.api == "ResumeLiveStream" and not gate.is_set():
            gate.set()
            await home.run("hold live s1 reason=legal")
        return found

    home.authorizer.verdict = slow  # type: ignore[method-assign] # held up between two steps
    ran = await home.run("live s1", verb=Effect.START)

    assert ran.state is State.DENIED
    assert "legal" in ran.detail
    assert "ResumeLiveStream" not in {c.action.api for c in home.cloud.sent}


async def test_hold_accepts_one_of_two_concurrent_requests(home: House) -> None:
    """Of two concurrent holds on a stream, one is accepted and the other is already done."""
    home.policy(POLICY.replace(", approval: confirm", ""))
    one, two = await asyncio.gather(
        home.run("hold live s1 reason=one"), home.run("hold live s1 reason=two", BOB)
    )
    assert sorted(o.state for o in (one, two)) == [State.ACCEPTED, State.ALREADY]
    (held,) = await home.store.off_air.list_holds()
    assert held.state is State.ACCEPTED


async def test_undo_of_a_released_hold_keeps_the_current_hold(home: House) -> None:
    """An undo of a hold that was released does not release the hold placed after it."""
    home.policy(POLICY.replace(", approval: confirm", ""))
    first = await home.run("hold live s1 reason=mine")
    await home.run("release live s1")
    await home.run("hold live s1 reason='court order'", BOB)
    press = press_of(ALICE)
    stale = await home.service.follow(first.id, FollowUp.UNDO, press)

    assert isinstance(stale, NotRecorded)
    assert "U0BOB holds it since" in stale.sentence
    assert (await home.run("live s1", verb=Effect.START)).state is State.DENIED


async def test_follow_up_awaiting_confirmation_is_superseded(
    home: House,
) -> None:
    """An extend awaiting confirmation does not run when a later ban supersedes it."""
    banned = await home.run("live s1 for=30m")
    press = press_of(BOB)
    waiting = await home.service.follow(banned.id, FollowUp.EXTEND, press)
    assert isinstance(waiting, Accepted)
    await home.engine.ending(waiting.operation.id)
    court = await home.run("ban s1 for=30d reason=court")
    settled = await home.decide(waiting.operation.id, Choice.CONFIRM, BOB)

    assert "U0ALICE asked for ForbidLiveStream since" in settled.words
    assert "no longer lets" not in settled.words
    (one,) = await home.store.off_air.list(10)
    assert one.operation.id == court.id


async def test_expiry_of_a_duration_counts_from_the_call(home: House) -> None:
    """A duration counts from when the call is sent, and a point in time is kept as given."""
    waiting = await home.run("live s1 for=30m", BOB)
    assert "for `30m`" in request_text(waiting, action_of(waiting))
    home.clock.ahead = 600
    later = home.clock()
    await home.decide(waiting.id, Choice.CONFIRM, BOB)
    ran = await home.ended(waiting.id)

    ends = parse_instant(ran.params["ResumeTime"])
    assert ends is not None
    assert later + 1795 < ends < later + 1805
    assert home.cloud.sent[-1].params == ran.params
    fixed = format_utc(time.time() + 1800)
    said = await home.run(f"ban s2 for={fixed}")
    assert said.params["ResumeTime"] == fixed, "a moment stays what it is"


async def test_retry_of_a_ban_keeps_its_duration(home: House) -> None:
    """A retried ban lasts its full duration, counted from the retry."""
    home.cloud.faults += [NeverSentError("away")] * 3
    failed = await home.run("live s1 for=30m")
    assert failed.state is State.FAILED
    home.clock.ahead = 3000
    later = home.clock()
    press = press_of(ALICE)
    again = await home.service.follow(failed.id, FollowUp.RETRY, press)
    assert isinstance(again, Accepted), again
    ran = await home.ended(again.operation.id)
    ends = parse_instant(ran.params["ResumeTime"])
    assert ran.state is State.ACCEPTED
    assert ends is not None
    assert later + 1795 < ends < later + 1805


async def test_hold_reason_hides_a_stream_key(home: House) -> None:
    """A stream key in a hold's reason is in no operation, reply or audit log record."""
    url = "rtmp://push.example.com/live/s?txSecret=5ECRE75ECRE7"
    held = await home.run(f"hold live s1 reason='pushed by {url}'", key="k1")
    refused = await home.run("live s1", verb=Effect.START)
    listed_ = off_air_messages.off_air_list(
        await home.service.queries.off_air(ALICE, Place("C0INC"))
    )
    again = await home.run("hold live s1 reason=x", BOB)
    with home.store.audit_log.records() as records:
        everything = f"{held}{refused.detail}{listed_}{again}{list(records)}"
    assert "5ECRE7" not in everything


async def test_hold_refuses_a_push_to_its_stream(home: House) -> None:
    """A start that would push to a held stream is denied, by push URL or by stream name."""
    await home.run("hold live s9 reason=legal")
    url = "pushurl=rtmp://push.example.com/live/s9?txSecret=5ECRE75ECRE7"
    assert (await home.run(f"car-url u1 {url}", verb=Effect.START)).state is State.DENIED
    other = url.replace("s9", "s8")
    assert (await home.run(f"car-url u1 {other}", verb=Effect.START)).state is State.ACCEPTED
    assert (await home.run("car s9", verb=Effect.START)).state is State.DENIED, "its stream"


async def test_off_air_list_and_holds_survive_naming_the_account(home: House) -> None:
    """Naming the bot's own account keeps its holds in force, and both undos still work."""
    banned = await home.run("ban s1")
    await home.run("hold live s2 reason=legal")
    named = POLICY.replace("defaults:", "accounts: {main: {}}\ndefaults:")
    home.policy(named)
    refused = await home.run("live s2", verb=Effect.START)
    assert "legal" in refused.detail, "before it is adopted, too"
    await home.store.off_air.adopt_account("default", home.rules[0].account_now("default"))
    assert "legal" in (await home.run("live s2", verb=Effect.START, key="again")).detail

    press = press_of(ALICE)
    undone = await home.service.follow(banned.id, FollowUp.UNDO, press)
    assert isinstance(undone, Accepted), undone
    assert (await home.ended(undone.operation.id)).account == "main"
    assert await listed(home) == []
    (held,) = (await home.service.queries.off_air(ALICE, Place("C0INC"))).holds
    released = await home.service.follow(held.id, FollowUp.UNDO, replace(press, key="press2"))
    assert isinstance(released, Accepted), released
    assert (await home.ended(released.operation.id)).state is State.ACCEPTED
    assert await home.store.off_air.list_holds() == []


async def test_hold_on_a_removed_account_is_released_on_another(
    home: House,
) -> None:
    """A hold on a removed account still denies starts and can be released on another account."""
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
    assert await home.store.off_air.list_holds() == []
    assert (await home.run("live s1", verb=Effect.START, key="2")).state is State.ACCEPTED


async def test_access_request_for_a_follow_up_is_superseded(home: House) -> None:
    """An approved access request for a lift does not run when a later ban supersedes it."""
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
    assert denied.approvals.request_from, denied
    asked = await home.service.request(denied.id, replace(press, key="press2"))
    assert isinstance(asked, Accepted), asked
    await home.engine.ending(asked.operation.id)
    court = await home.run("ban s1 for=30d reason=court", ALICE)
    settled = await home.decide(asked.operation.id, Choice.APPROVE, ALICE)
    assert "ForbidLiveStream since" in settled.words
    (one,) = await home.store.off_air.list(10)
    assert one.operation.id == court.id


async def test_off_air_list_limit_counts_only_visible_entries(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that a user may not see do not use up the limit of the off-air list."""
    monkeypatch.setattr("bot.operations.queries._LISTED", 2)
    home.directory.channels["C0PRIV"] = Presence.IN
    home.policy(POLICY.replace('"*LiveStream"', '"Describe*"'))
    await home.run("ban s0")
    for number in range(1, 5):
        await home.run(f"ban s{number}", channel="C0PRIV")
    assert await listed(home, MALLORY) == ["ForbidLiveStream s0"]


async def test_expiry_of_an_unknown_action_is_cleared(timed_bot: House, clock: ManualClock) -> None:
    """The expiry of an action that this release does not know is cleared once it is due."""
    await timed_bot.run("live s1 for=30m")
    with timed_bot.store.session.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE operations SET api = 'NewAction'")
    clock.advance(2100.0)

    async def cleared() -> bool:
        return (await timed_bot.store.off_air.list(1))[0].until is None

    await until(cleared)


async def test_off_air_list_shows_only_what_the_user_may_see(home: House) -> None:
    """The off-air list shows and reads only what the user's channel and permissions allow."""
    home.directory.channels["C0PRIV"] = Presence.IN
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    home.policy(
        POLICY.replace('"*LiveStream"', '"Describe*"').replace("U0MALLORY]}", "U0MALLORY]}")
        + "  auditors: {members: {users: [U0BOB]}, audit: true}\n"
    )
    await home.run("ban s1 reason=raid", channel="C0PRIV")
    await home.run("hold live s1 reason=informant", channel="C0PRIV")
    theirs = await home.service.queries.off_air(MALLORY, Place("C0INC"))
    assert theirs == OffAirList(), "she may bring nothing back, and has not seen it"
    assert len((await home.service.queries.off_air(MALLORY, Place("C0PRIV"))).off) == 1
    assert len((await home.service.queries.off_air(BOB, Place("C0INC"))).holds) == 1
    before = len(home.cloud.sent)
    home.policy(POLICY.replace('"*LiveStream"', "ForbidLiveStream, ResumeLiveStream"))
    (seen,) = (await home.service.queries.off_air(MALLORY, Place("C0INC"))).off
    assert seen.state == "", "she may not read how it is"
    assert len(home.cloud.sent) == before


async def test_off_air_list_drops_resources_that_are_gone(home: House) -> None:
    """A destroyed session replaces its stop, and a stop whose session is gone is removed."""
    await home.run("car u1")
    await home.run("session u1")
    assert await listed(home) == ["DestroySession u1"]
    await home.run("car u2")
    home.cloud.faults.append(ApiError("ResourceNotFound.SessionNotFound", "gone", request_id="r"))
    failed = await home.run("car u2", verb=Effect.START, key="start u2")
    assert failed.state is State.FAILED
    assert "StopPublishStream u2" not in await listed(home)


async def test_off_air_list_shows_an_unknown_action(home: House) -> None:
    """The off-air list still renders an entry whose action this release does not know."""
    await home.run("live s1")
    with home.store.session.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE operations SET api = 'NewAction'")
    found = await home.service.queries.off_air(ALICE, Place("C0INC"))
    assert "NewAction" in off_air_messages.off_air_list(found).text


async def test_expiry_reading_is_retried_after_no_answer(
    timed_bot: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading after an expiry is retried when the cloud does not answer."""
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", 1e6)
    await timed_bot.run("live s1 for=30m")
    unanswered: list[CloudError | None] = [NoAnswerError("away"), NoAnswerError("away")]
    timed_bot.cloud.faults += unanswered
    clock.advance(1803.0)

    def heard() -> bool:
        # A claim that is not followed up lapses after three leases.
        clock.advance(0.1)
        return bool(timed_bot.desk.said(MessageKind.LIFTED))

    await until(heard)
    (after,) = timed_bot.desk.said(MessageKind.LIFTED)
    assert after.observed == "inactive"
    assert timed_bot.cloud.faults == []


async def test_verifier_skips_a_reading_after_the_expiry(home: House) -> None:
    """The verifier sends no reading for a ban that has already expired."""
    ran = await home.run("live s1 for=30m")
    late = (offair.expires_at(ran, by_api(ran.api)) or 0.0) + 1
    # The bot was down meanwhile.
    home.clock.ahead = late - time.time()
    await home.verifier.verify(ran)
    await home.courier.drain()
    assert home.desk.said(MessageKind.LOOKED) == []


def test_mrkdwn_links_no_user_from_quoted_text() -> None:
    """User ids and markup in quoted text are not rendered as mentions."""
    said = mrkdwn.render_sentence(
        "U0ALICE holds «U0BOB C0INC» since 2026-11-21 08:00 UTC: «a `b` <!here>»."
    )
    assert said.startswith("<@U0ALICE> holds `U0BOB C0INC` since <!date^")
    assert "<!here>" not in said
    assert "<@U0BOB>" not in said
    long = mrkdwn.render_sentence(f"U0ALICE: {apart('x' * 990 + ' U0BOB')}. To end that: say so.")
    assert long.endswith("To end that: say so.")
    assert "<@U0BOB>" not in mrkdwn.render_sentence("«U0BOB is not closed")


async def test_dry_run_of_a_hold_sends_and_stores_nothing(home: House) -> None:
    """A dry run of a hold says that nothing would be sent, and no hold is stored."""
    reply = await home.ask("hold live s1 reason=x --dry-run")
    asked = Invocation("k", ALICE, Place("C0INC"), "")
    found = await home.service.dry_run(asked, reply.command)  # type: ignore[union-attr]
    assert "Nothing would leave" in dry_run_messages.dry_run_reply(found).text
    assert await home.store.off_air.list_holds() == []


def test_off_air_list_fits_slack_limits() -> None:
    """Off-air messages and the home tab stay within Slack's limits with very long content."""
    long = ended("ForbidLiveStream", StreamName="&" * 1000, Reason="<" * 2000)
    hold = replace(ended("Hold"), params={"Target": "stream " + "é" * 1000, "Reason": "`" * 2000})
    off, on = OffAirEntry(long, 1.0, "&" * 80), OffAirEntry(long, None, "x")
    absent = OffAirList((off,) * 60, (hold,) * 60, (on,) * 10)
    message = off_air_messages.off_air_list(absent)
    assert blockkit.problems(list(message.blocks)) == []
    assert len(message.text) <= 4000
    home = home_view.home(None, [], off_air=absent)
    assert blockkit.view_problems(home) == []
    for text in (
        off_air_messages.expiry_notice(long, action_of(long), "soon"),
        off_air_messages.expired_notice(long, action_of(long), "&" * 80),
        off_air_messages.expired_notice(long, action_of(long), "forbid"),
    ):
        assert blockkit.problems(list(text.blocks)) == []
        assert len(text.text) <= 4000
