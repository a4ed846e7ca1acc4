"""What people type, and what it means; every mistake is a sentence with its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import links
from bot.catalog import ACTIONS, PRODUCTS, by_api
from bot.errors import ParseError
from bot.model import Command, Effect
from bot.parse import Audit, Form, Help, Vocabulary, WhoAmI, example, mark, parse, spell

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
        "main-stage",
        "live main-stage",
        "stop live stream1",
        "/stopstream live stream1",
    ],
)
def test_one_meaning_however_it_is_written(text: str) -> None:
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
def test_each_kind_fills_its_parameters(
    text: str, verb: Effect | None, api: str, params: dict[str, Any], region: str
) -> None:
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
def test_what_is_no_action_is_understood_too(
    text: str, verb: Effect | None, wanted: object
) -> None:
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
        ("rtmp://push.a.b/live/x", "rtmp://push.a.b/live/x", "ban keeps it off"),
        ("stream=x", "stream=x", "Say first"),
        ("audit since=soon", "since=soon", "length of time"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(text: str, meant: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(text)

    error = caught.value
    assert error.text[error.start : error.end] == meant
    assert says in error.sentence
    assert "\n" not in error.sentence


def test_what_a_mention_should_say_is_said() -> None:
    with pytest.raises(ParseError, match='"stop live …"'):
        read("live stream1", None)


def test_a_play_address_without_a_default_asks_for_the_push_domain() -> None:
    with pytest.raises(ParseError, match="push domain"):
        read("live https://play.example.com/live/s.m3u8", vocabulary=BARE)
    found = command(f"live https://play.example.com/live/s.m3u8 domain={DOMAIN}", vocabulary=BARE)
    assert found.params["DomainName"] == DOMAIN


def test_a_push_address_and_another_domain_contradict_each_other() -> None:
    for text in (
        f"live rtmp://{DOMAIN}/live/stream1 domain=other.example.com",
        f"live domain=other.example.com rtmp://{DOMAIN}/live/stream1",
    ):
        with pytest.raises(ParseError, match="which one"):
            read(text)


@pytest.mark.parametrize("secret", ["txSecret=5ECRE7", "TXSECRET=5ECRE7", "wsSecret=5ECRE7"])
def test_stream_keys_are_in_no_command_and_no_mistake(secret: str) -> None:
    found = command(f"live rtmp://{DOMAIN}/live/stream1?{secret}&txTime=5F")
    assert "5ECRE7" not in repr(dict(found.params))

    with pytest.raises(ParseError) as caught:
        read(f"lvie rtmp://{DOMAIN}/live/stream1?{secret}&txTime=5F")
    assert "5ECRE7" not in caught.value.text + caught.value.sentence

    with pytest.raises(ParseError) as caught:
        read(f"car u1 rtmp://{DOMAIN}/live/stream1?{secret}")
    assert "5ECRE7" not in caught.value.text + caught.value.sentence


_PIECES = st.sampled_from(
    [
        *(
            [
                "live",
                "ban",
                "car",
                "ingest",
                "record",
                "status",
                "stop",
                "start",
                "help",
                "audit",
                "main-stage",
            ]
        ),
        *(
            [
                "stream=",
                "domain=",
                "--app",
                "—",
                "“",
                "”",
                "'",
                '"',
                "<http://a.b|a.b>",
                "<@U1|x>",
                "&lt;",
                "&amp;",
                "`",
            ]
        ),
        "rtmp://push.a.b/live/x?txSecret=1",
        DOMAIN,
        " ",
        "region=ap-singapore",
        "for=1d",
    ]
)


@given(
    st.one_of(st.text(), st.lists(st.one_of(_PIECES, st.text(max_size=5))).map(" ".join)),
    st.sampled_from([None, Effect.STOP, Effect.START]),
)
def test_any_text_parses_or_raises_a_marked_mistake(text: str, verb: Effect | None) -> None:
    try:
        found = read(text, verb)
    except ParseError as error:
        assert 0 <= error.start <= error.end <= len(error.text)
        assert mark(error).count("\n") == 1
        assert "^" in mark(error)
    else:
        if isinstance(found, Command):
            assert {p.api for p in found.action.params if p.required} <= set(found.params)
            if not any(p.secret for p in found.action.params):
                assert command(spell(found)) == found


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.api)
def test_each_example_in_the_help_can_be_pasted(action: Any) -> None:
    found = command(example(action), None, BARE)

    assert found.action is action


def test_a_hostile_text_is_read_in_no_time_that_grows_on_itself() -> None:
    for text in ("<" * 3999, "“" * 3999, "--" * 1999, "a=" * 1999, "rtmp://" * 500):
        with pytest.raises(ParseError):
            read("live " + text[:3900] + " x y z")


def test_only_what_a_link_says_is_taken_from_it() -> None:
    assert links.read("rtmp://push.a.b:1935/live/sub/s1?k=v") == links.Link(
        "push.a.b", "live/sub", "s1", "push"
    )
    for bad in ("rtmp://", "rtmp:///live/s", "rtmp://[::1", "https://a.b"):
        with pytest.raises(ValueError):  # noqa: PT011 (each has its own sentence)
            links.read(bad)


def test_an_action_is_found_by_its_own_name_under_every_verb() -> None:
    for verb in (None, Effect.STOP, Effect.START):
        assert command("ResumeLiveStream StreamName=stream1", verb).action is by_api(
            "ResumeLiveStream"
        )
