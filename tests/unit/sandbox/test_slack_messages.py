"""The emulated workspace refuses messages and reads as Slack does, with its codes."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.faults import RESPONSE_URL
from bot.sandbox.slack.web_api import METHODS
from bot.sandbox.slack.workspace import Workspace
from tests.unit.sandbox.conftest import code

BUTTON = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Go"}}
BLOCKS = [{"type": "actions", "elements": [BUTTON]}]


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_faults_answer_any_method_with_any_code(
    slack: Workspace, client: AsyncWebClient, method: str
) -> None:
    """A method answers the chosen code as often as it was told to, and others are served."""
    slack.faults.refuse(method, "update_failed", times=2)

    codes = [await code(client.api_call(method)) for _ in range(3)]

    assert codes[:2] == ["update_failed"] * 2
    assert codes[2] != "update_failed"
    slack.faults.refuse(method, "team_added_to_org", times=None)
    codes = [await code(client.api_call(method)) for _ in range(3)]
    assert codes == ["team_added_to_org"] * 3
    slack.faults.clear()
    assert await code(client.api_call(method)) != "team_added_to_org"


async def test_faults_refuse_every_method(slack: Workspace, client: AsyncWebClient) -> None:
    """A refusal without a method is met by the next calls, whatever they are."""
    slack.faults.refuse("", "fatal_error", times=2)

    assert await code(client.auth_test()) == "fatal_error"
    assert await code(client.users_info(user="U0ALICE")) == "fatal_error"
    assert await code(client.auth_test()) == ""


async def test_faults_refuse_what_was_done(slack: Workspace, client: AsyncWebClient) -> None:
    """A call may be done although its answer is an error."""
    slack.faults.refuse("chat.postMessage", "fatal_error", done=True)

    assert await code(client.chat_postMessage(channel="C0INC", text="x")) == "fatal_error"

    assert [m.text for m in slack.channels["C0INC"].roots] == ["x"]


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"blocks": []}, "no_text"),
        ({"metadata": {"event_type": "e", "event_payload": {}}}, "no_text"),
        ({"text": "new"}, ""),
        ({"blocks": BLOCKS}, ""),
        ({"text": "new", "metadata": {"event_type": "e"}}, "invalid_metadata_schema"),
        ({"text": "new", "metadata": {}}, ""),
    ],
)
async def test_update_needs_text_or_blocks(
    slack: Workspace, client: AsyncWebClient, given: dict[str, Any], answer: str
) -> None:
    """chat.update without text and blocks is refused, and changes nothing."""
    message = slack.say("C0INC", slack.bot_user, "old", BLOCKS)
    message.metadata = {"event_type": "e", "event_payload": {"key": "k"}}

    update = client.api_call("chat.update", json={"channel": "C0INC", "ts": message.ts, **given})

    assert await code(update) == answer
    if answer:
        assert (message.text, message.blocks, message.edits) == ("old", BLOCKS, 0)
    elif "metadata" in given:
        assert message.metadata == {}


@pytest.mark.parametrize(
    ("metadata", "answer"),
    [
        ({"event_type": "e", "event_payload": {}}, ""),
        ({}, ""),
        ({"event_type": "e"}, "invalid_metadata_schema"),
        ({"event_payload": {"key": "k"}}, "invalid_metadata_schema"),
        ({"event_type": "", "event_payload": {}}, "invalid_metadata_schema"),
        ({"event_type": "e", "event_payload": "k"}, "invalid_metadata_schema"),
        (["e"], "invalid_metadata_format"),
        ({"event_type": "e", "event_payload": {"key": "k" * 8192}}, "metadata_too_large"),
    ],
)
async def test_metadata_has_type_and_payload(
    client: AsyncWebClient, metadata: Any, answer: str
) -> None:
    """Metadata without a type or a payload is refused."""
    arguments = {"channel": "C0INC", "text": "x", "metadata": metadata}

    assert await code(client.api_call("chat.postMessage", json=arguments)) == answer


async def test_delete_takes_the_bots_own_messages(slack: Workspace, client: AsyncWebClient) -> None:
    """The bot can delete its own messages and nobody else's."""
    own, other = slack.say("C0INC", slack.bot_user, "x"), slack.say("C0INC", "U0ALICE", "y")

    assert await code(client.chat_delete(channel="C0INC", ts=other.ts)) == "cant_delete_message"
    assert await code(client.chat_delete(channel="C0INC", ts=own.ts)) == ""
    assert slack.channels["C0INC"].messages == [other]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "43210"),
        ({"latest": 3}, "210"),
        ({"latest": 3, "inclusive": True}, "3210"),
        ({"oldest": 1}, "432"),
        ({"oldest": 1, "inclusive": True}, "4321"),
        ({"oldest": 1, "latest": 3}, "2"),
        ({"oldest": 1, "latest": 3, "inclusive": True}, "321"),
        ({"inclusive": True, "limit": 2}, "43"),
    ],
)
async def test_history_keeps_to_its_range(
    slack: Workspace, client: AsyncWebClient, given: dict[str, Any], expected: str
) -> None:
    """History has what is between the ends, with the ends themselves only if asked for."""
    ts = [slack.say("C0INC", "U0ALICE", str(number)).ts for number in range(5)]
    ends = {name: ts[given[name]] for name in ("oldest", "latest") if name in given}

    found = await client.conversations_history(channel="C0INC", **(given | ends))

    assert "".join(m["text"] for m in found["messages"]) == expected


async def test_history_pages_stay_in_place(slack: Workspace, client: AsyncWebClient) -> None:
    """A cursor names the next message, so what is written meanwhile shifts no page."""
    for number in range(5):
        slack.say("C0INC", "U0ALICE", str(number))
    texts, cursor = "", ""
    for _ in range(3):
        found = await client.conversations_history(channel="C0INC", limit=2, cursor=cursor)
        texts += "".join(m["text"] for m in found["messages"])
        cursor = found["response_metadata"]["next_cursor"]
        assert found["has_more"] == bool(cursor)
        slack.say("C0INC", "U0ALICE", "later")

    assert (texts, cursor) == ("43210", "")


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"cursor": "2"}, "invalid_cursor"),
        ({"cursor": "bmV4dF90czoxLjA="}, "invalid_cursor"),
        ({"latest": "yesterday"}, "invalid_ts_latest"),
        ({"oldest": "yesterday"}, "invalid_ts_oldest"),
        ({"oldest": "-1"}, "invalid_ts_oldest"),
        ({"limit": "many"}, "invalid_limit"),
        ({"limit": "-1"}, "invalid_limit"),
        ({"oldest": "0", "latest": "1795000000.5", "limit": "5000"}, ""),
    ],
)
@pytest.mark.parametrize("method", ["conversations.history", "conversations.replies"])
async def test_history_refuses_wrong_arguments(
    slack: Workspace, client: AsyncWebClient, method: str, given: dict[str, str], answer: str
) -> None:
    """A cursor that was not given out, and a time that is none, are refused."""
    root = slack.say("C0INC", "U0ALICE", "root")
    arguments = {"channel": "C0INC", "ts": root.ts, **given}

    assert await code(client.api_call(method, params=arguments)) == answer


async def respond(url: str, body: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        text = await response.text()
        return response.status, "" if text == "ok" else (await response.json())["error"]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({}, (400, "no_text")),
        ({"text": ""}, (400, "no_text")),
        ([], (400, "invalid_payload")),
        ({"text": "x", "blocks": [{"type": "nosuch"}]}, (400, "invalid_blocks")),
        ({"delete_original": True}, (400, "cant_delete_message")),
        ({"blocks": BLOCKS}, (200, "")),
    ],
)
async def test_response_url_refuses_what_is_no_message(
    slack: Workspace, body: Any, answer: tuple[int, str]
) -> None:
    """A response to a command is a message that Slack would take."""
    assert await respond(slack.reply_url("U0ALICE", "C0INC"), body) == answer


async def test_response_url_writes_in_a_thread_for_the_channel_alone(slack: Workspace) -> None:
    """`thread_ts` counts in a response that the whole channel sees."""
    root = slack.say("C0INC", slack.bot_user, "root")
    url = slack.reply_url("U0ALICE", "C0INC", root)
    thread = {"text": "x", "replace_original": False, "thread_ts": root.ts}

    await respond(url, {**thread, "response_type": "in_channel"})
    await respond(url, thread)

    assert [m.text for m in slack.channels["C0INC"].thread(root.ts)] == ["x"]
    assert [m.thread_ts for m in slack.ephemerals("U0ALICE")] == [""]


@pytest.mark.parametrize("to", ["", "U0ALICE"])
async def test_response_url_deletes_the_original(slack: Workspace, to: str) -> None:
    """`delete_original` deletes the message whose button was pressed, ephemeral or not."""
    message = slack.say("C0INC", slack.bot_user, "x", BLOCKS, to=to)

    answer = await respond(slack.reply_url("U0ALICE", "C0INC", message), {"delete_original": True})

    assert answer == (200, "")
    assert slack.channels["C0INC"].messages == []


async def test_faults_refuse_responses(slack: Workspace) -> None:
    """A response to a `response_url` can be refused with any code."""
    url = slack.reply_url("U0ALICE", "C0INC")
    slack.faults.refuse(RESPONSE_URL, "used_url", times=2)

    answers = [await respond(url, {"text": "x"}) for _ in range(3)]

    assert answers == [(404, "used_url")] * 2 + [(200, "")]


@pytest.mark.parametrize("in_thread", [False, True])
async def test_press_in_a_thread_names_the_thread(slack: Workspace, in_thread: bool) -> None:
    """The payload of a button in a thread has the thread in its container."""
    root = slack.say("C0INC", "U0ALICE", "root")
    thread_ts = root.ts if in_thread else ""
    message = slack.say("C0INC", slack.bot_user, "x", BLOCKS, thread_ts=thread_ts)

    payload = slack.person("U0ALICE").press_payload("Go", message)

    assert payload["container"].get("thread_ts", "") == thread_ts
    assert payload["message"].get("thread_ts", "") == thread_ts
