"""Buttons and their forms in the emulated workspace, with the whole program behind them."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, POLICY, Sandbox
from bot.model.operations import Choice, Decision
from bot.model.people import Place
from bot.sandbox.slack.entities import Message
from handlers.listeners.buttons import parse_reason
from handlers.messages import reason_view, search_results
from tests.support.fake_slack import TEAM
from tests.support.fakes import ALICE
from tests.support.slack_app import Workspace
from tests.support.worlds import sandbox


@pytest.fixture(params=["socket", "http"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=request.param == "socket", limits=False) as built:
        yield built


@pytest.fixture
async def one_world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def card(world: Sandbox, text: str = f"domain {DOMAIN}", label: str = "Approve") -> Message:
    """Ask as Alice, and wait for the card with its buttons."""
    channel = world.slack.channels[INCIDENTS]
    before = len(channel.roots)
    await world.slack.person("U0ALICE").slash("/stopstream", text, INCIDENTS)
    found: Message = await world.slack.wait_for(
        lambda: next((m for m in channel.roots[before:] if label in m.buttons()), None)
    )
    return found


async def ending(world: Sandbox, root: Message) -> Message:
    channel = world.slack.channels[INCIDENTS]
    thread: list[Message] = await world.slack.wait_for(lambda: channel.thread(root.ts))
    return thread[-1]


def sent(world: Sandbox) -> list[str]:
    return [one.api for one in world.cloud.ran() if not one.api.startswith("Describe")]


def written(view: dict[str, Any], reason: str | None) -> dict[str, dict[str, Any]]:
    block = next(one for one in view["blocks"] if one["type"] == "input")
    element = {"type": "plain_text_input", "value": reason}
    return {block["block_id"]: {block["element"]["action_id"]: element}}


@pytest.mark.parametrize("reason", ["not during the final <@U0EVE>", None])
async def test_deny_button_asks_for_reason(world: Sandbox, reason: str | None) -> None:
    """Denying asks for an optional reason and shows it in the thread."""
    root = await card(world)
    bob = world.slack.person("U0BOB")
    await bob.press("Deny", root, INCIDENTS)
    view = await bob.modal()
    ack = await bob.submit(written(view, reason))
    said = await ending(world, root)

    assert not ack.error
    assert "<@U0BOB> denied it" in said.text
    assert "Nothing was sent." in said.text
    assert ("not during the final" in said.text) == (reason is not None)
    assert "<@U0EVE>" not in said.text
    assert "<@U0BOB> denied it" in root.text
    assert root.buttons() == {}
    assert sent(world) == []


async def test_deny_button_refuses_non_approver(world: Sandbox) -> None:
    """A user who may not decide gets a message instead of the form."""
    root = await card(world)
    await world.slack.person("U0MALLORY").press("Deny", root, INCIDENTS)
    seen = await world.slack.wait_for(lambda: world.slack.ephemerals("U0MALLORY"))

    assert "Only leads can decide this" in seen[-1].text
    assert world.slack.modals == {}
    assert "Approve" in root.buttons()


async def test_break_glass_needs_reason_and_is_announced(world: Sandbox) -> None:
    """A break-glass run needs a reason, which the card and the audit channel show."""
    root = await card(world)
    alice = world.slack.person("U0ALICE")
    await alice.press("Emergency", root, INCIDENTS)
    view = await alice.modal()
    empty = await alice.submit(written(view, " "))
    assert empty.body["response_action"] == "errors"
    assert sent(world) == []

    await alice.submit(written(view, "it shows a child"))
    said = await ending(world, root)
    audit = world.slack.channels[AUDIT]
    lines = await world.slack.wait_for(
        lambda: found if len(found := [m.text for m in audit.roots]) == 2 else None
    )

    assert sent(world) == ["ForbidLiveDomain"]
    for text in (root.text, said.text, *lines):
        assert "EMERGENCY" in text
        assert "it shows a child" in text


async def test_details_button_shows_who_pressed_what_the_card_has_no_room_for(
    one_world: Sandbox,
) -> None:
    """Details answers its presser alone, also one who has no role; nothing is decided by it."""
    slack, channel = one_world.slack, one_world.slack.channels[INCIDENTS]
    root = await card(one_world, "ban stream2 for=1h case=INC-7", "Details")
    assert "INC-7" not in str(root.blocks)
    before = [one for one in channel.messages if not one.to]
    button = root.buttons()["Details"]
    for name in ("U0ALICE", "U0MALLORY"):
        await slack.person(name).click(button, root, INCIDENTS)
        (told,) = await slack.wait_for(partial(slack.ephemerals, name))
        assert "case `INC-7`" in told.text
        assert "ForbidLiveStream stream `stream2`" in told.text
        assert "rule `roles.oncall" in told.text
    await slack.person("U0GUEST").click(button, root, INCIDENTS)
    (told,) = await slack.wait_for(lambda: slack.ephemerals("U0GUEST"))
    assert told.text == "Guests may not use this bot."
    assert [one for one in channel.messages if not one.to] == before, "the channel is told nothing"

    await slack.person("U0ALICE").press("Confirm", root, INCIDENTS)
    await slack.wait_for(lambda: not root.buttons().get("Confirm"))
    await slack.person("U0ALICE").click(button, root, INCIDENTS)
    late = "This is no longer waiting; its card shows what became of it."
    await slack.wait_for(lambda: slack.ephemerals("U0ALICE")[-1].text == late)
    assert "INC-7" in str(root.blocks), "a card that is decided has it all"
    assert await slack.wait_for(partial(sent, one_world)) == ["ForbidLiveStream"]


async def test_cancel_button_is_for_requester_only(world: Sandbox) -> None:
    """Only the user who made a request can cancel it."""
    root = await card(world)
    await world.slack.person("U0BOB").press("Cancel", root, INCIDENTS)
    await world.slack.wait_for(lambda: world.slack.ephemerals("U0BOB"))
    await world.slack.person("U0ALICE").press("Cancel", root, INCIDENTS)
    said = await ending(world, root)

    assert "<@U0ALICE> cancelled it. Nothing was sent." in said.text
    assert sent(world) == []


async def test_card_mentions_approvers(
    one_world: Sandbox,
) -> None:
    """A card mentions its approvers and has an expiry and four buttons."""
    root = await card(one_world)

    assert "<@U0BOB>" in root.text
    assert ": approve by <!date^" in root.text
    assert list(root.buttons()) == ["Approve", "Deny", "Cancel", "Emergency"]


async def test_approve_button_counts_once_when_redelivered(one_world: Sandbox) -> None:
    """A click that Slack delivers ten times is counted once."""
    slack = one_world.slack
    root = await card(one_world)
    bob = slack.person("U0BOB")
    payload = bob.press_payload("Approve", root, INCIDENTS)
    acks = await asyncio.gather(
        *(slack.delivery.deliver("interaction", payload) for _ in range(10))
    )
    await ending(one_world, root)

    assert not [ack.error for ack in acks if ack.error]
    assert sent(one_world) == ["ForbidLiveDomain"]
    assert slack.ephemerals("U0BOB") == []


async def test_approve_button_late_click_reports_decision(one_world: Sandbox) -> None:
    """A late click on a decided card reports who decided and sends nothing more."""
    slack = one_world.slack
    root = await card(one_world)
    bob = slack.person("U0BOB")
    late = [bob.press_payload("Approve", root, INCIDENTS) for _ in range(2)]
    await slack.delivery.deliver("interaction", late[0])
    await ending(one_world, root)
    await slack.delivery.deliver("interaction", late[1])
    seen = await slack.wait_for(lambda: slack.ephemerals("U0BOB"))

    assert "You already decided this" in seen[-1].text
    assert sent(one_world) == ["ForbidLiveDomain"]


@pytest.mark.parametrize(
    "change",
    [
        {"value": "nosuchoperation1"},
        {"value": ""},
        {"value": 7},
        {"action_id": "decide:destroy"},
        {"value": "live stream1"},
    ],
)
async def test_button_forged_payload_changes_nothing(
    one_world: Sandbox, change: dict[str, Any]
) -> None:
    """A forged button payload is answered with a message and changes nothing."""
    slack = one_world.slack
    root = await card(one_world)
    payload = slack.person("U0BOB").press_payload("Approve", root, INCIDENTS)
    payload["actions"][0] |= change
    ack = await slack.delivery.deliver("interaction", payload)
    seen = await slack.wait_for(lambda: slack.ephemerals("U0BOB"))

    assert not ack.error
    assert "nothing was done" in seen[-1].text or "no such request" in seen[-1].text
    assert "Approve" in root.buttons()
    assert sent(one_world) == []


async def test_button_from_other_channel_changes_nothing(one_world: Sandbox) -> None:
    """A button pressed from another channel is refused and changes nothing."""
    slack = one_world.slack
    slack.channel("C0ELSE", "else", "U0BOB")
    root = await card(one_world)
    payload = slack.person("U0BOB").press_payload("Approve", root, "C0ELSE")
    await slack.delivery.deliver("interaction", payload)
    seen = await slack.wait_for(lambda: slack.ephemerals("U0BOB"))

    assert "does not belong to this channel" in seen[-1].text
    assert sent(one_world) == []


async def test_card_reminds_then_expires(tmp_path: Path) -> None:
    """An unanswered card reminds its approvers in its thread and then expires."""
    hasty = POLICY.replace("remind: 2m", "remind: 1s\n        expires: 4s")
    async with sandbox(tmp_path, policy=hasty, socket=False, limits=False) as world:
        root = await card(world)
        channel = world.slack.channels[INCIDENTS]
        thread = await world.slack.wait_for(
            lambda: found if len(found := channel.thread(root.ts)) == 2 else None
        )

    assert "Still waiting: " in thread[0].text
    assert "<@U0BOB>" in thread[0].text
    assert "Expired" in thread[1].text
    assert "<@U0ALICE>" in thread[1].text
    assert "Expired" in root.text
    assert list(root.buttons()) == ["Retry"]
    assert sent(world) == []


async def test_duplicate_request_links_to_waiting_card(one_world: Sandbox) -> None:
    """Repeating a request that waits for approval links to its card."""
    slack = one_world.slack
    await card(one_world)
    await slack.person("U0ALICE").slash("/stopstream", f"domain {DOMAIN}", INCIDENTS)
    seen = await slack.wait_for(
        lambda: [m for m in slack.ephemerals("U0ALICE") if "already asked for this" in m.text]
    )

    assert "|its card>" in seen[0].text
    assert len([m for m in slack.channels[INCIDENTS].roots if m.bot_id and not m.to]) == 1


async def test_button_reply_goes_to_its_thread(
    workspace: Workspace,
) -> None:
    """A button pressed in a thread is answered in that thread, not by the response URL."""
    workspace.slack.threads.add("1.5")
    await workspace.interact(
        {
            "type": "block_actions",
            "trigger_id": "trigger.odd",
            "user": {"id": "U0ALICE", "team_id": TEAM},
            "container": {"type": "message", "channel_id": "C0INC", "thread_ts": "1.5"},
            "response_url": workspace.slack.reply_url,
            "actions": [{"action_id": search_results.OLDER, "value": "odd", "type": "button"}],
        }
    )
    await workspace.background.stop(grace=60.0)

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert whisper["thread_ts"] == "1.5"
    assert workspace.slack.replies == []


def test_reason_is_no_longer_than_its_field() -> None:
    """What Slack lets nobody write is neither searched nor stored."""
    pressed = Decision("key", "op1", Choice.DENY, ALICE, Place("C0INC"))
    view = reason_view.reason_form(pressed)
    written = {reason_view.REASON_BLOCK: {reason_view.REASON_VALUE: {"value": " a b" * 50_000}}}
    body = {
        "trigger_id": "t1",
        "user": {"id": ALICE.user, "team_id": ALICE.team},
        "view": view | {"state": {"values": written}},
    }

    read = parse_reason(body)

    assert read is not None
    assert len(read.reason) == reason_view.REASON_MOST
