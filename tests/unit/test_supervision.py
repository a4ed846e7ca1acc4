"""Loops that live long: whatever breaks them off, they go on, and it is seen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.audit.checkpoints import Signer
from bot.cli.demo import emulated
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.operations.checkpointer import Checkpointer
from bot.operations.priority_queue import ApiQueue
from bot.operations.retention import RetentionJob
from bot.policy.loader import LoadedPolicy, loader
from bot.policy.watched_file import WatchedFile
from bot.storage import database
from bot.storage.store import Store
from bot.supervision import DOWN, FIRST, LONGEST, MOST, Supervisor
from bot.telemetry import Metrics
from handlers.slack.background import BackgroundQueue
from tests.conftest import House, built
from tests.support.fakes import ALICE
from tests.support.slack_app import on_socket

PATIENCE = 20.0
"""Seconds after which a test that waits for something has failed; never how long it takes."""


class Clock:
    """Time that passes when the test says so; those who sleep wake at once and are counted."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Work:
    """A pass that breaks off as often as it is told to, and then hangs or goes on."""

    def __init__(self, failures: int, *, hangs: bool = False) -> None:
        self.failures = failures
        self.tries = 0
        self.hangs = hangs
        self.passed = asyncio.Event()
        self.hanging = asyncio.Event()

    async def __call__(self) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise ZeroDivisionError("planted")
        if self.hangs:
            self.hanging.set()
            await asyncio.Event().wait()
        self.passed.set()
        await asyncio.sleep(0)


def figure(metrics: Metrics, name: str, loop: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"loop": loop})


def restarts(metrics: Metrics, loop: str) -> float | None:
    return figure(metrics, "stopstream_loop_restarts_total", loop)


async def come(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


async def become(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)


async def test_supervisor_restarts_crashed_loop() -> None:
    """A loop that breaks off is started again, with a traceback in the log and a count."""
    clock, metrics, work = Clock(), Metrics(), Work(3)
    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    with capture_logs() as logs:
        loop = supervisor.start("work", work)
        await come(work.passed)
        loop.stop()

    broken = [line for line in logs if line["event"] == "a loop broke off and starts again"]
    assert [line["loop"] for line in broken] == ["work"] * 3
    assert all(isinstance(line["exc_info"], ZeroDivisionError) for line in broken)
    assert restarts(metrics, "work") == 3


async def test_supervisor_restarts_loop_that_was_cancelled_from_within() -> None:
    """A cancellation that nobody asked the supervisor for is a failure like any other."""
    clock, metrics, tries = Clock(), Metrics(), 0
    passed = asyncio.Event()

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError
        passed.set()

    loop = Supervisor(metrics, clock=clock, sleep=clock.sleep).start("work", work)
    await come(passed)
    loop.stop()
    assert restarts(metrics, "work") == 1


async def test_supervisor_waits_longer_after_each_failure_and_forgets_after_a_success() -> None:
    """The back-off doubles up to its cap, has jitter, and begins anew after a pass that worked."""
    clock, metrics, work = Clock(), Metrics(), Work(12)
    loop = Supervisor(metrics, clock=clock, sleep=clock.sleep).start("work", work)
    await come(work.passed)
    waits = [seconds for seconds in clock.slept if seconds]
    assert len(waits) == 12
    for number, wait in enumerate(waits):
        full = min(MOST, FIRST * 2**number)
        assert full / 2 <= wait <= full

    work.tries, work.failures, work.passed = 0, 1, asyncio.Event()
    await come(work.passed)
    assert FIRST / 2 <= [seconds for seconds in clock.slept if seconds][-1] <= FIRST
    loop.stop()


async def test_supervisor_names_loop_that_keeps_failing_until_it_works() -> None:
    """A loop counts as not running once it has failed for DOWN, and runs after one good pass."""
    clock, metrics, work = Clock(), Metrics(), Work(10**9)
    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    loop = supervisor.start("work", work)
    await become(lambda: work.tries > 2)
    assert supervisor.trouble() == "", "a short trouble is none"
    assert figure(metrics, "stopstream_loop_up", "work") == 1

    clock.now += DOWN + 1
    assert supervisor.trouble() == f"not running: work has failed for {DOWN + 1:.0f} s"
    assert figure(metrics, "stopstream_loop_up", "work") == 0

    work.failures = 0
    await come(work.passed)
    await become(lambda: not supervisor.trouble())
    assert figure(metrics, "stopstream_loop_up", "work") == 1
    loop.stop()
    assert figure(metrics, "stopstream_loop_up", "work") is None


async def test_supervisor_names_loop_that_hangs() -> None:
    """A pass that does not come to its end is seen without any exception."""
    clock, work = Clock(), Work(0, hangs=True)
    supervisor = Supervisor(Metrics(), clock=clock, sleep=clock.sleep)
    loop = supervisor.start("work", work)
    await come(work.hanging)
    clock.now += LONGEST
    assert supervisor.trouble() == ""
    clock.now += 1
    assert supervisor.trouble() == f"not running: work has been silent for {LONGEST + 1:.0f} s"
    loop.stop()
    assert supervisor.trouble() == "", "what was stopped is not missed"


# --- the loops ---------------------------------------------------------------------------


class Planted(Store):
    """A store in which the first call of one method fails, as no database error does.

    Args:
        plant: The repository and its method, e.g. `outbox.claim`.
    """

    def __init__(self, *args: Any, plant: str, **given: Any) -> None:
        super().__init__(*args, **given)
        self.tries = 0
        self.worked = asyncio.Event()
        repository, method = plant.split(".")
        self._call = getattr(getattr(self, repository), method)
        setattr(getattr(self, repository), method, self._planted)

    async def _planted(self, *args: Any, **given: Any) -> Any:
        self.tries += 1
        found = await self._call(*args, **given)
        if self.tries == 1:
            raise ZeroDivisionError("planted")
        self.worked.set()
        return found


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Callable[[str], Planted]]:
    engine = database.connect(f"sqlite:///{tmp_path / 'planted.db'}")
    database.migrate(engine)
    stores: list[Planted] = []

    def make(name: str) -> Planted:
        signer = Signer(b"s" * 32)
        stores.append(Planted(engine, owner="replica-1", signer=signer, plant=name))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.mark.parametrize(
    ("call", "loop"),
    [
        ("leases.renew", "engine"),
        ("operations.due_waits", "approvals"),
        ("decisions.claim", "approvals"),
        ("outbox.claim", "courier"),
    ],
)
async def test_loop_survives_what_no_one_expected(
    plant: Callable[[str], Planted], call: str, loop: str
) -> None:
    """Heartbeat, approvals and outbox go on after an exception that nobody thought of."""
    store, metrics, clock = plant(call), Metrics(), Clock()
    supervisor = Supervisor(metrics, clock=clock)
    with capture_logs() as logs:
        async with built(store, supervisor=supervisor) as house:
            await come(store.worked)
            assert (await house.run("live stream1")).request_id
    assert restarts(metrics, loop) == 1
    assert [line["loop"] for line in logs if line.get("exc_info")] == [loop]


@pytest.mark.parametrize(
    ("call", "loop"), [("audit_log.checkpoint", "checkpoints"), ("audit_log.prune", "retention")]
)
async def test_keeper_survives_what_no_one_expected(
    plant: Callable[[str], Planted], call: str, loop: str
) -> None:
    """Checkpoints are made and old records removed after an exception, too."""
    store, metrics, clock = plant(call), Metrics(), Clock()
    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    jobs = (
        Checkpointer(store, every=60.0, supervisor=supervisor),
        RetentionJob(store, keep=3600.0, supervisor=supervisor),
    )
    with capture_logs() as logs:
        for job in jobs:
            job.start()
        await come(store.worked)
        for job in jobs:
            job.stop()
    assert restarts(metrics, loop) == 1
    assert [line["loop"] for line in logs if line.get("exc_info")] == [loop]


async def test_lane_survives_what_no_one_expected() -> None:
    """The line in front of an API goes on where giving turns breaks off."""
    metrics, clock = Metrics(), Clock()
    went, tries = asyncio.Event(), 0

    async def start(_turns: list[str]) -> float:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ZeroDivisionError("planted")
        went.set()
        return 0.0

    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    lane: ApiQueue[str] = ApiQueue(1, start, supervisor=supervisor, name="lane x")
    lane.put("one", bulk=False)
    lane.put("two", bulk=False)
    await come(went)
    lane.close()
    assert restarts(metrics, "lane x") == 1


async def test_errands_survive_a_worker_that_breaks_off() -> None:
    """A worker that breaks off between two errands goes on with the next one."""
    metrics, clock = Metrics(), Clock()
    supervisor = Supervisor(metrics, clock=clock, sleep=clock.sleep)
    background = BackgroundQueue(supervisor=supervisor, workers=1)
    fine = asyncio.Event()

    async def broken() -> None:
        raise ZeroDivisionError

    async def work() -> None:
        fine.set()

    background.start()
    background.submit("broken", broken, 7)  # type: ignore[arg-type] # nobody can be told
    background.submit("fine", work)
    await come(fine)
    assert restarts(metrics, "errands 0") == 1
    await background.stop()


async def test_admission_survives_what_no_one_expected(quick_store: Store) -> None:
    """What was taken up goes on being begun after something that cannot be."""
    metrics = Metrics()
    async with built(quick_store, supervisor=Supervisor(metrics)) as house:
        house.engine.take(SimpleNamespace(actor=ALICE))  # type: ignore[arg-type] # has no id
        assert (await house.run("live stream1")).request_id
    assert restarts(metrics, "admission") == 1


class Breaks:
    """A connection that breaks who asks for it, once."""

    def __init__(self) -> None:
        self.tries = 0
        self.worked = asyncio.Event()

    @property
    def open(self) -> bool:
        self.tries += 1
        if self.tries == 1:
            raise ZeroDivisionError("planted")
        self.worked.set()
        return True

    async def close(self) -> None:
        """Nothing stands."""


async def test_sockets_are_watched_after_what_no_one_expected(house: House) -> None:
    """Dead connections go on being replaced after an exception, too."""
    planted = Breaks()
    with capture_logs() as logs:
        async with on_socket(house) as (socket, _, _fake):
            await socket.start(connections=1)
            socket._connections.append(planted)  # type: ignore[arg-type] # noqa: SLF001 (plants it)
            await come(planted.worked)
    assert [line["loop"] for line in logs if line.get("exc_info")] == ["sockets"]


class Fickle(WatchedFile[LoadedPolicy]):
    """A policy file that cannot be looked at, once."""

    tries = 0

    def refresh(self) -> bool:
        self.tries += 1
        if self.tries == 1:
            raise ZeroDivisionError("planted")
        return super().refresh()


async def test_policy_file_is_read_after_what_no_one_expected(tmp_path: Path) -> None:
    """A new policy file is loaded, though a look at it broke off before."""
    async with emulated(tmp_path, socket=False, limits=False) as world:
        file = Fickle(world.policy, loader(source="policy.yml", sites={}, region="", now=0.0))
        before = file.value
        async with Server(read_settings(**world.environment), policy=file) as bot:
            world.policy.write_text(world.policy.read_text() + "\n# new\n")
            async with asyncio.timeout(PATIENCE):
                while file.value is before:  # noqa: ASYNC110 (its pace)
                    await asyncio.sleep(0.05)
            assert restarts(bot.metrics, "policy file") == 1


# --- what is seen from outside -----------------------------------------------------------


async def test_readyz_is_red_while_a_loop_is_dead(tmp_path: Path) -> None:
    """A loop that is down or hangs makes the bot not ready, by name; it recovers with the loop."""
    clock, work = Clock(), Work(10**9)
    async with (
        emulated(tmp_path, socket=False, limits=False) as world,
        Server(read_settings(**world.environment), clock=clock) as bot,
        aiohttp.ClientSession() as http,
    ):

        async def ready() -> tuple[int, str]:
            async with http.get(f"{bot.url}/readyz") as answer:
                return answer.status, (await answer.text()).strip()

        async def metrics() -> str:
            async with http.get(f"{bot.url}/metrics") as answer:
                return await answer.text()

        assert await ready() == (200, "ready")
        for name in ("engine", "approvals", "courier", "checkpoints", "policy file", "errands 0"):
            assert f'stopstream_loop_up{{loop="{name}"}} 1.0' in await metrics()

        loop = bot.supervisor.start("planted", work)
        await become(lambda: work.tries > 0 and loop.broken is not None)
        clock.now += DOWN + 1
        status, text = await ready()
        assert (status, text) == (503, "not running: planted has failed for 11 s")
        assert 'stopstream_loop_up{loop="planted"} 0.0' in await metrics()

        work.failures = 0
        await become(lambda: loop.broken is None)
        assert await ready() == (200, "ready")
        assert 'stopstream_loop_restarts_total{loop="planted"}' in await metrics()
        loop.stop()
