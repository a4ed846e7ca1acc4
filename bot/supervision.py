"""Supervision of long-running loops: restarts, and a report of those that do not run."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from bot.metrics import Metrics

log = structlog.get_logger("stopstream.supervision")

FIRST, MOST = 0.5, 30.0
"""Seconds before the first restart; doubled for each further one, up to MOST."""

DOWN = 10.0
"""Seconds for which a loop may fail before it counts as not running."""

LONGEST = 60.0
"""Seconds that one pass may take, unless its loop says otherwise."""

Pass: TypeAlias = Callable[[], Awaitable[None]]
"""One pass of a loop. It returns at least every few seconds, even where there is nothing to do."""


IDLE = 1.0
"""Seconds for which a pass waits for work, at most."""


async def until_set(event: asyncio.Event) -> None:
    """Wait until an event is set, at most for IDLE, so that an idle loop is known to run."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IDLE):
            await event.wait()


class Loop:
    """A loop under supervision.

    Attributes:
        name: Used in the log, in the metrics and in `/readyz`.
        longest: Seconds that one pass may take.
        began: When the current pass began; None between two passes.
        broken: Since when every try has failed; None while it runs.
        failures: How many tries have failed one after the other.
        passes: The task that its passes run in, until one breaks off.
    """

    def __init__(self, name: str, longest: float) -> None:
        self.name = name
        self.longest = longest
        self.began: float | None = None
        self.broken: float | None = None
        self.failures = 0
        self.passes: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._on_stop: Callable[[], None] = lambda: None

    def run(self, task: "asyncio.Task[None]", on_stop: Callable[[], None]) -> None:
        """Note the task that the loop runs in, and what to call when it is stopped."""
        self._task, self._on_stop = task, on_stop

    def stop(self) -> None:
        """Stop the loop for good."""
        if self._task is not None:
            self._task.cancel()
            if self.passes is not None:
                self.passes.cancel()
            self._task = None
            self._on_stop()

    def trouble(self, now: float) -> str:
        """Return why the loop counts as not running, or nothing."""
        if self._task is None or self._task.done():
            return f"{self.name} has ended"
        if self.broken is not None and now - self.broken > DOWN:
            return f"{self.name} has failed for {now - self.broken:.0f} s"
        if self.began is not None and now - self.began > self.longest:
            return f"{self.name} has been silent for {now - self.began:.0f} s"
        return ""


class Supervisor:
    """Starts loops, and starts them again when they break off.

    Args:
        clock: Seconds, monotonic.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._loops: list[Loop] = []

    def start(
        self,
        name: str,
        work: Pass,
        *,
        every: float | Callable[[], float] = 0.0,
        after: float = 0.0,
        longest: float = LONGEST,
    ) -> Loop:
        """Run `work` again and again until the loop is stopped.

        Args:
            every: Seconds between two passes; a function is called after each.
            after: Seconds before the first one.
            longest: Seconds that one pass may take; a longer one counts as hung.
        """
        loop = Loop(name, longest)
        pause = every if callable(every) else lambda: every
        task = asyncio.create_task(self._run(loop, work, pause, after), name=name)
        loop.run(task, lambda: self._forget(loop))
        self._loops.append(loop)
        self._metrics.loop_restarts.labels(name)
        self._metrics.loop_up.labels(name).set_function(
            lambda: float(not loop.trouble(self._clock()))
        )
        return loop

    def trouble(self) -> str:
        """Return one line that names the loops that are not running, or nothing."""
        now = self._clock()
        found = [trouble for loop in self._loops if (trouble := loop.trouble(now))]
        return f"not running: {'; '.join(found)}" if found else ""

    def _forget(self, loop: Loop) -> None:
        self._loops.remove(loop)
        if not any(other.name == loop.name for other in self._loops):
            self._metrics.loop_up.remove(loop.name)

    async def _run(self, loop: Loop, work: Pass, every: Callable[[], float], after: float) -> None:
        await self._sleep(after)
        while True:
            # In a task of its own, so that whatever it raises stays there.
            passes = asyncio.create_task(self._repeat(loop, work, every), name=loop.name)
            loop.passes = passes
            try:
                await asyncio.wait({passes})
            finally:
                passes.cancel()
            # A pass that awaits what somebody else has cancelled is broken, too.
            cancelled = passes.cancelled()
            error = asyncio.CancelledError() if cancelled else passes.exception()
            await self._sleep(self._back_off(loop, error))
            self._metrics.loop_restarts.labels(loop.name).inc()

    async def _repeat(self, loop: Loop, work: Pass, every: Callable[[], float]) -> None:
        while True:
            loop.began = self._clock()
            await work()
            loop.began = loop.broken = None
            loop.failures = 0
            await self._sleep(every())

    def _back_off(self, loop: Loop, error: BaseException | None) -> float:
        """Note a failure; return the seconds until the loop starts again."""
        wait = min(MOST, FIRST * 2.0 ** min(loop.failures, 16))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 (replicas must not restart in step)
        loop.began = None
        loop.failures += 1
        if loop.broken is None:
            loop.broken = self._clock()
        log.error(
            "a loop broke off and starts again",
            loop=loop.name,
            failures=loop.failures,
            again_in=round(wait, 2),
            exc_info=error,
        )
        return wait
