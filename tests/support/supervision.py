"""A clock, the metrics of supervised loops, and waiting with a bound."""

import asyncio
from collections.abc import Callable

from bot.metrics import Metrics

PATIENCE = 20.0
"""Seconds after which a test that waits for something has failed; never how long it takes."""


class Clock:
    """Time that passes when the test says so; those who sleep wake at once and are counted."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def figure(metrics: Metrics, name: str, loop: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"loop": loop})


def restarts(metrics: Metrics, loop: str) -> float | None:
    return figure(metrics, "stopstream_loop_restarts_total", loop)


async def come(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


class Work:
    """A pass that breaks off as often as it is told to, and then hangs or goes on."""

    def __init__(self, failures: int, *, hangs: bool = False) -> None:
        self.failures = failures
        self.tries = 0
        self.hangs = hangs
        self.passed = asyncio.Event()
        self.hanging = asyncio.Event()

    async def __call__(self) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise ZeroDivisionError("planted")
        if self.hangs:
            self.hanging.set()
            await asyncio.Event().wait()
        self.passed.set()
        await asyncio.sleep(0)


async def become(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)
