"""Alerts: what they name is found, keys are not, and the form that it fills in is sent by hand."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts import MOST, found_in
from bot.catalog import by_api
from bot.demo import DOMAIN, INCIDENTS, Sandbox, sandbox

json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=40)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "blocks", "elements", "url", "title"]), inner)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["text", "blocks", "attachments"]), json))
def test_whatever_a_message_holds_it_is_read(message: dict[str, Any]) -> None:
    for one in found_in(message):
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
def test_what_can_be_stopped_is_found(
    message: dict[str, Any], params: dict[str, str] | None
) -> None:
    (found,) = found_in(message)

    if params is None:
        assert found.params["StreamName"] == "cam-7"
    else:
        assert dict(found.params) == params
    assert "5ECRE7" not in str(found)


def test_nothing_is_made_up_and_many_are_bounded() -> None:
    assert found_in({"text": "all is well: https://status.example.com/page?stream"}) == ()
    assert len(found_in({"text": " ".join(f"stream: s{n}" for n in range(50))})) == MOST


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def test_a_stream_in_an_alert_is_stopped_in_its_thread(world: Sandbox) -> None:
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
    view = slack.modals["U0ALICE"]
    values = {
        b["block_id"]: {"value": {"value": b["element"]["initial_value"]}}
        for b in view["blocks"]
        if str(b.get("block_id", "")).startswith("param:") and "initial_value" in b["element"]
    }
    choice = {"choose-action": {"selected_option": {"value": "DropLiveStream"}}}
    ack = await alice.submit({"action": choice, **values})
    assert ack.body.get("response_action") in (None, "clear"), ack.body

    channel = slack.channels[INCIDENTS]
    thread = await slack.wait_for(
        lambda: found if len(found := channel.thread(alert.ts)) > 1 else None
    )
    assert world.cloud.ran("DropLiveStream")[0].params["StreamName"] == "stream2"
    assert "*Accepted.*" in thread[1].text


async def test_an_alert_that_names_nothing_says_so_and_the_global_shortcut_asks_for_a_channel(
    world: Sandbox,
) -> None:
    slack = world.slack
    alert = slack.say(INCIDENTS, "U0BOB", "something is wrong")
    await slack.person("U0ALICE").shortcut("stop_in_message", INCIDENTS, alert.ts)
    assert "Nothing that can be stopped" in str(await slack.person("U0ALICE").modal())

    await slack.person("U0BOB").shortcut("open_form")
    assert "conversations_select" in str(await slack.person("U0BOB").modal())
