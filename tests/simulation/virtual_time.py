"""An event loop whose time passes only where everything waits, and the clocks that follow it."""

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")

BEGIN = 1_700_000_000.0
"""Epoch seconds at which every run begins."""


class StuckError(Exception):
    """Nothing is left that could ever happen."""


class _Selector(selectors.SelectSelector):
    """Lets time pass in place of waiting; nothing here comes from outside."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StuckError("everything waits, and for nothing")
        self.loop.passed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. What it would run in other threads it runs itself.

    Attributes:
        passed: Seconds since the loop was made.
        skipped: Seconds for which everything was suspended.
        read_takes: Returns the seconds until a reader has its answer.
    """

    def __init__(self) -> None:
        self.passed = 0.0
        self.skipped = 0.0
        self.read_takes: Callable[[], float] = lambda: 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.passed

    def now(self) -> float:
        """Return the true time, epoch seconds."""
        return BEGIN + self.passed + self.skipped

    def run_in_executor(  # type: ignore[override] # the base class is not a coroutine either
        self,
        executor: Any,  # noqa: ARG002 (it all runs here)
        func: Callable[..., T],
        *args: Any,
    ) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 (raised where it is awaited)
            self.call_later(self.read_takes(), _fail, future, error)
        else:
            self.call_later(self.read_takes(), _succeed, future, result)
        return future

    def _write_to_self(self) -> None:
        """Wake nobody: there is one thread."""


def _succeed(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


@contextlib.contextmanager
def clocks_of(loop: VirtualLoop) -> Iterator[None]:
    """Let the clocks of this process follow a loop."""

    def elapsed(_clock: int) -> float:
        return loop.passed + loop.skipped

    with (
        mock.patch.object(time, "time", loop.now),
        mock.patch.object(time, "monotonic", loop.time),
        mock.patch.object(time, "clock_gettime", elapsed),
    ):
        yield
