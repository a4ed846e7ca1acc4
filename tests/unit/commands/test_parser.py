"""Any text parses to a command, another result, or an error with a span."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.diagnostics import caret
from bot.commands.parsed import Audit, Form, Help, WhoAmI
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Command
from tests.support.commands import (
    DOMAIN,
    NOW,
    PADDED,
    STREAM,
    command,
    read,
)


@pytest.mark.parametrize(
    "text",
    [
        "live stream1",
        "LIVE stream1",
        f"live stream1 {DOMAIN}",
        f"live stream1 domain={DOMAIN}",
        f"live stream=stream1 --domain {DOMAIN} --app=live",
        f"live stream1 —domain {DOMAIN}",
        f"live stream1 –app live --DomainName {DOMAIN}",
        "live “stream1”",
        "live ‘stream1’",
        "live 'stream1'",
        "live `stream1`",
        "live\u00a0stream1\u200b",
        f"live stream1 domain=<http://{DOMAIN}|{DOMAIN}>",
        f"live rtmp://{DOMAIN}/live/stream1?txSecret=abc&amp;txTime=5F",
        f"live <rtmp://{DOMAIN}/live/stream1?txSecret=abc&amp;txTime=5F>",
        f"live stream=rtmp://{DOMAIN}/live/stream1",
        "live https://play.example.com/live/stream1.m3u8",
        "live <https://play.example.com/live/stream1.flv>",
        "live webrtc://play.example.com/live/stream1",
        f"live srt://{DOMAIN}:9000?streamid=#!::h={DOMAIN},r=live/stream1,txSecret=a",
        f"droplivestream StreamName=stream1 domainname={DOMAIN} AppName=live",
        f"DropLiveStream stream1 {DOMAIN.upper()}",
        f"live {DOMAIN}/live/stream1",
        f"live <http://{DOMAIN}/live/stream1|{DOMAIN}/live/stream1>",
        f"live stream={DOMAIN}:1935/live/stream1?txSecret=a",
        "live https://play.example.com/live/stream1/playlist.m3u8",
        "live stream1.",
        "live stream1!",
        "live `stream1`.",
        'live "stream1".',
        f"live rtmp://{DOMAIN}/live/stream1.",
        "main-stage",
        "live main-stage",
        "live main-stage.",
        "stop live stream1",
        "/stopstream live stream1",
    ],
)
def test_parser_accepts_every_spelling_of_a_command(text: str) -> None:
    """Every spelling of a command, with flags, quotes or URLs, parses to the same action."""
    found = command(text)

    assert found.action.api == "DropLiveStream"
    assert dict(found.params) == STREAM


@pytest.mark.parametrize(
    ("text", "verb", "api", "params", "region"),
    [
        ("car u1", Effect.STOP, "StopPublishStream", {"UserId": "u1"}, ""),
        (
            "car u1 args='a=b c'",
            Effect.START,
            "StartPublishStream",
            {"UserId": "u1", "PublishStreamArgs": "a=b c"},
            "",
        ),
        ("live stream1", Effect.START, "ResumeLiveStream", STREAM, ""),
        ("start live stream1", None, "ResumeLiveStream", STREAM, ""),
        ("main-stage", Effect.START, "ResumeLiveStream", STREAM, ""),
        ("status live stream1", Effect.STOP, "DescribeLiveStreamState", STREAM, ""),
        ("status ban stream1", Effect.STOP, "DescribeLiveStreamState", STREAM, ""),
        ("status main-stage", Effect.STOP, "DescribeLiveStreamState", STREAM, ""),
        ("status live main-stage", None, "DescribeLiveStreamState", STREAM, ""),
        (
            "ingest t1",
            Effect.STOP,
            "StopStreamIngest",
            {"TaskId": "t1", "SdkAppId": 1400000000},
            "ap-singapore",
        ),
        (
            "ingest t1 sdkappid=7 region=ap-mumbai",
            Effect.STOP,
            "StopStreamIngest",
            {"TaskId": "t1", "SdkAppId": 7},
            "ap-mumbai",
        ),
        (
            "record stream1 42",
            Effect.STOP,
            "StopLiveRecord",
            {"StreamName": "stream1", "TaskId": 42},
            "",
        ),
        (
            "record-task 42 Region=ap-guangzhou",
            Effect.STOP,
            "StopRecordTask",
            {"TaskId": "42"},
            "ap-guangzhou",
        ),
        (
            "status record-task stream=s from=-2h region=ap-guangzhou",
            Effect.STOP,
            "DescribeRecordTask",
            {
                "StreamName": "s",
                "DomainName": DOMAIN,
                "AppName": "live",
                "StartTime": int(NOW) - 7200,
                "EndTime": int(NOW) + 90_000,
            },
            "ap-guangzhou",
        ),
        ("pad stream1", Effect.START, "StartLivePadStream", PADDED, ""),
        ("pad stream1", Effect.STOP, "StopLivePadStream", PADDED, ""),
        (
            "delay stream1 seconds=60",
            Effect.START,
            "AddDelayLiveStream",
            STREAM | {"DelayTime": 60},
            "",
        ),
        ("delay stream1", Effect.STOP, "ResumeDelayLiveStream", STREAM, ""),
        ("status delay", Effect.STOP, "DescribeLiveDelayInfoList", {}, ""),
        (
            "status online",
            Effect.STOP,
            "DescribeLiveStreamOnlineList",
            {"DomainName": DOMAIN, "AppName": "live"},
            "",
        ),
        ("status concurrency", Effect.STOP, "DescribeConcurrentCount", {}, ""),
        ("session u1", Effect.STOP, "DestroySession", {"UserId": "u1"}, ""),
        (
            "pause t1 sdkappid=7 region=ap-tokyo",
            Effect.STOP,
            "UpdateStreamIngest",
            {"TaskId": "t1", "SdkAppId": 7, "IsPause": True},
            "ap-tokyo",
        ),
        (
            "pause t1 paused=no sdkappid=7 region=ap-tokyo",
            Effect.STOP,
            "UpdateStreamIngest",
            {"TaskId": "t1", "SdkAppId": 7, "IsPause": False},
            "ap-tokyo",
        ),
        (
            "dismiss 42 sdkappid=7 region=ap-beijing",
            Effect.STOP,
            "DismissRoom",
            {"RoomId": 42, "SdkAppId": 7},
            "ap-beijing",
        ),
        (
            "dismiss-str 42 sdkappid=7 region=ap-beijing",
            Effect.STOP,
            "DismissRoomByStrRoomId",
            {"RoomId": "42", "SdkAppId": 7},
            "ap-beijing",
        ),
        (
            "remove 42 alice,bob sdkappid=7 region=ap-beijing",
            Effect.STOP,
            "RemoveUser",
            {"RoomId": 42, "SdkAppId": 7, "UserIds": ["alice", "bob"]},
            "ap-beijing",
        ),
        (
            'remove-str lobby users="alice, bob" sdkappid=7 region=ap-beijing',
            Effect.STOP,
            "RemoveUserByStrRoomId",
            {"RoomId": "lobby", "SdkAppId": 7, "UserIds": ["alice", "bob"]},
            "ap-beijing",
        ),
        (
            "record-task stream1 until=2h region=ap-guangzhou",
            Effect.START,
            "CreateRecordTask",
            STREAM | {"EndTime": int(NOW) + 7200},
            "ap-guangzhou",
        ),
        (
            "car-url u1 <rtmp://a.example.com/live2/5ECRE7>",
            Effect.START,
            "StartPublishStreamWithURL",
            {"UserId": "u1", "PublishStreamURL": "rtmp://a.example.com/live2/5ECRE7"},
            "",
        ),
        (
            'ban main-stage for=7d reason="spam, again"',
            Effect.STOP,
            "ForbidLiveStream",
            STREAM | {"ResumeTime": "2026-11-25T11:06:40Z", "Reason": "spam, again"},
            "",
        ),
        (
            "live main-stage app=other",
            Effect.STOP,
            "DropLiveStream",
            STREAM | {"AppName": "other"},
            "",
        ),
        ("main-stage app=x", Effect.STOP, "DropLiveStream", STREAM | {"AppName": "x"}, ""),
        (
            "live stream=main-stage",
            Effect.STOP,
            "DropLiveStream",
            STREAM | {"StreamName": "main-stage"},
            "",
        ),
    ],
)
def test_parser_fills_parameters_and_region_of_each_action(
    text: str, verb: Effect | None, api: str, params: dict[str, Any], region: str
) -> None:
    """The parser fills each action's parameters and region from text, targets and defaults."""
    found = command(text, verb)

    assert (found.action.api, dict(found.params), found.region) == (api, params, region)


@pytest.mark.parametrize(
    ("text", "verb", "wanted"),
    [
        ("", Effect.STOP, Form(Effect.STOP)),
        ("  ", Effect.START, Form(Effect.START)),
        ("", None, Help()),
        ("help", Effect.STOP, Help()),
        ("help live", None, Help("live")),
        ("--help", Effect.STOP, Help()),
        ("?", Effect.STOP, Help()),
        ("whoami", None, WhoAmI()),
        ("audit", Effect.STOP, Audit()),
        ("audit since=7d", Effect.STOP, Audit(604_800.0)),
    ],
)
def test_parser_returns_help_form_whoami_and_audit(
    text: str, verb: Effect | None, wanted: object
) -> None:
    """Empty text, help, whoami and audit parse to their own result types."""
    assert read(text, verb) == wanted


@pytest.mark.parametrize(
    ("text", "meant", "says"),
    [
        ("lvie stream1", "lvie", 'Did you mean "live"?'),
        ("main-stge", "main-stge", 'Did you mean "main-stage"?'),
        ("DropLiveStrem x", "DropLiveStrem", 'Did you mean "DropLiveStream"?'),
        ("live stream1 domian=a.b", "domian", 'Did you mean "domain"?'),
        ("live stream1 domain=nodots", "domain=nodots", "host name"),
        ("live stream1 domain=rtmp://a.b/c", "domain=rtmp://a.b/c", "without rtmp://"),
        ("live a b", "b", "One command is for one stream"),
        ("car a b", "b", "one word too many"),
        ("live stream1 app=a app=b", "app=b", "given twice"),
        ("live", "", "stream is missing"),
        ('live "stream1', '"stream1', "not closed"),
        ("live stream1 --domain", "--domain", "has no value"),
        ("record stream1 1e9", "1e9", "whole number"),
        ("record stream1 ٣", "٣", "whole number"),
        ("ingest t sdkappid=-1", "sdkappid=-1", "out of range"),
        ("ingest t region=ap-guangzhou", "region=ap-guangzhou", "mainland site has it"),
        ("ingest t region=mars-1", "region=mars-1", "ap-singapore"),
        ("live stream1 region=ap-mumbai", "region=ap-mumbai", "takes no region"),
        ("ban stream1 for=91d", "for=91d", "90 days"),
        ("ban stream1 for=2020-01-01", "for=2020-01-01", "in the past"),
        ("start live stream1", "start", "Use /startstream"),
        ("live rtmp://push.a.b/onlyone", "rtmp://push.a.b/onlyone", "/app/stream"),
        ("rtmp://push.a.b/live/x", "rtmp://push.a.b/live/x", "live or ban"),
        ("stream=x", "stream=x", "Say first"),
        ("audit since=soon", "since=soon", "length of time"),
    ],
)
def test_parser_reports_error_in_one_line_with_its_span(text: str, meant: str, says: str) -> None:
    """A parse error explains itself on one line and marks the words that it is about."""
    with pytest.raises(ParseError) as caught:
        read(text)

    error = caught.value
    assert error.text[error.start : error.end] == meant
    assert says in error.sentence
    assert "\n" not in error.sentence


_WORDS = """
live ban car ingest record status stop start help audit whoami main-stage DropLiveStream stream=
domain= --app --help args= region=ap-singapore account= for=1d — “ ” ‘ ’ ' " « ` ``` = ? -h
<http://a.b|a.b> <@U1|x> <tel:+1|1> &lt; &amp; &amp;lt; <!here> rtmp://push.a.b/live/x?txSecret=1
webrtc://a.b/live/x https://a.b/live/x.flv srt://a.b?streamid=#!::r=live/x x?txSecret=1
"""
_PIECES = st.sampled_from(
    [*_WORDS.split(), " ", "\u00a0", "\u200b", "\n", "\ud800", "\x00", DOMAIN]
)


@given(
    st.one_of(
        st.text(),
        st.lists(st.one_of(_PIECES, st.text(max_size=5))).map(" ".join),
        st.lists(st.one_of(_PIECES, st.text(max_size=3))).map("".join),
    ),
    st.sampled_from([None, Effect.STOP, Effect.START, Effect.READ]),
)
def test_parser_returns_result_or_marked_error_for_any_text(text: str, verb: Effect | None) -> None:
    """Any text either parses or raises an error with a valid span and caret line."""
    try:
        found = read(text, verb)
    except ParseError as error:
        assert 0 <= error.start <= error.end <= len(error.text)
        assert error.sentence.isprintable()
        assert caret(error).count("\n") == 1
        assert "^" in caret(error)
    else:
        if isinstance(found, Command):
            assert {p.api for p in found.action.params if p.required} <= set(found.params)
            assert verb is not Effect.READ or found.action.effect is Effect.READ


@pytest.mark.parametrize(
    ("text", "verb", "topic"),
    [
        ("live --help", Effect.STOP, "live"),
        ("live -h", Effect.STOP, "live"),
        ("live ?", Effect.STOP, "live"),
        ("—help live", Effect.STOP, "live"),
        ("ban stream1 for=1d --help", None, "ban"),
        ("status --help", Effect.STOP, "status"),
        ("help status live", Effect.STOP, "live"),
        ("help /startstream", Effect.STOP, "start"),
    ],
)
def test_parser_returns_help_for_flag_inside_command(
    text: str, verb: Effect | None, topic: str
) -> None:
    """A help flag anywhere, or help at the start, returns help and no action."""
    assert read(text, verb) == Help(topic)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("live help", "help"),
        ('live "--help"', "--help"),
        ('live "?"', "?"),
        ("live stream=-h", "-h"),
    ],
)
def test_parser_accepts_stream_named_help(text: str, name: str) -> None:
    """A quoted, assigned or positional help word can be a stream name."""
    assert command(text).params["StreamName"] == name


@given(st.integers(0, 30_000), st.sampled_from(["x", "&amp;", "\u200b", "a=b ", "'"]))
def test_parser_refuses_too_long_text_and_quotes_part(length: int, piece: str) -> None:
    """A command that is too long is refused, and the error quotes only a part of it."""
    text = "live " + piece * (length // len(piece))
    try:
        read(text)
    except ParseError as error:
        assert len(error.text) <= 4000
        if len(text) > 20_000:
            assert "longer than 4000" in error.sentence
            assert len(error.text) <= 80
