"""Words around a value: `domain = x`, times in words, and fillers of a sentence."""

import pytest

from bot.catalog.param_types import moment
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.times import parse_duration
from tests.support.commands import BARE, DOMAIN, NOW, STREAM, command, read

_HALF_AN_HOUR = moment(max_days=90).read("30m", NOW)
_TWO_HOURS = moment(max_days=90).read("2h", NOW)


@pytest.mark.parametrize(
    "text",
    [
        *("ban stream1 for 30m", "ban stream1 30m", "ban stream1 for=30min", "ban stream1 30 min"),
        *("ban stream1 for 30 minutes", "ban stream1 for: 30m", "ban stream1 for = 30m"),
        *(
            "ban stream1 --for 30m",
            "ban stream1, 30 mins",
            "ban stream1 (30m)",
            "ban main-stage 30m",
        ),
        *("please ban stream1 for 30m now", "live stream1 for 30m", "live main-stage 30 minutes."),
        *(
            "ban stream1 for half an hour",
            "ban 30m stream1",
            "ban stream1 30分钟",
            "ban stream1 0.5h",
        ),
        *(
            "ban stream1 for 30m, thank you!",
            "ban stream1 again for 30m",
            "ban stream1 for 29m 60s",
        ),
        *(f"ban stream1 on {DOMAIN} for 30m", f"ban stream1 30m at {DOMAIN}"),
        *("ban stream1 in app live for 30m", "ban = stream1 30m", "ban stream1 with for=30m"),
        *("ban stream1 for 30m, please!", 'ban stream1 for="30 minutes"', "ban stream=stream1 30m"),
    ],
)
def test_time_in_words_is_the_length_of_a_ban(text: str) -> None:
    """A length of time is understood by its name, without it, and in words."""
    found = command(text)

    assert found.action.api == "ForbidLiveStream"
    assert dict(found.params) == STREAM | {"ResumeTime": _HALF_AN_HOUR}


@pytest.mark.parametrize(
    "text",
    ["ban stream1 for 2 hours", "ban stream1 2 hrs", "ban stream1 2h", "ban stream1 two hours"],
)
def test_time_in_hours_is_the_length_of_a_ban(text: str) -> None:
    """Hours are understood in words."""
    assert command(text).params["ResumeTime"] == _TWO_HOURS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("30min", 1800), ("30 minutes", 1800), ("2 hours", 7200), ("1 hour 30 min", 5400)),
        *(("1.5h", 5400), ("30分钟", 1800), ("2 小时", 7200), ("1天", 86_400), ("90秒", 90)),
        *(("2H30M", 9000), ("7 days", 604_800), ("1 week", 604_800), ("90 secs", 90)),
    ],
)
def test_duration_is_read_in_words(text: str, seconds: float) -> None:
    """A length of time may be written with the names of its units."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("ban stream1 until 2026-12-01T10:00Z", "2026-12-01T10:00:00Z"),
        ("ban stream1 till 2026-12-01", "2026-12-01T00:00:00Z"),
        ("live stream1 until=2026-12-01", "2026-12-01T00:00:00Z"),
    ],
)
def test_end_is_understood_after_until(text: str, until: str) -> None:
    """The end of a ban may be written as people say it."""
    assert command(text).action.api == "ForbidLiveStream"
    assert command(text).params["ResumeTime"] == until


@pytest.mark.parametrize("text", ["ban 30m", "ban 30m 30m", "ban for 30m", "live 2h", "ban 30 min"])
def test_time_is_no_name(text: str) -> None:
    """Where the name was forgotten, a length of time is not sent in its place."""
    with pytest.raises(ParseError, match=r"looks like a length of time|stream is missing"):
        read(text)


def test_quoted_time_is_a_name() -> None:
    """A stream may be called like a length of time."""
    assert command('ban "30m" 2h').params["StreamName"] == "30m"
    assert command("ban stream=30m 2h").params["StreamName"] == "30m"


@pytest.mark.parametrize("text", ["30", "30 months", "min", "half", "1.5.5h", ""])
def test_duration_of_unknown_unit_is_refused(text: str) -> None:
    """What has no known unit is no length of time."""
    with pytest.raises(ValueError, match="write a time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        *((f"live stream1 domain {DOMAIN} app {app}", Effect.STOP) for app in ("live", "= live")),
        (f"live stream1 domain = {DOMAIN} app = live", Effect.STOP),
        (f"live stream1 domain: {DOMAIN} app: live", Effect.STOP),
        (f"live stream1 domain ={DOMAIN} app= live", Effect.STOP),
        (f"live stream stream1 domain {DOMAIN}", Effect.STOP),
        (f"please stop the live stream1 {DOMAIN} now", None),
        (f": stop live stream1 {DOMAIN}", None),
        (f", stop live stream1 {DOMAIN}", None),
        (f"- stop live stream1 {DOMAIN}", None),
        (f":octagonal_sign: stop live stream1 {DOMAIN}", None),
        (f"🛑 stop live stream1 {DOMAIN}", None),
        (f":stop_sign::skin-tone-2: stop live stream1 {DOMAIN} :pray:", None),
        (f"Hey, can you stop live stream1 {DOMAIN}?", None),
        (f"stop please live stream1 {DOMAIN} right now!", None),
        (f"Stop: live stream1 {DOMAIN}, thanks.", None),
        (f"STOP LIVE stream1 {DOMAIN} asap", None),
    ],
)
def test_words_of_a_sentence_do_not_change_the_command(text: str, verb: Effect | None) -> None:
    """Names apart from their values, fillers and emoji leave the command as it is."""
    found = command(text, verb, BARE)

    assert found.action.api == "DropLiveStream"
    assert dict(found.params) == STREAM


@pytest.mark.parametrize("text", ["live now", "live please", "stop live NOW!", "ban asap for=1d"])
def test_filler_alone_is_asked_about(text: str) -> None:
    """A filler that would be the name is not sent; the answer shows how it could be."""
    with pytest.raises(ParseError, match="quote it"):
        read(text)


@pytest.mark.parametrize("name", ["c3RyZWFtMQ==", "c3RyZWFtMTI=", "YWJj+2==", "abcdefg="])
def test_name_in_base64_is_kept_whole(name: str) -> None:
    """The padding of base64 belongs to the name."""
    assert command(f"live {name}").params["StreamName"] == name
    assert command(f"live stream={name}").params["StreamName"] == name


def test_words_are_not_bound_where_a_key_may_stand() -> None:
    """An action that takes a key is read as strictly as before."""
    with pytest.raises(ParseError, match="without spaces"):
        read("car u1 args = 5ECRE7", Effect.START)
