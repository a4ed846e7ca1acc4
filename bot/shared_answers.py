"""Questions that many ask at once, and that are put once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = 1.0
"""Seconds for which an answer counts, from the asking on."""


class SharedAnswers(Generic[T]):
    """Asks each question once at a time, and not again while its last answer is young.

    Args:
        kept: Seconds for which an answer counts, by the event loop's clock.
    """

    def __init__(self, kept: float = KEPT) -> None:
        self._kept = kept
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer; it was asked for at most `kept` seconds ago, or is being asked for.

        Args:
            ask: What it raises is not kept, and raised for all who wait.
        """
        asking = self._asking.get(question)
        if asking is None:
            work = self._answer(question, ask)
            asking = self._asking[question] = asyncio.create_task(work, name="shared answer")
        # One who gives up must not take the answer from the others.
        return await asyncio.shield(asking)

    async def _answer(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            answer = await ask()
        except BaseException:
            del self._asking[question]
            raise
        loop.call_at(since + self._kept, self._asking.pop, question)
        return answer
