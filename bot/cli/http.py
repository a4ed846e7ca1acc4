"""The HTTP side of `serve`: health, readiness, metrics, and the endpoint that Slack calls."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from bot.cli.connections import Connections
from bot.cli.hooks import PATH as HOOKS
from bot.cli.hooks import Hooks
from bot.cli.request_reader import BODY_MOST
from bot.cli.shared_answer import SharedAnswer
from bot.clock_skew import ClockSkew
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.operations.audit_sink import SinkRelay
from bot.storage.store import Store
from bot.supervision import Supervisor
from handlers.slack.http_receiver import PATH
from handlers.slack.messenger import Messenger
from handlers.slack.socket_mode import SocketMode

Receiver: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]

_GRACE = 3.0
"""Seconds for which requests in progress may go on when the server stops."""

_STORE_PATIENCE = 2.0
"""Seconds within which the database has to answer, for the bot to be ready."""


class HttpServer:
    """Answers health and metrics as soon as it listens, readiness once Slack is connected.

    Attributes:
        url: Where it listens, once it does.
    """

    def __init__(
        self,
        *,
        store: Store,
        metrics: Metrics,
        supervisor: Supervisor,
        skew: ClockSkew,
        sink: SinkRelay | None = None,
    ) -> None:
        self.url = ""
        self._store = store
        self._metrics = metrics
        self._supervisor = supervisor
        self._skew = skew
        self._sink = sink
        self._store_trouble = SharedAnswer(self._ask_store)
        self._depth = SharedAnswer(self._ask_depth)
        self._messenger: Messenger | None = None
        self._receiver: Receiver | None = None
        self._socket: SocketMode | None = None
        self._hooks: Hooks | None = None
        self._connections = Connections()
        self._listener: asyncio.Server | None = None
        app = web.Application(client_max_size=BODY_MOST, middlewares=[self._connections.bounded])
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._prometheus)
        app.router.add_post(PATH, self._slack)
        app.router.add_post(HOOKS, self._notice)
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
        self._listener = await self._connections.listen(server, host, port)
        host, port = self._listener.sockets[0].getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Finish the requests in progress and close the port."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def connect(
        self,
        messenger: Messenger,
        *,
        receiver: Receiver | None = None,
        socket: SocketMode | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Be ready from now on, as long as nothing fails.

        Args:
            messenger: Knows whether Slack accepts the bot's messages.
            receiver: Takes Slack's requests; None in Socket Mode.
            socket: None where Slack calls by HTTP.
            hooks: Takes the notices of other systems.
        """
        self._messenger, self._receiver, self._socket = messenger, receiver, socket
        self._hooks = hooks

    def disconnect(self) -> None:
        """Be not ready from now on; requests are still taken, so that none is lost."""
        self._messenger = None

    async def _slack(self, request: web.Request) -> web.Response:
        if self._receiver is not None:
            return await self._receiver(request)
        if self._socket is not None:
            return web.Response(status=404, text="in Socket Mode Slack does not call here\n")
        return web.Response(status=503, text="not ready yet\n")

    async def _notice(self, request: web.Request) -> web.Response:
        if self._hooks is None:
            return web.Response(status=503, text="not ready yet\n")
        return await self._hooks.handle(request)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        trouble = await self._trouble()
        if trouble:
            return web.Response(status=503, text=trouble + "\n")
        # It serves all the same: only what it signs, and retention, depend on the clock, and
        # no stop waits for the audit sink.
        excess = self._skew.excess()
        buts = [excess.sentence() if excess else "", self._sink.trouble if self._sink else ""]
        return web.Response(text=", but ".join(filter(None, ["ready", *buts])) + "\n")

    async def _trouble(self) -> str:
        """Return why the bot cannot serve now; empty if it can."""
        if self._messenger is None:
            return "starting: Slack is not reached yet"
        if self._socket is not None and not self._socket.healthy:
            return "no socket to Slack stands"
        if trouble := self._messenger.trouble or self._supervisor.trouble():
            return trouble
        if trouble := self._store.leases.trouble():
            return trouble
        return await self._store_trouble.get()

    async def _ask_store(self) -> str:
        """Return why the database cannot be written; empty if it can."""
        try:
            async with asyncio.timeout(_STORE_PATIENCE):
                await self._store.ready()
        except (StoreError, TimeoutError) as error:
            return f"the database cannot be written: {str(error) or 'it does not answer'}"
        return ""

    async def _ask_depth(self) -> int | None:
        """Return how many messages the outbox holds; None where the database does not answer."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_STORE_PATIENCE):
                return await self._store.outbox.depth()
        return None

    async def _prometheus(self, _request: web.Request) -> web.Response:
        self._metrics.tampered.set(self._store.session.quarantine.tampered)
        for one in self._skew.each():
            self._metrics.clock_skew.labels(one.service).set(one.seconds)
        if (depth := await self._depth.get()) is not None:
            self._metrics.owed.set(depth)
        self._metrics.strays.set(self._store.leases.strays)
        if self._sink is not None:
            self._metrics.sink_behind.set(self._sink.behind)
            self._metrics.sink_up.set(not self._sink.trouble)
        return web.Response(
            body=self._metrics.text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
