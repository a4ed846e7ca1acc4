"""One run: what people, machines and the database do, as a seed says; then the count."""

import asyncio
import functools
import itertools
import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from unittest import mock

import structlog

from bot.model.commands import Invocation
from bot.model.operations import Choice, Decision
from bot.model.people import Actor, Place
from bot.operations.results import Reply
from bot.policy.loader import LoadedPolicy, loader
from tests.simulation.database import Fate, MemoryDatabase, chosen
from tests.simulation.judge import judge
from tests.simulation.machine import LEASE, Machine, Replica, make_task
from tests.simulation.outside import Seen, SimulatedCloud, SimulatedSlack
from tests.simulation.virtual_time import BEGIN, StuckError, VirtualLoop, clocks_of
from tests.support.fakes import ALICE, BOB, MALLORY, FakeDirectory

CHANNEL = "C0INC"

STEPS = 24
"""How many things are done in a run."""

_HEARTBEAT = LEASE / 5

_ROUNDS = 400
"""Passes of every loop after which nothing may be left to do."""

_POLICY = """
defaults: {live: {DomainName: push.example.com, AppName: live}}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: [DropLiveStream, StopPublishStream, StartPublishStream]
      - {actions: [ForbidLiveStream], approval: confirm}
      - {actions: [ForbidLiveDomain], approval: second-person, approvers: [leads]}
  leads: {members: {users: [U0BOB]}, allow: [{actions: ["*"], approval: confirm}]}
"""

_TEXTS = {
    "start car u1": 4,
    "start car u2": 2,
    "stop car u1": 1,
    "stop live s1": 2,
    "stop live s2": 1,
    "stop ban s1 for=1h": 2,
    "stop domain play.example.com": 2,
}


@dataclass
class Told:
    """What people were answered, by the key of what they asked."""

    asked: dict[str, Reply | None] = field(default_factory=dict[str, Reply | None])


@dataclass
class Run:
    """A run that is over.

    Attributes:
        steps: What was done, and what was seen, in order.
        wrong: What must not have happened.
    """

    seed: int
    steps: list[str]
    wrong: list[str]


class World:
    """Two machines at a time, one database, and people."""

    def __init__(self, seed: int, loop: VirtualLoop, database: MemoryDatabase) -> None:
        self.dice = random.Random(seed)  # noqa: S311 (to be repeated)
        self.loop = loop
        self.database = database
        self.steps: list[str] = []
        self.seen = Seen(self.dice, database, self.note)
        self.told = Told()
        self.replicas: list[Replica] = []
        self._keys = itertools.count(1)
        self._presses: list[tuple[str, Decision]] = []
        self._asked: list[tuple[str, Invocation]] = []
        loop.read_takes = self._read_takes
        for _ in range(2):
            self._start()

    def note(self, what: str) -> None:
        """Write down what happens."""
        self.steps.append(f"{self.loop.passed:8.3f}  {what}")

    async def go(self) -> None:
        """Do as the seed says, then let everything come to its end."""
        self.loop.call_later(_HEARTBEAT, self._beat)
        for _ in range(STEPS):
            self._do(chosen(self.dice, _CHANCES))
            await asyncio.sleep(self._moment())
        await self._calm()

    def _beat(self) -> None:
        """Have leases renewed as often, for their length, as a bot does."""
        if "engine" in self._wanted():
            for replica in self._living():
                replica.step("engine")
        self.loop.call_later(_HEARTBEAT, self._beat)

    def _moment(self) -> float:
        return float(chosen(self.dice, {0.0: 4, 0.001: 3, 0.02: 3, 0.3: 2, 1.5: 1, 3.0: 0.7}))

    def _read_takes(self) -> float:
        return float(chosen(self.dice, {0.0: 6, 0.005: 2, 0.3: 0.3}))

    def _start(self) -> Replica:
        machine = Machine(f"m{next(self._keys)}", self.loop, self.dice)
        replica = Replica(
            machine,
            self.database,
            policy=_policy(),
            cloud=SimulatedCloud(self.seen, machine),
            notifier=SimulatedSlack(self.seen, machine),
            directory=FakeDirectory(),
        )
        self.replicas.append(replica)
        self.note(f"{machine.name} starts")
        return replica

    def _living(self) -> list[Replica]:
        return [one for one in self.replicas if one.machine.crashed_at is None]

    def _do(self, what: str) -> None:
        replica = self.dice.choice(self._living())
        machine = replica.machine
        match what:
            case "ask":
                return self._ask(replica)
            case "press":
                return self._press(replica)
            case "engine" | "approvals" | "courier":
                if what not in self._wanted():
                    return None
                replica.step(what)
            case _:
                self._fail(what, machine)
        return self.note(f"{machine.name}: {what}")

    def _fail(self, what: str, machine: Machine) -> None:
        match what:
            case "crash":
                machine.crash()
                self._start()
            case "suspend" if not machine.suspended:
                machine.suspend()
            case "suspend" | "resume":
                machine.resume()
            case "clock":
                machine.ahead = self.dice.choice((-262.0, -5.0, 5.0, 262.0, 0.0))
            case "sleep":
                self.loop.skipped += self.dice.choice((LEASE, 4 * LEASE, 300.0, 700.0))
            case "away":
                self.database.away = not self.database.away
            case _:
                self.database.fates += [Fate(what)] * self.dice.choice((1, 1, 2))

    def _ask(self, replica: Replica) -> None:
        if self._asked and self.dice.random() < 0.1:
            # Slack delivers it again.
            key, asked = self.dice.choice(self._asked)
            asked = replace(asked, repeated=True)
        else:
            key = f"k{next(self._keys)}"
            actor = chosen(self.dice, {ALICE: 8, BOB: 3, MALLORY: 1})
            asked = Invocation(key, actor, Place(CHANNEL), chosen(self.dice, _TEXTS), verb=None)
            self._asked.append((key, asked))

        async def ask() -> None:
            reply = await replica.service.ask(asked)
            self.told.asked[key] = reply
            self.note(f"{asked.actor.user} hears of {key}: {type(reply).__name__}")

        self.told.asked.setdefault(key, None)
        self.note(f"{asked.actor.user} asks {replica.machine.name} {key}: {asked.text}")
        replica.machine.run(ask(), key)

    def _press(self, replica: Replica) -> None:
        waiting = self.database.rows("SELECT id FROM operations WHERE state = 'waiting'")
        if not waiting:
            return
        (id_,) = self.dice.choice(waiting)
        actor: Actor = chosen(self.dice, {ALICE: 4, BOB: 4, MALLORY: 1})
        choices = {Choice.CONFIRM: 4, Choice.APPROVE: 4, Choice.DENY: 1, Choice.CANCEL: 1}
        choice: Choice = chosen(self.dice, choices)
        key = f"p{next(self._keys)}"
        pressed = Decision(key, id_, choice, actor, Place(CHANNEL))
        self.note(f"{actor.user} presses {choice.value} of {id_}")
        for _ in range(self.dice.choice((1, 1, 2))):
            replica.machine.run(replica.service.decide(pressed), key)

    async def _calm(self) -> None:
        """End all faults, and run every loop until nothing is left to do."""
        self.note("calm")
        self.seen.faulty = self.database.away = False
        self.database.fates.clear()
        for replica in self._living():
            replica.machine.resume()
            replica.machine.ahead = 0.0
        # Until the answers to all that has left are there.
        await asyncio.sleep(12.0)
        for _ in range(_ROUNDS):
            for replica in self._living():
                for name in self._wanted():
                    replica.step(name)
            await asyncio.sleep(LEASE / 8)
            left = self._left()
            if not any(left):
                return
            # What nobody decides over expires, and so does what nobody has in hand.
            self.loop.skipped += 1000.0 if left == (left[2], 0, left[2]) else LEASE / 2
        self.seen.wrong.append(f"not at its end: {self._left()}")

    def _wanted(self) -> list[str]:
        """Return the loops that have something to do: a pass of the others changes nothing."""
        return [name for name, query in _WORK.items() if self.database.rows(query)]

    def _left(self) -> tuple[int, ...]:
        """Count what has not ended, and what Slack must still be told."""
        query = """
            SELECT (SELECT count(*) FROM operations WHERE ended_at IS NULL),
                   (SELECT count(*) FROM outbox),
                   (SELECT count(*) FROM operations WHERE state = 'waiting')
        """
        return tuple(self.database.rows(query)[0])


_CHANCES = {
    "ask": 6,
    "press": 4,
    "engine": 5,
    "approvals": 3,
    "courier": 6,
    "crash": 0.8,
    "suspend": 1,
    "resume": 1,
    "clock": 0.5,
    "sleep": 0.5,
    "away": 0.3,
    "lost": 0.8,
    "refused": 0.3,
}


_WORK = {
    "engine": """
        SELECT 1 FROM operations WHERE state IN ('asked', 'due', 'running') OR look_at IS NOT NULL
        UNION ALL SELECT 1 FROM outbox WHERE lease_until > 0
        UNION ALL SELECT 1 FROM decisions WHERE NOT settled LIMIT 1
    """,
    "approvals": """
        SELECT 1 FROM operations WHERE state = 'waiting'
        UNION ALL SELECT 1 FROM decisions WHERE NOT settled LIMIT 1
    """,
    "courier": "SELECT 1 FROM outbox LIMIT 1",
}
"""Finds out whether a pass of a loop has something to do."""


@functools.cache
def _policy() -> LoadedPolicy:
    load = loader(source="policy.yml", sites={}, region="", now=BEGIN)
    return load(_POLICY)


@contextmanager
def silence() -> Iterator[None]:
    """Log nothing."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def run(seed: int, database: MemoryDatabase) -> Run:
    """Do one run."""
    database.empty()
    loop = VirtualLoop()
    loop.set_task_factory(make_task)  # type: ignore[arg-type] # the stubs know no keywords here
    ids = iter(map("op{:05}".format, itertools.count(1)))
    before = random.getstate()
    random.seed(seed)
    with ExitStack() as stack:
        stack.callback(random.setstate, before)
        stack.callback(loop.close)
        stack.enter_context(silence())
        stack.enter_context(clocks_of(loop))
        # Otherwise the random part of an id would decide what comes first.
        stack.enter_context(mock.patch("bot.operations.service.new_id", partial(next, ids)))
        # So that lanes without work cost little; a courier looks again then at the latest.
        stack.enter_context(mock.patch("bot.supervision.IDLE", 5.0))
        world = _at(loop, seed, database)
        try:
            loop.run_until_complete(world.go())
        except StuckError as error:
            world.seen.wrong.append(str(error))
        wrong = [*world.seen.wrong, *judge(world.database, world.seen, world.told.asked)]
        _end(loop, world)
    return Run(seed, world.steps, wrong)


def _at(loop: VirtualLoop, seed: int, database: MemoryDatabase) -> World:
    async def make() -> World:
        return World(seed, loop, database)

    return loop.run_until_complete(make())


def _end(loop: VirtualLoop, world: World) -> None:
    for replica in world.replicas:
        replica.machine.crash()
    if tasks := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(tasks))
