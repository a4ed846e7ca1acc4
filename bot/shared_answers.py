"""A question that many ask at once and that is put to the database once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = 1.0
"""Seconds for which an answer counts."""


class SharedAnswer(Generic[T]):
    """Asks once at a time, and not again while the last answer is young.

    Args:
        ask: Its answer is shared; what it raises is not kept, and raised for all who wait.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        *,
        kept: float = KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._kept = kept
        self._clock = clock
        self._asking: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """Return the answer; it was asked for at most `kept` seconds ago, or is being asked for."""
        asking = self._asking
        if asking is None or (asking.done() and self._clock() >= self._until):
            asking = self._asking = asyncio.create_task(self._answer(), name="shared answer")
        # One client that hangs up must not take the answer from the others.
        return await asyncio.shield(asking)

    async def _answer(self) -> T:
        self._until = 0.0
        since = self._clock()
        answer = await self._ask()
        self._until = since + self._kept
        return answer
