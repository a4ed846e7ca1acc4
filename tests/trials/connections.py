"""Idle and slow clients by the thousand, and a bot with few files: what an ack takes meanwhile.

The server has a core of its own, where there are two; the clients have the other one, and give way
there to who asks. Bare Bolt in the same setting, with all files that it wants, is what an ack takes
without the bot.
"""

import asyncio
import contextlib
import hashlib
import hmac
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.bench.acks import free_port, running, said, until_ready
from tests.support.paths import ROOT

_HALF = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b"x" * 200_000
_WITHIN = 10.0

_CORES = sorted(os.sched_getaffinity(0))
_FIRST, _OTHERS = set(_CORES[:1]), set(_CORES[1:] or _CORES)
"""Where the server runs, and everything else."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What was measured.

    Attributes:
        acks: Seconds of each, in order, a new connection for each; None for none in 10 s.
        open: Connections of the clients that stood at the end.
        memory: Bytes that the server has held at most.
        log: Bytes that the server has written.
    """

    acks: tuple[float | None, ...]
    open: int
    memory: int
    log: int

    def line(self) -> str:
        took = sorted(one for one in self.acks if one is not None)
        if not took:
            return "no ack at all"
        return (
            f"{len(took)} of {len(self.acks)} acks, p50 {took[len(took) // 2] * 1000:.1f} ms, "
            f"p99 {took[int(len(took) * 0.99)] * 1000:.1f} ms, slowest {took[-1] * 1000:.1f} ms; "
            f"{self.open} clients still connected; memory {self.memory / 1e6:.0f} MB, "
            f"log {self.log} bytes"
        )


async def press(
    folder: Path, *, idle: int, slow: int, files: int, asks: int, bare: bool = False
) -> Pressed:
    """Connect so many clients to a bot with so many files, and ask it meanwhile.

    Args:
        bare: Bare Bolt instead, with as many files as there are.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with _bare(folder) if bare else _server(folder, files) as (url, secret, pid):
        _stay_on(_OTHERS)
        # In a process of their own, so that they slow down nothing that is measured.
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        clients = context.Process(target=_clients, args=(theirs, url, idle, slow))
        clients.start()
        acks = [await _ack(url, secret, number) for number in range(asks)]
        await asyncio.to_thread(ours.recv)
        acks += [await _ack(url, secret, asks + number) for number in range(asks)]
        ours.send("count")
        standing = await asyncio.to_thread(ours.recv)
        clients.join()
        memory = _peak(pid)
    return Pressed(tuple(acks), standing, memory, (folder / "log").stat().st_size)


def _clients(pipe: Connection, url: str, idle: int, slow: int) -> None:
    """Connect, say so, and say how many stand once that is asked."""

    # Who asks comes first, or its waits for this process would be counted.
    os.nice(15)

    async def run() -> None:
        clients = _Clients(url)
        await clients.connect(idle, slow)
        pipe.send("connected")
        await asyncio.to_thread(pipe.recv)
        pipe.send(clients.standing())
        clients.close()

    asyncio.run(run())


class _Clients:
    """Clients that send nothing, or a part of a body."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._writers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._few = asyncio.Semaphore(100)

    async def connect(self, idle: int, slow: int) -> None:
        every = max(1, idle // max(1, slow))
        sends = [number % (every + 1) == every for number in range(idle + slow)]
        await asyncio.gather(*(self._one(_HALF if half else b"") for half in sends))

    async def _one(self, sent: bytes) -> None:
        async with self._few:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                self._writers.append((reader, writer))
                writer.write(sent)

    def standing(self) -> int:
        return sum(
            not (reader.at_eof() or reader.exception() or writer.is_closing())
            for reader, writer in self._writers
        )

    def close(self) -> None:
        for _, writer in self._writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def _server(folder: Path, files: int) -> AsyncIterator[tuple[str, str, int]]:
    _stay_on(_OTHERS)
    async with running("tests.bench.server", "emulators", str(folder)) as emulators:
        environment = await said(emulators)
        url = f"http://127.0.0.1:{free_port()}"
        environment["STOPSTREAM_LISTEN"] = urlsplit(url).netloc
        limited = f'ulimit -n {files}; exec "$0" -m tests.bench.server bot'
        with (folder / "log").open("wb") as log:
            _stay_on(_FIRST)
            bot = await asyncio.create_subprocess_exec(
                *("bash", "-c", limited, sys.executable),
                cwd=ROOT,
                env={**os.environ, **environment},
                stderr=log,
            )
            try:
                await until_ready(url)
                yield f"{url}/slack/events", environment["SLACK_SIGNING_SECRET"], bot.pid
            finally:
                bot.terminate()
                await bot.wait()


@contextlib.asynccontextmanager
async def _bare(folder: Path) -> AsyncIterator[tuple[str, str, int]]:
    (folder / "log").touch()
    _stay_on(_FIRST)
    async with running("tests.bench.server", "empty") as process:
        found = await said(process)
        yield found["url"], found["secret"], process.pid


def _stay_on(cores: set[int]) -> None:
    """Run on these alone from now on, with all that is started afterwards."""
    os.sched_setaffinity(0, cores)


async def _ack(url: str, secret: str, number: int) -> float | None:
    """Ask over a new connection; return how long the ack took.

    What is sent is ready before: a client library's own work would be counted.
    """
    await asyncio.sleep(0.05)
    given = {"command": "/stopstream", "text": f"live s{number}", "trigger_id": f"t{number}"}
    given |= {"user_id": "U0ALICE", "team_id": "T0DEMO", "channel_id": "C0INCIDENTS"}
    raw, at = urlencode(given), str(int(time.time()))
    signed = hmac.new(secret.encode(), f"v0:{at}:{raw}".encode(), hashlib.sha256).hexdigest()
    parts = urlsplit(url)
    request = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(raw)}\r\n"
        f"X-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: v0={signed}\r\n\r\n{raw}"
    ).encode()
    began = time.monotonic()
    try:
        async with asyncio.timeout(_WITHIN):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(request)
            answer = await reader.read()
            took = time.monotonic() - began
            writer.close()
    except (OSError, TimeoutError):
        return None
    return took if answer.startswith(b"HTTP/1.1 200 ") else None


def _peak(pid: int) -> int:
    """Return the most memory that a process has held, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
