"""Queues in which single requests go before those that were asked in bulk."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from cachetools import LRUCache

from bot.supervision import Supervisor, until_set

T = TypeVar("T")

BURST, WITHIN = 10, 2.0
"""So many requests of one person within so many seconds are a bulk."""

_ASKERS = 1000
"""So many people, those who asked last, are told apart in this."""

LEAD = 0.1
"""Seconds before its last slot at which a queue dispatches the next requests, at least."""

SHARE = 0.05
"""Seconds' worth of slots that a queue takes at once, so that replicas alternate.

Where a dispatch takes longer, it is as many seconds' worth as the last one took: with fewer, a slow
database would slow the queue down, and not only delay it.
"""

_LARGEST_SHARE = 1.0

_STUCK = 300.0
"""Seconds that one dispatch may take: many replicas that share a slow limit wait long."""

MOST = 128
"""How many requests of a bulk may be in flight to one API, and as many single ones besides."""


class BurstDetector:
    """Tells bulk from single requests, by how fast one person asks.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: LRUCache[str, deque[float]] = LRUCache(_ASKERS)

    def counts(self, who: str) -> bool:
        """Note a request; return whether it is one of a bulk."""
        now = self._clock()
        times = self._times.get(who)
        if times is None:
            times = self._times[who] = deque[float](maxlen=BURST)
        times.append(now)
        return len(times) == BURST and now - times[0] < WITHIN


class PriorityQueue(Generic[T]):
    """A queue: single requests first, in their order; then bulk, from its two ends alternately.

    Somebody may be waiting for the newest of a bulk; the oldest must not starve.
    """

    def __init__(self) -> None:
        self._single: deque[T] = deque()
        self._bulk: deque[T] = deque()
        self._newest = True

    def __len__(self) -> int:
        return len(self._single) + len(self._bulk)

    def __iter__(self) -> Iterator[T]:
        yield from self._single
        yield from self._bulk

    @property
    def urgent(self) -> bool:
        """Whether the next one is a single request."""
        return bool(self._single)

    def put(self, item: T, *, bulk: bool) -> None:
        """Add an item."""
        (self._bulk if bulk else self._single).append(item)

    def take(self) -> T:
        """Remove and return the next item.

        Raises:
            IndexError: There is none.
        """
        if self._single:
            return self._single.popleft()
        self._newest = not self._newest
        return self._bulk.popleft() if self._newest else self._bulk.pop()


class ApiQueue(Generic[T]):
    """The queue of one API.

    While answers are missing, bulk waits here and not in open connections; single requests
    are still dispatched.

    Args:
        per_second: The API's limit.
        dispatch: Sends items in their slots; returns when the last slot begins, by
            `time.monotonic`.
        name: Of its loop.
    """

    def __init__(
        self,
        per_second: int,
        dispatch: Callable[[list[T]], Awaitable[float]],
        *,
        supervisor: Supervisor,
        name: str = "lane",
    ) -> None:
        self._per_second = per_second
        self._dispatch = dispatch
        self._queue: PriorityQueue[T] = PriorityQueue()
        self._some = asyncio.Event()
        self._in_flight = 0
        self._took = 0.0
        self._loop = supervisor.start(name, self._serve, longest=_STUCK)

    @property
    def backlog(self) -> int:
        """How many wait."""
        return len(self._queue)

    def put(self, item: T, *, bulk: bool) -> None:
        """Add an item."""
        self._queue.put(item, bulk=bulk)
        self._some.set()

    def note_sent(self) -> None:
        """Note that a request is in flight."""
        self._in_flight += 1

    def note_answered(self) -> None:
        """Note that a request was answered, or given up."""
        self._in_flight -= 1
        self._some.set()

    def close(self) -> None:
        """Dispatch nothing any more."""
        self._loop.stop()

    async def _serve(self) -> None:
        await until_set(self._some)
        most = max(1, int(self._per_second * max(SHARE, self._took)))
        items: list[T] = []
        while len(self._queue) and len(items) < most and self._may_send(len(items)):
            items.append(self._queue.take())
        if items:
            began = time.monotonic()
            last = await self._dispatch(items)
            self._took = min(_LARGEST_SHARE, time.monotonic() - began)
            # Early, so that no slot is lost between two dispatches.
            await asyncio.sleep(max(0.0, last - max(LEAD, self._took) - time.monotonic()))
        else:
            self._some.clear()

    def _may_send(self, more: int) -> bool:
        bulk = min(MOST, 4 * self._per_second)
        return self._in_flight + more < (2 * bulk if self._queue.urgent else bulk)
