"""How long after a stream ends or returns its thread says so, and what false callbacks do."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bot.cli.demo import DOMAIN, INCIDENTS, Emulated
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.sandbox.slack.entities import Message
from bot.sandbox.tencent.callbacks import DEMO_KEY, PATH
from tests.support.live_callbacks import ENDED, said, signed
from tests.support.waiting import until
from tests.support.worlds import emulated

_FALSE = 1000
_CHANNELS = tuple(f"C0CAM{number}" for number in range(20))
"""Slack takes one message a second in each."""
_AFTER = 15.0
"""Seconds after the false callbacks in which a message of theirs would come."""


@dataclass
class Told:
    """What was measured; seconds from what happened in the cloud to the message in the thread.

    Attributes:
        untold: Streams that came back, and whose thread does not say so once.
        statuses: How often the false callbacks were answered how.
        words: Messages that came of them.
        actions: Requests that came of them, without reads.
    """

    ended: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    untold: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    words: int = 0
    actions: int = 0

    def lines(self) -> Iterator[str]:
        """Yield the results."""
        for name, waits in (("end", self.ended), ("return", self.returned)):
            parts = ", ".join(f"p{part * 100:g} {_at(waits, part):.2f} s" for part in (0.5, 0.99))
            yield f"{len(waits)} times from a stream's {name} to its thread: {parts}"
        yield f"{self.untold} streams came back and were not told exactly once"
        answers = ", ".join(
            f"{count} × {status}" for status, count in sorted(self.statuses.items())
        )
        came = f"{self.words} messages, {self.actions} requests"
        yield f"{_FALSE} false callbacks ({answers}): {came}"


async def callbacks(folder: Path, url: str, *, streams: int, rate: float) -> Told:
    """Stop streams that come back, with two replicas, and send false callbacks afterwards."""
    found = Told()
    async with emulated(folder, limits=False, database=url) as world:
        settings = read_settings(**world.environment)
        async with Server(settings) as first, Server(settings) as second:
            addresses = [one.url + PATH for one in (first, second)]
            world.cloud.callbacks.url = addresses[0]
            await _stop_and_return(world, found, streams=streams, rate=rate)
            await _lie(world, found, addresses)
    return found


async def _stop_and_return(world: Emulated, found: Told, *, streams: int, rate: float) -> None:
    resources = world.cloud.resources
    names = [f"cam-{number}" for number in range(streams)]
    for name in names:
        resources.put("stream", name, DOMAIN, "live", returns_after=3.0, since=time.time())
    await asyncio.sleep(1.0)
    bob = world.slack.person("U0BOB")
    for channel in _CHANNELS:
        world.slack.channel(channel, channel.lower(), "U0BOB")

    async def stop(number: int, name: str) -> None:
        await asyncio.sleep(number / rate)
        await bob.slash("/stopstream", f"live {name}", _CHANNELS[number % len(_CHANNELS)])
        await until(lambda: _told(world, name, "Live again"))

    await asyncio.gather(*(stop(number, name) for number, name in enumerate(names)))
    await asyncio.sleep(5.0)
    for name in names:
        resource = resources.get("stream", name, DOMAIN, "live")
        assert resource is not None
        again, off = _told(world, name, "Live again"), _told(world, name, "Off")
        found.untold += len(again) != 1
        found.returned.append(float(again[0].ts) - resource.since)
        found.ended += [float(one.ts) - (resource.since - 3.0) for one in off[:1]]


def _told(world: Emulated, name: str, words: str) -> list[Message]:
    channels = [world.slack.channels[channel] for channel in _CHANNELS]
    threads = (
        channel.thread(root.ts)
        for channel in channels
        for root in channel.roots
        if f"`{name}`" in root.text
    )
    return [one for thread in threads for one in thread if f"*{words}: `{name}`*" in one.text]


async def _lie(world: Emulated, found: Told, addresses: list[str]) -> None:
    """Send callbacks of a stream that was stopped and is off: forged, stale, repeated, untrue."""
    alice, name = world.slack.person("U0ALICE"), "stream2"
    await alice.slash("/stopstream", f"live {name}", INCIDENTS)
    await asyncio.sleep(10.0)
    before = len(world.slack.channels[INCIDENTS].messages), _writes(world)
    now = time.time()
    async with aiohttp.ClientSession() as session:
        for number in range(_FALSE):
            url = addresses[number % len(addresses)]
            async with session.post(url, data=_false(number, name, now), headers=_JSON) as answer:
                found.statuses[answer.status] = found.statuses.get(answer.status, 0) + 1
    await asyncio.sleep(_AFTER)
    found.words = len(world.slack.channels[INCIDENTS].messages) - before[0]
    found.actions = _writes(world) - before[1]


_JSON = {"Content-Type": "application/json"}


def _false(number: int, name: str, now: float) -> bytes:
    fields = said(app=DOMAIN, stream_id=name, at=now + number)
    match number % 5:
        case 0:
            return signed(fields, "the-key-of-somebody-else", expires=now + 600)
        case 1:
            return signed(fields, DEMO_KEY, expires=now - 60)
        case 2:
            return signed(said(app=DOMAIN, stream_id=name, at=now), DEMO_KEY, expires=now + 600)
        case 3:
            return signed(fields, DEMO_KEY, expires=now + 600)
        case _:
            return signed(fields | {"event_type": ENDED}, DEMO_KEY, expires=now + 600)


def _writes(world: Emulated) -> int:
    return sum(not one.api.startswith("Describe") for one in world.cloud.received)


def _at(waits: list[float], part: float) -> float:
    ordered = sorted(waits) or [0.0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
