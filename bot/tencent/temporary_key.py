"""A key with an end: renewed before it lapses, once for all who ask at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bot.errors import NeverSentError, StopstreamError
from bot.tencent.credentials import Credentials

log = structlog.get_logger("stopstream.tencent")

EARLY = 300.0
"""Seconds before its end at which a key is renewed.

As the official chain does for the CVM role, and the most that this machine's clock may be off.
"""

_PAUSE = 10.0
"""Seconds after a try in which a valid key is not renewed again, nor a new one replaced."""


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """A key and when it lapses, in epoch seconds."""

    credentials: Credentials
    until: float


class RenewedKey:
    """Keeps a temporary key and renews it.

    A request waits for a renewal only where there is no valid key: it is begun `EARLY`, and goes on
    beside what is sent meanwhile.

    Args:
        fetch: Returns a new key, or raises NeverSentError; bounded in time.
        origin: See CredentialSource.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[TemporaryKey]],
        *,
        origin: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.origin = origin
        self._fetch = fetch
        self._clock = clock
        self._key: TemporaryKey | None = None
        self._tried_at = self._renewed_at = float("-inf")
        self._renewal: asyncio.Task[TemporaryKey] | None = None

    @property
    def until(self) -> float | None:
        """Return when the key lapses; None if there is none yet."""
        return self._key.until if self._key else None

    async def get(self) -> Credentials:
        """Return a key that is valid now; see CredentialSource."""
        key, now = self._key, self._clock()
        if key is None or key.until <= now:
            return (await self._renewed()).credentials
        if key.until - now <= EARLY and now - self._tried_at >= _PAUSE:
            self._begin()
        return key.credentials

    async def replace(self, refused: Credentials) -> Credentials | None:
        """Return another key than a refused one; one that was renewed just now has no other."""
        key = self._key
        if key is not None and key.credentials != refused:
            return key.credentials
        if self._renewal is None and self._clock() - self._renewed_at < _PAUSE:
            return None
        found = (await self._renewed()).credentials
        return None if found == refused else found

    async def _renewed(self) -> TemporaryKey:
        """Wait for the renewal that is under way, or for a new one.

        Whoever gives up waiting breaks it off for nobody else.
        """
        return await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[TemporaryKey]:
        if self._renewal is None:
            self._tried_at = self._clock()
            self._renewal = asyncio.create_task(self._renew(), name="renew the key")
            self._renewal.add_done_callback(self._note)
        return self._renewal

    async def _renew(self) -> TemporaryKey:
        try:
            key = self._key = await self._fetch()
            self._renewed_at = self._clock()
        finally:
            self._renewal = None
        return key

    def _note(self, renewal: asyncio.Task[TemporaryKey]) -> None:
        if renewal.cancelled():
            return
        match renewal.exception():
            case None:
                log.info("the key is renewed", origin=self.origin, until=int(self.until or 0))
            case NeverSentError() as error:
                log.warning("the key is not renewed", origin=self.origin, why=str(error))
            case StopstreamError() as error:
                log.error("the key is not renewed", origin=self.origin, why=str(error))
            case error:
                log.error("the key is not renewed", origin=self.origin, exc_info=error)
