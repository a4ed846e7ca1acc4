"""Serves the page on loopback: its files, a small JSON API, and a WebSocket for changes.

It answers requests for its own address alone; a page of another site in the same browser is
refused.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web

from bot.policy.schema import json_schema
from bot.sandbox.page.call_body import CallBody, RefusedError
from bot.sandbox.page.calls import Calls
from bot.sandbox.page.faults import FaultControls
from bot.sandbox.page.policy_editor import PolicyEditor
from bot.sandbox.page.process import BotProcess
from bot.sandbox.page.snapshot import Snapshot, Window
from bot.sandbox.page.user_actions import GoneError
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.callbacks import PATH as CALLBACKS
from bot.sandbox.tencent.server import CloudEmulator

_STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_TICK, _SEND_INTERVAL = 0.25, 0.02
"""Seconds between checks for what time alone changes, and between two messages to a window."""


class Page:
    """The page and its server.

    Args:
        policy_file: The file that the bot reads.
        environment: The settings of the bot, which runs in a process of its own.

    Attributes:
        url: Where it listens, once it does.
    """

    def __init__(
        self,
        *,
        slack: Workspace,
        cloud: CloudEmulator,
        policy_file: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.url = ""
        self.bot = BotProcess(environment, self._wake)
        self.snapshot = Snapshot(
            slack, cloud, self.bot, PolicyEditor(policy_file, slack), FaultControls(slack, cloud)
        )
        self._slack = slack
        self._cloud = cloud
        self._windows: set[asyncio.Event] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._exits = contextlib.AsyncExitStack()
        self._files = {file.name: file for file in _STATIC.iterdir() if file.suffix in _TYPES}
        secret = environment.get("STOPSTREAM_GENERIC_SECRET", "")
        self._calls = Calls(self.snapshot, self._exits, secret)

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _open(self) -> None:
        self._exits.push_async_callback(self.bot.stop)
        app = web.Application(middlewares=[self._guard], client_max_size=4 * 1024 * 1024)
        app.router.add_get("/", self._index)
        app.router.add_get("/static/{name}", self._static)
        app.router.add_get("/live", self._live)
        app.router.add_get("/file/{id}", self._download)
        app.router.add_get("/api/world", self._world)
        app.router.add_get("/api/schema", self._schema)
        app.router.add_post("/api/{call:.+}", self._call)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._exits.push_async_callback(runner.cleanup)
        self._exits.push_async_callback(self._close_sockets)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._slack.listeners.append(self._wake)
        self._cloud.listeners.append(self._wake)
        ticking = asyncio.create_task(self._tick(), name="page")
        self._exits.callback(ticking.cancel)

    async def _close_sockets(self) -> None:
        for socket in list(self._sockets):
            await socket.close()

    def _direct_callbacks(self) -> None:
        """Have the cloud's callbacks go where the bot listens now."""
        self._cloud.callbacks.url = self.bot.url and self.bot.url + CALLBACKS

    def _wake(self) -> None:
        self._direct_callbacks()
        for news in self._windows:
            news.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            with contextlib.suppress(OSError):
                self.snapshot.policy.refresh()
            self._wake()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse requests that do not come from this page."""
        host = self.url.removeprefix("http://")
        hosts = (host, host.replace("127.0.0.1", "localhost"))
        origin = request.headers.get("Origin")
        if request.host not in hosts or origin not in (None, *(f"http://{one}" for one in hosts)):
            return web.Response(status=403, text="only this machine's own page may ask\n")
        if request.method == "POST" and request.content_type != "application/json":
            return web.Response(status=415, text="only JSON is understood\n")
        return await handler(request)

    def _headers(self) -> dict[str, str]:
        sockets = self.url.replace("http", "ws", 1)
        rules = (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {sockets} {sockets.replace('127.0.0.1', 'localhost')}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
        return {
            "Content-Security-Policy": "; ".join(rules),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    async def _index(self, _request: web.Request) -> web.Response:
        return self._file("index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.Response:
        file = self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        return web.Response(
            body=file.read_bytes(),
            headers=self._headers(),
            content_type=_TYPES[file.suffix],
            charset="utf-8",
        )

    async def _world(self, request: web.Request) -> web.Response:
        """Answer with everything that one person sees."""
        user = self._known(request.query.get("as", ""))
        parts = self.snapshot.parts(user)
        return self._answer({key: write() for key, (_, write) in parts.items()})

    async def _schema(self, _request: web.Request) -> web.Response:
        return self._answer(json_schema())

    async def _download(self, request: web.Request) -> web.Response:
        """Answer with a file, for a member of the channel where it is shared."""
        user = self._known(request.query.get("as", ""))
        file = self._slack.files.get(request.match_info["id"])
        channel = self._slack.channels.get(file.channel) if file else None
        if file is None or channel is None or user not in channel.members:
            raise web.HTTPNotFound
        name = "".join(c for c in file.name if c.isalnum() or c in "-_.") or "file"
        return web.Response(
            body=file.content,
            content_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Send everything to one window, then each change."""
        window = Window(self._known(request.query.get("as", "")))
        socket = web.WebSocketResponse(heartbeat=30.0, compress=False)
        await socket.prepare(request)
        news = asyncio.Event()
        news.set()
        self._windows.add(news)
        self._sockets.add(socket)
        feeding = asyncio.create_task(self._feed(socket, window, news))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and message.data in self._slack.users:
                    window.switch_user(message.data)
                    news.set()
        finally:
            feeding.cancel()
            self._windows.discard(news)
            self._sockets.discard(socket)
        return socket

    async def _feed(
        self, socket: web.WebSocketResponse, window: Window, news: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await news.wait()
                news.clear()
                if (found := window.changes(self.snapshot)) is not None:
                    await socket.send_json(found)
                await asyncio.sleep(_SEND_INTERVAL)

    def _known(self, user: str) -> str:
        if user not in self._slack.users:
            raise web.HTTPNotFound(text="there is no such person\n")
        return user

    def _answer(self, body: Any, status: int = 200) -> web.Response:
        return web.json_response(body, status=status, headers=self._headers())

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["call"]
        if name not in self._calls:
            raise web.HTTPNotFound
        self._direct_callbacks()
        try:
            answer = await self._calls.run(name, CallBody(json.loads(await request.text())))
        except (RefusedError, ValueError, RecursionError) as error:
            return self._answer({"ok": False, "trouble": str(error)}, 400)
        except GoneError:
            gone = "That is not there any more; it was decided or changed meanwhile."
            return self._answer({"ok": False, "trouble": gone})
        self._wake()
        return self._answer({"ok": not answer.get("trouble"), **answer})
