"""One socket to Slack that is opened again as slowly as Slack's refusals demand.

The SDK asks for a new socket at once whenever Slack disconnects one, so a refusal that lasts
(`too_many_websockets`, `link_disabled`) becomes hundreds of calls a second.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import structlog
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.api_calls import Answered, Refused, call, may_send, without_retries

log = structlog.get_logger("stopstream.transports")

FIRST, LONGEST = 1.0, 60.0
"""Seconds before a refused socket is asked for again: the first time, and at most."""

STABLE = 10.0
"""Seconds that a socket must stay open to count as accepted."""

_ROUTINE = ("warning", "refresh_requested")
"""Reasons of a `disconnect` that only ask for a new socket; any other is a refusal."""


class Pacer:
    """Delays the attempts to open one socket, and logs each kind of refusal once.

    Args:
        first: Seconds of the first delay, at most; each further one is up to twice as long.
        on_reopened: Called when an attempt succeeds, but for the first that does.
        clock: Seconds, monotonic.

    Attributes:
        waiting: Whether an attempt is being delayed.
    """

    def __init__(
        self,
        *,
        first: float = FIRST,
        on_reopened: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._on_reopened = on_reopened
        self._has_opened = False
        self._clock = clock
        self._failures = 0
        self._at_least = 0.0
        self._opened: float | None = None
        self._reported: set[str] = set()
        self.waiting = False

    async def wait(self) -> None:
        """Wait until the next attempt may be made."""
        if self._opened is not None and self._clock() - self._opened < STABLE:
            # Accepted and lost again at once: as good as refused.
            self._failures += 1
        elif self._opened is not None:
            self._failures = 0
            self._reported.clear()
        self._opened = None
        if not self._failures:
            return
        self.waiting = True
        try:
            await asyncio.sleep(max(self._at_least, self._delay()))
        finally:
            self.waiting = False
        self._at_least = 0.0

    def opened(self) -> None:
        """Note that an attempt succeeded."""
        self._opened = self._clock()
        if self._has_opened:
            self._on_reopened()
        self._has_opened = True

    def refused(self, why: str, at_least: float = 0.0) -> None:
        """Note and log that an attempt failed.

        Args:
            at_least: Seconds that Slack demands before the next one.
        """
        self._opened = None
        self._at_least = at_least
        self._failures += 1
        self._report(why)

    def disconnected(self, reason: str) -> None:
        """Log that Slack disconnected an open socket."""
        self._report(f"Slack disconnected it ({reason})")

    def _report(self, why: str) -> None:
        if why not in self._reported:
            self._reported.add(why)
            log.error("Slack refuses a socket; it is tried again ever more slowly", why=why)

    def _delay(self) -> float:
        longest = min(LONGEST, self._first * 2.0 ** min(self._failures - 1, 16))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 (replicas must not try in step)


class PacedSocketClient(SocketModeClient):
    """The SDK's client, whose every attempt to connect is paced.

    Attributes:
        greeted: Whether Slack has accepted the socket that is open now.
    """

    def __init__(
        self, token: str, web_client: AsyncWebClient, *, ping: float, pacer: Pacer
    ) -> None:
        super().__init__(
            app_token=token, web_client=web_client, ping_interval=ping, logger=_silent_logger()
        )
        self._pacer = pacer
        self.greeted = False

    async def issue_new_wss_url(self) -> str:
        """Ask Slack for the address of a socket until it returns one."""
        while True:
            await self._pacer.wait()
            client = without_retries(self.web_client)
            outcome = await call(client.apps_connections_open(app_token=self.app_token))
            if isinstance(outcome, Answered) and isinstance(outcome.data.get("url"), str):
                return str(outcome.data["url"])
            why = "no address" if isinstance(outcome, Answered) else outcome.why
            demanded = outcome.wait if isinstance(outcome, Refused) else 0.0
            self._pacer.refused(f"apps.connections.open: {why}", demanded)

    async def connect(self) -> None:
        """Open a socket; an address that failed is not used again."""
        while not self.closed:
            address = self.wss_uri or await self.issue_new_wss_url()
            self.wss_uri = None
            try:
                await self._open(address)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._pacer.refused(f"the socket was not opened ({type(error).__name__})")
            else:
                return

    async def _open(self, address: str) -> None:
        self.auto_reconnect_enabled = False
        self.greeted = False
        if not may_send(self.web_client, address):
            raise OSError("the socket's address is not encrypted")
        if self.current_session is not None:
            await self.current_session.close()
        if self.web_client.session is None:
            raise OSError("the client has no session")
        # Not the SDK's own, which follows redirects.
        session = await self.web_client.session.ws_connect(
            address, autoping=False, heartbeat=self.ping_interval, proxy=self.proxy
        )
        self._pacer.opened()
        self.current_session = session
        self.auto_reconnect_enabled = self.default_auto_reconnect_enabled
        self.stale, self.last_ping_pong_time = False, None
        await session.ping(f"sdk-ping-pong:{time.time()}".encode())
        for task in (self.current_session_monitor, self.message_receiver):
            if task is not None:
                task.cancel()
        self.current_session_monitor = asyncio.ensure_future(self.monitor_current_session())
        self.message_receiver = asyncio.ensure_future(self.receive_messages())

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        """Handle a message; a refused socket is closed, and its monitor opens the next one."""
        kind, reason = message.get("type"), message.get("reason")
        if kind == "disconnect" and reason not in _ROUTINE:
            self.greeted = False
            self._pacer.disconnected(str(reason)[:80])
            if self.current_session is not None:
                await self.current_session.close()
            return
        if kind == "hello":
            self.greeted = True
        await super().run_message_listeners(message, raw_message)


def _silent_logger() -> logging.Logger:
    """Return a logger that drops what the SDK logs at each attempt, addresses included."""
    logger = logging.getLogger("stopstream.socket")
    logger.setLevel(logging.CRITICAL)
    return logger
