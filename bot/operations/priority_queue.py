"""Lines of work: what somebody waits for goes before what was asked in bulk."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from cachetools import TTLCache

from bot.supervision import Supervisor, until_set

T = TypeVar("T")

BURST, WITHIN = 10, 2.0
"""Who asks for so many things within so many seconds asks in bulk."""

LEAD = 0.1
"""Seconds before its last turn at which a lane asks for the next ones."""

SHARE = 0.05
"""Seconds' worth of turns that a lane takes at once, so that replicas take them by turns."""


_STUCK = 300.0
"""Seconds that one round may take: many replicas that share a slow limit wait long."""

MOST = 128
"""How many of a bulk may be on their way to one API at once; as many single ones go besides."""


class BurstDetector:
    """Tells bulk from single requests, by how fast one person asks.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: TTLCache[str, deque[float]] = TTLCache(10_000, ttl=60.0, timer=clock)

    def counts(self, who: str) -> bool:
        """Note a request; say whether it is one of a bulk."""
        now = self._clock()
        times = self._times.get(who) or deque[float](maxlen=BURST)
        times.append(now)
        self._times[who] = times
        return len(times) == BURST and now - times[0] < WITHIN


class PriorityQueue(Generic[T]):
    """A queue: single requests first, in their order; then bulk, from both of its ends by turns.

    The newest of a bulk is what somebody may be looking at; the oldest must not starve.
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
        """Join the line."""
        (self._bulk if bulk else self._single).append(item)

    def take(self) -> T:
        """Give the next one.

        Raises:
            IndexError: There is none.
        """
        if self._single:
            return self._single.popleft()
        self._newest = not self._newest
        return self._bulk.popleft() if self._newest else self._bulk.pop()


class ApiQueue(Generic[T]):
    """The line in front of one API.

    While answers fail to come, bulk waits here and not in open connections; a single request
    still goes.

    Args:
        per_second: The API's limit.
        start: Gives the first in line their turns; tells when the last of them comes, by
            `time.monotonic`.
        name: Of its loop.
    """

    def __init__(
        self,
        per_second: int,
        start: Callable[[list[T]], Awaitable[float]],
        *,
        supervisor: Supervisor,
        name: str = "lane",
    ) -> None:
        self._per_second = per_second
        self._start = start
        self._line: PriorityQueue[T] = PriorityQueue()
        self._some = asyncio.Event()
        self._on_their_way = 0
        self._loop = supervisor.start(name, self._serve, longest=_STUCK)

    @property
    def backlog(self) -> int:
        """How many wait."""
        return len(self._line)

    def put(self, turn: T, *, bulk: bool) -> None:
        """Join the line."""
        self._line.put(turn, bulk=bulk)
        self._some.set()

    def left(self) -> None:
        """Note that a request is on its way."""
        self._on_their_way += 1

    def came_back(self) -> None:
        """Note that a request was answered, or given up."""
        self._on_their_way -= 1
        self._some.set()

    def close(self) -> None:
        """Serve nobody any more."""
        self._loop.stop()

    async def _serve(self) -> None:
        await until_set(self._some)
        most = max(1, int(self._per_second * SHARE))
        turns: list[T] = []
        while len(self._line) and len(turns) < most and self._may_leave(len(turns)):
            turns.append(self._line.take())
        if turns:
            last = await self._start(turns)
            # A little early, so that no turn of the limit is lost between two rounds.
            await asyncio.sleep(max(0.0, last - LEAD - time.monotonic()))
        else:
            self._some.clear()

    def _may_leave(self, more: int) -> bool:
        bulk = min(MOST, 4 * self._per_second)
        return self._on_their_way + more < (2 * bulk if self._line.urgent else bulk)
