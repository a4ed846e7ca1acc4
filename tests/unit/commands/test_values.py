"""Values of arguments, typed or from a stream URL."""

import pytest

from bot.errors import ParseError
from tests.support.commands import (
    BARE,
    DOMAIN,
    MADE,
    command,
    read,
)


def test_stream_url_of_playback_requires_push_domain() -> None:
    """A playback URL needs a push domain when the policy has no default for it."""
    with pytest.raises(ParseError, match="push domain"):
        read("live https://play.example.com/live/s.m3u8", vocabulary=BARE)
    found = command(f"live https://play.example.com/live/s.m3u8 domain={DOMAIN}", vocabulary=BARE)
    assert found.params["DomainName"] == DOMAIN


def test_stream_url_refuses_conflicting_domain() -> None:
    """A push URL and a different domain parameter are refused in either order."""
    for text in (
        f"live rtmp://{DOMAIN}/live/stream1 domain=other.example.com",
        f"live domain=other.example.com rtmp://{DOMAIN}/live/stream1",
    ):
        with pytest.raises(ParseError, match="which one"):
            read(text)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("live webrtc://push.a.b/live/s", "push.a.b"),
        ("live webrtc://x.a.b/live/s", "x.a.b"),
        ("live webrtc://x.a.b/live/s domain=push.a.b", "push.a.b"),
        ("live domain=push.a.b https://x.a.b/live/s.flv", "push.a.b"),
        ("live https://x.a.b/live/s.flv push.a.b", "push.a.b"),
        ("live rtmp://push.a.b/live/s domain=PUSH.A.B app=live", "push.a.b"),
        ("DropLiveStream StreamName=rtmp://push.a.b/live/s", "push.a.b"),
        ("live rtmp://push.a.b/live/s.flv", "push.a.b"),
    ],
)
def test_stream_url_and_parameters_yield_push_domain(text: str, domain: str) -> None:
    """The push domain is taken from the stream URL or from the domain typed beside it."""
    assert dict(command(text, vocabulary=BARE).params) == {
        "StreamName": "s",
        "DomainName": domain,
        "AppName": "live",
    }


@pytest.mark.parametrize(
    ("text", "meant", "says"),
    [
        ("live rtmp://push.a.b/live/s app=x", "app=x", "app=live, but app=x"),
        ("live rtmp://push.a.b/live/s stream=x", "stream=x", "given twice"),
        ("live rtmp://push.a.b/live/s push.a.b", "push.a.b", "one word too many"),
        ("live rtsp://push.a.b/live/s", "rtsp://push.a.b/live/s", "must begin with rtmp"),
        ("live https://a.b/live/s", "https://a.b/live/s", "end in .flv or .m3u8"),
        ("car u?token=5ECRE7", "u?token=[hidden]", "looks like a key"),
        ("live rtmp://push_me/live/s", "rtmp://push_me/live/s", "host name"),
    ],
)
def test_stream_url_error_marks_invalid_part(text: str, meant: str, says: str) -> None:
    """A stream URL that is invalid or contradicts a parameter is refused and marked."""
    with pytest.raises(ParseError) as caught:
        read(text, vocabulary=BARE)

    error = caught.value
    assert error.text[error.start : error.end] == meant
    assert says in error.sentence


def test_stream_url_fills_only_parameters_of_action() -> None:
    """A stream URL fills only the parameters that the action takes."""
    found = command("record rtmp://push.a.b/live/s 42", vocabulary=BARE)
    assert dict(found.params) == {"StreamName": "s", "TaskId": 42}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start delay stream1 seconds=601", "1 to 600"),
        ("start delay stream1 seconds=60 for=8d", "7 days"),
        ("start record-task stream1 until=8d", "7 days"),
        ("stop remove 42 a,b,c,d,e,f,g,h,i,j,k sdkappid=7", "10 are the most"),
        ("stop dismiss lobby sdkappid=7", "whole number"),
        ("status online size=9", "10 to 100"),
    ],
)
def test_parser_enforces_api_limits(text: str, said: str) -> None:
    """The parser refuses values outside the limits of the Tencent Cloud API."""
    with pytest.raises(ParseError, match=said):
        read(text, None)


def test_parser_accepts_configured_accounts_only() -> None:
    """An account must be one of those configured; a misspelt one gets a suggestion."""
    assert command("made m account=second", vocabulary=MADE).account == "second"
    assert command("made m", vocabulary=MADE).account == "default"
    with pytest.raises(ParseError, match='Did you mean "second"') as e:
        read("made m Account=secnd", vocabulary=MADE)
    assert e.value.text[e.value.start : e.value.end] == "secnd"
    with pytest.raises(ParseError, match="no account"):
        read("live stream1 account=prod")


def test_parser_strips_final_full_stop_from_case() -> None:
    """A full stop that ends the command is not part of the case."""
    assert command("live stream1 case=INC-42.").case == "INC-42"


@pytest.mark.parametrize(
    "text", ["0012", "042", "00", "-0", "-07", "01", "`007`", "007.", '"0012"']
)
@pytest.mark.parametrize(
    "begin", ["dismiss ", "dismiss room=", "remove ", "record stream2 ", "dismiss 12 sdkappid="]
)
def test_number_with_a_zero_before_it_is_asked_about(begin: str, text: str) -> None:
    """Zeros before a number are not dropped: a room or a task of that name is another one."""
    rest = "" if "sdkappid" in begin else " sdkappid=7"
    rest = "" if begin.startswith("record") else f"{rest} region=ap-beijing"
    with pytest.raises(ParseError, match="with a zero before it"):
        read(f"{begin}{text}{rest}" + (" users=a" if begin.startswith("remove") else ""))


def test_number_without_a_zero_before_it_is_read() -> None:
    """Zero itself, and zeros at the end, are read."""
    assert command("record stream2 0").params["TaskId"] == 0
    assert command("record stream2 1200").params["TaskId"] == 1200
