"""Slack is down while endings pend: afterwards all arrive once, in order, within its limits."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Sandbox, sandbox
from bot.sandbox.slack.entities import Message
from bot.storage import audit_records, database
from tests.support.acks import is_stored


@dataclass(frozen=True, slots=True)
class Arrived:
    """What stands in the workspace after an outage.

    Attributes:
        twice: Keys of messages that stand there more than once.
        slowest_ack: Seconds, while Slack's Web API was down.
        most_in_a_second: Messages to one channel.
        first_after: Seconds from Slack's return to the first message.
    """

    asked: int
    cards: int
    endings: int
    audit_lines: int
    twice: int
    in_order: bool
    refused_as_too_many: int
    most_in_a_second: int
    slowest_ack: float
    first_after: float
    all_after: float

    def lines(self) -> list[str]:
        arrived = f"{self.cards} cards, {self.endings} endings, {self.audit_lines} audit lines"
        return [
            f"{self.asked} asked while Slack was down, the slowest ack {self.slowest_ack:.2f} s",
            f"arrived: {arrived}; twice: {self.twice}; in order: {self.in_order}",
            f"most messages to a channel in a second: {self.most_in_a_second}",
            f"calls that Slack refused as too many: {self.refused_as_too_many}",
            f"first and last after Slack was back: {self.first_after:.1f}, {self.all_after:.1f} s",
        ]


async def outage(folder: Path, *, asks: int, seconds: float) -> Arrived:
    """Ask so often while Slack's Web API is down for so long, and see what arrives.

    Slack still delivers commands, as it does when only its Web API is in trouble.
    """
    async with sandbox(folder, socket=False) as world:
        slack, channel = world.slack, world.slack.channels[INCIDENTS]
        for number in range(asks):
            world.cloud.resources.put("stream", f"x{number}", DOMAIN, "live")
        alice = slack.person("U0ALICE")
        # Who someone is was asked lately.
        await alice.slash("/stopstream", "live stream1", INCIDENTS)
        await slack.wait_for(lambda: channel.roots and channel.thread(channel.roots[0].ts))
        await slack.wait_for(lambda: slack.channels[AUDIT].roots)

        slack.faults.down = True
        slowest = 0.0
        for number in range(asks):
            began = time.monotonic()
            said = await alice.slash("/stopstream", f"live x{number}", INCIDENTS)
            slowest = max(slowest, time.monotonic() - began)
            assert is_stored(said), said
        async with asyncio.timeout(120):
            while len(world.cloud.ran("DropLiveStream")) < asks + 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(seconds)
        slack.faults.down = False
        back, wall = time.monotonic(), slack.clock()
        await slack.wait_for(lambda: len(channel.roots) > 1, timeout=60)
        first = time.monotonic() - back
        await slack.wait_for(lambda: _all(world, asks), timeout=60 + 4 * asks)
        last = time.monotonic() - back
        return _count(world, asks=asks, slowest=slowest, first=first, last=last, since=wall)


def _all(world: Sandbox, asks: int) -> bool:
    channel = world.slack.channels[INCIDENTS]
    endings = sum(bool(channel.thread(root.ts)) for root in channel.roots)
    return endings > asks and len(world.slack.channels[AUDIT].roots) > asks


def _count(
    world: Sandbox, *, asks: int, slowest: float, first: float, last: float, since: float
) -> Arrived:
    channel = world.slack.channels[INCIDENTS]
    said = [m for c in world.slack.channels.values() for m in c.messages if m.metadata]
    late = [m for m in said if float(m.ts) >= since]
    keys = Counter(m.metadata["event_payload"]["key"] for m in said)
    cards = [root for root in channel.roots if float(root.ts) >= since]
    # What the verification says follows in the same thread, on a slow machine before the count.
    threads = [m for m in channel.messages if m.thread_ts and float(m.ts) >= since]
    endings = [m for m in threads if ":ending:" in m.metadata["event_payload"]["key"]]
    seconds = Counter(
        (name, int(float(m.ts)))
        for name, c in world.slack.channels.items()
        for m in c.messages
        if m in late
    )
    return Arrived(
        asked=asks,
        cards=len(cards),
        endings=len(endings),
        audit_lines=sum(m in late for m in world.slack.channels[AUDIT].roots),
        twice=sum(count > 1 for count in keys.values()),
        in_order=_in_order(world, cards, "sending") and _in_order(world, endings, "ended"),
        refused_as_too_many=world.slack.rate_limited,
        most_in_a_second=max(seconds.values()),
        slowest_ack=slowest,
        first_after=first,
        all_after=last,
    )


def _in_order(world: Sandbox, messages: list[Message], kind: str) -> bool:
    """Say whether messages stand in the order of what the trail says happened."""
    keys = [m.metadata["event_payload"]["key"].partition(":")[0] for m in messages]
    engine = database.connect(f"sqlite:///{world.policy.parent / 'stopstream.db'}")
    with engine.connect().execution_options(reads=True) as connection:
        happened = [
            record.operation for record in audit_records.read(connection) if record.kind == kind
        ]
    engine.dispose()
    return keys == [id_ for id_ in happened if id_ in keys]
