"""The routes `/hooks/…` of the HTTP side: signed notices of other systems, by source."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from math import ceil
from typing import Protocol

import structlog
from aiohttp import web

from bot.hooks.bounded_json import MOST
from bot.hooks.exchange import Forbidden, HookAnswer, HookRequest
from bot.metrics import Metrics

log = structlog.get_logger("stopstream.hooks")

PATH = "/hooks/{source}"

RATE = 300.0
"""Notices a second of one source, on average."""

BURST = 600.0
"""Notices that one source may send at once after a pause."""

_LOGGED_EVERY = 10.0
"""Seconds between two log lines about the refusals of one source."""


class HookSource(Protocol):
    """One kind of sender: knows its secret and its notices."""

    @property
    def name(self) -> str:
        """The end of its route."""
        ...

    def check(self, request: HookRequest) -> Forbidden | None:
        """Return why a notice is not read; None if it has the source's secret."""
        ...

    async def take(self, request: HookRequest) -> HookAnswer:
        """Store what a genuine notice says. 200 is answered only for what is on disk."""
        ...


class Bucket:
    """A token bucket.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._level = burst
        self._at = clock()

    def wait(self) -> float:
        """Take one, and return 0; or return the seconds until there is one."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0


class _Gate:
    """The bounds of one source: what is genuine has its own, so that forgeries take nothing."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self.genuine = Bucket(rate, burst, clock)
        self.logged = Bucket(1 / _LOGGED_EVERY, 1.0, clock)


class Hooks:
    """Passes each notice to its source, once it is found to be genuine and within the bounds.

    Args:
        sources: Those that have a secret; any other is as if it did not exist.
        clock: Seconds, monotonic, for the bounds.
        now: Epoch seconds, for signed times.
    """

    def __init__(
        self,
        sources: tuple[HookSource, ...],
        metrics: Metrics,
        *,
        rate: float = RATE,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sources: Mapping[str, HookSource] = {one.name: one for one in sources}
        self._gates = {name: _Gate(rate, burst, clock) for name in self._sources}
        self._metrics = metrics
        self._now = now

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request to PATH."""
        source = self._sources.get(request.match_info["source"])
        if source is None:
            return web.Response(status=404, text="no such hook, or it has no secret\n")
        headers = {name.casefold(): value for name, value in request.headers.items()}
        notice = HookRequest(headers, await request.read(), self._now())
        if (forbidden := self._forbidden(source, request, notice)) is not None:
            return self._refused(source, forbidden)
        answer = await source.take(notice)
        self._metrics.notices.labels(source.name, answer.outcome).inc()
        if answer.json:
            return web.Response(
                status=answer.status, text=answer.json, content_type="application/json"
            )
        return web.Response(status=answer.status, text=f"{answer.outcome}\n")

    def _forbidden(
        self, source: HookSource, request: web.Request, notice: HookRequest
    ) -> Forbidden | None:
        """Return why a notice is not read; what has no right secret takes no place of another."""
        if len(notice.body) > MOST:
            return _TOO_LARGE
        # Tencent Cloud does not document whether it sends one.
        if "Content-Type" in request.headers and request.content_type != "application/json":
            return _NO_JSON
        if (forbidden := source.check(notice)) is not None:
            return forbidden
        wait = self._gates[source.name].genuine.wait()
        return replace(_TOO_MANY, retry_after=ceil(wait)) if wait else None

    def _refused(self, source: HookSource, forbidden: Forbidden) -> web.Response:
        self._metrics.notices.labels(source.name, "refused").inc()
        status, why = forbidden.status, forbidden.why
        if not self._gates[source.name].logged.wait():
            log.warning("a notice is refused", source=source.name, why=why, status=status)
        response = web.Response(status=status, text=f"refused: {why}\n")
        if status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Bearer realm="stopstream"'
        if forbidden.retry_after:
            response.headers["Retry-After"] = str(forbidden.retry_after)
        return response


_TOO_LARGE = Forbidden(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "it is larger than 256 KB")
_NO_JSON = Forbidden(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "its Content-Type is not application/json")
_TOO_MANY = Forbidden(HTTPStatus.TOO_MANY_REQUESTS, "there are too many at once")
