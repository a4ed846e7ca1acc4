"""An emulated Slack workspace that listens on loopback."""

import time
from collections.abc import Callable, Collection
from typing import Self

from aiohttp import web

from bot.sandbox.slack.person import Person
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.state import WorkspaceState
from bot.sandbox.slack.web_api import WebApi


class Workspace(WorkspaceState):
    """One workspace with the app installed, and its server.

    Args:
        scopes: What the bot's token may do, as the manifest asks for.
        limits: Whether rates are limited as Slack limits them.
        pace: Multiplies the waits between an event's retries.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        scopes: Collection[str],
        limits: bool = True,
        pace: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(scopes=scopes, pace=pace, clock=clock)
        self._api = WebApi(self, limits=limits)
        self._responses = ResponseUrls(self)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> str:
        """Listen on loopback, and return the base of the Web API."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/api/{method}", self._api.serve)
        app.router.add_get("/api/{method}", self._api.serve)
        app.router.add_get("/link", self.delivery.serve_socket)
        app.router.add_post("/reply/{token}", self._responses.serve)
        app.router.add_post("/upload/{file}", self._upload)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.delivery.base = self.url
        return self.api_url

    @property
    def api_url(self) -> str:
        """The base of the Web API."""
        return f"{self.url}/api/"

    async def close(self) -> None:
        """Stop listening."""
        await self.delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def person(self, user: str) -> Person:
        """Return a user as a person who can act."""
        return Person(self, user)

    async def _upload(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["file"])
        if file is None or self.faults.down:
            return web.Response(status=503 if file else 404)
        file.content = await request.read()
        return web.Response(text=f"OK - {len(file.content)}")
