"""Hostile connections: idle, slow, too many, malformed; none keeps a request out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from structlog.testing import capture_logs

from bot.cli.connections import SECONDS, Connections, Phase, places
from bot.cli.http_log import HttpLog
from tests.support.clocks import ManualClock
from tests.support.waiting import BOUND, until

HALF = b"POST /slack HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


@dataclass
class Server:
    """The bounds around a server that answers a body with its length."""

    connections: Connections
    host: str
    port: int
    gate: asyncio.Event
    """What is posted to /slow is answered once it is set."""

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(sent)
        await writer.drain()
        return reader, writer

    async def post(self, body: bytes = b"hello") -> str:
        url = f"http://{self.host}:{self.port}/slack"
        timeout = aiohttp.ClientTimeout(BOUND)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=body) as answer,
        ):
            return await answer.text()


@contextlib.asynccontextmanager
async def serving(most: int = 8, **seconds: float) -> AsyncIterator[Server]:
    within = {phase: seconds.get(phase.value, SECONDS[phase]) for phase in Phase}
    connections = Connections(most, within)

    gate = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await gate.wait()
        return await length(request)

    async def length(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    app = web.Application(middlewares=[connections.bounded], client_max_size=1 << 21)
    app.router.add_post("/slack", length)
    app.router.add_post("/slow", slow)
    logger = connections.log.logger()
    runner = web.AppRunner(app, access_log=None, logger=logger, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    listener = await connections.listen(runner.server, "127.0.0.1", 0)
    try:
        host, port = listener.sockets[0].getsockname()[:2]
        yield Server(connections, host, port, gate)
    finally:
        listener.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    "sent", [b"", b"POST /sl", HALF, HALF + b"x" * 50_000], ids=["idle", "head", "body", "half"]
)
async def test_connections_without_a_request_keep_none_out(sent: bytes) -> None:
    """Connections that send no whole request give their places to those that do."""
    async with serving(most=8) as server:
        held = [await server.connect(sent) for _ in range(40)]
        assert await server.post() == "5"
        assert len(server.connections) <= 8
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    ("phase", "sent"), [("fresh", b"POST /sl"), ("body", HALF)], ids=["head", "body"]
)
async def test_connection_that_is_slow_is_closed(phase: str, sent: bytes) -> None:
    """A head or a body that does not come in time ends the connection, and frees its place."""
    async with serving(8, **{phase: 0.05}) as server:
        reader, writer = await server.connect(sent)
        async with asyncio.timeout(BOUND):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        await until(lambda: not len(server.connections))
        writer.close()


async def test_connections_hold_few_bytes_of_bodies_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of many half-sent bodies only so many bytes are held; a whole one is answered meanwhile."""
    monkeypatch.setattr("bot.cli.connections._ALL_MOST", 200_000)
    async with serving(most=100) as server:
        held = [await server.connect(HALF + b"x" * 50_000) for _ in range(20)]
        assert await server.post(b"x" * 30_000) == "30000"
        assert len(server.connections) < 10
        for _, writer in held:
            writer.close()


async def test_what_one_sends_ahead_costs_no_other_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who sends the next requests before the answer is not read meanwhile."""
    monkeypatch.setattr("bot.cli.connections._ALL_MOST", 200_000)
    first = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
    ahead = HALF + b"x" * 100_000
    async with serving() as server:
        waiting = await server.connect()
        reader, writer = await server.connect(first)
        await until(lambda: any(one.is_answering for one in server.connections))
        writer.write(ahead * 10)
        for _ in range(20):
            assert await server.post() == "5"
        waiting[1].write(first.replace(b"/slow", b"/slack"))
        async with asyncio.timeout(BOUND):
            await waiting[0].readuntil(b"\r\n\r\n2")
        for _, one in (waiting, (reader, writer)):
            one.close()


async def test_what_was_sent_ahead_is_answered() -> None:
    """Requests that come before the answer to the one before are answered after it."""
    first = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
    async with serving() as server:
        reader, writer = await server.connect(first)
        await until(lambda: any(one.is_answering for one in server.connections))
        for _ in range(3):
            writer.write(first)
            assert await server.post() == "5"
        server.gate.set()
        async with asyncio.timeout(BOUND):
            for _ in range(4):
                await reader.readuntil(b"\r\n\r\n2")
        writer.close()


async def test_connection_answered_may_ask_again() -> None:
    """A connection is kept for further requests, unless it was refused."""
    request = b"POST /slack HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
    async with serving() as server:
        reader, writer = await server.connect(request)
        async with asyncio.timeout(BOUND):
            await reader.readuntil(b"\r\n\r\n2")
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n2")
            writer.write(request.replace(b"/slack", b"/other"))
            assert b"404" in await reader.read()
        writer.close()


async def test_connection_that_trickles_gains_no_time() -> None:
    """Bytes of a head that come one by one prolong nothing."""
    async with serving(fresh=0.2) as server:
        reader, writer = await server.connect()
        async with asyncio.timeout(BOUND):
            with contextlib.suppress(ConnectionError):
                # A reset is no end of file to the reader.
                while not (reader.at_eof() or reader.exception()):
                    writer.write(b"P")
                    await asyncio.sleep(0.02)
        writer.close()


async def test_request_without_an_end_is_refused_and_closed() -> None:
    """A request whose length is no number is answered with 400 and keeps no place."""
    async with serving() as server:
        reader, writer = await server.connect(HALF.replace(b"100000", b"-1"))
        async with asyncio.timeout(BOUND):
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        await until(lambda: not len(server.connections))
        writer.close()


def test_connections_leave_files_for_the_rest() -> None:
    """The bound leaves room for the backlog, the database and Slack."""
    assert 16 <= places() <= 4096


def test_malformed_requests_are_one_short_line_a_second() -> None:
    """A flood of malformed requests is counted; a fault of ours keeps its traceback."""
    clock = ManualClock()
    logger = HttpLog(clock).logger()
    with capture_logs() as lines:
        for number in range(1000):
            logger.error("Error handling request", exc_info=BadHttpMessage("nonsense " * 100))
            if number == 998:
                clock.advance(1.0)
    assert [line["event"] for line in lines] == ["malformed requests"] * 2
    assert [line["count"] for line in lines] == [1, 999]
    assert all(len(str(line)) < 200 for line in lines)

    with capture_logs() as faults:
        logger.error("Error handling request", exc_info=ValueError("ours"))
    assert faults[0]["exc_info"]
    assert isinstance(logger, logging.Logger)


@pytest.mark.parametrize("error", [BadHttpMessage("nonsense"), ValueError("ours")])
def test_what_the_server_complains_of_does_not_come_back_to_it(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The bot's own lines go through loggers by name, too: one line, and no recursion."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    try:
        HttpLog().logger().error("Error handling request", exc_info=error)
    finally:
        structlog.configure(**before)
    assert len(caplog.records) == 1
