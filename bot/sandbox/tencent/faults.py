"""The faults of the emulated cloud: every way in which an answer can fail to arrive."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Before = Callable[[web.Request], Awaitable[web.StreamResponse]]
After = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


def raw(
    payload: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Return an answer of exact bytes; the official SDK reads errors under this type only."""
    return web.Response(
        body=payload, status=status, headers={"Content-Type": content_type, **(headers or {})}
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        before: Answers before the request is read.
        code: Refuse with this code.
        seconds: How long the answer takes.
        after: Replaces the answer, after the action has run.
    """

    before: Before | None = None
    code: str = ""
    message: str = "The emulated cloud was told to refuse."
    seconds: float = 0.0
    after: After | None = None


NoFault = Fault()


async def _silence(_request: web.Request, _payload: bytes = b"") -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


async def _reset(request: web.Request, _payload: bytes = b"") -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _drip(request: web.Request, payload: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for byte in payload:
        await response.write(bytes([byte]))
        await asyncio.sleep(1.0)
    return response


def _instead(change: Callable[[bytes], web.Response]) -> After:
    async def answer(_request: web.Request, payload: bytes) -> web.StreamResponse:
        return change(payload)

    return answer


Silent = Fault(before=_silence)
"""The action does not run, and no answer comes."""
Deaf = Fault(after=_silence)
"""The action runs, and no answer comes."""
ResetUnread = Fault(before=_reset)
"""The connection breaks before the action runs."""
ResetAfter = Fault(after=_reset)
"""The action runs, and the connection breaks instead of an answer."""
Drip = Fault(after=_drip)
"""The action runs, and the answer comes at one byte per second."""
Http500 = Fault(after=_instead(lambda _: raw(b"oops", status=500, content_type="text/plain")))
Html = Fault(after=_instead(lambda _: raw(b"<html>gateway</html>", content_type="text/html")))
Truncated = Fault(after=_instead(lambda payload: raw(payload[: len(payload) // 2])))
WrongRequestId = Fault(after=_instead(lambda _: raw(b'{"Response": {"RequestId": 7}}')))


class FaultQueue:
    """The faults that the next requests meet, by API or for any request."""

    def __init__(self) -> None:
        self._queued: dict[str, deque[Fault]] = {}
        self._persistent: dict[str, Fault] = {}

    def add(self, fault: Fault, *, api: str = "", times: int = 1) -> None:
        """Queue a fault for the next requests of an API; of any but the reads, if it is empty.

        A read beside a stop would take the fault that is meant for the stop.
        """
        self._queued.setdefault(api, deque()).extend([fault] * times)

    def persist(self, fault: Fault, *, api: str = "") -> None:
        """Apply a fault to every request until `clear`."""
        self._persistent[api] = fault

    def clear(self) -> None:
        """Remove all faults."""
        self._queued.clear()
        self._persistent.clear()

    @property
    def pending(self) -> int:
        """How many faults are queued."""
        return sum(map(len, self._queued.values()))

    def take(self, api: str) -> Fault:
        """Remove and return the fault of a request."""
        for name in (api,) if api.startswith("Describe") else (api, ""):
            if self._queued.get(name):
                return self._queued[name].popleft()
        return self._persistent.get(api) or self._persistent.get("") or NoFault
