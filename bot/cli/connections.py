"""Bounds the connections to the HTTP server: how many, how long each may take, how much it sends.

Whoever connects may be hostile. A place is for who sends a whole request: when the places are
taken, the connection that has kept its place the longest without one is closed for the next.
"""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import Enum
from typing import cast

from aiohttp import web

from bot.cli.http_log import HttpLog
from bot.cli.request_reader import Refused, RequestReader

BACKLOG = 512
"""Connections that wait in the kernel until they are accepted."""

ACCEPTED_AT_ONCE = 8
"""Connections that are accepted before others have their turn: each takes time from an ack."""

_RESERVED = 256
"""Files that are not for these connections, but for the database, Slack, Tencent Cloud, the log."""

_FEWEST, _MOST = 16, 2048

_BUFFER = 64 * 1024
"""Bytes that are read at once, into one buffer for all connections."""

_ALL_MOST = 8 * 1024 * 1024
"""Bytes of all requests that are not answered yet."""

_FIRST_REFUSAL = 400

_MOMENT = 0.01
"""Seconds by which a timer may come too early."""


class Phase(Enum):
    """What a connection is doing."""

    FRESH = "fresh"
    """It has sent no whole head yet."""
    BODY = "body"
    """Its body is not whole yet."""
    ANSWERING = "answering"
    """Its request is worked on; it is never closed for another connection."""
    IDLE = "idle"
    """It has been answered, and may send another request."""


SECONDS: Mapping[Phase, float] = {
    Phase.FRESH: 10.0,
    # Slack waits for 3 s in all.
    Phase.BODY: 5.0,
    Phase.ANSWERING: 60.0,
    # Proxies keep a connection for 60 s, and would use one that is just being closed.
    Phase.IDLE: 75.0,
}
"""How long a connection may take."""


class Connections:
    """The connections to one server.

    Args:
        most: How many there may be.
        seconds: How long each phase of one may take.
        log: Takes what the server complains of.
    """

    def __init__(
        self,
        most: int | None = None,
        seconds: Mapping[Phase, float] = SECONDS,
        *,
        log: HttpLog | None = None,
    ) -> None:
        self.most = most or places()
        self.seconds = seconds
        self.log = log or HttpLog()
        self.buffer = memoryview(bytearray(_BUFFER))
        self._waiting: dict[Connection, None] = {}
        """Those that the server waits for, the longest first."""
        self._by_transport: dict[asyncio.BaseTransport, Connection] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._by_transport)

    def __iter__(self) -> "Iterator[Connection]":
        return iter(self._by_transport.values())

    async def listen(
        self, server: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> asyncio.Server:
        """Accept connections for a server's protocol, a few at a time.

        Raises:
            OSError: The address cannot be used.
        """
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self, server), host, port, backlog=ACCEPTED_AT_ONCE
        )
        for listening in listener.sockets:
            # asyncio takes one number for what the kernel keeps and what is accepted at once.
            with listening.dup() as same:
                same.listen(BACKLOG)
        return listener

    @web.middleware
    async def bounded(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Note when a request is worked on and when it is answered."""
        connection = self._by_transport.get(request.transport) if request.transport else None
        if connection is None:
            raise ConnectionResetError
        try:
            # It is whole; should the server read it otherwise, it may still be closed for others.
            await request.read()
            connection.enter(Phase.ANSWERING)
            response = await handler(request)
        except web.HTTPException as refusal:
            refusal.force_close()
            raise
        except web.RequestPayloadError:
            response = web.Response(status=400, text="The body is malformed.\n")
        finally:
            connection.answered()
        if response.status >= _FIRST_REFUSAL:
            # Who is refused keeps no place.
            response.force_close()
        return response

    def add(self, connection: "Connection", transport: asyncio.BaseTransport) -> bool:
        """Give a connection a place; return whether there is one."""
        if len(self) >= self.most:
            if (longest := next(iter(self._waiting), None)) is None:
                return False
            longest.close()
        self._by_transport[transport] = connection
        return True

    def remove(self, connection: "Connection", transport: asyncio.BaseTransport) -> None:
        """Free the place of a connection."""
        self._by_transport.pop(transport, None)
        self._waiting.pop(connection, None)

    def move(self, connection: "Connection", phase: Phase) -> None:
        """Note what a connection does from now on."""
        self._waiting.pop(connection, None)
        if phase is not Phase.ANSWERING:
            self._waiting[connection] = None

    def count(self, size: int) -> None:
        """Add to the bytes that are held; where these are too many, close who sent the most."""
        self._bytes += size
        while self._bytes > _ALL_MOST and self._waiting:
            max(self._waiting, key=lambda one: one.received).close()


class Connection(asyncio.BufferedProtocol):
    """One connection: passes whole requests on to the server's protocol.

    Attributes:
        received: Bytes that it has sent and that are not answered.
    """

    def __init__(self, connections: Connections, server: Callable[[], asyncio.Protocol]) -> None:
        self._connections = connections
        self._server = server
        self._inner: asyncio.Protocol | None = None
        """The server's own protocol, once a request is whole: until then it costs little."""
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader()
        self._phase = Phase.FRESH
        self._timer: asyncio.TimerHandle | None = None
        self._ends_at = 0.0
        """When it has taken too long, by the event loop's clock."""
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or close it at once."""
        # A stream's; those of uvloop are of no class of asyncio.
        stream = cast("asyncio.Transport", transport)
        if not self._connections.add(self, stream):
            stream.abort()
            return
        self._transport = stream
        self.enter(Phase.FRESH)

    @property
    def is_answering(self) -> bool:
        """Whether its request is worked on."""
        return self._phase is Phase.ANSWERING

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Return where to read to: all connections share it, because it is emptied at once."""
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Collect what was sent; pass on what is whole."""
        if self._transport is None:
            return
        if self.is_answering:
            # The system holds what is sent ahead, or others would be closed for its bytes.
            self._transport.pause_reading()
        try:
            whole = self._reader.feed(self._connections.buffer[:nbytes])
        except Refused as error:
            self._refuse(self._transport, error)
            return
        self._count(nbytes)
        self._note_phase()
        # Counting may have closed it.
        if whole and (transport := self._open()) is not None:
            self._pass_on(whole, transport)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._leave()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def enter(self, phase: Phase) -> None:
        """Begin to do something, which may take so long."""
        if self._transport is None:
            return
        self._connections.move(self, phase)
        self._phase = phase
        loop = asyncio.get_running_loop()
        self._ends_at = loop.time() + self._connections.seconds[phase]
        # A timer that comes too early looks again, which costs less than one for each request.
        if self._timer is None or self._timer.when() > self._ends_at:
            self._wait(loop)

    def answered(self) -> None:
        """Wait for the next request; a part of it may be there."""
        if self._transport is not None:
            self._transport.resume_reading()
        self._count(len(self._reader) - self.received)
        self.enter(Phase.IDLE)
        self._note_phase()

    def close(self) -> None:
        """Close it now, whatever it sends."""
        if (transport := self._transport) is not None:
            self._leave()
            # The server's protocol hears of it when the transport is closed.
            transport.abort()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._ends_at, self._look)

    def _look(self) -> None:
        """Close it if it has taken too long, or else look again when it will have."""
        loop = asyncio.get_running_loop()
        # Rounding may wake it a moment before.
        if loop.time() >= self._ends_at - _MOMENT:
            self.close()
        else:
            self._wait(loop)

    def _note_phase(self) -> None:
        if self._phase is Phase.ANSWERING:
            return
        phase = Phase.BODY if self._reader.in_body else Phase.FRESH if self._reader else self._phase
        # What trickles in prolongs nothing.
        if phase is not self._phase:
            self.enter(phase)

    def _count(self, size: int) -> None:
        if self._transport is not None:
            self.received += size
            self._connections.count(size)

    def _open(self) -> asyncio.Transport | None:
        return self._transport

    def _pass_on(self, whole: bytes, transport: asyncio.Transport) -> None:
        if self._inner is None:
            self._inner = self._server()
            self._inner.connection_made(transport)
        self._inner.data_received(whole)

    def _refuse(self, transport: asyncio.Transport, error: Refused) -> None:
        self._connections.log.malformed(str(error))
        self._leave()
        head = f"HTTP/1.1 {error.status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        transport.write(head.encode())
        transport.close()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._connections.remove(self, self._transport)
            self._connections.count(-self.received)
            self._transport = None
            self.received = 0
            self._reader = RequestReader()


def places() -> int:
    """Return how many connections leave room for the process's own files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MOST
    return max(_FEWEST, min(_MOST, files - _RESERVED))
