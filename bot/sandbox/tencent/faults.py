"""Bad weather for the emulated cloud: every way in which an answer can fail to arrive."""

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
    """Answer with exact bytes; the official SDK reads errors only under this very type."""
    return web.Response(
        body=payload, status=status, headers={"Content-Type": content_type, **(headers or {})}
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        before: Instead of doing anything.
        code: Refuse with this code.
        seconds: Take so long to answer.
        after: Instead of the answer, once it has run.
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
"""Neither does nor says anything."""
Deaf = Fault(after=_silence)
"""Does it, and never says so."""
ResetUnread = Fault(before=_reset)
"""Breaks the connection before it does anything."""
ResetAfter = Fault(after=_reset)
"""Does it, and breaks the connection instead of answering."""
Drip = Fault(after=_drip)
"""Answers a byte a second."""
Http500 = Fault(after=_instead(lambda _: raw(b"oops", status=500, content_type="text/plain")))
Html = Fault(after=_instead(lambda _: raw(b"<html>gateway</html>", content_type="text/html")))
Truncated = Fault(after=_instead(lambda payload: raw(payload[: len(payload) // 2])))
WrongRequestId = Fault(after=_instead(lambda _: raw(b'{"Response": {"RequestId": 7}}')))


class FaultQueue:
    """The faults to come, by API, or for whichever request is next."""

    def __init__(self) -> None:
        self._coming: dict[str, deque[Fault]] = {}
        self._lasting: dict[str, Fault] = {}

    def add(self, fault: Fault, *, api: str = "", times: int = 1) -> None:
        """Let the next requests of an API (any, if empty) meet a fault."""
        self._coming.setdefault(api, deque()).extend([fault] * times)

    def persist(self, fault: Fault, *, api: str = "") -> None:
        """Let every request meet a fault until the weather clears."""
        self._lasting[api] = fault

    def clear(self) -> None:
        """Bring fair weather."""
        self._coming.clear()
        self._lasting.clear()

    @property
    def pending(self) -> int:
        """How many faults wait for a request each."""
        return sum(map(len, self._coming.values()))

    def take(self, api: str) -> Fault:
        """Take the fault that a request meets."""
        for name in (api, ""):
            if self._coming.get(name):
                return self._coming[name].popleft()
        return self._lasting.get(api) or self._lasting.get("") or NoFault
