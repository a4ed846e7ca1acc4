"""A flood of refused asks at two replicas, in virtual time; Slack takes one message a second."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field

import pytest

from bot.model.commands import Invocation
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    MayLeave,
    MessageKind,
    RetryLater,
    at_any_time,
)
from bot.model.people import Actor, Place
from bot.operations.outbox_relay import SPACING
from bot.policy.loader import loader
from bot.storage.floods import REFUSALS
from tests.simulation.database import MemoryDatabase
from tests.simulation.machine import Machine, Replica, make_task
from tests.simulation.run import silence
from tests.simulation.virtual_time import BEGIN, VirtualLoop, clocks_of
from tests.support.fakes import BOB, MALLORY, FakeCloud, FakeDirectory, FakeNotifier

MANY = 300
EVERY = 0.01
"""Seconds from one refused ask to the next."""

_LONGEST = 60.0
"""Virtual seconds after which a line is called late for good."""

_POLICY = """
defaults: {live: {DomainName: push.example.com, AppName: live}}
roles: {leads: {members: {users: [U0BOB]}, allow: [{actions: [DropLiveStream]}]}}
"""


@dataclass
class LimitedSlack(FakeNotifier):
    """Takes a message a second for the audit channel, after a burst, and refuses the others.

    Attributes:
        lines: The person of each audit line, and when it was posted.
    """

    loop: VirtualLoop = field(default_factory=VirtualLoop)
    lines: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    _free_at: float = 0.0

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        if delivery.kind is not MessageKind.AUDIT:
            return await super().deliver(delivery)
        if wait := self._wait():
            return RetryLater(wait, "Slack refused it (ratelimited)")
        self.lines.append((delivery.operation.actor.user, self.loop.passed))
        return await super().deliver(delivery)

    async def announce(
        self,
        text: str,
        key: str,
        *,
        uncertain: bool,
        seal: str = "",
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        if wait := self._wait():
            return RetryLater(wait, "Slack refused it (ratelimited)")
        return await super().announce(
            text, key, uncertain=uncertain, seal=seal, may_leave=may_leave
        )

    def _wait(self) -> float:
        """Return for how long a message is refused; 0 takes it."""
        self._free_at = max(self._free_at, self.loop.passed - 5.0)
        if self._free_at > self.loop.passed:
            return self._free_at - self.loop.passed
        self._free_at += 1.0
        return 0.0


@dataclass
class Found:
    """What became of a flood, and of one ask of somebody else's behind it.

    Attributes:
        behind: Seconds from that ask to its line in the audit channel.
        recorded: Refusals on the trail.
    """

    desk: LimitedSlack
    behind: float
    recorded: int


def flood(database: MemoryDatabase) -> Found:
    """Have one person ask 300 things that are refused, at two replicas, then another one."""
    database.empty()
    loop = VirtualLoop()
    loop.set_task_factory(make_task)  # type: ignore[arg-type] # the stubs know no keywords here
    with contextlib.closing(loop), silence(), clocks_of(loop):
        return loop.run_until_complete(_flood(loop, database))


async def _flood(loop: VirtualLoop, database: MemoryDatabase) -> Found:
    dice, desk = random.Random(14), LimitedSlack(loop=loop)  # noqa: S311 (to be repeated)
    policy = loader(source="policy.yml", sites={}, region="", now=BEGIN)(_POLICY)
    replicas = [
        Replica(
            Machine(name, loop, dice),
            database,
            policy=policy,
            cloud=FakeCloud(),
            notifier=desk,
            directory=FakeDirectory(),
            spacing=SPACING,
        )
        for name in ("one", "two")
    ]

    def ask(number: int, actor: Actor, text: str) -> "asyncio.Task[object]":
        replica = replicas[number % 2]
        asked = Invocation(f"k{number}", actor, Place("C0INC"), text, verb=None)
        return replica.machine.run(replica.service.ask(asked))

    asks: list[asyncio.Task[object]] = []
    for number in range(MANY):
        asks.append(ask(number, MALLORY, f"stop live s{number}"))
        await asyncio.sleep(EVERY)
    asked_at = loop.passed
    asks.append(ask(MANY, BOB, "stop live stream1"))
    while BOB.user not in dict(desk.lines) and loop.passed < asked_at + _LONGEST:
        _step(replicas)
        await asyncio.sleep(0.1)
    behind = dict(desk.lines).get(BOB.user, loop.passed) - asked_at
    await asyncio.gather(*asks)
    # Until all lines are out, so that none comes late.
    while database.rows("SELECT 1 FROM outbox LIMIT 1") and loop.passed < asked_at + 2 * _LONGEST:
        _step(replicas)
        await asyncio.sleep(0.1)
    ((recorded,),) = database.rows("SELECT count(*) FROM trail WHERE kind = 'denied'")
    broken = [error for replica in replicas for error in replica.broken]
    for replica in replicas:
        replica.machine.crash()
    await asyncio.sleep(0)
    assert broken == []
    return Found(desk, behind, recorded)


def _step(replicas: list[Replica]) -> None:
    for replica in replicas:
        for name in ("engine", "courier"):
            replica.step(name)


@pytest.fixture(scope="module")
def found() -> Found:
    return flood(MemoryDatabase())


def test_flood_puts_nobody_elses_line_behind(found: Found) -> None:
    """The line of the next ask waits for the flood's ten and the one that the others share."""
    assert 0.0 < found.behind <= (REFUSALS + 3) * SPACING


def test_flood_shares_one_line_and_is_told_once(found: Found) -> None:
    """At both replicas together; every refusal is on the trail."""
    lines = [user for user, _ in found.desk.lines if user == MALLORY.user]
    shared = [text for text in found.desk.announced if MALLORY.user in text]
    told = [word for word in found.desk.words if word.actor.user == MALLORY.user]

    assert (len(lines), len(shared), len(told)) == (REFUSALS, 1, 1)
    assert found.recorded == MANY
