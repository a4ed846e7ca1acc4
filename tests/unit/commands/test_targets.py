"""Targets of the policy file in a command."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Command
from tests.support.commands import (
    DOMAIN,
    RICH,
    SITES,
    command,
    read,
)

_TARGETS = {
    "lobby": "start car u1",
    "gate": f"DropLiveStream stream9 {DOMAIN}",
    "look": "status live stream8",
    "again": "main-stage",
    "twice": "live main-stage",
    "half": "ingest region=ap-mumbai",
    "url": f"live rtmp://{DOMAIN}/live/stream7?txSecret=5ECRE7",
    "broken": "live a b c d",
    "empty": "stop",
    "ban": "car u9",
    "main-stage": RICH.targets["main-stage"],
    "Studio": "record stream6 42",
}
TARGETS = Vocabulary(ACTIONS, RICH.defaults, _TARGETS, "", SITES)


@pytest.mark.parametrize(
    ("text", "verb", "api", "some"),
    [
        ("lobby", Effect.STOP, "StopPublishStream", {"UserId": "u1"}),
        ("lobby", None, "StartPublishStream", {"UserId": "u1"}),
        ("gate", Effect.START, "ResumeLiveStream", {"StreamName": "stream9"}),
        ("gate", None, "DropLiveStream", {"StreamName": "stream9"}),
        ("look", Effect.STOP, "DescribeLiveStreamState", {"StreamName": "stream8"}),
        ("look", Effect.START, "DescribeLiveStreamState", {"StreamName": "stream8"}),
        ("status gate", None, "DescribeLiveStreamState", {"StreamName": "stream9"}),
        ("half task7", Effect.STOP, "StopStreamIngest", {"TaskId": "task7"}),
        ("url", Effect.STOP, "DropLiveStream", {"StreamName": "stream7"}),
        ("url stream=other", Effect.STOP, "DropLiveStream", {"StreamName": "other"}),
        ("twice", Effect.STOP, "DropLiveStream", {"StreamName": "main-stage"}),
        ("ban stream1", Effect.STOP, "ForbidLiveStream", {"StreamName": "stream1"}),
        ("studio", Effect.STOP, "StopLiveRecord", {"StreamName": "stream6", "TaskId": 42}),
        ("ban gate app=x", Effect.STOP, "ForbidLiveStream", {"StreamName": "stream9"}),
        ("live app=x main-stage", Effect.STOP, "DropLiveStream", {"AppName": "x"}),
    ],
)
def test_target_expands_under_typed_verb_and_parameters(
    text: str, verb: Effect | None, api: str, some: dict[str, Any]
) -> None:
    """A target expands to its words, combined with the verb and parameters that are typed."""
    found = command(text, verb, TARGETS)

    assert found.action.api == api
    assert some.items() <= dict(found.params).items()


@pytest.mark.parametrize("name", ["Main-Stage", "MAIN-STAGE", "*Main-stage*", "Main-Stage."])
@pytest.mark.parametrize("kind", ["", "live ", "ban ", "status ", "status live "])
def test_target_is_named_in_any_case_with_and_without_a_kind(kind: str, name: str) -> None:
    """A target is the same in any case, as phones write it, after a kind and without one."""
    assert command(f"{kind}{name}") == command(f"{kind}main-stage")


@pytest.mark.parametrize(
    ("text", "stream"),
    [
        ("live stream=Main-Stage", "Main-Stage"),
        ('live "Main-Stage"', "Main-Stage"),
        ('live "main-stage"', "stream1"),
        ("live HALL", "HALL"),
        ("live Hall", "s1"),
    ],
)
def test_stream_is_not_taken_for_a_target_that_it_does_not_name(text: str, stream: str) -> None:
    """A quoted name in another case, and one in the case of no target of several, is a stream."""
    targets = {**RICH.targets, "Hall": f"live s1 {DOMAIN}", "hall": f"live s2 {DOMAIN}"}
    found = command(text, vocabulary=replace(RICH, targets=targets))

    assert found.params["StreamName"] == stream


@pytest.mark.parametrize(
    ("text", "verb", "meant", "says"),
    [
        ("main-stage other", Effect.STOP, "other", "one word too many"),
        ("record Studio 43", Effect.STOP, "43", "one word too many"),
        ("again", Effect.STOP, "again", "wrong in the policy file: There is no command"),
        ("broken", Effect.STOP, "broken", "wrong in the policy file: "),
        ("empty", Effect.STOP, "empty", "It names no command"),
        ("Studio", Effect.START, "Studio", "StopLiveRecord, which cannot be started"),
        ("status Studio", None, "Studio", "has no status to read"),
        ("live lobby", Effect.STOP, "lobby", "names no stream; write stream=lobby"),
        ("main-stage", None, "main-stage", '"stop main-stage"'),
    ],
)
def test_target_error_explains_why_it_does_not_fit(
    text: str, verb: Effect | None, meant: str, says: str
) -> None:
    """A target that cannot be used is refused with the reason and the words it concerns."""
    with pytest.raises(ParseError) as caught:
        read(text, verb, TARGETS)

    error = caught.value
    assert error.text[error.start : error.end] == meant
    assert says in error.sentence


def test_target_error_names_reversing_command() -> None:
    """A target that cannot be started is refused with the command that reverses its action."""
    told = Vocabulary(ACTIONS, {}, {"stage": "ban stream1 a.example.com"}, "", SITES)
    with pytest.raises(ParseError, match="cannot be started; /startstream live takes it back"):
        read("stage", Effect.START, told)


@given(st.sampled_from([*_TARGETS, "live main-stage", "DropLiveStream x"]), st.booleans())
def test_target_never_reverses_typed_verb(name: str, stop: bool) -> None:
    """A target never turns a typed stop into a start, or a start into a stop."""
    verb, never = (Effect.STOP, Effect.START) if stop else (Effect.START, Effect.STOP)
    try:
        found = read(name, verb, TARGETS)
    except ParseError:
        return
    if isinstance(found, Command) and "Drop" not in name:
        assert found.action.effect is not never
