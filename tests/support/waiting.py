"""Waits for what happens in its own time; the bound ends a hang and decides nothing else."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

BOUND = 120.0
"""Seconds after which a test gives up."""


async def until(condition: Callable[[], Awaitable[Any] | Any]) -> Any:
    """Wait until a condition is true, and return its value.

    Raises:
        TimeoutError: It never was.
    """
    async with asyncio.timeout(BOUND):
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)
