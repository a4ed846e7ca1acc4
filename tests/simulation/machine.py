"""One replica on a machine that may be suspended, crash, or have a clock of its own."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any
from unittest import mock

from bot.audit.checkpoints import Signer
from bot.cli.wiring import build
from bot.metrics import Metrics
from bot.model.ports import Cloud, Directory, Notifier
from bot.operations.outbox_relay import OutboxRelay
from bot.operations.service import Service
from bot.policy.loader import LoadedPolicy
from bot.storage.store import Store
from bot.storage.writer import Work, Writer
from bot.supervision import LONGEST, Loop, Pass, Supervisor
from tests.simulation.database import MemoryDatabase, chosen
from tests.simulation.virtual_time import VirtualLoop
from tests.support.fakes import TEAM

LEASE = 2.0

STEPPED = ("engine", "approvals", "courier")
"""The loops of which the simulation runs one pass at a time; the others run by themselves."""

SIGNER = Signer(bytes(32))
METRICS = Metrics()

_RUNS_ON: ContextVar["Machine | None"] = ContextVar("machine", default=None)


class Machine:
    """What one replica runs on.

    Attributes:
        name: Of the replica, on its leases.
        ahead: Seconds by which its clock is ahead of the true one.
        crashed_at: When it crashed, in seconds since the beginning; None while it lives.
        awaited: How many answers from without it waits for.
    """

    def __init__(self, name: str, loop: VirtualLoop, dice: random.Random) -> None:
        self.name = name
        self.ahead = 0.0
        self.crashed_at: float | None = None
        self.loop = loop
        self._dice = dice
        self._tasks: set[asyncio.Task[Any]] = set()
        self._held: list[tuple[Callable[..., None], tuple[Any, ...]]] | None = None
        self.awaited = 0

    @property
    def suspended(self) -> bool:
        """Whether nothing of it runs now."""
        return self._held is not None

    def clock(self) -> float:
        """Return the time by its own clock, epoch seconds."""
        return self.loop.now() + self.ahead

    def takes(self) -> float:
        """Return how long something within it takes: mostly nothing that could be measured."""
        return float(chosen(self._dice, {0.0: 3, 0.001: 2, 0.02: 3, 0.3: 2}))

    def later(self, seconds: float, call: Callable[..., None], *given: Any) -> None:
        """Call something after a while, if it has not crashed, and once it is not suspended."""
        self.awaited += 1
        self.loop.call_later(seconds, self._fire, call, given)

    async def pause(self, seconds: float) -> None:
        """Wait within it."""
        done: asyncio.Future[None] = self.loop.create_future()
        self.later(seconds, _finish, done)
        await done

    def run(self, work: Coroutine[Any, Any, Any], name: str = "") -> "asyncio.Task[Any]":
        """Run a task within it."""
        token = _RUNS_ON.set(self)
        try:
            return self.loop.create_task(work, name=name)
        finally:
            _RUNS_ON.reset(token)

    def suspend(self) -> None:
        """Stop everything in it."""
        self._held = self._held or []

    def resume(self) -> None:
        """Go on."""
        held, self._held = self._held or [], None
        for call, given in held:
            self.loop.call_soon(self._fire, call, given)

    def crash(self) -> None:
        """End everything in it at once."""
        self.crashed_at = self.loop.passed
        for task in list(self._tasks):
            task.cancel()

    def own(self, task: "asyncio.Task[Any]") -> None:
        """Note a task that runs in it."""
        if self.crashed_at is not None:
            task.cancel()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fire(self, call: Callable[..., None], given: tuple[Any, ...]) -> None:
        if self.crashed_at is not None:
            return
        if self._held is not None:
            self._held.append((call, given))
        else:
            self.awaited -= 1
            call(*given)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def make_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **given: Any
) -> "asyncio.Task[Any]":
    """Make a task that ends with the machine that has begun it."""
    task = asyncio.Task(work, loop=loop, **given)
    if (machine := _RUNS_ON.get()) is not None:
        machine.own(task)
    return task


class _SlowAnswers:
    """What a writer uses of its event loop: answers take a while, or never come."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def create_future(self) -> "asyncio.Future[Any]":
        return self._machine.loop.create_future()

    def call_soon_threadsafe(self, call: Callable[..., None], *given: Any) -> None:
        machine = self._machine
        machine.later(machine.takes(), call, *given)


class InlineWriter(Writer):
    """Processes its queue in the event loop, some time after something was put into it."""

    def __init__(self, machine: Machine, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._machine = machine
        self._loop: Any = _SlowAnswers(machine)

    async def do(self, work: Work[Any, Any], item: Any, *, urgent: bool = False) -> Any:
        self._machine.later(self._machine.takes(), self._process_queued)
        return await super().do(work, item, urgent=urgent)

    def _start(self) -> None:
        """Start no thread."""

    def _process_queued(self) -> None:
        if self._urgent or self._jobs:
            self._process_next()
        elif self._unanswered is not None:
            self._is_clear()
        if self._unanswered is not None:
            self._machine.later(0.5, self._process_queued)


class SteppedSupervisor(Supervisor):
    """Keeps the passes of some loops, to be run one by one."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self.passes: dict[str, Pass] = {}

    def start(
        self,
        name: str,
        work: Pass,
        *,
        every: float | Callable[[], float] = 0.0,
        after: float = 0.0,
        longest: float = LONGEST,
    ) -> Loop:
        if name not in STEPPED:
            return super().start(name, work, every=every, after=after, longest=longest)
        self.passes[name] = work
        return Loop(name, longest)


class Replica:
    """A bot on a machine.

    Attributes:
        service: What people ask.
        store: Its access to the database.
        broken: What its passes have raised.
    """

    def __init__(
        self,
        machine: Machine,
        database: MemoryDatabase,
        *,
        policy: LoadedPolicy,
        cloud: Cloud,
        notifier: Notifier,
        directory: Directory,
        spacing: float = 0.0,
    ) -> None:
        self.machine = machine
        self.store = open_store(machine, database)
        self._supervisor = SteppedSupervisor(METRICS)
        self._running: dict[str, asyncio.Task[Any]] = {}
        self.broken: list[Exception] = []
        parts = build(
            store=self.store,
            cloud=cloud,
            directory=directory,
            notifier=notifier,
            policy=lambda: policy,
            team=TEAM,
            metrics=METRICS,
            supervisor=self._supervisor,
            retry_after=0.2,
            spacing=spacing,
            clock=machine.clock,
        )
        self.service: Service = parts.operations.service
        self._worker = parts.operations.worker
        self._approvals = parts.operations.approvals
        assert parts.relay is not None
        self._relay: OutboxRelay = parts.relay
        machine.run(self._start(), "start")

    async def _start(self) -> None:
        self._worker.start()
        self._approvals.start()
        self._relay.start()

    @property
    def busy(self) -> bool:
        """Whether it waits for an answer of the database, the cloud or Slack."""
        return self.machine.awaited > 0

    def step(self, name: str) -> bool:
        """Begin a pass of a loop; return whether the last one was over."""
        running = self._running.get(name)
        if running is not None and not running.done():
            return False
        work = self._supervisor.passes.get(name)
        if work is None:
            return False

        async def once() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 (raised at the end of the run)
                self.broken.append(error)

        self._running[name] = self.machine.run(once(), name)
        return True


def open_store(machine: Machine, database: MemoryDatabase) -> Store:
    """Open the database on a machine; it is written to in the event loop."""
    with mock.patch("bot.storage.session.Writer", partial(InlineWriter, machine)):
        return Store(
            database.engine,
            owner=machine.name,
            audit_channel="C0AUDIT",
            lease=LEASE,
            signer=SIGNER,
            clock=machine.loop.now,
        )
