"""Deliveries to the app: signed HTTP with retries, or Socket Mode.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

ACK = 3.0
"""Seconds that Slack waits for an ack."""

RETRIES = (0.0, 60.0, 300.0)
"""Seconds after which an event that was not acked is sent again."""

GRACE = 10.0
"""Seconds between a `disconnect` and the end of the connection."""

_MOST_SOCKETS = 10

_TYPES = {
    "command": "slash_commands",
    "event": "events_api",
    "interaction": "interactive",
    "suggestion": "interactive",
}


@dataclass(frozen=True, slots=True)
class Ack:
    """The app's answer.

    Attributes:
        error: The code that the person sees instead of an answer; empty if it succeeded.
    """

    body: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class EventDelivery:
    """Sends payloads to the app.

    Args:
        pace: Multiplies the waits between an event's retries and before a socket is closed.
    """

    def __init__(
        self, signing_secret: str, *, clock: Callable[[], float], pace: float = 1.0
    ) -> None:
        self.request_url = ""
        """Where the app listens in HTTP mode; empty for Socket Mode."""
        self.options_url = ""
        """Where the app is asked for options in HTTP mode; the manifest names it by itself."""
        self.base = ""
        self._secret = signing_secret
        self._clock = clock
        self._pace = pace
        self._tickets: set[str] = set()
        self._sockets: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Close every connection."""
        for task in self._tasks:
            task.cancel()
        for socket in list(self._sockets):
            await socket.close()
        if self._session is not None:
            await self._session.close()

    async def deliver(self, kind: str, payload: dict[str, Any]) -> Ack:
        """Send one payload once: a `command`, `event`, `interaction` or `suggestion`."""
        if self.request_url:
            if kind == "suggestion" and not self.options_url:
                return Ack(error="no_options_load_url")
            return await self._post(kind, payload, {})
        return await self._send(kind, payload, {})

    async def deliver_event(self, payload: dict[str, Any]) -> Ack:
        """Send an event, and retry at most three times until it is acked."""
        ack = await self.deliver("event", payload)
        if ack.error:
            self._keep(asyncio.create_task(self._retry(payload)))
        return ack

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _retry(self, payload: dict[str, Any]) -> Ack:
        ack = Ack(error="not tried")
        for number, wait in enumerate(RETRIES, 1):
            await asyncio.sleep(wait * self._pace)
            if self.request_url:
                headers = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": "http_error"}
                ack = await self._post("event", payload, headers)
            else:
                more = {"retry_attempt": number, "retry_reason": "timeout"}
                ack = await self._send("event", payload, more)
            if not ack.error:
                break
        return ack

    def signed(self, raw: bytes) -> dict[str, str]:
        """Return the headers that sign a body as Slack does."""
        timestamp = str(int(self._clock()))
        base = f"v0:{timestamp}:".encode() + raw
        digest = hmac.new(self._secret.encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}

    async def _post(self, kind: str, payload: dict[str, Any], headers: dict[str, str]) -> Ack:
        if kind == "event":
            raw, content_type = json.dumps(payload).encode(), "application/json"
        else:
            form = payload if kind == "command" else {"payload": json.dumps(payload)}
            raw, content_type = urlencode(form).encode(), "application/x-www-form-urlencoded"
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.post(
                self.options_url if kind == "suggestion" else self.request_url,
                data=raw,
                headers={**headers, **self.signed(raw), "Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=ACK),
            ) as response:
                text = await response.text()
        except TimeoutError:
            return Ack(error="operation_timeout")
        except aiohttp.ClientError:
            return Ack(error="dispatch_failed")
        if response.status != 200:  # noqa: PLR2004 (HTTP)
            return Ack(error=f"http_error {response.status}")
        return Ack(_read(text, response.content_type))

    def socket_url(self) -> str:
        """Return the address of a socket; its ticket is valid once."""
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        return f"{self.base.replace('http', 'ws', 1)}/link?ticket={ticket}"

    @property
    def sockets(self) -> int:
        """How many connections are open."""
        return len(self._sockets)

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection of the app."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self._sockets) >= _MOST_SOCKETS:
            await socket.send_json(_disconnect("too_many_websockets"))
            await socket.close()
            return socket
        self._sockets.append(socket)
        hello = {
            "type": "hello",
            "num_connections": len(self._sockets),
            "connection_info": {"app_id": "A0STOP"},
            "debug_info": {"host": "sandbox", "approximate_connection_time": 3600},
        }
        await socket.send_json(hello)
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._acked(json.loads(message.data))
        finally:
            if socket in self._sockets:
                self._sockets.remove(socket)
        return socket

    def _acked(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.pop(str(message.get("envelope_id", "")), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message.get("payload") or {})

    async def _send(self, kind: str, payload: dict[str, Any], more: dict[str, Any]) -> Ack:
        if not self._sockets:
            return Ack(error="dispatch_failed")
        # Any one of the connections; no pattern is promised.
        self._next += 1
        socket = self._sockets[self._next % len(self._sockets)]
        envelope = str(uuid.uuid4())
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope] = waiting
        message = {
            "envelope_id": envelope,
            "type": _TYPES[kind],
            "accepts_response_payload": kind != "event",
            "payload": payload,
            **more,
        }
        try:
            async with asyncio.timeout(ACK):
                await socket.send_json(message)
                body = await waiting
        except TimeoutError:
            return Ack(error="operation_timeout")
        except ConnectionError:
            return Ack(error="dispatch_failed")
        finally:
            self._waiting.pop(envelope, None)
        return Ack(body)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Tell the app that every connection ends, as Slack does every few hours.

        Nothing is sent through them any more, and each is closed soon after.

        Args:
            reason: `warning`, `refresh_requested` or `link_disabled`.
        """
        ending, self._sockets = self._sockets, []
        for socket in ending:
            with contextlib.suppress(ConnectionError):
                await socket.send_json(_disconnect(reason))
            self._keep(asyncio.create_task(self._end(socket)))

    async def _end(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(GRACE * self._pace)
        await socket.close()

    async def cut(self) -> None:
        """Close every connection without notice."""
        for socket in list(self._sockets):
            await socket.close()


def _disconnect(reason: str) -> dict[str, Any]:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}


def _read(text: str, content_type: str) -> dict[str, Any]:
    if content_type == "application/json" and text:
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {"text": text} if text else {}
