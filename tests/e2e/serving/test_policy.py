"""The whole program: the policy decides, and a reload never widens it."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bot.cli.demo import AUDIT, INCIDENTS, Sandbox
from tests.support.cards import card_and_ending
from tests.support.waiting import BOUND
from tests.support.worlds import sandbox


@pytest.mark.parametrize("user", ["U0GUEST", "U0MALLORY", "U0DEAD", "U0BOT", "U0FOREIGN"])
async def test_policy_denies_ineligible_users_end_to_end(tmp_path: Path, user: str) -> None:
    """Ineligible users are denied and nothing is sent, even if the policy allows everything."""
    allow_all = """
roles:
  all:
    members:
      users: [U0GUEST, U0DEAD, U0BOT, U0FOREIGN]
      usergroups: [S0ONCALL]
    allow: [{actions: ["*"]}]
defaults: {live: {DomainName: push.example.com}}
"""
    async with sandbox(tmp_path, policy=allow_all, limits=False) as world:
        slack = world.slack
        slack.user("U0DEAD", "dead", deleted=True)
        slack.user("U0BOT", "bot", is_bot=True)
        slack.user("U0FOREIGN", "foreign", team_id="T0OTHER", is_stranger=True)
        slack.channels[INCIDENTS].members |= set(slack.users)
        await slack.person(user).slash("/stopstream", "live stream1", INCIDENTS)
        (seen,) = await slack.wait_for(partial(slack.ephemerals, user))

    member = user == "U0MALLORY"
    said = seen.text.removeprefix("🚫 Denied: `live stream1`. ")
    assert ("Denied" in said) is member, "an outsider gets one sentence after their own words"
    assert ("`stream1`" in said) is member
    assert list(world.cloud.received) == []


async def test_policy_reload_keeps_old_policy_if_invalid(
    http_world: Sandbox,
) -> None:
    """A changed policy is reloaded; an invalid one is reported and leaves the old in force."""
    world = http_world
    audit = world.slack.channels[AUDIT]
    good = world.policy.read_text()
    world.policy.write_text("roles: {oncall: {allow: [{actions: [Nonsense]}]}}")
    broken = await world.slack.wait_for(lambda: [m for m in audit.roots if "policy" in m.text])
    assert "Nonsense" in broken[0].text

    await world.slack.person("U0ALICE").slash("/stopstream", "live stream1")
    await card_and_ending(world)

    world.policy.write_text(good.replace("users: [U0ALICE]", "users: []"))
    async with asyncio.timeout(BOUND):
        number = 0
        while not any("Denied" in m.text for m in world.slack.ephemerals("U0ALICE")):
            number += 1
            await world.slack.person("U0ALICE").slash("/stopstream", f"live gone{number}")
            await asyncio.sleep(0.1)


async def test_policy_denies_command_outside_bot_channels(http_world: Sandbox) -> None:
    """A command in a channel without the bot is refused with a request to invite it."""
    slack = http_world.slack
    slack.channel("C0ELSE", "elsewhere", "U0BOB", bot=False)
    await slack.person("U0BOB").slash("/stopstream", "live stream1", "C0ELSE")

    seen = await slack.wait_for(
        lambda: [m for m in slack.ephemerals("U0BOB") if "Invite me" in m.text]
    )
    assert seen
    assert list(http_world.cloud.received) == []
