"""Alerts: what they name is found, keys are not, and the form that it fills in is sent by hand."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import by_api
from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox
from bot.commands.alerts import MOST, find_candidates
from tests.support.worlds import sandbox

FULL = {"StreamName": "cam-7", "AppName": "live", "DomainName": DOMAIN}
NAME = {"StreamName": "cam-7"}

json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=40)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "blocks", "elements", "url", "title"]), inner)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["text", "blocks", "attachments"]), json))
def test_alert_parser_accepts_any_message(message: dict[str, Any]) -> None:
    """Any message can be parsed, and candidates have only parameters of their action."""
    for one in find_candidates(message):
        assert set(one.params) <= {param.api for param in by_api(one.api).params}


@pytest.mark.parametrize(
    ("message", "params"),
    [
        (
            {"text": f"&lt;x&gt; <rtmp://{DOMAIN}/live/cam-7?txSecret=5ECRE7&amp;txTime=1>"},
            {"StreamName": "cam-7", "AppName": "live", "DomainName": DOMAIN},
        ),
        (
            {"text": "http://play.example.com/live/cam-7.flv stalls"},
            {"StreamName": "cam-7", "AppName": "live"},
        ),
        ({"text": "hls: https://cdn.example.com/live/cam-7.m3u8?txSecret=5ECRE7"}, None),
        ({"text": "webrtc://play.example.com/live/cam-7"}, None),
        ({"blocks": [{"type": "section", "text": {"text": "*Stream:* `cam-7`"}}]}, None),
        ({"attachments": [{"fields": [{"title": "StreamName", "value": "cam-7"}]}]}, None),
        ({"attachments": [{"fallback": "Task ID = t-99"}]}, {"TaskId": "t-99"}),
    ],
)
def test_alert_parser_finds_streams_and_tasks(
    message: dict[str, Any], params: dict[str, str] | None
) -> None:
    """URLs, labels, blocks and attachments yield their stream or task, without keys."""
    (found,) = find_candidates(message)

    if params is None:
        assert found.params["StreamName"] == "cam-7"
    else:
        assert dict(found.params) == params
    assert "5ECRE7" not in str(found)


def test_alert_parser_ignores_other_urls_and_limits_results() -> None:
    """An unrelated URL yields no candidate, and many labels yield a bounded number."""
    assert find_candidates({"text": "all is well: https://status.example.com/page?stream"}) == ()
    assert len(find_candidates({"text": " ".join(f"stream: s{n}" for n in range(50))})) == MOST


@pytest.mark.parametrize(
    "text",
    [
        "rtmp://{}/live/cam-7: Input/output error",
        "*rtmp://{}/live/cam-7*",
        "_rtmp://{}/live/cam-7_ stalls",
        "[rtmp://{}/live/cam-7] stalls",
        "rtmp://{}/live/cam-7!",
        "rtmp://{}/live/cam-7，断流",
        "stream: rtmp://{}/live/cam-7 stalls",
        "stream: {}/live/cam-7",
        "stream cam-7, stream: cam-7, rtmp://{}/live/cam-7 and http://play.b.c/live/cam-7.flv",
    ],
)
def test_alert_parser_ends_a_url_before_punctuation(text: str) -> None:
    """A stream URL is read without the markup, punctuation or text around it."""
    assert [dict(one.params) for one in find_candidates({"text": text.format(DOMAIN)})] == [FULL]


_PLACED = {"StreamName": "cam-7", "DomainName": "push.a.example", "AppName": "vip"}


@pytest.mark.parametrize(
    "text",
    [
        "Stream: cam-7\nDomain: push.a.example\nApp: vip",
        "*Stream name:* `cam-7`\n*Push domain:* `push.a.example`\n*App name:* `vip`",
        '{"StreamName":"cam-7","DomainName":"push.a.example","AppName":"vip"}',
        '{"stream_id": "cam-7", "domain": "push.a.example", "appname": "vip"}',
        r"{\"stream\":\"cam-7\",\"vhost\":\"push.a.example\",\"app\":\"vip\"}",
        "流名称：cam-7\n推流域名：push.a.example\n应用名称：vip",
        "流名: cam-7 域名: push.a.example 应用: vip",
        "http://play.a.example/vip/cam-7.flv stalls, push domain: push.a.example",
        "client identified, type=fmle-publish, vhost=push.a.example, app=vip, stream=cam-7, param=",
        "vhost=push.a.example new source, stream_url=/vip/cam-7",
        "stream_url: push.a.example/vip/cam-7",
        "[Trace][1][a1] source url=push.a.example/vip/cam-7, ip=10.0.0.1, cache=1",
        "push.a.example/vip/cam-7 is down",
        "Server: rtmp://push.a.example/vip/\nStream Key: cam-7?txSecret=5ECRE7",
        "*Server:* <rtmp://push.a.example/vip/>\n*Stream key:* `cam-7?txSecret=5ECRE7`",
        "服务器: rtmp://push.a.example/vip\n串流密钥: cam-7?txSecret=5ECRE7",
        '{"event_type":0,"app":"push.a.example","appname":"vip","stream_id":"cam-7"}',
        '{"stream": {"name": "cam-7", "app": "vip"}, "domain": "push.a.example"}',
        '10.0.0.1 [26/Nov/2026] PUBLISH "vip" "cam-7" "txSecret=5ECRE7" domain=push.a.example',
        "vhost=push.a.example connect: app='vip' publish: name='cam-7' args='txSecret=5ECRE7'",
    ],
)
def test_alert_parser_keeps_own_domain_and_path(text: str) -> None:
    """The domain and the path that an alert names come with its stream, and no key."""
    found = find_candidates({"text": text})

    assert [dict(one.params) for one in found] == [_PLACED]
    assert "5ECRE7" not in str(found)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Stream: main stage", ["main stage", "main"]),
        ("*Stream:* Main Stage", ["Main Stage", "Main"]),
        ("stream=main stage", ["main stage", "main"]),
        ("Stream name: east wing lobby\nRegion: eu", ["east wing lobby", "east"]),
        ("Stream: main stage is down", ["main"]),
        ("Stream: lobby dropped", ["lobby"]),
        ("Stream: lobby has been offline", ["lobby"]),
        ("stream: cam-7 backup", ["cam-7"]),
        ("Stream: lobby", ["lobby"]),
    ],
)
def test_alert_parser_offers_unquoted_words_as_one_name_first(text: str, names: list[str]) -> None:
    """Words that stand alone after a label may be one name: it comes first, the first word next."""
    assert [one.params["StreamName"] for one in find_candidates({"text": text})] == names


@pytest.mark.parametrize(
    "text",
    ['Stream: "Main Stage" is down', "Stream name: `Main Stage`", '{"StreamName":"Main Stage"}'],
)
def test_alert_parser_reads_quoted_name_of_several_words(text: str) -> None:
    """A quoted name may have several words."""
    assert [dict(one.params) for one in find_candidates({"text": text})] == [
        {"StreamName": "Main Stage"}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Stream: cam-7, domain: push.a.example, domain: push.b.example",
        "Stream: cam-7, domain: play.a.example",
    ],
)
def test_alert_parser_ignores_unclear_domain(text: str) -> None:
    """Several domains, or one for playing, are left to the person who reads the form."""
    assert [dict(one.params) for one in find_candidates({"text": text})] == [NAME]


def test_alert_parser_distinguishes_urls_of_one_stream_name() -> None:
    """URLs with the same stream name but another domain or app are separate candidates."""
    text = "rtmp://a.b/live/s1,rtmp://c.d/live/s1 rtmp://a.b/vip/s1 rtmp://a.b/live/s1 stream: s1"

    found = [
        (one.params["DomainName"], one.params["AppName"]) for one in find_candidates({"text": text})
    ]
    assert found == [("a.b", "live"), ("c.d", "live"), ("a.b", "vip")]


@pytest.mark.parametrize(
    "text",
    [
        '{"StreamName":"cam-7"}',
        '{"event_type":0,"stream_id":"cam-7","sequence":"1"}',
        r"{\"stream_id\":\"cam-7\"}",
        "Stream ID: cam-7",
        "*Stream*\ncam-7\n*Status*\ndown",
        "Stream：cam-7，断流",
        "Stream：cam-7断流",
        "Affected stream name = `cam-7`.",
        "liveStreamName: cam-7",
        "*Stream:* _cam-7_",
        "Stream:\n• cam-7",
        "Stream: <https://grafana.b.c/d/1|cam-7> stalls",
        "Stream: cam-7: Input/output error",
        "stream `cam-7` is down",
        "stream 'cam-7' is down",
        "Stream: 「cam-7」",
        "stream -> cam-7",
        "stream.name=cam-7",
        "Stream cam-7 is down",
        "stream: cam-7?txSecret=5ECRE7",
    ],
)
def test_alert_parser_reads_a_labelled_stream_name(text: str) -> None:
    """A stream name is found by its label in JSON, markup and plain text."""
    assert [dict(one.params) for one in find_candidates({"text": text})] == [NAME]


@pytest.mark.parametrize(
    "text",
    [
        "Stream:\nDomain: a.b",
        "Stream: Domain: a.b",
        "Stream:\nPush domain: a.b",
        "*Stream*\n*Status*\ndown",
        "Upstream: cdn-01",
        "Streams: 12, of 40 all in all",
        "Stream: down",
        "Stream: cam+7",
        "Task ID: a/b",
        "Last stream: 12:30:45",
        "Stream: rtmp://nowhere stalls",
        "we lost the stream\nplease look",
        "[rtmp stream: 'adv_stream'] Connecting to RTMP URL rtmp://push.a.example/vip/...",
        "play.a.example/vip/cam-7 stalls",
        '"upstream": {"name": "cam-7"}',
        '"StreamName": null, "x": "Stream: n/a"',
        "stream: txSecret=5ECRE7, stream key: 5ECRE7",
        "stream: " + "a" * 300,
    ],
)
def test_alert_parser_rejects_a_label_without_a_name(text: str) -> None:
    """A label followed by no valid name yields no candidate."""
    assert find_candidates({"text": text}) == ()


@pytest.mark.parametrize(
    "text", ["Streams: cam-1, cam-2, cam-3", '{"stream_ids": ["cam-1","cam-2", "cam-3"]}']
)
def test_alert_parser_splits_a_list_of_names(text: str) -> None:
    """A list of stream names yields one candidate for each name."""
    found = [dict(one.params) for one in find_candidates({"text": text})]
    assert found == [{"StreamName": f"cam-{n}"} for n in (1, 2, 3)]


def test_alert_parser_reads_the_app_before_the_name() -> None:
    """A label with app/name yields both the AppName and the StreamName."""
    (found,) = find_candidates({"text": "Stream: live/cam-7"})
    assert dict(found.params) == {"StreamName": "cam-7", "AppName": "live"}


def line(*texts: str) -> dict[str, Any]:
    elements = [{"type": "text", "text": text} for text in texts]
    inside = {"type": "rich_text_section", "elements": elements}
    return {"blocks": [{"type": "rich_text", "elements": [inside]}]}


def table(*rows: str) -> dict[str, Any]:
    cells = [[{"type": "raw_text", "text": text} for text in row.split()] for row in rows]
    return {"blocks": [{"type": "table", "rows": cells}]}


@pytest.mark.parametrize(
    "message",
    [
        line("Stream: ", "cam-7", " is down"),
        line("Stream", ": cam-7 is down"),
        {"attachments": [{"message_blocks": [{"message": line("Stream: ", "cam-7")}]}]},
        table("Stream Status", "cam-7 down"),
        table("Stream cam-7", "Status down"),
        table("Field Value", "Stream cam-7"),
        {"attachments": [{"title": "down", "title_link": "http://play.b.c/live/cam-7.flv"}]},
    ],
)
def test_alert_parser_reads_rich_text_tables_and_forwards(message: dict[str, Any]) -> None:
    """A stream name is found in rich text, tables and forwarded messages."""
    (found,) = find_candidates(message)
    assert found.params["StreamName"] == "cam-7"


@pytest.mark.parametrize("piece", ["rtmp://a,,", "\n", "*_", "stream: ", "<a:", "Stream\n", "_- "])
def test_alert_parser_reads_a_long_message_in_two_seconds(piece: str) -> None:
    """A very long and repetitive message is parsed in less than two seconds of CPU time."""
    before = time.process_time()
    find_candidates({"text": piece[:8] + piece[-1] * 9000 + piece * 5000})
    assert time.process_time() - before < 2


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def test_alert_shortcut_stops_a_stream_in_the_alert_thread(world: Sandbox) -> None:
    """The shortcut on an alert fills the form, stops the stream and answers in its thread."""
    slack = world.slack
    text = f"stream2 and rtmp://{DOMAIN}/live/stream1?txSecret=5ECRE7 stall, stream: stream2"
    alert = slack.say(INCIDENTS, "U0BOB", text)
    alice = slack.person("U0ALICE")
    await alice.shortcut("stop_in_message", INCIDENTS, alert.ts)
    view = await alice.modal()
    assert "5ECRE7" not in str(view)
    fields = {b.get("block_id"): b for b in view["blocks"]}
    assert fields["param:StreamName"]["element"]["initial_value"] == "stream1"

    await alice.choose("choose-found", "1")
    await slack.wait_for(lambda: "'initial_value': 'stream2'" in str(slack.modals["U0ALICE"]))
    ack = await alice.submit()
    assert ack.body.get("response_action") in (None, "clear"), ack.body

    channel = slack.channels[INCIDENTS]
    await slack.wait_for(lambda: any("*Accepted*" in m.text for m in channel.thread(alert.ts)))
    assert world.cloud.ran("DropLiveStream")[0].params["StreamName"] == "stream2"


async def test_alert_form_changes_its_action_with_the_candidate(world: Sandbox) -> None:
    """Choosing a candidate of another type changes the form's action and fills its fields."""
    slack = world.slack
    alert = slack.say(INCIDENTS, "U0BOB", "Stream: stream1\nTask ID: t-9")
    alice = slack.person("U0ALICE")
    await alice.shortcut("stop_in_message", INCIDENTS, alert.ts)
    await alice.modal()
    await alice.choose("choose-found", "1")
    await slack.wait_for(lambda: "param:TaskId" in slack.modals["U0ALICE"]["state"]["values"])
    values = slack.modals["U0ALICE"]["state"]["values"]

    (what,) = values["action"].values()
    assert what["selected_option"]["value"] == "StopRecordTask"
    (task,) = values["param:TaskId"].values()
    assert task["value"] == "t-9"


async def test_alert_form_offers_only_candidates_it_can_fill(world: Sandbox) -> None:
    """The form omits the candidates that do not fit, and its last one still fills the field."""
    slack = world.slack
    names = [f"{n}{'x' * 189}" for n in range(10)]
    alert = slack.say(INCIDENTS, "U0BOB", "\n".join(f"rtmp://p.b.c/live/{name}" for name in names))
    alice = slack.person("U0ALICE")
    await alice.shortcut("stop_in_message", INCIDENTS, alert.ts)
    view = await alice.modal()
    options = view["blocks"][0]["element"]["options"]
    assert 1 < len(options) < len(names)
    last = options[-1]["value"]
    await alice.choose("choose-found", last)

    def held() -> bool:
        values = slack.modals["U0ALICE"]["state"]["values"]
        return names[int(last)] in str(values["param:StreamName"])

    assert await slack.wait_for(held)


async def test_alert_shortcut_reports_that_nothing_was_found(
    world: Sandbox,
) -> None:
    """An alert without a candidate is reported; the global shortcut asks for a channel."""
    slack = world.slack
    alert = slack.say(INCIDENTS, "U0BOB", "something is wrong")
    await slack.person("U0ALICE").shortcut("stop_in_message", INCIDENTS, alert.ts)
    assert "Nothing that can be stopped" in str(await slack.person("U0ALICE").modal())

    await slack.person("U0BOB").shortcut("open_form")
    assert "conversations_select" in str(await slack.person("U0BOB").modal())
