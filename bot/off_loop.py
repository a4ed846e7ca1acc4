"""Parses what came from outside: at once where it is small, beside the event loop where not."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 32 * 1024
"""Bytes of a body that is parsed in the event loop. A larger one, such as a long message behind a
shortcut, may take up to 200 ms, for which every ack would wait; commands and presses are small."""


async def parse_body(body: bytes, parse: Callable[[], T]) -> T:
    """Return what a parser makes of a body, and keep no other work waiting for it.

    Args:
        parse: Reads the body; runs in a thread if the body is large. What it raises is raised.
    """
    return parse() if len(body) <= AT_ONCE else await asyncio.to_thread(parse)
