"""One port that the bot listens on: what is answered there, and the connections to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from aiohttp import web

from bot.cli.connections import Connections
from bot.cli.request_reader import BODY_MOST

_GRACE = 3.0
"""Seconds for which requests in progress may go on when the server stops."""


# aiohttp's server knows its requests as a base of what it makes of them.
_Handler: TypeAlias = Callable[[Any], Awaitable[web.StreamResponse]]


class Listener:
    """Serves some routes at one address, with bounds of its own.

    A path without places is looked up here, because Slack's is asked for before each ack and the
    router takes longer. Its handler must not use `match_info` and `app` of a request.

    Attributes:
        url: Where it listens; empty before it does.
    """

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        self.url = ""
        self._connections = Connections()
        self._server: asyncio.Server | None = None
        app = web.Application(client_max_size=BODY_MOST, middlewares=[self._connections.bounded])
        routes = tuple(routes)
        app.add_routes(routes)
        self._at: dict[tuple[str, str], Any] = {
            (one.method, one.path): one.handler for one in routes if "{" not in one.path
        }
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=_GRACE, logger=self._connections.log.logger()
        )

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes any free one.

        Raises:
            OSError: The address cannot be used.
        """
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 (it is set up)
        server.request_handler = self._handler(server.request_handler)
        self._server = await self._connections.listen(server, host, port)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _handler(self, routed: _Handler) -> _Handler:
        """Return the handler of all requests; what names a route as it is needs no router."""

        async def handle(request: web.Request) -> web.StreamResponse:
            # As it was sent: a path that is spelt otherwise is the router's.
            handler = self._at.get((request.method, request.rel_url.raw_path))
            if handler is None or "Expect" in request.headers:
                return await routed(request)
            return await self._connections.bounded(request, handler)

        return handle

    async def stop(self) -> None:
        """Finish the requests in progress and close the port."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
