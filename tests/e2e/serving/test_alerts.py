"""Each alert fires on what the emulators do to the real bot, and none of them before."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.cli import wiring
from bot.cli.demo import INCIDENTS, Sandbox
from bot.cli.serve import Server
from bot.cli.settings import Settings, read_settings
from bot.sandbox.tencent.faults import Fault
from bot.storage import database, tables
from bot.storage.store import Store
from bot.supervision import DOWN
from tests.support.alerts import judge, rules
from tests.support.ports import free_port
from tests.support.prometheus import fetch, needs_promtool, value
from tests.support.stored_operations import FACTS, operation
from tests.support.stored_rows import Rows
from tests.support.supervision import Clock, Work
from tests.support.waiting import until
from tests.support.worlds import emulated

SLOW_ACK = 1.2
"""Seconds for which the database keeps an ack waiting."""


class Scene:
    """The bot between the emulators, and what is done to it."""

    def __init__(self, world: Sandbox, settings: Settings, clock: Clock, folder: Path) -> None:
        self.world = world
        self.slack, self.cloud, self.bot = world.slack, world.cloud, world.bot
        self.alice = world.slack.person("U0ALICE")
        self._settings = settings
        self._clock = clock
        self._folder = folder

    async def scrape(self) -> str:
        return (await fetch(f"{self.bot.metrics_url}/metrics"))[1]

    async def shows(self, name: str, least: float = 1.0, **labels: str) -> None:
        """Wait until a metric has a value, or more."""

        async def reached() -> bool:
            found = value(await self.scrape(), name, **labels)
            return found is not None and (found >= least if least else found == 0)

        await until(reached)

    async def stop_what_comes_back(self) -> None:
        await self.alice.slash("/stopstream", "live stream1", INCIDENTS)
        await self.shows("stopstream_came_back_total")

    async def ask_for_a_decision(self) -> None:
        await self.alice.slash("/startstream", "car user1", INCIDENTS)
        await self.shows("stopstream_approvals_waiting")

    async def refuse_the_key(self) -> None:
        self.cloud.faults.persist(Fault(code="AuthFailure.SignatureFailure"), api="DropLiveStream")
        await self.alice.slash("/stopstream", "live stream2", INCIDENTS)
        await self.shows("stopstream_cloud_errors_total", kind="key")

    async def break_the_cloud(self) -> None:
        self.cloud.faults.clear()
        self.cloud.faults.add(Fault(code="InternalError"), api="DropLiveStream", times=5)
        for number in range(5):
            await self.alice.slash("/stopstream", f"live broken{number}", INCIDENTS)
        await self.shows("stopstream_cloud_errors_total", 4.0, kind="server")

    async def archive_the_channel(self) -> None:
        self.slack.channel("C0OLD", "old", "U0BOB", is_archived=True)
        await self.slack.person("U0BOB").slash("/stopstream", "live stream2", "C0OLD")
        await self.shows("stopstream_delivered_total", result="never")

    async def break_the_policy(self) -> None:
        self.world.policy.write_text("roles: [")
        await self.shows("stopstream_policy_current", 0.0)

    async def fail_a_loop(self) -> None:
        work = Work(10**9)
        loop = self.bot.supervisor.start("planted", work)
        await until(lambda: loop.broken is not None)
        self._clock.now += DOWN + 1

    async def turn_the_clock(self) -> None:
        self.bot.skew.note("a clock", {"Date": "Sat, 01 Jan 2000 00:00:00 GMT"})

    async def close_the_sink(self) -> None:
        _rename(self._folder / "sink", "gone")
        await self.shows("stopstream_audit_sink_up", 0.0)

    async def tell_nobody(self) -> None:
        await self.shows("stopstream_webhook_up", 0.0)
        assert "ready, but " in (await fetch(f"{self.bot.url}/readyz"))[1]

    async def keep_an_ack_waiting(self) -> None:
        asked = value(await self.scrape(), "stopstream_asked_total", api="DropLiveStream") or 0.0
        with _locked(self._settings.database_url):
            slow = asyncio.create_task(self.alice.slash("/stopstream", "live stream2", INCIDENTS))
            # Only what has come can be kept waiting.
            await self.shows("stopstream_asked_total", asked + 1, api="DropLiveStream")
            await asyncio.sleep(SLOW_ACK)
        await slow

    async def leave_work(self) -> None:
        """Leave an operation behind as a replica does that is killed."""
        other = wiring.open_store(self._settings)
        await other.operations.add(operation(), FACTS)
        await other.close()
        with self._rows() as rows:
            rows.orphan(tables.operations, operation().id)
        await self.shows("stopstream_lease_takeovers_total", state="asked")

    async def forget_work(self) -> None:
        """Lease what waits for a decision to the bot, which knows nothing of it."""
        with self._rows() as rows:
            (waiting,) = (one for one in rows.all(tables.operations) if one.state == "waiting")
            mine = {"owner": self._store.session.owner, "lease_until": time.time() + 86_400}
            # It must not expire when the clock is turned.
            later = dict.fromkeys(("due_at", "expires_at"), time.time() + 10 * 86_400)
            rows.change(tables.operations, waiting.id, **mine, **later)
        await self.shows("stopstream_leased_not_in_hand")

    async def forge_a_message(self) -> None:
        forged = {"key": "forged", "operation": "", "owed": "audit", "text": "x", "about": ""}
        forged |= {"place": "", "destination": INCIDENTS, "owner": "", "mac": "forged"}
        numbers = {"wanted": 0, "attempts": 0, "next_at": 0.0, "lease_until": 0.0}
        with self._rows() as rows:
            rows.insert(tables.outbox, [{**forged, **numbers, "uncertain": False}])
        await self.shows("stopstream_tampered_rows")

    async def revoke_the_token(self) -> None:
        self.slack.faults.revoked = True
        await self.alice.slash("/stopstream", "live stream2", INCIDENTS)
        await self.shows("stopstream_slack_up", 0.0)
        await self.shows("stopstream_outbox")

    async def cut_the_sockets(self) -> None:
        self.slack.faults.refuse("apps.connections.open", "internal_error", times=None)
        await self.slack.delivery.cut()
        await self.shows("stopstream_sockets_open", 0.0)

    async def let_time_pass(self, patch: pytest.MonkeyPatch) -> None:
        """Turn the store's clock on by a day, for those who ask how long something has waited."""
        later = time.time() + 86_400.0
        patch.setattr(self._store.session, "read_clock", lambda _: later)
        for age in ("outbox_oldest", "approvals_oldest", "checkpoint"):
            await self.shows(f"stopstream_{age}_age_seconds", 80_000.0)

    async def lose_the_database(self) -> None:
        with self._rows() as rows:
            rows.execute("ALTER TABLE outbox RENAME TO gone")
        await self.shows("stopstream_database_up", 0.0)

    async def find_the_database(self) -> None:
        with self._rows() as rows:
            rows.execute("ALTER TABLE gone RENAME TO outbox")
        await self.shows("stopstream_database_up")

    @property
    def _store(self) -> Store:
        assert self.bot.store is not None
        return self.bot.store

    @contextlib.contextmanager
    def _rows(self) -> Iterator[Rows]:
        rows = Rows(self._settings.database_url)
        yield rows
        rows.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = Clock()
    async with emulated(tmp_path, limits=False) as world:
        places = {
            "STOPSTREAM_AUDIT_SINK": str(_sink(tmp_path)),
            "STOPSTREAM_WEBHOOK_URL": f"http://127.0.0.1:{free_port()}/",
            "STOPSTREAM_WEBHOOK_SECRET": "whsec_" + "QUJD" * 8,
        }
        settings = read_settings(**world.environment, **places)
        async with Server(settings, clock=clock) as bot:
            yield Scene(
                Sandbox(world.slack, world.cloud, bot, world.policy), settings, clock, tmp_path
            )


@needs_promtool
async def test_alert_fires_on_what_is_provoked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No alert fires on a bot that is well; each does once its cause is there."""
    await scene.shows("stopstream_sockets_open", 2.0)
    await scene.shows("stopstream_slack_up")
    await scene.shows("stopstream_audit_sink_up")
    await scene.shows("stopstream_webhook_up")
    calm = await scene.scrape()

    await scene.ask_for_a_decision()
    await scene.stop_what_comes_back()
    await scene.tell_nobody()
    await scene.refuse_the_key()
    await scene.break_the_cloud()
    await scene.archive_the_channel()
    await scene.keep_an_ack_waiting()
    await scene.leave_work()
    await scene.forget_work()
    await scene.forge_a_message()
    await scene.fail_a_loop()
    await scene.break_the_policy()
    await scene.turn_the_clock()
    await scene.close_the_sink()
    await scene.revoke_the_token()
    await scene.cut_the_sockets()
    await scene.let_time_pass(monkeypatch)
    await scene.lose_the_database()
    worst = await scene.scrape()
    await scene.find_the_database()

    fires = [name for name in rules() if name != "StopstreamDown"]
    assert await judge(calm, worst, up=True, fires=fires) == ""
    assert await judge(calm, calm, up=False, fires=["StopstreamDown"]) == ""


@contextlib.contextmanager
def _locked(url: str) -> Iterator[None]:
    """Keep the database's only write lock."""
    engine = database.connect(url)
    with engine.begin():
        yield
    engine.dispose()


def _rename(folder: Path, name: str) -> None:
    folder.rename(folder.with_name(name))


def _sink(folder: Path) -> Path:
    (folder / "sink").mkdir()
    return folder / "sink" / "trail.jsonl"
