"""The whole program hears of streams by signed callbacks, in Socket Mode and over HTTP."""

import asyncio
import time

import aiohttp
import pytest

from bot.cli.demo import INCIDENTS, Sandbox
from bot.sandbox.slack.entities import Message
from bot.sandbox.tencent.callbacks import DEMO_KEY
from tests.support.live_callbacks import BEGAN, said, signed
from tests.support.waiting import until

DOMAIN = "5000.livepush.myqcloud.com"


def thread_of(world: Sandbox) -> list[Message]:
    channel = world.slack.channels[INCIDENTS]
    return [message for root in channel.roots for message in channel.thread(root.ts)]


def lines(world: Sandbox, words: str) -> list[Message]:
    return [message for message in thread_of(world) if words in message.text]


async def stop(world: Sandbox, stream: str) -> None:
    await world.slack.person("U0ALICE").slash("/stopstream", f"live {stream}", INCIDENTS)
    await until(lambda: lines(world, "RequestId"))


def began(world: Sandbox, stream: str) -> bool:
    """Return whether the bot was told that a push has begun."""
    told = (one for one in world.cloud.callbacks.sent if one.event_type == BEGAN)
    return any(one.stream == stream and one.status == 200 for one in told)


def body(stream: str = "stream1", *, key: str = DEMO_KEY, ahead: float = 600.0) -> bytes:
    now = time.time()
    return signed(said(at=now, app=DOMAIN, stream_id=stream), key, expires=now + ahead)


async def test_encoder_that_reconnects_is_told_and_banned(world: Sandbox) -> None:
    """A stream ends, comes back and is told in the thread, with buttons that ban it."""
    await stop(world, "stream1")
    await until(lambda: lines(world, "*Live again: `stream1`*"))
    (again,) = lines(world, "*Live again: `stream1`*")
    assert again.text.endswith("after the stop.")
    assert [label for label in again.buttons() if label.startswith("Ban")] == [
        "Ban 30 min",
        "Ban 2 h",
        "Ban 7 days",
    ]
    (root,) = world.slack.channels[INCIDENTS].roots
    await until(lambda: "Live again" in root.text)
    await world.slack.person("U0ALICE").press("Ban 30 min", again, INCIDENTS)

    def confirmable() -> list[Message]:
        channel = world.slack.channels[INCIDENTS]
        return [one for one in [*channel.roots, *thread_of(world)] if "Confirm" in one.buttons()]

    await until(confirmable)
    await world.slack.person("U0ALICE").press("Confirm", confirmable()[0], INCIDENTS)
    await until(lambda: world.cloud.resources.banned_until("stream1") > time.time() + 1700)


async def test_end_of_the_push_confirms_the_stop(world: Sandbox) -> None:
    """A stream that does not come back is told to be off, once, sooner than by the timer."""
    for number in range(20):
        name = f"cam-{number}"
        world.cloud.resources.put("stream", name, DOMAIN, "live", since=time.time())
        # Of a push that it has not seen, the emulated cloud tells no end.
        await until(lambda: began(world, name))  # noqa: B023 (awaited here)
        await world.slack.person("U0ALICE").slash("/stopstream", f"live {name}", INCIDENTS)
        off, unread = f"*Off: `{name}`*", f"Couldn't check whether `{name}`"
        await until(lambda: lines(world, off) or lines(world, unread))  # noqa: B023 (awaited here)
        if told := lines(world, off):
            assert told[0].text.endswith("after the stop.")
            return
    pytest.fail("no stop knew whether its stream was live")


async def test_callbacks_are_taken_in_every_mode_and_only_if_genuine(world: Sandbox) -> None:
    """What is genuine is answered as Tencent Cloud wants it; everything else is refused."""
    world.cloud.callbacks.delivery.lost = True
    url = f"{world.bot.url}/hooks/live"
    cases = [
        (body(), 200),
        (body(key="another-key-of-somebody"), 403),
        (body(ahead=-1.0), 403),
        (body(ahead=86_400.0), 403),
        (b"{}", 400),
        (signed(said(332), DEMO_KEY, expires=time.time() + 60), 200),
        (b"x" * (256 * 1024 + 1), 413),
    ]
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:
        for content, status in cases:
            async with session.post(url, data=content, headers=headers) as response:
                assert response.status == status, content[:60]
                if status == 200:
                    assert await response.json() == {"code": 0}
        async with session.get(url) as response:
            assert response.status == 405
        async with session.get(f"{world.bot.url}/metrics") as response:
            counted = await response.text()
    assert 'stopstream_notices_total{outcome="stored",source="live"} 1.0' in counted
    assert 'stopstream_notices_total{outcome="ignored",source="live"} 1.0' in counted


@pytest.mark.parametrize("copies", [1, 5])
async def test_late_and_repeated_callbacks_are_told_once(http_world: Sandbox, copies: int) -> None:
    """However late a notice is, and however often it comes, its thread has one line of it."""
    world = http_world
    delivery = world.cloud.callbacks.delivery
    delivery.copies, delivery.late = copies, 0.5
    await stop(world, "stream1")
    await until(lambda: lines(world, "*Live again: `stream1`*"))

    def settled() -> bool:
        return len(world.cloud.callbacks.sent) >= 2 * copies

    await until(settled)
    await asyncio.gather(*(until(lambda: lines(world, "Live again")) for _ in range(3)))
    assert len(lines(world, "*Live again: `stream1`*")) == 1
    assert {one.status for one in world.cloud.callbacks.sent} == {200}


async def test_callbacks_are_sent_again_until_they_are_taken(http_world: Sandbox) -> None:
    """A notice that is refused is sent again, and counts when its key is right at last."""
    world = http_world
    delivery = world.cloud.callbacks.delivery
    delivery.again_after, delivery.key = 0.05, "the-key-of-another-template"
    await stop(world, "stream2")
    await until(lambda: sum(one.status == 403 for one in world.cloud.callbacks.sent) >= 2)
    delivery.key = DEMO_KEY
    await until(lambda: world.cloud.callbacks.sent[-1].status == 200)
