"""A TCP address for a PostgreSQL that listens on a Unix socket, and what can go wrong there."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import sqlalchemy as sa

_COMMIT = b"COMMIT\x00"
"""As a client sends it, and as the server answers it."""


class Relay:
    """Passes bytes on between the clients and the server, until it is told otherwise.

    Attributes:
        url: The address of the database behind it.
        lost: How many commits have been lost.
        distance: Seconds that each answer takes longer.
    """

    def __init__(self, server: sa.URL) -> None:
        self.url = ""
        self.lost = 0
        self.distance = 0.0
        self._server = server
        self._clients: set[socket.socket] = set()
        self._swallowed: set[socket.socket] = set()
        self._to_swallow = False
        self._to_lose = 0
        self._keep_back = False
        self._stays_away = False
        self._away = False

    def lose_next_commit(
        self, *, times: int = 1, applied: bool = True, then_away: bool = False
    ) -> None:
        """Close the connection of the next commit in place of the answer.

        Args:
            times: How many commits are lost, one after the other.
            applied: Whether the server gets to see it.
            then_away: Whether nothing can connect from then on.
        """
        self._to_lose, self._keep_back, self._stays_away = times, not applied, then_away

    def come_back(self) -> None:
        """Let clients connect again."""
        self._away = False

    def fall_silent(self) -> None:
        """Swallow all that comes from the connections that are open now, but keep them open."""
        self._swallowed |= self._clients

    def fall_silent_at_next_commit(self) -> None:
        """Swallow the answer to the next commit, and all that comes afterwards, as above."""
        self._to_swallow = True

    def serve(self, client: socket.socket) -> None:
        """Pass on what a client sends until it or the server ends."""
        if self._away:
            return
        # A server that is not there is no fault of the relay.
        with contextlib.suppress(OSError), _connected(self._server) as server:
            self._clients.add(client)
            back = threading.Thread(target=self._answers, args=(server, client), daemon=True)
            back.start()
            self._requests(client, server)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join()
        self._clients.discard(client)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if client in self._swallowed:
                    continue
                if self._keep_back and _COMMIT in data:
                    self._lose(client)
                    return
                server.sendall(data)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if client in self._swallowed:
                    continue
                if self._to_lose and _COMMIT in data:
                    self._lose(client)
                    return
                if self._to_swallow and _COMMIT in data:
                    self._to_swallow = False
                    self.fall_silent()
                    continue
                time.sleep(self.distance)
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _lose(self, client: socket.socket) -> None:
        self.lost += 1
        self._to_lose -= 1
        self._keep_back = self._keep_back and self._to_lose > 0
        self._away = self._stays_away
        for one in list(self._clients) if self._away else [client]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _connected(address: sa.URL) -> socket.socket:
    host, port = address.query.get("host") or address.host, address.port or 5432
    assert isinstance(host, str)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


@contextlib.contextmanager
def relayed(url: str) -> Iterator[Relay]:
    """Yield a relay before a database."""
    address = sa.make_url(url)
    relay = Relay(address)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            relay.serve(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        relay.url = sa.URL.create(
            address.drivername,
            address.username,
            address.password,
            "127.0.0.1",
            server.server_address[1],
            address.database,
        ).render_as_string(hide_password=False)
        try:
            yield relay
        finally:
            server.shutdown()


@contextlib.contextmanager
def over_tcp(url: str) -> Iterator[str]:
    """Yield an address on which the database answers over TCP."""
    with relayed(url) as relay:
        yield relay.url
