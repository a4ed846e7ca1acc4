"""The whole program: commands, mentions, forms and the home tab, from the outside."""

import asyncio
import json
from typing import Any

from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox
from bot.cli.story import Story
from bot.sandbox.tencent.faults import Fault
from tests.support.cards import card_and_ending


async def test_demo_story_succeeds(world: Sandbox) -> None:
    """The demo's story runs to its end over Socket Mode and over HTTP."""
    assert await Story(world).tell() == 0


async def test_mention_in_thread_is_answered_in_thread(world: Sandbox) -> None:
    """A mention in a thread gets its card and result in that thread."""
    alice = world.slack.person("U0ALICE")
    root = world.slack.say(INCIDENTS, "U0BOB", "the alert")
    await alice.mention("stop live stream1", INCIDENTS, thread_ts=root.ts)

    channel = world.slack.channels[INCIDENTS]
    thread = await world.slack.wait_for(
        lambda: found if len(found := [m for m in channel.thread(root.ts) if m.bot_id]) > 1 else 0
    )

    assert world.cloud.ran("DropLiveStream")[-1].request_id in thread[1].text
    assert [m for m in channel.roots if m.bot_id] == []


async def test_slack_redelivery_runs_command_once(http_world: Sandbox) -> None:
    """A slash command that Slack delivers many times runs once and posts one card."""
    slack = http_world.slack
    payload = {
        "command": "/stopstream",
        "text": "live stream1",
        "user_id": "U0ALICE",
        "team_id": slack.team,
        "channel_id": INCIDENTS,
        "trigger_id": "once",
        "response_url": slack.reply_url("U0ALICE", INCIDENTS),
    }
    acks = await asyncio.gather(*(slack.delivery.deliver("command", payload) for _ in range(20)))
    await card_and_ending(http_world)

    assert not [ack.error for ack in acks if ack.error]
    assert len(http_world.cloud.ran("DropLiveStream")) == 1
    assert len([m for m in slack.channels[INCIDENTS].roots if m.bot_id]) == 1


async def test_form_submission_runs_command(world: Sandbox) -> None:
    """The form can be opened, filled in and submitted, and its command runs."""
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "")
    view = await alice.modal()

    values: dict[str, dict[str, Any]] = {}
    for block in view["blocks"]:
        element = block.get("element") or block.get("accessory") or {}
        if element.get("type") == "plain_text_input":
            word = block["block_id"]
            known = {"StreamName": "stream1", "DomainName": DOMAIN, "AppName": "live"}
            text = next((v for k, v in known.items() if k in word or k.lower() in word.lower()), "")
            values[word] = {element["action_id"]: {"type": "plain_text_input", "value": text}}
        elif element.get("type") == "static_select":
            values[block["block_id"]] = {
                element["action_id"]: {
                    "type": "static_select",
                    "selected_option": element.get("initial_option"),
                }
            }
    ack = await alice.submit(values)
    assert not ack.error
    assert ack.body.get("response_action") in (None, "clear"), ack.body

    _, ending = await card_and_ending(world)
    assert world.cloud.ran("DropLiveStream")[-1].request_id in ending.text


async def test_home_tab_publishes_view_when_opened(world: Sandbox) -> None:
    """Opening the app's home tab publishes a home view."""
    home = await world.slack.person("U0ALICE").open_home()
    assert home["type"] == "home"


async def test_messages_escape_markup_from_users_and_cloud(http_world: Sandbox) -> None:
    """Markup from users and cloud errors is escaped in every message."""
    world = http_world
    world.cloud.faults.persist(
        Fault(code="FailedOperation", message="<!channel> *boo* <https://evil.example|click>")
    )
    await world.slack.person("U0ALICE").slash(
        "/stopstream", "live '<!here>*x*_y_' app='@channel'", INCIDENTS
    )
    await card_and_ending(world)
    everything = json.dumps(
        [[m.text, m.blocks] for c in world.slack.channels.values() for m in c.messages if m.bot_id]
    )
    for markup in ("<!channel", "<!here", "<https://evil"):
        assert markup not in everything
