"""The form of reasons in the emulated workspace, with the whole program behind it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, POLICY, Sandbox
from bot.sandbox.slack.entities import Message
from handlers.messages.reason_choice import CODE_BLOCK, CODE_VALUE, ButtonPress, decode_press
from tests.support.worlds import sandbox

RULES = f"""{POLICY}
reasons:
  copyright: {{text: A rights holder has asked for it, tencent: Copyright infringement}}
  court-order: {{text: A court has ordered it <!channel>}}
limits:
  - {{actions: ["Forbid*"], reason: required}}
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, policy=RULES, socket=False, limits=False) as built:
        yield built


async def said(world: Sandbox, words: str, label: str = "") -> Message:
    channel = world.slack.channels[INCIDENTS]
    found: list[Message] = await world.slack.wait_for(
        lambda: [
            m for m in channel.messages if words in m.text and (not label or label in m.buttons())
        ]
    )
    return found[-1]


def chosen(code: str) -> dict[str, dict[str, Any]]:
    option = {"type": "static_select", "selected_option": {"value": code}}
    return {CODE_BLOCK: {CODE_VALUE: option}}


def options(view: dict[str, Any]) -> list[str]:
    (field,) = [one for one in view["blocks"] if one["type"] == "input"]
    return [one["text"]["text"] for one in field["element"]["options"]]


async def test_ban_button_asks_for_reason_and_card_has_it(world: Sandbox) -> None:
    """Ban 30 min opens the list of reasons; what is chosen is sent, shown and announced."""
    world.cloud.resources.put("stream", "stream1", DOMAIN, "live")
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "live stream1", INCIDENTS)
    stopped = await said(world, "*Accepted*", "Ban 30 min")
    await alice.press("Ban 30 min", stopped, INCIDENTS)
    view = await alice.modal()

    assert "Nothing has been sent yet" in view["blocks"][0]["text"]["text"]
    assert options(view)[0] == "copyright: A rights holder has asked for it"
    assert not world.cloud.ran("ForbidLiveStream")
    made_up = await alice.submit(chosen("because"))
    assert made_up.body["errors"] == {CODE_BLOCK: "Choose a reason."}
    assert not (await alice.submit(chosen("copyright"))).error
    card = await said(world, "Ban `stream1`", "Confirm")
    assert "reason `copyright` (A rights holder has asked for it)" in card.text
    assert "Copyright infringement" not in card.text
    await alice.press("Confirm", card, INCIDENTS)
    await said(world, "ForbidLiveStream", "Undo")
    (ban,) = world.cloud.ran("ForbidLiveStream")
    assert ban.params["Reason"] == "Copyright infringement"
    audit = world.slack.channels[AUDIT]
    await world.slack.wait_for(lambda: [m for m in audit.roots if "reason `copyright`" in m.text])


async def test_denial_offers_the_list_of_reasons(world: Sandbox) -> None:
    """A ban typed without a reason is denied with a button that asks for it."""
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "ban stream1 for=2h", INCIDENTS)
    (denied, *_) = await world.slack.wait_for(
        lambda: [m for m in world.slack.ephemerals("U0ALICE") if "Give a reason" in m.buttons()]
    )
    assert "add reason=CODE, one of copyright, court-order. Nothing was sent." in denied.text
    await alice.press("Give a reason", denied, INCIDENTS)
    view = await alice.modal()
    assert "<!channel>" not in str(view["blocks"][0])
    await alice.submit(chosen("court-order"))
    card = await said(world, "Ban `stream1` for 2 h", "Confirm")
    assert "<!channel>" not in card.text


async def test_outsider_is_not_shown_the_reasons(world: Sandbox) -> None:
    """A guest who presses learns that they are one, and sees no form."""
    alice, guest = world.slack.person("U0ALICE"), world.slack.person("U0GUEST")
    await alice.slash("/stopstream", "live stream1", INCIDENTS)
    stopped = await said(world, "*", "Ban 30 min")
    await guest.press("Ban 30 min", stopped, INCIDENTS)
    seen = await world.slack.wait_for(lambda: world.slack.ephemerals("U0GUEST"))

    assert "Guests may not use this bot." in seen[-1].text
    assert "U0GUEST" not in world.slack.modals


async def test_form_has_the_list_of_reasons(world: Sandbox) -> None:
    """The form of a ban has the reasons in place of free text, and wants one."""
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "", INCIDENTS)
    await alice.modal()
    await alice.choose("choose-action:DropLiveStream", "ForbidLiveStream")

    def drawn() -> list[dict[str, Any]]:
        blocks = world.slack.modals["U0ALICE"]["blocks"]
        return [one for one in blocks if one.get("block_id") == "param:Reason"]

    (field,) = await world.slack.wait_for(
        lambda: [one for one in drawn() if not one["optional"]] or None
    )
    assert field["element"]["type"] == "static_select"
    assert [one["value"] for one in field["element"]["options"]] == ["copyright", "court-order"]


@pytest.mark.parametrize("metadata", ["", "[]", "7", '["a"]', "[1,2,3,4,5]", '{"a": 1}', "null"])
def test_malformed_metadata_is_no_press(metadata: str) -> None:
    """What is not the metadata of this form is no press of a button."""
    assert decode_press(metadata) is None
    assert decode_press('["follow:undo","x","C0INC","",""]') == ButtonPress(
        "follow:undo", "x", "C0INC", "", ""
    )
