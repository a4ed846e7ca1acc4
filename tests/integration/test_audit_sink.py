"""The sink has each record once and in order, and never keeps anything waiting."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
import structlog

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact
from bot.audit.trail_file import TrailFile
from bot.cli.http import HttpServer
from bot.clock_skew import ClockSkew
from bot.errors import SinkError
from bot.metrics import Metrics
from bot.operations import audit_sink
from bot.operations.audit_sink import SinkRelay
from bot.operations.file_sink import FileSink
from bot.operations.http_sink import HttpSink
from bot.operations.webhook_sink import WebhookSink
from bot.storage.store import Store
from bot.supervision import Supervisor
from tests.conftest import opened
from tests.support.waiting import until


async def fill(store: Store, count: int, user: str = "U0ALICE") -> None:
    await asyncio.gather(
        *(store.audit_log.record(Fact("ended", f"op{n}", {"user": user})) for n in range(count))
    )


def relay(sink: audit_sink.Sink, patience: float = 60.0) -> SinkRelay:
    return SinkRelay(sink, supervisor=Supervisor(Metrics()), patience=patience)


def check(store: Store, file: Path, *, due_before: float = 9e12) -> tuple[int, str]:
    """Return how many records of a file agree, and what is wrong with the next."""
    with store.audit_log.snapshot() as audited:
        lines = file.read_bytes().splitlines(keepends=True)
        result = audited.compare_copy(lines, due_before=due_before)
    return result.count, result.found.what if result.found else ""


async def test_file_has_each_record_once_in_order(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicas that share a file write what both commit once, batch by batch."""
    monkeypatch.setattr("bot.operations.file_sink.BATCH", 7)
    file = TrailFile(tmp_path / "trail.jsonl")
    relays = [relay(FileSink(store, file)) for _ in range(2)]
    for _ in range(3):
        await fill(store, 10)
        await asyncio.gather(*(one.copy() for one in relays))
    for one in relays:
        await one.stop(grace=60.0)

    assert [one.trouble for one in relays] == ["", ""]
    assert check(store, file.path) == (30, "")


async def test_copy_goes_on_where_it_was(quick_store: Store, tmp_path: Path) -> None:
    """A new process appends what came since, and what somebody has cut off at the end."""
    file = TrailFile(tmp_path / "trail.jsonl")
    await fill(quick_store, 5)
    await relay(FileSink(quick_store, file)).copy()
    lines = file.path.read_bytes().splitlines(keepends=True)
    await fill(quick_store, 2)
    file.path.write_bytes(b"".join(lines[:3]))
    assert check(quick_store, file.path) == (3, "missing")

    await relay(FileSink(quick_store, file)).copy()

    assert check(quick_store, file.path) == (7, "")


async def test_cut_while_it_runs_is_told(quick_store: Store, tmp_path: Path) -> None:
    """What somebody cuts off a file that a bot writes is in the log, and written again."""
    sink = FileSink(quick_store, TrailFile(tmp_path / "trail.jsonl"))
    await fill(quick_store, 5)
    assert await sink.advance() == 0
    file = tmp_path / "trail.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]))

    with structlog.testing.capture_logs() as said:
        await sink.advance()

    assert [one["records"] for one in said if one["log_level"] == "error"] == ["4 to 5"]
    assert file.read_bytes() == b"".join(lines)


async def test_another_trail_is_refused(tmp_path: Path) -> None:
    """What was copied before is not continued with an older or rewritten database."""
    file = TrailFile(tmp_path / "trail.jsonl")
    async with opened(f"sqlite:///{tmp_path / 'one.db'}", signer=Signer(b"k" * 32)) as store:
        await fill(store, 5)
        await relay(FileSink(store, file)).copy()
    before = file.path.read_bytes()
    async with opened(f"sqlite:///{tmp_path / 'other.db'}", signer=Signer(b"k" * 32)) as store:
        await fill(store, 9, "U0MALLORY")
        one = relay(FileSink(store, file))
        await one.copy()
        assert "is not on this trail" in one.trouble
        assert check(store, file.path)[1] == "rewritten"
    assert file.path.read_bytes() == before


class Refusing:
    """Refuses, hangs or takes what it is given."""

    name = "a collector"

    def __init__(self) -> None:
        self.refuses = True
        self.gate: asyncio.Event | None = None
        self.calls = 0

    async def advance(self) -> int:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.refuses:
            raise SinkError("no space left")
        return 0

    async def behind(self) -> int:
        return 0

    async def close(self) -> None:
        """Hold nothing."""


async def test_refusing_sink_is_told_and_tried_again(quick_store: Store) -> None:
    """Readiness and metrics tell of a sink that refuses; the bot stays ready and tries on."""
    sink, metrics = Refusing(), Metrics()
    supervisor = Supervisor(metrics)
    one = SinkRelay(sink, supervisor=supervisor)
    http = HttpServer(
        store=quick_store, metrics=metrics, supervisor=supervisor, skew=ClockSkew(), sink=one
    )
    await http.start("127.0.0.1", 0)

    class Messenger:
        trouble = ""

    http.connect(Messenger())  # type: ignore[arg-type] # its trouble alone is asked for
    one.start()
    try:
        await until(lambda: sink.calls > 1)
        assert await page(f"{http.url}/readyz") == (
            200,
            "ready, but the audit sink a collector does not take the trail: no space left\n",
        )
        assert "stopstream_audit_sink_up 0.0" in (await page(f"{http.url}/metrics"))[1]
        sink.refuses = False
        await until(lambda: not one.trouble)
        assert await page(f"{http.url}/readyz") == (200, "ready\n")
        assert "stopstream_audit_sink_up 1.0" in (await page(f"{http.url}/metrics"))[1]
    finally:
        await one.stop()
        await http.stop()


async def page(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_sink_that_is_down_at_the_start_is_behind(quick_store: Store, tmp_path: Path) -> None:
    """How many records a file lacks is known while it can't be written, also after a restart."""
    await fill(quick_store, 5)
    folder = tmp_path / "mount"
    file = TrailFile(folder / "trail.jsonl")
    one = relay(FileSink(quick_store, file))

    await one.copy()
    assert (one.behind, one.trouble != "") == (5, True)

    folder.mkdir()
    await one.copy()
    assert (one.behind, one.trouble) == (0, "")

    folder.rename(tmp_path / "gone")
    await fill(quick_store, 2)
    await one.copy()
    assert (one.behind, one.trouble != "") == (2, True)


@pytest.mark.parametrize("kind", ["sink", "webhook"])
async def test_address_that_is_down_at_the_start_is_behind(quick_store: Store, kind: str) -> None:
    """The same of an address, whether it refuses or hangs."""
    await fill(quick_store, 3)
    url = "http://127.0.0.1:9/in"
    sink = (
        HttpSink(quick_store, url) if kind == "sink" else WebhookSink(quick_store, url, [b"s" * 32])
    )
    before = 3 if kind == "sink" else 0
    one = relay(sink)
    await one.copy()
    for number in range(4):
        await quick_store.audit_log.record(Fact("ended", f"op{number}", {"state": "accepted"}))

    for anew in (one, relay(sink), relay(sink, patience=0.0)):
        await anew.copy()
        assert anew.trouble
        assert anew.behind == before + 4
    await one.stop(grace=0.0)


async def test_hanging_sink_is_not_asked_twice() -> None:
    """A write that hangs is told, and the next pass waits for it instead of beginning another."""
    sink = Refusing()
    sink.gate, sink.refuses = asyncio.Event(), False
    one = relay(sink, patience=0.0)
    await one.copy()
    await one.copy()
    assert "has not answered" in one.trouble
    assert sink.calls == 1
    sink.gate.set()

    async def copied() -> bool:
        await one.copy()
        return not one.trouble

    await until(copied)


class Standing:
    """A sink that another replica writes to: what is left becomes no less."""

    name = "standing"

    def __init__(self, left: Exception | int) -> None:
        self.left = left
        self.tries = 0

    async def advance(self) -> int:
        self.tries += 1
        if isinstance(self.left, Exception):
            raise self.left
        return self.left

    async def behind(self) -> int:
        return 7

    async def close(self) -> None: ...


@pytest.mark.parametrize("left", [5, ValueError("a header with t0ken\n in it")])
async def test_sink_that_does_not_move_is_not_asked_at_once(left: Exception | int) -> None:
    """Between two tries lies a pause, whatever keeps the sink from taking anything."""
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        await asyncio.sleep(0)

    metrics, sink = Metrics(), Standing(left)
    one = SinkRelay(sink, supervisor=Supervisor(metrics, sleep=sleep))
    one.start()
    await until(lambda: sink.tries > 3)
    await one.stop(grace=0.0)

    assert not one.is_complete
    assert min(paused[1:]) >= 0.5
    assert ("ValueError" in one.trouble) == isinstance(left, Exception)
    assert "t0ken" not in one.trouble
    assert metrics.registry.get_sample_value(
        "stopstream_loop_restarts_total", {"loop": "audit sink"}
    ) in (None, 0.0)
