"""Knows which streams of an account are live, for those who pick one of them in a form."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog
from cachetools import LRUCache, TTLCache

from bot.catalog.near_names import near_names
from bot.catalog.registry import by_api
from bot.errors import StoreError
from bot.model.actions import Params
from bot.model.commands import Command
from bot.model.live_notices import KeptList
from bot.operations.account_domains import AccountDomains
from bot.operations.results import LiveList, LiveStream
from bot.operations.state_reader import StateReader
from bot.storage.pushes import Pushes

log = structlog.get_logger("stopstream.engine")

FRESH = 5.0
"""Seconds for which a list that was read is not read again."""

WITHIN = 1.5
"""Seconds that somebody who picks waits for a list; then the last one is the answer."""

STALE = 60.0
"""Seconds after which a list that could not be read again is no answer any more."""

_DOMAINS, _PAGES, _PAGE = 10, 5, 100
"""Domains that are read, pages of each, and streams on a page, at most."""


def fitting(typed: str, live: Sequence[LiveStream]) -> tuple[LiveStream, ...]:
    """Return what somebody may mean by what they have typed so far, the likeliest first.

    Streams whose name begins with it come first, then those that contain it, then similar names.
    """
    if not (wanted := typed.strip().casefold()):
        return tuple(live)
    named = any(wanted in one.stream.casefold() for one in live)
    near = () if named else near_names(typed.strip(), {one.stream for one in live})
    ranked = [(_rank(wanted, one, near), one) for one in live]
    found = [(rank, one) for rank, one in ranked if rank is not None]
    return tuple(one for _, one in sorted(found, key=lambda pair: pair[0]))


def _rank(wanted: str, one: LiveStream, near: Sequence[str]) -> int | None:
    name = one.stream.casefold()
    if name.startswith(wanted):
        return 0
    if wanted in name or wanted in f"{one.domain}/{one.app}/{name}".casefold():
        return 1
    return 2 + near.index(one.stream) if one.stream in near else None


class LiveStreams:
    """Knows what is live on the push domains of an account, once for all who ask meanwhile.

    While callbacks keep the list and are believed, nothing is read.

    Args:
        pushes: What callbacks keep.
        timer: Seconds.
    """

    def __init__(
        self,
        *,
        reader: StateReader,
        domains: AccountDomains,
        pushes: Pushes,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._domains = domains
        self._pushes = pushes
        self._timer = timer
        self._fresh: TTLCache[str, bool] = TTLCache(64, FRESH, timer=timer)
        self._last: TTLCache[str, _Known] = TTLCache(64, STALE, timer=timer)
        self._reads: LRUCache[str, asyncio.Task[None]] = LRUCache(64)

    async def on(self, account: str) -> LiveList:
        """Return what is live on an account, by name, and how that is known.

        Where reading it takes too long or fails, it is what was known last, or else what callbacks
        alone have told.
        """
        if account not in self._fresh:
            reading = self._reads.get(account)
            if reading is None or reading.done():
                reading = asyncio.create_task(self._refresh(account), name=f"live on {account}")
                self._reads[account] = reading
            await asyncio.wait({reading}, timeout=WITHIN)
        known = self._last.get(account)
        if known is not None:
            age = 0.0 if account in self._fresh else self._timer() - known.at
            return LiveList(known.streams, age)
        return _told(await self._reader.kept_list(account))

    def expire(self, account: str) -> None:
        """Have what is live on an account looked at again: it may have changed."""
        self._fresh.pop(account, None)

    async def _refresh(self, account: str) -> None:
        kept = await self._reader.kept_list(account)
        if kept.is_believed:
            self._know(account, {LiveStream(*key) for key in kept.streams})
            return
        began = self._timer()
        domains = sorted(await self._domains.push_domains(account))
        # Without a domain, Tencent Cloud takes the only one.
        places: list[Params] = [{"DomainName": one} for one in domains[:_DOMAINS]] or [{}]
        lists = await asyncio.gather(*(self._read(account, place) for place in places))
        if all(one is None for one in lists):
            log.warning("what is live is not known", account=account)
            return
        live = {one for found in lists if found is not None for one in found.streams}
        self._know(account, live)
        if domains and len(domains) <= _DOMAINS and all(one and one.whole for one in lists):
            await self._correct(account, live, self._timer() - began)

    def _know(self, account: str, live: Collection[LiveStream]) -> None:
        by_name = sorted(live, key=lambda one: (one.stream, one.domain))
        self._last[account] = _Known(tuple(by_name), self._timer())
        self._fresh[account] = True

    async def _correct(self, account: str, live: Collection[LiveStream], took: float) -> None:
        """Correct by a whole list what callbacks keep."""
        try:
            keys = {(one.stream, one.domain, one.app) for one in live}
            await self._pushes.correct(account, keys, took)
        except StoreError as error:
            log.warning("what callbacks told is not corrected", account=account, why=str(error))

    async def _read(self, account: str, place: Params) -> "_Listed | None":
        """Return what is live in a place; None if that could not be read."""
        api, found = by_api("DescribeLiveStreamOnlineList"), list[LiveStream]()
        for page in range(1, _PAGES + 1):
            asked = Command(api, {**place, "PageNum": page, "PageSize": _PAGE}, "", account)
            body = await self._reader.send(asked)
            rows = (body or {}).get("OnlineInfo")
            if body is None or not isinstance(rows, list):
                return _Listed(found, whole=False) if found else None
            found += [one for row in rows if isinstance(row, dict) and (one := _stream_of(row))]
            total = body.get("TotalPage")
            if not rows or not isinstance(total, int) or page >= total:
                return _Listed(found, whole=isinstance(total, int))
        return _Listed(found, whole=False)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was live at a time, by the timer."""

    streams: tuple[LiveStream, ...]
    at: float


@dataclass(frozen=True, slots=True)
class _Listed:
    """What was read of a place.

    Attributes:
        whole: Whether that is all that is live there.
    """

    streams: Sequence[LiveStream]
    whole: bool


def _told(kept: KeptList) -> LiveList:
    """Return the streams whose begin a callback has told, where nothing could be read."""
    told = {LiveStream(*key): ago for key, ago in kept.streams.items() if ago is not None}
    by_name = sorted(told, key=lambda one: (one.stream, one.domain))
    return LiveList(tuple(by_name), None, told)


def _stream_of(row: Params) -> LiveStream | None:
    """Return the stream of a row; None if the row does not say which one it is."""
    key = [row.get(name) for name in ("StreamName", "DomainName", "AppName")]
    return LiveStream(*map(str, key)) if all(isinstance(one, str) and one for one in key) else None
