"""Receives Slack's requests over Socket Mode."""

import asyncio

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.addresses import is_loopback
from bot.errors import ConfigError
from bot.metrics import Metrics
from bot.supervision import Loop, Supervisor
from handlers.slack.api_calls import AUTH_ERRORS, Refused, call, without_retries
from handlers.slack.payloads import kind_of, well_formed
from handlers.slack.socket_client import PacedSocketClient, Pacer

log = structlog.get_logger("stopstream.transports")

PING = 2.0
"""Seconds between two pings of a connection; a dead one is noticed after four."""

WATCH = 10.0
"""Seconds between two checks of the connections; one found dead twice is replaced."""


class SocketMode:
    """Receives Slack's requests over several connections, so that one of them may break.

    Source: https://docs.slack.dev/apis/events-api/using-socket-mode
    """

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        *,
        supervisor: Supervisor,
        metrics: Metrics,
        ping: float = PING,
        watch: float = WATCH,
    ) -> None:
        self._app = app
        self._supervisor = supervisor
        self._metrics = metrics
        self._dead: set[int] = set()
        self._watch_interval = watch
        self._token = app_token
        self._ping = ping
        self._connections: list[_Connection] = []
        self._watcher: Loop | None = None

    @property
    def healthy(self) -> bool:
        """Whether at least one connection is open."""
        return self.open > 0

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(connection.open for connection in self._connections)

    @property
    def wanted(self) -> int:
        """How many connections are kept open."""
        return len(self._connections)

    async def start(self, connections: int = 2, wait: float = 5.0) -> None:
        """Open the connections; those that are not open after `wait` seconds go on trying.

        Raises:
            ConfigError: Slack does not accept the app-level token.
        """
        await self._check()
        reopened = self._metrics.socket_reconnects.inc
        pacers = [Pacer(on_reopened=reopened) for _ in range(connections)]
        self._connections = [self._connection(pacer) for pacer in pacers]
        self._watcher = self._supervisor.start("sockets", self._watch, every=self._watch_interval)
        await asyncio.wait(
            {connection.connecting for connection in self._connections}, timeout=wait
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._watcher:
            self._watcher.stop()
        for connection in self._connections:
            await connection.close()
        self._connections = []

    async def _check(self) -> None:
        client = without_retries(self._app.client)
        outcome = await call(client.apps_connections_open(app_token=self._token))
        if isinstance(outcome, Refused) and outcome.code in AUTH_ERRORS:
            raise ConfigError(
                [f"SLACK_APP_TOKEN: Slack does not open a socket with it ({outcome.code})"]
            )

    def _connection(self, pacer: Pacer) -> "_Connection":
        return _Connection(self._app, self._token, self._ping, pacer, self._metrics)

    async def _watch(self) -> None:
        """Replace connections that stay dead: the SDK's own reconnecting can get stuck."""
        dead_before, self._dead = self._dead, set()
        for number, connection in enumerate(self._connections):
            if id(connection) in dead_before and connection.stuck:
                log.warning("a socket stays dead and is replaced")
                self._connections[number] = self._connection(connection.pacer)
                await connection.close()
        self._dead = {id(connection) for connection in self._connections if connection.stuck}


class _Handler(AsyncSocketModeHandler):
    """Passes well-formed requests to Bolt, as the HTTP receiver does."""

    def __init__(self, app: AsyncApp, client: PacedSocketClient, metrics: Metrics) -> None:
        # The SDK's own would build the client that it uses.
        self.app, self.client = app, client
        self._metrics = metrics
        client.socket_mode_request_listeners.append(self.handle)

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Handle one envelope; a malformed one is acked, or Slack would send it again."""
        if well_formed(req.payload):
            with self._metrics.ack.labels(kind_of(req.payload)).time():
                await super().handle(client, req)  # type: ignore[arg-type] # the SDK narrows it
            return
        log.warning("a malformed payload came over a socket", kind=req.type)
        await client.send_socket_mode_response(SocketModeResponse(req.envelope_id))


class _Connection:
    """One connection."""

    def __init__(
        self, app: AsyncApp, token: str, ping: float, pacer: Pacer, metrics: Metrics
    ) -> None:
        self.pacer = pacer
        self._client = PacedSocketClient(token, app.client, ping=ping, pacer=pacer)
        self._handler = _Handler(app, self._client, metrics)
        if is_loopback(app.client.base_url):
            self._client.proxy = None
        self.connecting = asyncio.create_task(self._connect(), name="socket")

    @property
    def open(self) -> bool:
        """Whether it is connected, accepted by Slack, and answers its pings."""
        client, session = self._client, self._client.current_session
        alive = session is not None and not session.closed and not client.stale
        return alive and client.greeted

    @property
    def stuck(self) -> bool:
        """Whether it is neither open nor being opened."""
        return not self.open and not self.pacer.waiting and self.connecting.done()

    async def close(self) -> None:
        self.connecting.cancel()
        await asyncio.wait({self.connecting})
        await self._handler.close_async()  # type: ignore[no-untyped-call] # the SDK's
        # The SDK cancels its tasks and does not wait for them.
        tasks = (
            self._client.message_processor,
            self._client.current_session_monitor,
            self._client.message_receiver,
        )
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    async def _connect(self) -> None:
        await self._handler.connect_async()  # type: ignore[no-untyped-call] # the SDK's
