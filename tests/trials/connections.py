"""Idle and slow clients by the thousand, and a bot with few files: what an ack takes meanwhile."""

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

import aiohttp

from tests.bench.acks import free_port, running, said, until_ready
from tests.support.paths import ROOT

_HALF = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b"x" * 200_000
_WITHIN = 10.0


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


async def press(folder: Path, *, idle: int, slow: int, files: int, asks: int) -> Pressed:
    """Connect so many clients to a bot with so many files, and ask it meanwhile."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with _server(folder, files) as (url, secret, pid):
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
    async with running("tests.bench.server", "emulators", str(folder)) as emulators:
        environment = await said(emulators)
        url = f"http://127.0.0.1:{free_port()}"
        environment["STOPSTREAM_LISTEN"] = urlsplit(url).netloc
        limited = f'ulimit -n {files}; exec "$0" -m tests.bench.server bot'
        with (folder / "log").open("wb") as log:
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


async def _ack(url: str, secret: str, number: int) -> float | None:
    """Ask over a new connection; return how long the ack took."""
    await asyncio.sleep(0.05)
    given = {"command": "/stopstream", "text": f"live s{number}", "trigger_id": f"t{number}"}
    given |= {"user_id": "U0ALICE", "team_id": "T0DEMO", "channel_id": "C0INCIDENTS"}
    raw, at = urlencode(given), str(int(time.time()))
    signed = hmac.new(secret.encode(), f"v0:{at}:{raw}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signed}"}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_WITHIN)) as session,
            session.post(url, data=raw, headers=headers) as answer,
        ):
            await answer.read()
            if answer.status != 200:
                return None
    except (OSError, TimeoutError, aiohttp.ClientError):
        return None
    return time.monotonic() - began


def _peak(pid: int) -> int:
    """Return the most memory that a process has held, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
