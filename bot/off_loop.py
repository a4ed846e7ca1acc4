"""Reads what came from outside: at once where it is small, beside the event loop where not."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 32 * 1024
"""Bytes of a body that is parsed in the event loop. A larger one, such as a long message behind a
shortcut, may take up to 200 ms, for which every ack would wait; commands and presses are small."""

NAMES_AT_ONCE = 100
"""Names that are compared with another one in the event loop: up to 15 ms where all are alike. An
account may have thousands of streams live."""


async def parse_body(body: bytes, parse: Callable[[], T]) -> T:
    """Return what a parser makes of a body, and keep no other work waiting for it.

    Args:
        parse: Reads the body; runs in a thread if the body is large. What it raises is raised.
    """
    return await _run(parse, beside=len(body) > AT_ONCE)


async def compare_names(count: int, compare: Callable[[], T]) -> T:
    """Return what a comparison with that many names finds, and keep no other work waiting for it.

    Args:
        compare: Runs in a thread if there are many.
    """
    return await _run(compare, beside=count > NAMES_AT_ONCE)


async def _run(work: Callable[[], T], *, beside: bool) -> T:
    return await asyncio.to_thread(work) if beside else work()
