"""A TCP address for a PostgreSQL that listens on a Unix socket."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

import sqlalchemy as sa


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _server_socket(address: sa.URL) -> socket.socket:
    host, port = address.query.get("host") or address.host, address.port or 5432
    assert isinstance(host, str)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


@contextlib.contextmanager
def over_tcp(url: str) -> Iterator[str]:
    """Yield an address on which the database answers over TCP."""
    address = sa.make_url(url)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with _server_socket(address) as server:
                back = threading.Thread(target=_pump, args=(server, self.request), daemon=True)
                back.start()
                _pump(self.request, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        port = relay.server_address[1]
        to_relay = sa.URL.create(
            address.drivername,
            address.username,
            address.password,
            "127.0.0.1",
            port,
            address.database,
        )
        try:
            yield to_relay.render_as_string(hide_password=False)
        finally:
            relay.shutdown()
