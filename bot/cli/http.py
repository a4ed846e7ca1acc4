"""The HTTP side of `serve`: health, readiness, metrics, and the endpoint that Slack calls."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from bot.cli.gauges import Gauges
from bot.cli.hooks import PATH as HOOKS
from bot.cli.hooks import Hooks
from bot.cli.listener import Listener
from bot.clock_skew import ClockSkew
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.operations.audit_sink import SinkRelay
from bot.shared_answers import SharedAnswers
from bot.storage.store import Store
from bot.supervision import Supervisor
from handlers.slack.http_receiver import PATH
from handlers.slack.messenger import Messenger
from handlers.slack.socket_mode import SocketMode

Receiver: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]

_STORE_PATIENCE = 2.0
"""Seconds within which the database has to answer, for the bot to be ready."""


class HttpServer:
    """Answers health and metrics as soon as it listens, readiness once Slack is connected.

    Args:
        metrics_apart: Metrics are shown on a port of their own, and not where Slack calls. Health
            and readiness are on both: a proxy in front of Slack's port asks for them there.
    """

    def __init__(
        self,
        *,
        store: Store,
        metrics: Metrics,
        supervisor: Supervisor,
        skew: ClockSkew,
        sink: SinkRelay | None = None,
        webhook: SinkRelay | None = None,
        metrics_apart: bool = False,
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._skew = skew
        self._relays = [one for one in (sink, webhook) if one is not None]
        self._store_trouble = SharedAnswers[str]()
        self._gauges = Gauges(store=store, metrics=metrics, skew=skew, sink=sink, webhook=webhook)
        self._messenger: Messenger | None = None
        self._receiver: Receiver | None = None
        self._socket: SocketMode | None = None
        self._hooks: Hooks | None = None
        health = (web.get("/healthz", self._health), web.get("/readyz", self._ready))
        shown = web.get("/metrics", self._prometheus)
        called = (*health, web.post(PATH, self._slack), web.post(HOOKS, self._notice))
        self._listener = Listener(called if metrics_apart else (*called, shown))
        self._apart = Listener((*health, shown)) if metrics_apart else None

    @property
    def url(self) -> str:
        """Where it listens to Slack; empty before it does."""
        return self._listener.url

    @property
    def metrics_url(self) -> str:
        """Where it shows metrics; empty before it does."""
        return (self._apart or self._listener).url

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes any free one.

        Raises:
            OSError: The address cannot be used.
        """
        await self._listener.start(host, port)

    async def start_metrics(self, host: str, port: int) -> None:
        """Listen on the port of the metrics, if they have one of their own.

        Raises:
            OSError: The address cannot be used.
        """
        if self._apart is not None:
            await self._apart.start(host, port)

    async def stop(self) -> None:
        """Finish the requests in progress and close the ports."""
        # Who watches sees until the end that the bot is not ready.
        await self._listener.stop()
        if self._apart is not None:
            await self._apart.stop()

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
        # no stop waits for the audit sink or the webhook.
        excess = self._skew.excess()
        buts = [excess.sentence() if excess else "", *(one.trouble for one in self._relays)]
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
        return await self._store_trouble.get("store", self._ask_store)

    async def _ask_store(self) -> str:
        """Return why the database cannot be written; empty if it can."""
        try:
            async with asyncio.timeout(_STORE_PATIENCE):
                await self._store.ready()
        except (StoreError, TimeoutError) as error:
            return f"the database cannot be written: {str(error) or 'it does not answer'}"
        return ""

    async def _prometheus(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=await self._gauges.text(self._messenger, self._socket),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
