"""Every loop of the program goes on after an exception that nobody thought of."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.audit.checkpoints import Signer
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.clock_skew import ClockSkew
from bot.metrics import Metrics
from bot.operations.checkpointer import Checkpointer
from bot.operations.priority_queue import ApiQueue
from bot.operations.retention import RetentionJob
from bot.policy.loader import LoadedPolicy, loader
from bot.policy.watched_file import WatchedFile
from bot.storage import database
from bot.storage.store import Store
from bot.supervision import DOWN, Supervisor
from handlers.slack.background import BackgroundQueue
from tests.conftest import House, built
from tests.support.databases import lay_schema
from tests.support.slack_app import on_socket
from tests.support.stored_operations import operation
from tests.support.supervision import PATIENCE, Clock, Work, become, come, restarts
from tests.support.worlds import emulated


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
    file = tmp_path / "planted.db"
    lay_schema(file)
    engine = database.connect(f"sqlite:///{file}")
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
        RetentionJob(store, keep=3600.0, skew=ClockSkew(), supervisor=supervisor),
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


async def test_admission_survives_what_no_one_expected(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken up goes on being begun after something that cannot be."""
    metrics = Metrics()
    async with built(quick_store, supervisor=Supervisor(metrics)) as house:
        tasks = house.engine._tasks  # noqa: SLF001 (where a fault of ours would show)
        spawn, faults = tasks.spawn, [ValueError("a fault of ours")]

        def once(id_: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            if faults:
                work.close()
                raise faults.pop()
            return spawn(id_, work)

        monkeypatch.setattr(tasks, "spawn", once)
        house.engine.take(operation())
        assert (await house.run("live stream1")).request_id
    assert restarts(metrics, "admission") == 1


class Breaks:
    """A connection that breaks who asks for it, once."""

    def __init__(self) -> None:
        self.tries = 0
        self.worked = asyncio.Event()

    open = True

    @property
    def stuck(self) -> bool:
        self.tries += 1
        if self.tries == 1:
            raise ZeroDivisionError("planted")
        self.worked.set()
        return False

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


LOOPS = ("engine", "approvals", "courier", "watches", "checkpoints", "policy file", "errands 0")


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
        for name in LOOPS:
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

        # It serves all the same.
        bot.skew.note("a clock", {"Date": "Sat, 01 Jan 2000 00:00:00 GMT"})
        status, text = await ready()
        assert status == HTTPStatus.OK
        assert re.fullmatch(r"ready, but this machine's clock is \d+ s ahead of a clock's", text)
        assert 'stopstream_clock_skew_seconds{service="Slack"}' in await metrics()
        loop.stop()
