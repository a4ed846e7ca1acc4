"""The whole program under a cloud that misbehaves: every ending says what is known."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox
from bot.cli.wiring import build
from bot.sandbox.slack.entities import Message
from bot.sandbox.tencent.faults import (
    Deaf,
    Drip,
    Fault,
    Html,
    Http500,
    ResetAfter,
    ResetUnread,
    Silent,
    Truncated,
    WrongRequestId,
)
from bot.tencent.client import TencentCloud
from tests.support.acks import is_stored
from tests.support.worlds import sandbox


def wait_for_answers(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set for how long the bot waits for an answer of the cloud."""
    client = getattr(TencentCloud, "__init__")  # noqa: B009
    monkeypatch.setitem(client.__kwdefaults__, "whole", seconds)


@pytest.fixture
async def patient_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """A bot that waits for an answer longer than any test lasts."""
    wait_for_answers(monkeypatch, 3600.0)
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    wait_for_answers(monkeypatch, 5.0)
    assert build.__kwdefaults__
    monkeypatch.setitem(build.__kwdefaults__, "retry_after", 0.2)
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def ending(world: Sandbox, user: str, command: str, text: str, where: str = INCIDENTS) -> str:
    """Type a command, and give what its thread says in the end."""
    channel = world.slack.channels[where]
    thing = text.rsplit(maxsplit=1)[-1]
    said = await world.slack.person(user).slash(command, text, where)
    assert is_stored(said), said

    def answered() -> list[Message]:
        cards = [m for m in channel.roots if f"`{thing}`" in m.text]
        return channel.thread(cards[0].ts) if cards else []

    found = await world.slack.wait_for(answered)
    return str(found[0].text)


FAULTS = {
    "reset unread": ResetUnread,
    "reset after": ResetAfter,
    "drip": Drip,
    "silent": Silent,
    "deaf": Deaf,
    "500": Http500,
    "html": Html,
    "truncated": Truncated,
    "wrong RequestId": WrongRequestId,
    "InternalError": Fault(code="InternalError"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_executor_retries_stop_but_not_start(world: Sandbox, name: str) -> None:
    """After a fault with unknown outcome a stop is sent again, and a start ends as unknown."""
    for api in ("DropLiveStream", "StartPublishStream"):
        world.cloud.faults.add(FAULTS[name], api=api)
    stop, start = await asyncio.gather(
        ending(world, "U0ALICE", "/stopstream", "live stream1"),
        ending(world, "U0BOB", "/startstream", "car user1"),
    )

    assert "*Accepted*" in stop
    assert "sent 2 times" in stop
    assert "*Unknown: it may have run.*" in start
    assert "first." in start
    assert len([r for r in world.cloud.received if r.api == "StartPublishStream"]) <= 1


@pytest.mark.parametrize("name", ["silent", "500", "InternalError", "reset after"])
async def test_executor_ends_stop_as_unknown_after_three_attempts(
    world: Sandbox, name: str
) -> None:
    """A stop whose outcome stays unknown ends as unknown after three attempts."""
    world.cloud.faults.persist(FAULTS[name], api="DropLiveStream")
    said = await ending(world, "U0ALICE", "/stopstream", "live stream1")

    assert "*Unknown: it may have run.*" in said
    assert "sent 3 times" in said


async def test_executor_retries_throttled_request(world: Sandbox) -> None:
    """A throttled request is retried until it is accepted, and runs once."""
    world.cloud.faults.add(Fault(code="RequestLimitExceeded"), times=3)
    said = await ending(world, "U0BOB", "/startstream", "car user1")

    assert "*Accepted*" in said
    assert len(world.cloud.ran("StartPublishStream")) == 1


async def test_executor_fails_after_persistent_throttling(world: Sandbox) -> None:
    """A request that is throttled every time ends as failed and has not run."""
    world.cloud.faults.persist(Fault(code="RequestLimitExceeded"), api="StartPublishStream")
    said = await ending(world, "U0BOB", "/startstream", "car user1")

    assert "*Failed* with `RequestLimitExceeded`" in said
    assert not world.cloud.ran("StartPublishStream")


async def test_executor_reports_refused_connection_as_not_run(
    world: Sandbox,
) -> None:
    """A refused connection is reported as unreachable, and as a command that did not run."""
    await world.cloud.close()
    said = await ending(world, "U0BOB", "/startstream", "car user1")

    assert "It did not run" in said
    assert "cannot be reached" in said


async def test_worker_stays_responsive_while_cloud_hangs(patient_world: Sandbox) -> None:
    """While 150 stops hang in the cloud, acks, help and a status read are still answered."""
    world, slack = patient_world, patient_world.slack
    world.cloud.faults.persist(Silent, api="DropLiveStream")
    for number in range(150):
        world.cloud.resources.put("stream", f"x{number}", DOMAIN, "live")
    for number in range(150):
        said = await slack.person("U0ALICE").slash("/stopstream", f"live x{number}", INCIDENTS)
        assert is_stored(said)
    assert "DropLiveStream" in await slack.person("U0BOB").slash("/stopstream", "help live")
    state = await ending(world, "U0BOB", "/stopstream", "status live stream2", AUDIT)

    assert "*Answered*" in state
    assert [m for m in slack.channels[INCIDENTS].messages if m.thread_ts] == [], "all hang still"
