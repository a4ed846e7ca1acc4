"""Questions that many ask at once, and that are put once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")

KEPT = 1.0
"""Seconds from the asking on for which an answer is shared."""


class SharedAnswers(Generic[T]):
    """Puts each question once in so many seconds, however many ask it.

    Args:
        kept: Seconds from the asking on for which an answer is shared, also while it is awaited;
            by the event loop's clock.
    """

    def __init__(self, kept: float = KEPT) -> None:
        self._kept = kept
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the answer, which was asked for at most `kept` seconds ago.

        Args:
            ask: Ends by itself. What it raises is raised for all who wait, and not kept.
        """
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = asyncio.create_task(ask(), name="shared answer")
            asking.add_done_callback(partial(self._note_end, question))
            asyncio.get_running_loop().call_later(self._kept, self._forget, question, asking)
        # One who gives up must not take the answer from the others.
        return await asyncio.shield(asking)

    def _note_end(self, question: Hashable, asking: asyncio.Task[T]) -> None:
        # Who waited may be gone, and asyncio complains of what nobody has looked at.
        if asking.cancelled() or asking.exception() is not None:
            self._forget(question, asking)

    def _forget(self, question: Hashable, asking: asyncio.Task[T]) -> None:
        if self._asking.get(question) is asking:
            del self._asking[question]
