"""What an ending changes in the off-air list, and the commands that ask for it."""

import pytest

from bot.catalog import effects as offair
from bot.catalog.registry import ACTIONS, by_api
from bot.commands.parsed import OffAir
from bot.commands.parser import parse
from bot.errors import ParseError
from bot.model.actions import Effect, Json
from bot.model.off_air import OffAirChange
from bot.model.operations import State
from bot.redact import apart
from bot.times import format_utc
from handlers.messages import mrkdwn
from tests.conftest import House
from tests.support.off_air import WORDS, command, ended


def switch(api: str, state: State = State.ACCEPTED, **params: Json) -> OffAirChange | None:
    return offair.off_air_change(ended(api, state, **params), by_api(api), {}, 1000.0)


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


def test_mrkdwn_links_no_user_from_quoted_text() -> None:
    """User ids and markup in quoted text are not rendered as mentions."""
    said = mrkdwn.render_sentence(
        "U0ALICE has held «U0BOB C0INC» since 2026-11-21 08:00 UTC: «a `b` <!here>»."
    )
    assert said.startswith("<@U0ALICE> has held `U0BOB C0INC` since <!date^")
    assert "<!here>" not in said
    assert "<@U0BOB>" not in said
    long = mrkdwn.render_sentence(f"U0ALICE: {apart('x' * 990 + ' U0BOB')}. To end that: say so.")
    assert long.endswith("To end that: say so.")
    assert "<@U0BOB>" not in mrkdwn.render_sentence("«U0BOB is not closed")
