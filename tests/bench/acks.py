"""How long people wait for an ack, paced and busy, and the bot's memory; against bare Bolt."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.load import Load, Post, quantile
from tests.support.paths import ROOT

EVERY = 0.05
"""Seconds from one ask to the next."""

WARM = 10
"""Asks of each kind that are not measured."""

IN_FLIGHT = 8


@dataclass(frozen=True)
class Kind:
    """A kind of ask, and how many times bare Bolt's ack it may take."""

    name: str
    text: str
    goal: float
    recorded: bool = False


KINDS = (
    Kind("a recorded stop", "live paced{number}", 1.6, recorded=True),
    Kind("help", "help", 1.6),
    Kind("whoami", "whoami", 2.0),
    # It is on the trail, too, before it is answered.
    Kind("a mistake", "lvie paced{number}", 2.0, recorded=True),
    Kind("a form", "", 2.0),
)


async def paced(count: int = 100) -> list[str]:
    """Ask the bot and bare Bolt, one every 50 ms each, and commit as often on the same disk."""
    with tempfile.TemporaryDirectory() as folder:
        async with _bare() as bare, _bot(Path(folder)) as ours:
            with _committed(Path(folder) / "floor.db") as commit:
                found = await _paced(bare, ours.load, commit, count)
    return [_paced_line(kind, found) for kind in KINDS]


async def busy(rounds: int = 3) -> list[str]:
    """Ask both, 8 in flight; of ours, everything runs behind."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        async with _bare() as bare, _bot(Path(folder)) as ours:
            for _ in range(rounds):
                found["bare"].append(await bare.run(2.0, IN_FLIGHT))
                found["ours"].append(await ours.load.run(2.0, IN_FLIGHT))
                await _ended(ours)
    rate = {n: statistics.median(one["rate"] for one in runs) for n, runs in found.items()}
    p99 = {n: statistics.median(one["p99"] for one in runs) for n, runs in found.items()}
    line = (
        f"busy, {IN_FLIGHT} in flight and everything running behind: {rate['ours']:.0f} stops "
        f"acked a second, p99 {p99['ours']:.0f} ms (goal 40), bare Bolt {rate['bare']:.0f} "
        f"(p99 {p99['bare']:.0f} ms): {rate['ours'] / rate['bare']:.2f} (goal 0.35)"
    )
    return [line]


async def memory(operations: int = 10_000) -> list[str]:
    """Ask for so many operations, and measure the bot's memory when all have ended."""
    with tempfile.TemporaryDirectory() as folder:
        async with _bot(Path(folder)) as ours:
            async with ours.load.session() as post:

                async def some(numbers: Iterator[int]) -> None:
                    for number in numbers:
                        await post(f"live held{number}", f"{time.time_ns()}.{number}")

                numbers = iter(range(operations))
                await asyncio.gather(*(some(numbers) for _ in range(IN_FLIGHT)))
            await _ended(ours)
            held, most = _megabytes(ours.process)
            left = _count(ours.database, "outbox")
    line = (
        f"memory after {operations:,} operations in one channel: {held:.0f} MB (goal 120), "
        f"at most {most:.0f} MB meanwhile; {left:,} messages still wait for their turn at Slack"
    )
    return [line]


@dataclass(frozen=True)
class Bot:
    """A bot in a process of its own."""

    load: Load
    process: int
    database: Path


async def _paced(bare: Load, ours: Load, commit: "Commit", count: int) -> dict[str, float]:
    took: dict[str, list[float]] = {}
    numbers = itertools.count()
    async with bare.session() as post_bare, ours.session() as post_ours:
        for turn in range(count + WARM):
            for kind in KINDS:
                text = kind.text.format(number=next(numbers))
                once = {
                    kind.name: await _timed(post_ours, text),
                    f"{kind.name}, bare": await _timed(post_bare, text),
                    "commit": commit(),
                }
                if turn >= WARM:
                    for name, seconds in once.items():
                        took.setdefault(name, []).append(seconds)
    return {name: quantile(seconds, 50) for name, seconds in took.items()}


async def _timed(post: Post, text: str) -> float:
    """Wait for half the pace, then ask; return how long the ack took."""
    await asyncio.sleep(EVERY / 2)
    began = time.perf_counter()
    await post(text, f"{time.time_ns()}.paced")
    return time.perf_counter() - began


def _paced_line(kind: Kind, found: Mapping[str, float]) -> str:
    ours, bare = found[kind.name], found[f"{kind.name}, bare"]
    floor = bare + found["commit"] if kind.recorded else bare
    named = f"{bare:.1f} ms"
    if kind.recorded:
        named += f" and a synced commit {found['commit']:.1f} ms"
    return (
        f"one ask every 50 ms, {kind.name}: acked in {ours:.1f} ms, bare Bolt {named}: "
        f"{ours / floor:.2f} times (goal {kind.goal})"
    )


@contextlib.contextmanager
def _committed(file: Path) -> Iterator["Commit"]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        yield Commit(raw)


@dataclass(frozen=True)
class Commit:
    """Commits a row, synced, and tells how long that took."""

    raw: sqlite3.Connection

    def __call__(self) -> float:
        began = time.perf_counter()
        self.raw.execute("INSERT INTO t (text) VALUES (?)", ("x" * 500,))
        return time.perf_counter() - began


def _megabytes(process: int) -> tuple[float, float]:
    """Return what a process holds now, and the most that it has held."""
    status = Path(f"/proc/{process}/status").read_text()
    held, most = (
        int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 1024 for name in ("VmRSS", "VmHWM")
    )
    return held, most


async def _ended(ours: Bot) -> None:
    """Wait until no operation is unfinished."""
    async with asyncio.timeout(600):
        while _count(ours.database, "operations WHERE ended_at IS NULL"):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.5)


def _count(database: Path, of: str) -> int:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as raw:
        return int(raw.execute(f"SELECT count(*) FROM {of}").fetchone()[0])  # noqa: S608 (our own)


@contextlib.asynccontextmanager
async def _bare() -> AsyncIterator[Load]:
    async with running("tests.bench.server", "empty") as process:
        found = await said(process)
        yield Load(found["url"], found["secret"])


@contextlib.asynccontextmanager
async def _bot(folder: Path) -> AsyncIterator[Bot]:
    async with running("tests.bench.server", "emulators", str(folder)) as emulators:
        environment = await said(emulators)
        port = free_port()
        environment["STOPSTREAM_LISTEN"] = f"127.0.0.1:{port}"
        async with running(
            "tests.bench.production", "tests.bench.server", "bot", environment=environment
        ) as process:
            await until_ready(f"http://127.0.0.1:{port}")
            load = Load(
                f"http://127.0.0.1:{port}/slack/events", environment["SLACK_SIGNING_SECRET"]
            )
            yield Bot(load, process.pid, folder / "stopstream.db")


@contextlib.asynccontextmanager
async def running(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=PIPE,
        stderr=-3,
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def said(process: Process) -> dict[str, str]:
    assert process.stdout is not None
    return {str(k): str(v) for k, v in json.loads(await process.stdout.readline()).items()}


def free_port() -> int:
    """Return a port of this machine that nobody uses now."""
    import socket  # noqa: PLC0415

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def until_ready(url: str) -> None:
    """Wait until a bot says that it is ready."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(120):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"{url}/readyz")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.01)
