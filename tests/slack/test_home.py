"""The home tab: what waits for whom, drawn anew while somebody looks at it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox
from bot.sandbox.slack import block_kit as blockkit
from bot.storage.store import Store
from handlers.messages import home_view
from tests.conftest import built
from tests.support.fakes import ALICE, MALLORY
from tests.support.worlds import sandbox


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setattr("handlers.listeners.home.REFRESH_EVERY", 0.2)
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


def shows(world: Sandbox, user: str) -> str:
    return str(world.slack.homes.get(user))


async def test_home_tab_shows_waiting_request_until_decided(
    world: Sandbox,
) -> None:
    """A waiting request is on the tabs of its approver and requester until it is decided."""
    slack = world.slack
    for user in ("U0ALICE", "U0BOB", "U0MALLORY"):
        await slack.person(user).open_home()
        assert "Waiting for you" not in shows(world, user)

    await slack.person("U0ALICE").slash("/stopstream", f"domain {DOMAIN}", INCIDENTS)
    await slack.wait_for(lambda: "Waiting for you to approve" in shows(world, "U0BOB"))
    await slack.wait_for(lambda: "Your open requests" in shows(world, "U0ALICE"))
    assert "Waiting for you" not in shows(world, "U0ALICE"), "nobody approves their own"
    assert "Waiting for you" not in shows(world, "U0MALLORY")
    address = f"/archives/{INCIDENTS}/p"
    await slack.wait_for(lambda: address in shows(world, "U0BOB"))
    await slack.wait_for(lambda: address in shows(world, "U0ALICE"))
    assert "approve or deny on <https://" in shows(world, "U0BOB")
    assert shows(world, "U0ALICE").count("Approval needed: ") == 1, "not among the ended, too"

    card = await slack.wait_for(
        lambda: [m for m in slack.channels[INCIDENTS].roots if "Approve" in m.buttons()]
    )
    await slack.person("U0BOB").press("Approve", card[0], INCIDENTS)
    await slack.wait_for(lambda: "Waiting for you" not in shows(world, "U0BOB"))
    await slack.wait_for(lambda: "Your open requests" not in shows(world, "U0ALICE"))
    assert "switch off" in shows(world, "U0ALICE")
    assert "ForbidLiveDomain" not in shows(world, "U0ALICE"), "what Tencent calls it is a detail"


ROLES = """
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: [DropLiveStream, ResumeLiveStream], channels: [C0INC, C0OTHER]}
      - {actions: [DropLiveStream], approval: second-person}
      - {actions: ["Describe*"]}
  leads:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"], approval: confirm}]
"""


def whole(found: dict[str, Any]) -> str:
    return "\n".join(b["text"]["text"] for b in found["blocks"] if "text" in b)


async def test_home_tab_lists_permissions_by_channel(quick_store: Store) -> None:
    """The home tab lists the permissions of its user channel by channel."""
    async with built(quick_store, policy=ROLES) as house:
        told = whole(home_view.home(await house.service.queries.permissions_everywhere(ALICE), []))
        nobody = whole(
            home_view.home(await house.service.queries.permissions_everywhere(MALLORY), [])
        )

    lines = told.splitlines()
    begin = "at once: Stop a live stream · Unban a stream"
    assert f"*In <#C0INC>* {begin}" in lines
    assert f"*In <#C0OTHER>* {begin}" in lines
    anywhere = "*In any channel I am in* at once: Check anything"
    assert f"{anywhere}; with a second person: Stop a live stream" in lines
    (others,) = (line for line in lines if line.startswith("*Only `leads`*"))
    assert "Ban a stream" in others
    assert "Stop a live stream" not in others
    assert "here" not in told
    assert nobody == "You can't stop or start anything here; `oncall` and `leads` can."


async def test_home_tab_fits_on_a_phone(quick_store: Store) -> None:
    """The tab of somebody on call with nothing to do is one screen: few blocks, few words."""
    async with built(quick_store, policy=ROLES) as house:
        view = home_view.home(await house.service.queries.permissions_everywhere(ALICE), [])

    assert len(view["blocks"]) <= 6
    assert len(whole(view).splitlines()) <= 12
    assert len(whole(view).split()) <= 90


async def test_home_tab_stays_within_slack_limits(quick_store: Store) -> None:
    """The home tab for 200 channels is a valid view of at most 100 blocks."""
    many = ", ".join(f"C0CHANNEL{number}" for number in range(200))
    policy = ROLES.replace("DropLiveStream, ResumeLiveStream]", '"*"]').replace(
        "C0INC, C0OTHER", many
    )
    async with built(quick_store, policy=policy) as house:
        view = home_view.home(await house.service.queries.permissions_everywhere(ALICE), [])

    assert blockkit.view_problems(view) == []
    assert len(view["blocks"]) <= 100


async def test_home_tab_has_button_per_verb() -> None:
    """The home tab has one button each to stop, start and look at something."""
    labels = [e["text"]["text"] for e in home_view.home(None, [])["blocks"][0]["elements"]]

    assert labels == ["Stop something", "Start something", "Check something"]


async def test_home_tab_is_published_only_when_changed(world: Sandbox) -> None:
    """The home tab is not published again while its content is unchanged."""
    await world.slack.person("U0ALICE").open_home()
    before = len([1 for method, _ in world.slack.calls if method == "views.publish"])
    await world.slack.person("U0ALICE").slash("/stopstream", "help", INCIDENTS)
    await asyncio.sleep(1.0)
    after = len([1 for method, _ in world.slack.calls if method == "views.publish"])
    assert before == after == 1
