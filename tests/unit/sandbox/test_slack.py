"""The emulated workspace, held by the real Slack SDK: it refuses what Slack refuses."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.form_state import entries, entry
from bot.sandbox.slack.methods import views
from bot.sandbox.slack.workspace import Workspace
from handlers.manifest import bot_scopes
from tests.support.waiting import BOUND
from tests.unit.sandbox.conftest import Clock, code


async def test_sandbox_auth_test_returns_bot_id_and_scopes(
    slack: Workspace, client: AsyncWebClient
) -> None:
    """The emulated auth.test returns the bot's id and, in a header, its scopes."""
    answer = await client.auth_test()

    assert answer["bot_id"] == slack.bot_id
    assert set(answer.headers["x-oauth-scopes"].split(",")) == bot_scopes()


async def test_sandbox_refuses_messages_with_slack_error_codes(
    slack: Workspace, client: AsyncWebClient
) -> None:
    """Invalid messages are refused with the error codes that Slack uses."""
    post = client.chat_postMessage
    assert await code(post(channel="C0INC", text="hi")) == ""
    assert await code(post(channel="C0NONE", text="hi")) == "channel_not_found"
    assert await code(post(channel="G0SECRET", text="hi")) == "channel_not_found"
    assert await code(post(channel="C0OUT", text="hi")) == "not_in_channel"
    assert await code(post(channel="C0OLD", text="hi")) == "is_archived"
    empty = client.api_call("chat.postMessage", params={"channel": "C0INC"})
    assert await code(empty) == "no_text"
    wrong = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    assert await code(post(channel="C0INC", text="t", blocks=wrong)) == "invalid_blocks"
    for no_list in ("[{", '{"type": "divider"}', '"x"'):
        torn = client.api_call(
            "chat.postMessage", params={"channel": "C0INC", "text": "t", "blocks": no_list}
        )
        assert await code(torn) == "invalid_blocks_format"
    ts = slack.channels["C0INC"].roots[0].ts
    update = client.chat_update
    assert await code(update(channel="C0INC", ts=ts, text="x" * 4001)) == "msg_too_long"
    assert await code(update(channel="C0INC", ts="1.0", text="x")) == "message_not_found"
    other = slack.say("C0INC", "U0ALICE", "mine")
    assert await code(update(channel="C0INC", ts=other.ts, text="x")) == "cant_update_message"
    whisper = client.chat_postEphemeral
    assert await code(whisper(channel="C0INC", user="U0NOBODY", text="x")) == "user_not_in_channel"


async def test_sandbox_checks_tokens_and_scopes(slack: Workspace, client: AsyncWebClient) -> None:
    """Wrong tokens, missing scopes and unknown methods get Slack's error codes."""
    wrong = AsyncWebClient(token="xoxb-wrong", base_url=slack.api_url, retry_handlers=[])
    assert await code(wrong.auth_test()) == "invalid_auth"
    slack.scopes.discard("users:read")
    assert await code(client.users_info(user="U0ALICE")) == "missing_scope"
    assert await code(client.users_list()) == "missing_scope"
    assert await code(client.api_call("nosuch.method")) == "unknown_method"
    assert await code(client.usergroups_users_list(usergroup="S0NONE")) == "no_such_subteam"
    slack.paid = False
    assert await code(client.usergroups_users_list(usergroup="S0X")) == "plan_upgrade_required"
    slack.faults.revoked = True
    assert await code(client.auth_test()) == "token_revoked"


async def test_sandbox_rate_limits_messages_after_a_burst(
    client: AsyncWebClient,
) -> None:
    """A channel takes a burst of ten messages and then answers 429 with Retry-After."""
    codes = [await code(client.chat_postMessage(channel="C0INC", text="x")) for _ in range(11)]
    assert codes == [""] * 10 + ["ratelimited"]
    try:
        await client.chat_postMessage(channel="C0INC", text="x")
    except SlackApiError as error:
        assert error.response.status_code == 429
        assert int(error.response.headers["Retry-After"]) >= 1


async def test_sandbox_trigger_id_works_once_within_three_seconds(
    slack: Workspace, client: AsyncWebClient
) -> None:
    """A trigger_id opens one view, and only within its lifetime."""
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "t"},
        "blocks": [{"type": "divider"}],
    }
    trigger = slack.trigger("U0ALICE")
    assert await code(client.views_open(trigger_id=trigger, view=view)) == ""
    again = client.views_open(trigger_id=trigger, view=view)
    assert await code(again) == "exchanged_trigger_id"
    late = slack.trigger("U0ALICE")
    assert isinstance(slack.clock, Clock)
    slack.clock.now += views.TRIGGER_LIFETIME + 0.5
    assert await code(client.views_open(trigger_id=late, view=view)) == "expired_trigger_id"
    assert await code(client.views_open(trigger_id="made-up", view=view)) == "invalid_trigger_id"


async def test_sandbox_response_url_takes_five_replies(slack: Workspace) -> None:
    """A response URL takes five replies and expires after half an hour."""
    url = slack.reply_url("U0ALICE", "C0INC")
    async with aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(6):
            async with session.post(url, json={"text": "x"}) as response:
                statuses.append(response.status)
        assert statuses == [200] * 5 + [404]
        late = slack.reply_url("U0ALICE", "C0INC")
        assert isinstance(slack.clock, Clock)
        slack.clock.now += 1801
        async with session.post(late, json={"text": "x"}) as response:
            assert response.status == 404
    assert len(slack.ephemerals("U0ALICE")) == 5


async def test_sandbox_keeps_a_message_whose_response_is_lost(
    slack: Workspace, client: AsyncWebClient
) -> None:
    """A message whose response is lost is in the channel's history with its metadata."""
    slack.faults.lose_next["chat.postMessage"] = 1
    metadata = {"event_type": "e", "event_payload": {"key": "k1"}}
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C0INC", text="x", metadata=metadata)

    found = await client.conversations_history(channel="C0INC", include_all_metadata=True)

    assert [m["metadata"]["event_payload"]["key"] for m in found["messages"]] == ["k1"]


async def test_sandbox_redelivers_an_event_without_an_ack(slack: Workspace) -> None:
    """An event without an ack is delivered again with X-Slack-Retry-Num."""
    attempts: list[str] = []
    done = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        attempts.append(request.headers.get("X-Slack-Retry-Num", "first"))
        if len(attempts) == 3:
            done.set()
            return web.Response()
        return web.Response(status=500)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.delivery.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"

    await slack.person("U0ALICE").mention("stop live x")
    await asyncio.wait_for(done.wait(), BOUND)
    await runner.cleanup()

    assert attempts == ["first", "1", "2"]


def test_sandbox_field_keeps_its_value_under_the_same_id() -> None:
    """An updated view keeps a field's value only if its action_id is unchanged."""

    def view(action_id: str, initial: str) -> dict[str, Any]:
        element = {
            "type": "plain_text_input",
            "action_id": action_id,
            "initial_value": initial,
        }
        return {"blocks": [{"type": "input", "block_id": "b", "element": element}]}

    held = entries(view("a", "first"), {})
    assert held == {"b": {"a": {"type": "plain_text_input", "value": "first"}}}
    typed = {"b": {"a": entry("plain_text_input", None)}}
    assert entries(view("a", "second"), typed) == typed
    assert entries(view("a2", "second"), typed)["b"]["a2"]["value"] == "second"


async def test_sandbox_lists_users_in_pages(slack: Workspace, client: AsyncWebClient) -> None:
    """The emulated users.list gives each user once, and refuses a cursor that it did not give."""
    found: list[str] = []
    cursor = ""
    while cursor or not found:
        page = await client.users_list(limit=2, cursor=cursor)
        found += [user["id"] for user in page["members"]]
        cursor = page["response_metadata"]["next_cursor"]

    assert found == list(slack.users)
    assert await code(client.users_list(cursor="2")) == "invalid_cursor"
    many = client.api_call("users.list", params={"limit": "many"})
    assert await code(many) == "invalid_arguments"
