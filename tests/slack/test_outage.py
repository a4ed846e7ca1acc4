"""Slack goes away, comes back, or takes nothing more: what was owed ends in a clear place."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox
from bot.sandbox.tencent.faults import Fault
from tests.support.worlds import sandbox
from tests.trials.outage import outage


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def test_outbox_relay_delivers_once_in_order_after_an_outage(
    tmp_path: Path,
) -> None:
    """Messages queued in a Slack outage arrive once, in order and within rate limits."""
    found = await outage(tmp_path, asks=6, seconds=1.0)

    assert (found.cards, found.endings, found.audit_lines, found.twice) == (6, 6, 6, 0), found
    assert found.in_order
    assert found.refused_as_too_many == 0


async def asked_slowly(world: Sandbox) -> None:
    """Stop a stream, with the cloud's answer still to come once this returns."""
    world.cloud.faults.add(Fault(seconds=1.0), api="DropLiveStream")
    await world.slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
    await world.slack.wait_for(lambda: world.slack.channels[INCIDENTS].roots)


async def calls_in_two_seconds(world: Sandbox) -> tuple[int, float]:
    """Return how many calls came in at least two seconds, and how long that was."""
    before, began = len(world.slack.calls), asyncio.get_running_loop().time()
    await asyncio.sleep(2.0)
    return len(world.slack.calls) - before, asyncio.get_running_loop().time() - began


async def undeliverable(world: Sandbox) -> str:
    """Wait for the line that says what the channel did not hear."""
    found = await world.slack.wait_for(
        lambda: [m for m in world.slack.channels[AUDIT].roots if "Nobody" in m.text]
    )
    return str(found[-1].text)


@pytest.mark.parametrize("how", ["archived", "removed"])
async def test_outbox_relay_reports_a_lost_channel_and_stops(world: Sandbox, how: str) -> None:
    """A result for a lost channel goes to the audit channel and requester, without retries."""
    await asked_slowly(world)
    channel = world.slack.channels[INCIDENTS]
    if how == "archived":
        channel.is_archived = True
    else:
        channel.members.discard(world.slack.bot_user)

    said = await undeliverable(world)
    assert "DropLiveStream (accepted" in said
    assert how in said or "not in the channel" in said
    assert not channel.thread(channel.roots[0].ts)
    await world.slack.wait_for(
        lambda: [m for m in world.slack.ephemerals("U0ALICE") if "ccepted" in m.text]
    )
    # It is not tried for ever: at some time no more calls come.
    async with asyncio.timeout(60):
        while (await calls_in_two_seconds(world))[0]:
            pass


async def readyz(world: Sandbox) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.bot.url}/readyz") as response,
    ):
        return await response.text()


async def test_outbox_relay_recovers_from_a_revoked_token(
    world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked token is reported by readyz, and the result arrives once it is restored."""
    monkeypatch.setattr("handlers.slack.messenger.AUTH_RETRY_AFTER", 3.0)
    await asked_slowly(world)
    world.slack.faults.revoked = True
    async with asyncio.timeout(60):
        while "SLACK_BOT_TOKEN" not in await readyz(world):  # noqa: ASYNC110 (HTTP)
            await asyncio.sleep(0.1)
    calls, seconds = await calls_in_two_seconds(world)
    assert calls <= 4 * (1 + seconds // 3), "it is not tried in a loop"

    world.slack.faults.revoked = False
    channel = world.slack.channels[INCIDENTS]
    await world.slack.wait_for(lambda: channel.thread(channel.roots[0].ts))
    assert await readyz(world) == "ready\n"


async def test_outbox_relay_posts_once_when_responses_are_lost(
    world: Sandbox,
) -> None:
    """A message that Slack took but whose response was lost is posted once."""
    world.slack.faults.lose_next["chat.postMessage"] = 3
    world.cloud.resources.put("stream", "x", DOMAIN, "live")
    await world.slack.person("U0ALICE").slash("/stopstream", "live x", INCIDENTS)
    channel, audit = world.slack.channels[INCIDENTS], world.slack.channels[AUDIT]
    await world.slack.wait_for(
        lambda: audit.roots and channel.roots and channel.thread(channel.roots[0].ts), timeout=60
    )
    await asyncio.sleep(2.0)

    keys = Counter(m.metadata["event_payload"]["key"] for m in channel.messages if m.metadata)
    assert set(keys.values()) == {1}, keys
    assert len(audit.roots) == 1


async def test_outbox_relay_waits_out_a_rate_limit(world: Sandbox) -> None:
    """A rate-limited message is posted after the wait that Slack demands."""
    world.slack.faults.limit_next["chat.postMessage"] = 1
    world.slack.faults.retry_after = 2.0
    began = asyncio.get_running_loop().time()
    await world.slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
    await world.slack.wait_for(lambda: world.slack.channels[INCIDENTS].roots, timeout=60)
    assert asyncio.get_running_loop().time() - began >= 2.0
