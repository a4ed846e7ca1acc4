"""A button leaves nothing of the text out: its place, its time, and what must go on."""

import pytest

from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Command
from tests.support.commands import BARE, command, read
from tests.unit.commands.test_several import _WITH_HOLDS, _offers

_OTHER = "other.livepush.myqcloud.com"
_SERVER = f"rtmp://{_OTHER}/app2"
_PLACE = {"DomainName": _OTHER, "AppName": "app2"}


def _found(text: str, verb: Effect | None = Effect.STOP) -> list[Command]:
    """Return the command that runs, or those of the buttons."""
    try:
        return [command(text, verb)]
    except ParseError as error:
        return [command(offer.text, None) for offer in error.commands]


@pytest.mark.parametrize(
    "text",
    [
        *(f"live stream1 {word} {_SERVER}" for word in ("on", "at", "from", "server", "")),
        *(f"live {_SERVER}/stream1 and stream2", f"live {_SERVER}/ stream1 stream2"),
        *(f"live stream1,stream2 {_SERVER}/", f"live stream1 and stream2 on {_SERVER}"),
        *(
            f"live FMS URL: {_SERVER}/ Stream Name: stream1",
            f"live *URL*: {_SERVER} *Key*: stream1",
        ),
        *(f"live 推流地址：{_SERVER} 串流密钥：stream1", f"live {_SERVER}/ 串流密钥 stream1"),
        *(f"live stream1?txSecret=5ECRE7 server {_SERVER}/", f'live "{_SERVER}" stream1'),
        *(f"live stream1 stream2 {_OTHER}/app2", f"take stream1 down on {_SERVER}"),
        *(f"take stream1 down domain={_OTHER} app=app2", f"live {_SERVER}/ with key stream1?x=1"),
        *(f"FMS URL: {_SERVER}/ Stream Name: stream1", f"take {_SERVER}/stream1 and stream2 down"),
    ],
)
def test_button_has_the_place_of_the_address(text: str) -> None:
    """Each name beside an address is at its host and path, or it is on no button."""
    for found in _found(text):
        assert found.target in ("stream1", "stream2")
        assert _PLACE.items() <= found.params.items()


@pytest.mark.parametrize(
    "text",
    [
        f"live stream1 on {_SERVER}",
        f"live stream1,stream2 {_SERVER}/",
        f"take stream1 off {_SERVER}",
    ],
)
def test_place_of_the_address_is_on_a_button(text: str) -> None:
    """Where a text has one address and names, these are offered there."""
    assert _found(text)


@pytest.mark.parametrize(
    "text",
    [
        f"live stream1 a.example.com {_OTHER}",
        f"live stream1 stream2 {_SERVER} rtmp://a.example.com/live",
        *(f"live stream1 stream2 rtmp://{_OTHER}", f"live stream1 domain=a.example.com {_SERVER}"),
        "live stream1 https://play.example.com/app2/stream2.flv stream3",
    ],
)
def test_name_with_several_places_is_on_no_button(text: str) -> None:
    """Where a text tells several places, or half of one, no bare name is offered."""
    assert [one.target for one in _found(text) if one.target != "stream2"] == []


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        *(("30 min", 1800), ("half hour", 1800), ("half an hour", 1800), ("twelve hours", 43200)),
        *(("1 hour and 30 minutes", 5400), ("1h and 30m", 5400), ("1 day 12 hours", 129_600)),
        *(("2 hours, 30 minutes", 9000), ("2 h 30 m", 9000), ("2h, 30m", 9000)),
        *(("1 day, 2 hours and 3 minutes", 93_780), ("1d 2h 3m", 93_780)),
    ],
)
@pytest.mark.parametrize(
    "begin", ["ban stream1", "live stream1", "take stream1 down", "stream1", "ban stream1, stream2"]
)
def test_whole_time_is_in_the_command(begin: str, typed: str, seconds: int) -> None:
    """A length in several words is one time, of what runs and of each button."""
    found = _found(f"{begin} for {typed}")
    assert found
    assert {one.spans.get("ResumeTime") for one in found} == {seconds}


@pytest.mark.parametrize(
    "rest",
    [
        *("forever", "30 Minuten", "1,5h", "bis 14:00", "for:2h", "until 2026-11-20 14:00"),
        *("until tomorrow 9am", "for a month", "für 30 Minuten", "until 20.11.2026 14:00"),
        *("for 2h 1d", "pour toujours", "2 Stunden", "30 минут", "永久", "5 minutes ago"),
    ],
)
@pytest.mark.parametrize(
    "begin", ["ban stream1", "ban lobby", "take stream1 down", "watch stream1"]
)
def test_time_that_is_not_understood_is_said(begin: str, rest: str) -> None:
    """A time that is not understood as a whole is named as such, and no button leaves it out."""
    with pytest.raises(ParseError, match="This time is not understood") as caught:
        read(f"{begin} {rest}", Effect.STOP, _WITH_HOLDS)
    assert caught.value.commands == ()


@pytest.mark.parametrize(
    "text", ["ban stream1,30m", "ban stream1 wieder", "stream1 perma für immer"]
)
def test_ban_with_a_word_too_many_is_on_no_button(text: str) -> None:
    """What is left over of a ban may be its time: it is not offered without it."""
    assert not [label for label in _offers(text) if label.startswith("Ban")]


def test_command_for_later_is_said() -> None:
    """A delay is named as such."""
    with pytest.raises(ParseError, match="runs at once, not later"):
        read("ban stream1 in 30m")


def test_two_times_are_on_no_button() -> None:
    """The time of one name is not that of the other."""
    assert _offers("shut stream1 for 2h and stream2 for 1h") == {}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("stream1 for 90 min", "Ban stream1 for 1h30m"),
        ("take stream1 down until 2026-11-20T14:00Z", "Ban stream1 until 2026-11-20 14:00 UTC"),
        (f"ban {'x' * 80},b for 2h", f"Ban {'x' * 49} for 2h"),
    ],
)
def test_label_of_a_ban_has_its_time(text: str, label: str) -> None:
    """A button says how long it bans, however long the name is."""
    assert label in _offers(text)


@pytest.mark.parametrize("word", ["until", "till", "til", "until:"])
@pytest.mark.parametrize("hour", ["14h", "9h", "14 h", "2 hours", "24h"])
@pytest.mark.parametrize("kind", ["ban", "live"])
def test_hour_after_until_is_asked_about(kind: str, word: str, hour: str) -> None:
    """`until 14h` may be 14:00: the length of time is a button that says so."""
    length = f"{hour.split(maxsplit=1)[0].rstrip('h')}h"
    assert list(_offers(f"{kind} stream1 {word} {hour}")) == [
        f"Ban stream1 for {'1d' if length == '24h' else length}"
    ]


@pytest.mark.parametrize("text", ["ban stream1 until 30m", "ban stream1 until 7d", "ban s for 14h"])
def test_length_that_is_no_hour_is_none(text: str) -> None:
    """What can only be a length of time is taken as before."""
    assert command(text).spans


@pytest.mark.parametrize(
    "rest",
    [
        *("and start live stream2", "keep stream2 running", "leave stream2", "leave stream2 on"),
        *("instead of stream2", "rather than stream2", "nicht stream2", "sauf stream2"),
        *("不要停 stream2", "别停 stream2", "除了 stream2", "не stream2", "aber nicht stream2"),
        *(", stream2 stays", "but stream2 goes on", "while stream2 runs", "and resume stream2"),
        *("so stream2 can go on", "with stream2", "and status live stream2"),
        *("stream2以外", "salvo stream2", "don’t touch stream2", "not only"),
    ],
)
def test_what_may_have_to_go_on_is_on_no_button(rest: str) -> None:
    """A word between names that is not understood may mean the contrary of a stop."""
    for begin in ("stop live stream1", "take stream1 down", "stream1"):
        assert "stream2" not in " ".join(_offers(f"{begin} {rest}"))


@pytest.mark.parametrize(
    "text", ["keep stream2 running", "leave stream2", "nicht stream2", "不要停 stream2"]
)
def test_sentence_that_begins_with_a_reversal_offers_no_stop(text: str) -> None:
    """What begins with `keep` or its like asks for no stop."""
    assert _offers(text) == {}


def test_stop_beside_a_start_is_on_no_button() -> None:
    """The start command does not take the name of what is to be stopped."""
    assert _offers("live stream1 and stop live stream2", Effect.START) == {}


@pytest.mark.parametrize(
    ("text", "verb", "labels"),
    [
        ("ban stream1 for 30m", None, ["Ban stream1 for 30m"]),
        ("live stream1", None, ["Stop stream1", "Start stream1", "Check stream1"]),
        ("live the stream stream1", Effect.STOP, ["Stop stream1"]),
        ("live stream=stream1 stream=stream2", Effect.STOP, ["Stop stream1", "Stop stream2"]),
        *((f"status {word} stream1", None, ["Check stream1"]) for word in ("of", "for", "on")),
        ("live = stream1 stream2", Effect.STOP, ["Stop stream1", "Stop stream2"]),
    ],
)
def test_nearly_right_command_is_a_button(
    text: str, verb: Effect | None, labels: list[str]
) -> None:
    """A command without its verb, or with a word of a sentence, is offered as it is meant."""
    assert list(_offers(text, verb)) == labels


def test_verb_is_offered_without_the_key_of_an_address() -> None:
    """A command without its verb holds no key on its buttons."""
    offers = _offers("live rtmp://a.example.com/live/s?txSecret=5ECRE7", None, BARE)
    assert offers
    assert "5ECRE7" not in str(offers)
