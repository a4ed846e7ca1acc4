"""A temporary key that lapses between two requests is renewed, and each stop runs exactly once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.model.operations import LiveBefore, State
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.faults import Fault
from bot.sandbox.tencent.server import CloudEmulator
from bot.sandbox.tencent.sts import Role
from bot.storage.store import Store
from bot.tencent.client import TencentCloud
from bot.tencent.credential_chain import chain
from bot.tencent.roles import KeyService
from tests.conftest import House, built

ROLE = "qcs::cam::uin/100000000001:roleName/stopper"
OPEN = """
roles:
  oncall: {members: {users: [U0ALICE]}, allow: [{actions: ["*"], approval: none}]}
"""
STOP = "live {} domain=push.example.com app=live"


@dataclass
class World:
    """A bot that assumes a role at an emulated cloud."""

    cloud: CloudEmulator
    bot: House

    def sent(self, api: str = "DropLiveStream") -> list[str]:
        """Return how each request to an API was answered, in order."""
        return [one.code for one in self.cloud.received if one.api == api]

    async def stop(self, stream: str) -> State:
        return (await self.bot.run(STOP.format(stream))).state


@contextlib.asynccontextmanager
async def world(store: Store, now: list[float]) -> AsyncIterator[World]:
    async with CloudEmulator(keys={"AKIDBASE": Key("base")}) as cloud:
        cloud.sts.roles[ROLE] = Role(trusts=frozenset({"AKIDBASE"}))
        for name in range(8):
            cloud.resources.put("stream", f"s{name}", "push.example.com", "live")
        variables = {
            "TENCENTCLOUD_SECRET_ID": "AKIDBASE",
            "TENCENTCLOUD_SECRET_KEY": "base",
            "TENCENTCLOUD_ROLE_ARN": ROLE,
        }
        service = KeyService(sts=cloud.url, clock=lambda: cloud.now + now[0])
        client = TencentCloud(credentials=chain(variables, service=service), base_url=cloud.url)
        try:
            async with built(store, policy=OPEN, cloud=client) as bot:
                yield World(cloud, bot)
        finally:
            await client.close()


@pytest.fixture
async def between(store: Store) -> AsyncIterator[World]:
    """The bot after its first stop, a minute after its key was given, which has lapsed since."""
    now = [-60.0]
    async with world(store, now) as one:
        assert await one.stop("s0") is State.ACCEPTED
        now[0] = 0.0
        one.cloud.sts.lapse(one.cloud.now)
        yield one


async def test_stop_runs_once_with_a_renewed_key(between: World) -> None:
    """A stop whose key has lapsed is sent again at once with a new key, and runs once."""
    assert await between.stop("s1") is State.ACCEPTED

    # The read beside the stop may have met the lapsed key first.
    assert set(between.sent()) <= {"", "AuthFailure.TokenFailure"}
    assert len(between.sent("AssumeRole")) == 2
    assert len(between.cloud.ran("DropLiveStream")) == 2


async def test_many_stops_renew_the_key_once(between: World) -> None:
    """All stops that meet the lapsed key share one renewal, and each runs once."""
    ended = await asyncio.gather(*(between.stop(f"s{name}") for name in range(1, 8)))

    assert set(ended) == {State.ACCEPTED}
    assert len(between.sent("AssumeRole")) == 2
    names = [one.params["StreamName"] for one in between.cloud.ran("DropLiveStream")]
    assert sorted(map(str, names)) == [f"s{name}" for name in range(8)]


async def test_stop_waits_for_a_service_that_comes_back(between: World) -> None:
    """Where no key is given for a moment, the stop is tried again, and runs once."""
    between.cloud.faults.add(Fault(code="InternalError.SystemError"), api="AssumeRole", times=1)

    assert await between.stop("s1") is State.ACCEPTED
    assert len(between.cloud.ran("DropLiveStream")) == 2


async def test_stop_without_a_key_says_why(between: World) -> None:
    """Where no key is given at all, nothing runs, and the ending names the role and the code."""
    del between.cloud.sts.roles[ROLE]

    ended = await between.bot.run(STOP.format("s1"))

    assert ended.state is State.FAILED
    assert "ResourceNotFound.RoleNotFound" in ended.detail
    assert ROLE in ended.detail
    assert len(between.cloud.ran("DropLiveStream")) == 1


async def test_read_beside_a_stop_is_not_sent_after_it(between: World) -> None:
    """A read whose key has lapsed is sent again, but not after the stop: it would show its effect.

    What was live before is then not known, and is never called not live.
    """
    stopped = await between.bot.run(STOP.format("s1"))

    assert stopped.live_before is not LiveBefore.NOT_LIVE
