"""One run: what people, machines and the database do, as a seed says; then the count."""

import asyncio
import functools
import itertools
import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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

STEPS = 12
"""How many things are done in a run."""

_ACK_WITHIN = 3.0
"""Seconds after which Slack takes an answer no more."""

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
        self.replies: list[tuple[str, Reply]] = []
        self.replicas: list[Replica] = []
        self._keys = itertools.count(1)
        self._presses: list[tuple[str, Decision]] = []
        self._unheard: dict[str, tuple[float, Invocation]] = {}
        loop.read_takes = self._read_takes
        for _ in range(2):
            self._start()

    def note(self, what: str) -> None:
        """Write down what happens."""
        self.steps.append(f"{self.loop.passed:8.3f}  {what}")

    async def go(self, steps: int) -> None:
        """Do as the seed says, then let everything come to its end."""
        for _ in range(steps):
            self._do(chosen(self.dice, _CHANCES))
            await asyncio.sleep(self._moment())
        await self._calm()

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
        if what in ("suspend", "crash") and (busy := [r for r in self._living() if r.busy]):
            replica = self.dice.choice(busy)
        machine = replica.machine
        match what:
            case "ask":
                return self._ask(replica)
            case "again":
                return self._ask_again(replica)
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
                if self.dice.random() < 0.5:
                    # Its leases lapse before anybody else does anything.
                    self.loop.skipped += 1.2 * LEASE
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
        actor = chosen(self.dice, {ALICE: 8, BOB: 3, MALLORY: 1})
        text = chosen(self.dice, _TEXTS)
        key = f"k{next(self._keys)}"
        self._deliver(replica, Invocation(key, actor, Place(CHANNEL), text, verb=None))

    def _ask_again(self, replica: Replica) -> None:
        """Deliver again what Slack has heard nothing of in time."""
        late = self.loop.passed - _ACK_WITHIN
        waiting = [asked for since, asked in self._unheard.values() if since <= late]
        if waiting:
            self._deliver(replica, replace(self.dice.choice(waiting), repeated=True))

    def _deliver(self, replica: Replica, asked: Invocation) -> None:
        key, began = asked.key, self.loop.passed

        async def ask() -> None:
            reply = await replica.service.ask(asked)
            name = type(reply).__name__
            if self.dice.random() < 0.1:
                self._unheard[key] = (-_ACK_WITHIN, asked)
                self.note(f"{key}: {name}, and Slack does not hear it")
            elif self.loop.passed - began < _ACK_WITHIN:
                self._unheard.pop(key, None)
                self.replies.append((key, reply))
                self.note(f"{asked.actor.user} hears of {key}: {name}")

        self._unheard[key] = (began, asked)
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
            replica.machine.ahead = 0.0
        if self.dice.random() < 0.5:
            # Who is suspended wakes up after others have posted what they had claimed.
            for _ in range(3):
                self._begin_passes("courier")
                await asyncio.sleep(LEASE)
        for replica in self._living():
            replica.machine.resume()
        # Until the answers to all that has left are there.
        await asyncio.sleep(12.0)
        for _ in range(_ROUNDS):
            now = self.loop.now()
            for name, query in _DUE.items():
                if self.database.rows(query, {"now": now, "soon": now + LEASE / 2}):
                    self._begin_passes(name)
            await asyncio.sleep(LEASE / 8)
            left = self._left()
            if not any(left):
                return
            # What nobody decides over expires, and so does what nobody has in hand.
            self.loop.skipped += 1000.0 if left == (left[2], 0, left[2]) else LEASE / 2
        self.seen.wrong.append(f"not at its end: {self._left()}")

    def _begin_passes(self, name: str) -> None:
        """Begin a pass of a loop in every replica; one of them is enough to deliver messages."""
        living = self._living()
        for replica in [self.dice.choice(living)] if name == "courier" else living:
            replica.step(name)

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
    "ask": 4,
    "again": 1,
    "press": 3,
    "engine": 4,
    "approvals": 2,
    "courier": 5,
    "crash": 0.8,
    "suspend": 2,
    "resume": 1,
    "clock": 0.5,
    "sleep": 0.5,
    "away": 0.4,
    "lost": 1.5,
    "refused": 0.5,
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


_DUE = {
    "engine": """
        SELECT 1 FROM operations WHERE look_at <= :now
        UNION ALL SELECT 1 FROM operations
            WHERE state IN ('asked', 'due', 'running') AND lease_until < :soon
        UNION ALL SELECT 1 FROM outbox WHERE lease_until > 0 AND lease_until < :soon
        UNION ALL SELECT 1 FROM decisions WHERE NOT settled AND lease_until < :soon LIMIT 1
    """,
    "approvals": """
        SELECT 1 FROM operations WHERE state = 'waiting' AND min(due_at, expires_at) <= :now
        UNION ALL SELECT 1 FROM decisions WHERE NOT settled AND lease_until < :now LIMIT 1
    """,
    "courier": "SELECT 1 FROM outbox WHERE next_at <= :now AND lease_until <= :now LIMIT 1",
}
"""Finds out whether a pass of a loop would do something now."""


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


def run(seed: int, database: MemoryDatabase, steps: int = STEPS) -> Run:
    """Do one run.

    Raises:
        ExceptionGroup: A loop broke off. That is no finding about the order of things.
    """
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
        stack.enter_context(mock.patch("bot.operations.recorder.new_id", partial(next, ids)))
        # So that lanes without work cost little; a courier looks again then at the latest.
        stack.enter_context(mock.patch("bot.supervision.IDLE", 5.0))
        world = _at(loop, seed, database)
        try:
            loop.run_until_complete(world.go(steps))
        except StuckError as error:
            world.seen.wrong.append(str(error))
        wrong = [*world.seen.wrong, *judge(world.database, world.seen, world.replies)]
        _end(loop, world)
    if broken := [error for replica in world.replicas for error in replica.broken]:
        raise ExceptionGroup(f"loops broke off, --seed {seed}", broken)
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
