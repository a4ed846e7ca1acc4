"""How Slack reaches the bot: signed HTTP or Socket Mode; and the one client that reaches Slack."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import Clock, SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ConfigError, DirectoryError
from bot.supervision import Loop, Supervisor
from handlers.slack.api_calls import AUTH, Answered, Refused, call, without_retries
from handlers.slack.payloads import well_formed

log = structlog.get_logger("stopstream.transports")

PATH = "/slack/events"

BODY_MOST = 1024 * 1024
"""Bytes of a request that are read."""

PING = 2.0
"""Seconds between two pings of a socket; a dead one is noticed after four."""

WATCH = 10.0
"""Seconds between two looks at the sockets; one found dead twice is replaced."""

_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


# --- the client ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is, as `auth.test` says.

    Attributes:
        user: Its user id, as people mention it.
        bot: Its bot id, as its messages carry it.
        url: Of the workspace.
        scopes: What the token may do; empty where Slack did not say.
    """

    team: str
    user: str
    bot: str
    url: str
    scopes: frozenset[str]


@contextlib.asynccontextmanager
async def web_client(token: str, base_url: str) -> AsyncIterator[AsyncWebClient]:
    """Open the one client, on one pooled session; nothing is sent twice by itself."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=30, sock_connect=5),
        connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=60),
    ) as session:
        client = AsyncWebClient(token=token, base_url=base_url, session=session, retry_handlers=[])
        if _is_local(base_url):
            # The SDK would send even this through a proxy of the environment.
            client.proxy = None
        yield client


async def connect(client: AsyncWebClient) -> Identity:
    """Find out who the bot is.

    Raises:
        ConfigError: Slack does not take the token.
        DirectoryError: Slack did not answer.
    """
    outcome = await call(without_retries(client).auth_test())
    match outcome:
        case Answered(data, headers):
            found = Identity(
                team=str(data.get("team_id") or ""),
                user=str(data.get("user_id") or ""),
                bot=str(data.get("bot_id") or ""),
                url=str(data.get("url") or ""),
                scopes=frozenset(headers.get("x-oauth-scopes", "").replace(" ", "").split(","))
                - {""},
            )
            if not (found.team and found.user and found.bot):
                raise ConfigError(
                    ["SLACK_BOT_TOKEN: is not the token of a bot; take the one that begins xoxb-"]
                )
            return found
        case Refused(code) if code in AUTH:
            raise ConfigError([f"SLACK_BOT_TOKEN: Slack does not take it ({code})"])
        case _:
            raise DirectoryError(f"Slack did not say who the bot is: {outcome.why}.")


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in _LOCAL


# --- signed HTTP ---------------------------------------------------------------------


class _Clock(Clock):
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def now(self) -> float:
        return self._now()


def receiver(
    app: AsyncApp, *, signing_secret: str, clock: Callable[[], float] = time.time
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make what takes Slack's requests: signature first, then the body is read, then Bolt.

    Bolt gets the body already read, because its own reading breaks on what is malformed and
    loses commands whose text holds the word `payload`.

    Args:
        app: As `build_app` gives it.
        signing_secret: Not empty.
        clock: Epoch seconds, for the signatures' age.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    verifier = SignatureVerifier(signing_secret, _Clock(clock))

    async def events(request: web.Request) -> web.Response:
        if (request.content_length or 0) > BODY_MOST:
            return _plain(413, "The request is too large.")
        raw = await request.read()
        if len(raw) > BODY_MOST:
            return _plain(413, "The request is too large.")
        if not _signed(verifier, request, raw):
            return _plain(401, "The signature is missing, wrong or too old.")
        body = _body(raw, request.content_type)
        if body is None:
            return _plain(400, "The body is not what Slack sends.")
        bolt_request = AsyncBoltRequest(
            body=body, query={}, headers=_headers(request), mode="socket_mode"
        )
        return await to_aiohttp_response(await app.async_dispatch(bolt_request))

    return events


def _plain(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence + "\n")


def _headers(request: web.Request) -> dict[str, str | Sequence[str]]:
    return {name: value for name, value in request.headers.items() if name.lower() != "cookie"}


def _signed(verifier: SignatureVerifier, request: web.Request, raw: bytes) -> bool:
    timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
    signature = request.headers.get("X-Slack-Signature", "")
    # The verifier itself breaks on anything but digits, and on letters beyond ASCII.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):  # noqa: PLR2004
        return False
    return signature.isascii() and _is_utf8(raw) and verifier.is_valid(raw, timestamp, signature)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _body(raw: bytes, content_type: str) -> dict[str, Any] | None:
    """Read a signed body: JSON for events, a form for commands, JSON in a form for the rest."""
    text = raw.decode()
    try:
        if content_type == "application/json":
            found = json.loads(text)
        else:
            found = dict(parse_qsl(text, keep_blank_values=True))
            if "payload" in found and "command" not in found:
                found = json.loads(found["payload"])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and well_formed(found) else None


# --- Socket Mode ---------------------------------------------------------------------


class Socket:
    """Several connections to Slack, so that one that breaks is not missed.

    Source: https://docs.slack.dev/apis/events-api/using-socket-mode
    """

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        *,
        supervisor: Supervisor,
        ping: float = PING,
        watch: float = WATCH,
    ) -> None:
        self._app = app
        self._supervisor = supervisor
        self._broken: set[int] = set()
        self._look_every = watch
        self._token = app_token
        self._ping = ping
        self._sockets: list[_One] = []
        self._watcher: Loop | None = None

    @property
    def healthy(self) -> bool:
        """Whether at least one connection stands."""
        return any(one.open for one in self._sockets)

    async def start(self, connections: int = 2, wait: float = 5.0) -> None:
        """Open the connections; what does not stand after `wait` seconds goes on trying.

        Raises:
            ConfigError: Slack does not take the app-level token.
        """
        await self._check()
        self._sockets = [_One(self._app, self._token, self._ping) for _ in range(connections)]
        self._watcher = self._supervisor.start("sockets", self._watch, every=self._look_every)
        await asyncio.wait({one.connecting for one in self._sockets}, timeout=wait)

    async def close(self) -> None:
        """Close every connection."""
        if self._watcher:
            self._watcher.stop()
        for one in self._sockets:
            await one.close()
        self._sockets = []

    async def _check(self) -> None:
        client = without_retries(self._app.client)
        outcome = await call(client.apps_connections_open(app_token=self._token))
        if isinstance(outcome, Refused) and outcome.code != "ratelimited":
            raise ConfigError(
                [f"SLACK_APP_TOKEN: Slack does not open a socket with it ({outcome.code})"]
            )

    async def _watch(self) -> None:
        """Replace what stays dead: the SDK's own reconnecting can get stuck."""
        before, self._broken = self._broken, set()
        for number, one in enumerate(self._sockets):
            if id(one) in before and not one.open:
                log.warning("a socket stays dead and is replaced")
                self._sockets[number] = _One(self._app, self._token, self._ping)
                await one.close()
        self._broken = {id(one) for one in self._sockets if not one.open}


class _Handler(AsyncSocketModeHandler):
    """Hands requests to Bolt, as signed HTTP does: only those of a shape it can bear."""

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Take one envelope; a malformed one is acked, or Slack would send it again."""
        if well_formed(req.payload):
            await super().handle(client, req)  # type: ignore[arg-type] # the SDK narrows it
            return
        log.warning("a malformed payload came over a socket", kind=req.type)
        await client.send_socket_mode_response(SocketModeResponse(req.envelope_id))


class _One:
    """One connection."""

    def __init__(self, app: AsyncApp, token: str, ping: float) -> None:
        self._handler = _Handler(app, token, ping_interval=ping)
        if _is_local(app.client.base_url):
            self._client.proxy = None
        self.connecting = asyncio.create_task(self._connect(), name="socket")

    @property
    def _client(self) -> SocketModeClient:
        return self._handler.client

    @property
    def open(self) -> bool:
        """Whether it stands and answers its pings."""
        session = self._client.current_session
        return session is not None and not session.closed and not self._client.stale

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
