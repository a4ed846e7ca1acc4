"""The demo's page: the policy editor checks, saves and explains."""

import asyncio
from typing import Any

from bot.cli.demo import INCIDENTS, Emulated
from bot.sandbox.page.server import Page
from tests.support.page_window import Eyes
from tests.support.waiting import BOUND


async def test_policy_editor_refuses_to_save_an_invalid_policy(
    world: tuple[Emulated, Page], alice: Eyes
) -> None:
    """An invalid policy is saved only if forced, and its problems name their lines."""
    around, _ = world
    good = around.policy.read_text()
    assert alice.world["policy"] == good
    broken = good.replace("DropLiveStream,", "DropLifeStream,")
    line = 1 + broken[: broken.index("DropLifeStream")].count("\n")

    found = await alice.do("policy/save", text=broken)
    assert not found["saved"]
    assert [one["line"] for one in found["problems"]] == [line]
    assert "DropLiveStream" in found["problems"][0]["text"], "the right word is suggested"
    assert around.policy.read_text() == good
    assert (await alice.do("policy/check", text="roles: ["))["problems"][0]["line"] > 0

    await alice.do("policy/save", text=broken, broken_too=True)
    assert around.policy.read_text() == broken
    await alice.until(lambda: alice.world["policy"] == broken)


async def test_policy_editor_saves_a_policy_the_bot_applies(
    world: tuple[Emulated, Page], alice: Eyes
) -> None:
    """A policy saved in the editor is applied by the bot to the next request."""
    around, _ = world
    text = around.policy.read_text().replace("users: [U0ALICE]", "users: []")
    assert (await alice.do("policy/save", text=text))["saved"]
    await alice.until(
        lambda: {one["name"]: one["what"] for one in alice.world["people"]}["alice"] == ["no role"]
    )
    async with asyncio.timeout(BOUND):
        number = 0
        # The bot reads the file again in its own time.
        while not alice.saying("Denied"):
            number += 1
            await alice.type(f"/stopstream live gone{number}")
            await asyncio.sleep(0.2)


async def test_policy_editor_explains_the_rule_that_decides(
    alice: Eyes,
) -> None:
    """Explain names the rule that allows a command, or why it is denied or invalid."""
    asked = {"text": alice.world["policy"], "channel": INCIDENTS}

    async def explain(user: str, words: str, **more: Any) -> dict[str, Any]:
        return await alice.do("policy/explain", **(asked | more), user=user, words=words)

    found = await explain("U0ALICE", "/stopstream live stream1")
    assert found["allowed"]
    assert "roles.oncall.allow[0]" in found["verdict"]
    assert "DropLiveStream" in found["command"]
    found = await explain("U0ALICE", "dismiss 1234 sdkappid=1400000000 region=ap-singapore")
    assert not found["allowed"]
    assert "close a numbered room" in found["verdict"]
    assert "Guests" in (await explain("U0GUEST", "live stream1"))["verdict"]
    assert "workspace" in (await explain("U0FRANK", "stop live stream1"))["verdict"]
    assert "^^^^" in (await explain("U0ALICE", "lvie stream1"))["mistake"]
    assert "not an action" in (await explain("U0ALICE", "help"))["mistake"]
    assert (await explain("U0ALICE", "live x", text="roles: {x: 1}"))["problems"]
