"""What people type, and what it means; every mistake is a sentence with its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.car import SESSION
from bot.catalog.param_types import text as any_text
from bot.catalog.param_types import whole, yes_or_no
from bot.catalog.registry import ACTIONS, ALL_ACTIONS, PRODUCTS, by_api
from bot.commands.diagnostics import caret
from bot.commands.formatting import example, format_command
from bot.commands.parsed import Audit, Form, Help, WhoAmI
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Account, Action, Effect, EffectSpec, Param, Product
from bot.model.commands import Command
from bot.redact import redact

NOW = 1_795_000_000.0
DOMAIN = "5000.livepush.myqcloud.com"
SITES = {product.name: product.site for product in PRODUCTS}
BARE = Vocabulary(ACTIONS, {}, {}, "", SITES)
RICH = Vocabulary(
    ACTIONS,
    {
        "live": {"DomainName": DOMAIN, "AppName": "live"},
        "ingest": {"SdkAppId": 1400000000, "Region": "ap-singapore"},
    },
    {"main-stage": f"live stream1 domain={DOMAIN}", "booth": "car booth7"},
    "",
    SITES,
)
STREAM = {"StreamName": "stream1", "DomainName": DOMAIN, "AppName": "live"}
PADDED = {"StreamName": "stream1", "PushDomainName": DOMAIN, "AppName": "live"}


def read(text: str, verb: Effect | None = Effect.STOP, vocabulary: Vocabulary = RICH) -> Any:
    return parse(text, verb=verb, vocabulary=vocabulary, now=NOW)


def command(text: str, verb: Effect | None = Effect.STOP, vocabulary: Vocabulary = RICH) -> Command:
    found = read(text, verb, vocabulary)
    assert isinstance(found, Command), found
    return found


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
        ("live a b", "b", "host name"),
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
        ("rtmp://push.a.b/live/x", "rtmp://push.a.b/live/x", "live, ban"),
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


@pytest.mark.parametrize("name", ["stream1.", "live/stream1", "a:", "!"])
def test_parser_keeps_quoted_name_unchanged(name: str) -> None:
    """A quoted stream name is kept unchanged, also after formatting and parsing again."""
    for text in (f'live "{name}"', f'live stream="{name}"'):
        assert command(text).params["StreamName"] == name
    assert command(format_command(command(f'live "{name}"'))).params["StreamName"] == name


def test_parser_strips_final_full_stop_from_case() -> None:
    """A full stop that ends the command is not part of the case."""
    assert command("live stream1 case=INC-42.").case == "INC-42"


def test_parser_recognizes_stream_url_without_scheme() -> None:
    """A bare stream URL without a scheme is recognized, and the parser asks for an action."""
    with pytest.raises(ParseError, match="Say first what to do with this address"):
        read(f"{DOMAIN}/live/stream1")


def test_parser_refuses_app_path_in_stream_name() -> None:
    """An app/stream path as a name is refused with the correct form and without the key."""
    with pytest.raises(ParseError) as caught:
        read("live live/stream1?txSecret=5ECRE7")
    assert "write stream1 app=live" in caught.value.sentence
    assert "5ECRE7" not in str(vars(caught.value))


def test_parser_asks_for_verb_in_mention() -> None:
    """A mention without a verb is refused, and the error names the verb to write."""
    with pytest.raises(ParseError, match='"stop live …"'):
        read("live stream1", None)


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


@pytest.mark.parametrize("secret", ["txSecret=5ECRE7", "TXSECRET=5ECRE7", "wsSecret=5ECRE7"])
def test_stream_url_key_is_absent_from_command_and_error(secret: str) -> None:
    """A stream URL's key appears neither in the parsed command nor in a parse error."""
    found = command(f"live rtmp://{DOMAIN}/live/stream1?{secret}&txTime=5F")
    assert "5ECRE7" not in repr(dict(found.params))

    with pytest.raises(ParseError) as caught:
        read(f"lvie rtmp://{DOMAIN}/live/stream1?{secret}&txTime=5F")
    assert "5ECRE7" not in caught.value.text + caught.value.sentence

    with pytest.raises(ParseError) as caught:
        read(f"car u1 rtmp://{DOMAIN}/live/stream1?{secret}")
    assert "5ECRE7" not in caught.value.text + caught.value.sentence


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


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_help_example_parses_to_its_action(action: Any) -> None:
    """Every action's help example parses to that action."""
    found = command(example(action), None, BARE)

    assert found.action is action


@pytest.mark.parametrize(
    "text",
    [
        "car-url u1 https://a.example.com/live2/5ECRE7",
        "car-url rtmp://a.example.com/live2/5ECRE7 u1",
        "car-url user=rtmp://a.example.com/live2/5ECRE7 pushurl=rtmp://b.example.com/x",
        "car-url u1 rtmp://a.example.com/live2/5ECRE7 rtmp://a.example.com/live2/5ECRE7",
        "car-ulr u1 rtmp://a.example.com/live2/5ECRE7",
        "rtmp://a.example.com/live2/5ECRE7 u1",
        "car-url u1 pushurl=5ECRE7",
        "car-url u1 PublishStreamUrl=5ECRE7",
        "car u1 rtmp://a.example.com/live2/5ECRE7",
        "ingest 42 rtmp://a.example.com/live2/5ECRE7 robot1",
        "ingest 42 rtmp://a.example.com/x robot1 5ECRE7 type=2",
        "ingest 42 rtmp://a.example.com/x robot1 sig=5ECRE7 type=2",
        "ingest 42 rtmp://a.example.com/x robot1 UserSig=5ECRE7 mapkey=5ECRE7 type=2",
        "car u1 args = 5ECRE7",
        "car u1 args =5ECRE7",
        "car u1 args= 5ECRE7",
        "car u1 args: 5ECRE7",
        "car u1 args： 5ECRE7",
        "car u1 args 5ECRE7",
        "car u1 argz=5ECRE7",
        "car u1 user=u2 5ECRE7 b=5ECRE7",
        "car u1 b=5ECRE7 '5ECRE7",
        "booth b=5ECRE7 '5ECRE7",
        "car-url u1 pushurl 5ECRE7",
        "ingest 42 pullurl = 5ECRE7",
        "ingest 42 robot1 pullurl = 5ECRE7",
        "ingest 42 rtmp://a.example.com/x robot1 sig 5ECRE7",
    ],
)
def test_parser_error_never_contains_secret_value(text: str) -> None:
    """No parse error contains the value of a secret parameter, however it was typed."""
    with pytest.raises(ParseError) as caught:
        read(text, Effect.START)
    error = caught.value

    assert "5ECRE7" not in error.text + error.sentence + error.suggestion
    assert "5ECRE7" not in caret(error)


def test_format_command_hides_secret_parameter() -> None:
    """A formatted command shows a secret parameter as hidden."""
    spelled = format_command(command("car-url u1 rtmp://a.example.com/live2/5ECRE7", Effect.START))

    assert "5ECRE7" not in spelled
    assert "PublishStreamURL=[hidden]" in spelled


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


def test_parser_refuses_action_missing_on_site() -> None:
    """An action that exists only on the mainland site is refused on the international one."""
    intl = Vocabulary(ACTIONS, {}, {}, "", SITES | {"live": "intl"})

    assert command("status pad", None, BARE).action.only == "mainland"
    with pytest.raises(ParseError, match="exists on the mainland site alone"):
        read("status pad", None, vocabulary=intl)
    found = command("pad stream1 DomainName=a.example.com", Effect.START, intl)
    assert found.params["PushDomainName"] == "a.example.com"


def test_parser_error_hides_secret_default() -> None:
    """An error about a secret default from the policy does not show its value."""
    told = Vocabulary(ACTIONS, {"car-url": {"PublishStreamURL": "live2/5ECRE7"}}, {}, "", SITES)

    with pytest.raises(ParseError, match="hidden") as caught:
        read("car-url u1", Effect.START, vocabulary=told)
    assert "5ECRE7" not in str(caught.value)


def test_parser_finds_api_name_under_every_verb() -> None:
    """A full API name selects its action whatever the verb is."""
    for verb in (None, Effect.STOP, Effect.START):
        assert command("ResumeLiveStream StreamName=stream1", verb).action is by_api(
            "ResumeLiveStream"
        )


# --- the ways in that people take at night -----------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it's late'", "it's late"),
        ("‘it’s late’", "it’s late"),
        ("„late“", "late"),
        ("«late at night»", "late at night"),
        ('"a"\'"\'"b"', 'a"b'),
        ("“a\u00a0b”", "a b"),
        ('"use `x` now"', "use `x` now"),
        ("`late`", "late"),
        ("late.", "late."),
        ("a&amp;b", "a&b"),
        ("&amp;amp;", "&amp;"),
        ('"a &copy b"', "a &copy b"),
        ("&lt;!here&gt;", "<!here>"),
        ("<@U1|bob>", "@U1"),
        ("<#C1|general>", "#C1"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<tel:123|123>", "123"),
        ("<http://a.b/c|here>", "http://a.b/c"),
        ("<https://a.b/c|a.b/c>", "a.b/c"),
        ("\ud800", "\ufffd"),
    ],
)
def test_tokenizer_unescapes_value_as_typed(text: str, value: str) -> None:
    """A value is what the user typed, after quotes and Slack's escapes are undone."""
    assert command(f"ban stream1 reason={text}").params["Reason"] == value


@pytest.mark.parametrize(
    "text",
    ["`live stream1`", "```live stream1```", "live `stream=stream1`", "live --stream `stream1`"],
)
def test_tokenizer_ignores_backticks(text: str) -> None:
    """Backticks around a command or a part of it do not change its meaning."""
    assert dict(command(text).params) == STREAM


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


# --- targets -------------------------------------------------------------------------

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


@pytest.mark.parametrize(
    ("text", "verb", "meant", "says"),
    [
        ("main-stage other", Effect.STOP, "other", "one word too many"),
        ("record Studio 43", Effect.STOP, "43", "one word too many"),
        ("again", Effect.STOP, "again", "wrong in the policy file: There is no kind"),
        ("broken", Effect.STOP, "broken", "wrong in the policy file: "),
        ("empty", Effect.STOP, "empty", "It names no kind"),
        ("Studio", Effect.START, "Studio", "StopLiveRecord, which cannot be started"),
        ("status Studio", None, "Studio", "has no status to read"),
        ("live lobby", Effect.STOP, "lobby", "names no stream; write stream=lobby"),
        ("main-stage", None, "main-stage", '"stop main-stage …"'),
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
    with pytest.raises(ParseError, match="cannot be started; /startstream live … takes it back"):
        read("stage", Effect.START, told)


@pytest.mark.parametrize(
    "text", ["unban x", "unbann x", "unforbidlivestream x", "resumelivestrem x", "startcar x"]
)
@pytest.mark.parametrize("verb", [Effect.STOP, Effect.START, None])
def test_suggestions_never_offer_stop_for_start(text: str, verb: Effect | None) -> None:
    """A misspelt word that means start is never answered with an action that stops."""
    with pytest.raises(ParseError) as caught:
        read(text, verb)

    assert caught.value.suggestion in ("", "ResumeLiveStream")


def test_synonyms_have_summary_and_are_no_kind() -> None:
    """An action with synonyms has a summary, and no synonym is an action's own word."""
    words = {action.words for action in ALL_ACTIONS}

    for action in ALL_ACTIONS:
        assert bool(action.synonyms) == bool(action.summary)
        assert not words & set(action.synonyms)


def test_parser_error_shows_example_unredacted() -> None:
    """The example in a parse error is complete and not redacted."""
    with pytest.raises(ParseError) as missing:
        read("ingest 12", Effect.START, BARE)
    with pytest.raises(ParseError) as empty:
        read("car u1 args=", Effect.START)

    assert "pullurl=rtmp://pull.example.com/live/stream1 user=" in missing.value.sentence
    assert "[hidden]" not in missing.value.sentence
    assert empty.value.sentence.endswith("write args=….")


def test_parser_redacts_key_in_case() -> None:
    """A stream key typed in a case is redacted."""
    assert command("live stream1 case=txSecret:5ECRE7").case == "txSecret:[hidden]"


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


# --- addresses -----------------------------------------------------------------------


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


def test_parser_strips_key_from_stream_name() -> None:
    """A key that follows a stream name is dropped, and one in free text is redacted."""
    for text in ("live stream1?txSecret=5ECRE7&amp;txTime=5F", "live 'stream1&txSecret=5ECRE7'"):
        assert dict(command(text).params) == STREAM
    assert command("ban stream1 reason='the token=5ECRE7 leaked'").params["Reason"] == (
        "the token=[hidden] leaked"
    )


@given(
    st.sampled_from(
        ["live ", "lvie ", "car ", "record x ", "status ", "", "main-stage ", "audit "]
    ),
    st.sampled_from(["rtmp", "srt", "webrtc", "https", "nope"]),
    st.sampled_from(["?", "&", "?a=b&", "?a=b&amp;"]),
    st.sampled_from(["txSecret=", "txSecret%3D", "wsSecret="]),
    st.sampled_from(["", " domain=x", " app=y", " 'z", " extra words", " --help", " region=q"]),
)
def test_parser_never_keeps_stream_key(
    begin: str, scheme: str, sign: str, name: str, after: str
) -> None:
    """No parse result and no parse error keeps the key of a stream URL."""
    text = f"{begin}{scheme}://push.a.b/live/x{sign}{name}5ECRE7{after}"
    try:
        left = repr(read(text))
        left += repr(dict(found.params)) if isinstance(found := read(text), Command) else ""
    except ParseError as error:
        left = error.sentence + error.text + error.suggestion + caret(error)
        assert error.__context__ is None
    assert "5ECRE7" not in left


# --- actions of another make -----------------------------------------------------------

_MADE = Product("made", version="2020-01-01", site="intl")


def _action(api: str, words: str, effect: Effect, *params: Param) -> Action:
    return Action(
        api=api,
        words=words,
        does="Do it.",
        product=_MADE,
        effect=effect,
        repeatable=True,
        per_second=1,
        params=params,
        errors=(),
        effect_spec=EffectSpec(SESSION, ("Id",)),
        regions={"mainland": ("ap-guangzhou",)} if effect is Effect.CHANGE else None,
    )


_ID = Param("Id", "id", any_text, "its id")
_KEY = Param("PushUrl", "url", any_text, "the push URL", secret=True)
_ON = Param("Enabled", "on", yes_or_no, "whether", required=False)
_FAR = Param("Far", "far", any_text, "far away", only="mainland")
_NUMBER = Param("Count", "count", whole, "how many", required=False)
MADE = Vocabulary(
    (
        _action("OpenMade", "made", Effect.START, _ID, _KEY, _ON),
        _action("CloseMade", "made", Effect.STOP, _FAR, _ID, _ON, _NUMBER),
        _action("BendMade", "bend", Effect.CHANGE, _ID),
    ),
    {"CloseMade": {"Count": 3}, "made": {"Count": 2, "Enabled": False}, "bend": {"Id": "b"}},
    {},
    "",
    {},
    {"default": Account(), "second": Account()},
    "default",
)


def test_defaults_of_api_win_over_kind_and_typed_over_both() -> None:
    """A default for the API wins over one for its kind, and a typed value wins over both."""
    assert dict(command("made m", vocabulary=MADE).params) == {
        "Id": "m",
        "Enabled": False,
        "Count": 3,
    }
    found = command("made m on=yes --Count 0", vocabulary=MADE)
    assert dict(found.params) == {"Id": "m", "Enabled": True, "Count": 0}


def test_parser_refuses_parameter_missing_on_site() -> None:
    """A parameter that only the other site has is refused when it is typed."""
    with pytest.raises(ParseError, match="far exists on the mainland site alone"):
        read("made m far=x", vocabulary=MADE)


def test_parser_accepts_configured_accounts_only() -> None:
    """An account must be one of those configured; a misspelt one gets a suggestion."""
    assert command("made m account=second", vocabulary=MADE).account == "second"
    assert command("made m", vocabulary=MADE).account == "default"
    with pytest.raises(ParseError, match='Did you mean "second"') as e:
        read("made m Account=secnd", vocabulary=MADE)
    assert e.value.text[e.value.start : e.value.end] == "secnd"
    with pytest.raises(ParseError, match="no account"):
        read("live stream1 account=prod")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("made m url=rtmp://x/5ECRE7 bogus=1", "bogus"),
        ("made m rtmp://x/5ECRE7 bogus=1", "bogus"),
        ("made m u extra5ECRE7", "[hidden]"),
        ("mdae m url=rtmp://x/5ECRE7", "mdae"),
        ("made m PUSHURL=rtmp://x/5ECRE7 PushUrl=2", "PushUrl=[hidden]"),
        ('made m --url "rtmp://x/5ECRE7', "[hidden]"),
        ('made m url=rtmp://x/5ECRE7 "open', "[hidden]"),
        ("made m url=\u00905ECRE7", "url=[hidden]"),
    ],
)
def test_parser_error_keeps_span_after_redaction(text: str, meant: str) -> None:
    """A parse error hides a secret value and still marks the right words."""
    with pytest.raises(ParseError) as caught:
        read(text, Effect.START, MADE)

    error = caught.value
    assert "5ECRE7" not in error.sentence + error.text + error.suggestion
    assert error.text[error.start : error.end] == meant


def test_parser_requires_api_name_for_action_without_verb() -> None:
    """An action that no verb reaches must be called by its API name."""
    with pytest.raises(ParseError, match='"BendMade …"'):
        read("bend x", None, MADE)
    with pytest.raises(ParseError, match="/stopstream BendMade …"):
        read("bend x", Effect.STOP, MADE)
    with pytest.raises(ParseError, match="not offered on the intl site"):
        read("BendMade", Effect.STOP, MADE)


@pytest.mark.parametrize(
    ("text", "verb", "meant", "says"),
    [
        ("ban x", Effect.START, "ban", "cannot be started; there is /stopstream ban …"),
        ("status record x", None, "record", "has no status to read"),
        ("status StopLiveRecord x", Effect.STOP, "StopLiveRecord", "has no status to read"),
        ("unban x", Effect.STOP, "unban", 'kind "unban"; /startstream live … lifts a ban.'),
        ("unban", Effect.START, "unban", 'kind "unban"; /startstream live … lifts a ban.'),
        ("unban x", None, "unban", "; /startstream live … lifts a ban."),
        ("resume live x", Effect.STOP, "resume", "; /startstream live … lifts a ban, and /stop"),
        ("Unpause x", Effect.STOP, "Unpause", "/stopstream pause … paused=no lets what is paused"),
        ("restart x", Effect.START, "restart", "/startstream live … lifts a ban."),
        ("kill x", Effect.STOP, "kill", "/stopstream live … cuts a live stream."),
        ("forbid x", Effect.STOP, "forbid", "/stopstream ban … cuts a stream and keeps it off."),
        ("ban x", Effect.START, "ban", "and /startstream live … takes it back."),
        ("car-url x", Effect.STOP, "car-url", "and /stopstream car … takes it back."),
        ("whoami x", Effect.STOP, "x", "stands alone"),
        ("audit since=1d since=2d", Effect.STOP, "since=2d", "one since="),
        ("live s --domain --app x", Effect.STOP, "--domain", "has no value; write domain=…"),
        ("live s domain= x", Effect.STOP, "domain=", "has no value"),
        ("live s --dry-run", Effect.STOP, "dry-run", "takes no"),
        ("live s —domian a.b", Effect.STOP, "domian", 'Did you mean "domain"'),
        ("ingest t region=ap-mumbai Region=x", Effect.STOP, "Region=x", "given twice"),
        ("live s reason='a", Effect.STOP, "'a", "not closed"),
        ("ban s for=1d 'a'b", Effect.STOP, "'a'b", "not closed"),
    ],
)
def test_parser_error_marks_words_and_suggests_command(
    text: str, verb: Effect | None, meant: str, says: str
) -> None:
    """A parse error marks the wrong words and says what to write instead."""
    with pytest.raises(ParseError) as caught:
        read(text, verb)

    error = caught.value
    assert error.text[error.start : error.end] == meant
    assert says in error.sentence


def test_parser_status_of_stop_api_returns_read() -> None:
    """Asking for the status of a stopping API gives its read, not the stop."""
    assert command("status DropLiveStream stream1").action.api == "DescribeLiveStreamState"


def test_parser_names_missing_parameter_with_example() -> None:
    """A missing parameter is named at the end of the text with a complete example."""
    with pytest.raises(ParseError) as caught:
        read("record stream1", vocabulary=BARE)

    error = caught.value
    assert error.sentence.startswith("task is missing: the number that")
    assert "/stopstream record stream1 task=1234" in error.sentence
    assert error.start == error.end == len(error.text)


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


def test_stream_url_fills_only_parameters_of_action() -> None:
    """A stream URL fills only the parameters that the action takes."""
    found = command("record rtmp://push.a.b/live/s 42", vocabulary=BARE)
    assert dict(found.params) == {"StreamName": "s", "TaskId": 42}


@pytest.mark.parametrize(
    ("defaults", "says"),
    [
        ({"ingest": {"SdkAppId": "many"}}, 'default "many" for SdkAppId is not a whole number'),
        ({"ingest": {"SdkAppId": 1, "Region": "mars"}}, '"mars", which the configuration fills in'),
    ],
)
def test_parser_reports_invalid_default_as_configuration(
    defaults: dict[str, dict[str, str | int | bool]], says: str
) -> None:
    """An unusable default is reported as configuration and not as typed text."""
    with pytest.raises(ParseError) as caught:
        read("ingest t", vocabulary=Vocabulary(ACTIONS, defaults, {}, "", SITES))

    assert says in caught.value.sentence
    assert caught.value.start == caught.value.end


def test_region_falls_back_to_configured_one() -> None:
    """The configured region is used when neither the text nor the policy gives one."""
    spoken = Vocabulary(ACTIONS, {"trtc": {"SdkAppId": 1}}, {}, "ap-mumbai", SITES)
    found = command("ingest t", vocabulary=spoken)

    assert found.region == "ap-mumbai"
    assert command(format_command(found), vocabulary=BARE) == found


# --- the ways back ---------------------------------------------------------------------

_VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
    st.lists(
        st.sampled_from(
            ["<", ">", "&", "amp;", "lt;", "!here", "|", '"', "”", "'", "’", "`", " ", "a"]
        ),
        min_size=1,
        max_size=12,
    ).map("".join),
)


@given(_VALUES, _VALUES, st.booleans())
def test_format_command_round_trips_through_parser(name: str, why: str, slack: bool) -> None:
    """A formatted command parses back to itself, also with Slack's escapes."""
    ban = by_api("ForbidLiveStream")
    params = STREAM | {"StreamName": name, "Reason": why}
    written = format_command(Command(ban, params))
    if "://" in name or "[hidden]" in redact(written):
        return
    if slack:
        written = written.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    found = command(written)

    assert found == Command(ban, params)
    assert command(format_command(found)) == found


@given(st.booleans(), st.integers(0, 2**64 - 1), st.sampled_from(["default", "second"]))
def test_format_command_keeps_typed_values_and_account(on: bool, count: int, account: str) -> None:
    """Booleans, integers and the account survive formatting and parsing."""
    close = MADE.actions[1]
    asked = Command(close, {"Id": "i", "Enabled": on, "Count": count}, account=account)

    assert command(format_command(asked), vocabulary=MADE) == asked


@pytest.mark.parametrize(
    ("text", "start", "end", "shown"),
    [
        ("live strem1 domain=", 5, 11, "live strem1 domain=\n     ^^^^^^"),
        ("live", 4, 4, "live\n    ^"),
        ("a\nb\x1bc", 2, 3, "a␊b␛c\n  ^"),
        ("舞台 x", 3, 4, "舞台 x\n     ^"),
        ("e\u0301 x", 3, 4, "e\u0301 x\n  ^"),
        ("", 0, 0, "\n^"),
    ],
)
def test_caret_underlines_error_span(text: str, start: int, end: int, shown: str) -> None:
    """The caret line underlines the error's span, also below wide or control characters."""
    assert caret(ParseError("x", text=text, start=start, end=end)) == shown


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_caret_excerpts_long_text_around_span(text: str, start: int, length: int) -> None:
    """A long text is cut to at most 74 characters around the error's span."""
    start = min(start, len(text))
    error = ParseError("x", text=text, start=start, end=min(start + length, len(text)))

    line, under = caret(error).split("\n")

    assert len(line) <= 74
    assert set(under) <= {" ", "^"}
    assert "^" in under
