"""The home tab: what waits for whom, drawn anew while somebody looks at it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo import DOMAIN, INCIDENTS, Sandbox, sandbox


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setattr("handlers.home.EVERY", 0.2)
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


def shows(world: Sandbox, user: str) -> str:
    return str(world.slack.homes.get(user))


async def test_what_waits_stands_on_the_tabs_of_those_whom_it_concerns_until_it_is_decided(
    world: Sandbox,
) -> None:
    slack = world.slack
    for user in ("U0ALICE", "U0BOB", "U0MALLORY"):
        await slack.person(user).open_home()
        assert "Waiting for you" not in shows(world, user)

    await slack.person("U0ALICE").slash("/stopstream", f"domain {DOMAIN}", INCIDENTS)
    await slack.wait_for(lambda: "Waiting for you to approve" in shows(world, "U0BOB"))
    await slack.wait_for(lambda: "Your open requests" in shows(world, "U0ALICE"))
    assert "Waiting for you" not in shows(world, "U0ALICE"), "nobody approves their own"
    assert "Waiting for you" not in shows(world, "U0MALLORY")

    card = await slack.wait_for(
        lambda: [m for m in slack.channels[INCIDENTS].roots if "Approve" in m.buttons()]
    )
    await slack.person("U0BOB").press("Approve", card[0], INCIDENTS)
    await slack.wait_for(lambda: "Waiting for you" not in shows(world, "U0BOB"))
    await slack.wait_for(lambda: "Your open requests" not in shows(world, "U0ALICE"))
    assert "ForbidLiveDomain" in shows(world, "U0ALICE")


async def test_slack_hears_of_real_changes_alone(world: Sandbox) -> None:
    await world.slack.person("U0ALICE").open_home()
    before = len([1 for method, _ in world.slack.calls if method == "views.publish"])
    await world.slack.person("U0ALICE").slash("/stopstream", "help", INCIDENTS)
    await asyncio.sleep(1.0)
    after = len([1 for method, _ in world.slack.calls if method == "views.publish"])
    assert before == after == 1
