"""What many ask at once costs the database once, and a large policy file nobody an answer."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.cli.http import HttpServer
from bot.cli.policy_reload import PolicyReloader
from bot.clock_skew import ClockSkew
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.policy.watched_file import WatchedFile
from bot.storage.statistics import Figures
from bot.supervision import Supervisor


class Database:
    """Counts what it is asked, and answers only when it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False
        self.may_answer = asyncio.Event()
        self.leases = self.outbox = self.session = self.quarantine = self
        self.statistics = self
        self.strays = self.tampered = 0

    def trouble(self) -> str:
        return ""

    async def ready(self) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self.broken:
            raise StoreError("no space left")

    async def read(self) -> Figures:
        await self.ready()
        return Figures(0, 0.0, 0, 0.0, 0.0)


class Messenger:
    """Is connected."""

    trouble = ""


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_flood_of_a_page_asks_the_database_once(path: str) -> None:
    """However many ask for readiness or metrics at once, the database is asked once."""
    database: Any = Database()
    metrics = Metrics()
    http = HttpServer(
        store=database, metrics=metrics, supervisor=Supervisor(metrics), skew=ClockSkew()
    )
    http.connect(Messenger())  # type: ignore[arg-type] # its trouble alone is asked for
    page = http._ready if path == "/readyz" else http._prometheus  # noqa: SLF001 (a flood by HTTP is dearer)
    request = make_mocked_request("GET", path)
    asking = [asyncio.create_task(page(request)) for _ in range(300)]
    for _ in range(10):
        await asyncio.sleep(0)
    asking[0].cancel()
    database.may_answer.set()

    answers = await asyncio.gather(*asking[1:])

    assert {one.status for one in answers} == {200}
    assert database.asked == 1


async def test_policy_is_loaded_beside_the_event_loop(tmp_path: Path) -> None:
    """While a new policy file is read, everything else goes on."""
    began, gate = threading.Event(), threading.Event()
    seen: list[bool] = []

    def load(text: str) -> _Loaded:
        if text == "new":
            began.set()
            # Whoever holds up the event loop is answered after this, and too late.
            seen.append(gate.wait(20))
        return _Loaded(text)

    path = tmp_path / "policy.yml"
    path.write_text("old")
    file = WatchedFile(path, load)
    path.write_text("new")
    reloader = PolicyReloader(file, _Trail(), Metrics())  # type: ignore[arg-type] # stands for both

    async def others() -> None:
        await asyncio.to_thread(began.wait, 20)
        assert file.value.text == "old"
        gate.set()

    await asyncio.gather(reloader.check(), others(), return_exceptions=True)

    assert (seen, file.value.text) == ([True], "new")


@dataclass
class _Loaded:
    """What a file holds, and the policy in it, which nothing here looks at."""

    text: str
    policy: None = None


class _Trail:
    """Takes every record, and has no accounts to adopt."""

    def __init__(self) -> None:
        self.audit_log = self

    async def record(self, _fact: object) -> None:
        raise StoreError("not looked at")
