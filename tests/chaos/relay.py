"""A relay before PostgreSQL that loses the answers of commits, or falls silent."""

import asyncio
import contextlib
from typing import Self

import sqlalchemy as sa

_COMMIT = b"COMMIT"


class Relay:
    """Forwards connections to a PostgreSQL, and is its address on the loopback.

    Args:
        url: Of the database, on a Unix socket or over TCP.

    Attributes:
        lose: How many of the next commits are applied while their answer is lost.
    """

    def __init__(self, url: str) -> None:
        self._target = sa.make_url(url)
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self.lose = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._open):
            connection.cut()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        target = self._target
        address = sa.URL.create(
            target.drivername, target.username, target.password, "127.0.0.1", port, target.database
        )
        return address.render_as_string(hide_password=False)

    def silence(self) -> int:
        """Swallow from now on what the open connections carry; return how many there are."""
        for connection in self._open:
            connection.silent = True
        return len(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            writer.close()
            return
        connection = _Connection(self, (reader, server_writer), (server_reader, writer))
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._target.query.get("host") or self._target.host, self._target.port or 5432
        assert isinstance(host, str)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


class _Connection:
    """One client's connection: what it sends, and what it is sent."""

    def __init__(
        self,
        relay: Relay,
        to_server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        to_client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._relay = relay
        self._to_server = to_server
        self._to_client = to_client
        self._loses = False
        self.silent = False

    async def run(self) -> None:
        ways = [
            asyncio.create_task(self._pump(*self._to_server, asks=True)),
            asyncio.create_task(self._pump(*self._to_client, asks=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self.cut()

    def cut(self) -> None:
        for _, writer in (self._to_server, self._to_client):
            with contextlib.suppress(Exception):
                writer.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, asks: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self.silent:
                    continue
                if asks and self._relay.lose > 0 and _COMMIT in data:
                    self._relay.lose -= 1
                    self._loses = True
                if self._loses and not asks:
                    # The server has answered, so the commit is applied.
                    return
                target.write(data)
                await target.drain()
