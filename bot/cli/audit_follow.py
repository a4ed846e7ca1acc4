"""`stopstream audit follow`: the trail as it grows, from a number on, until it is told to stop."""

import asyncio
import select
import signal
import sys
from collections.abc import Callable

from bot.audit.copies import format_line
from bot.audit.hash_chain import Record
from bot.cli.audit_export import record_export
from bot.cli.audit_show import tail_line
from bot.cli.output import DONE, complain, say
from bot.storage.store import Store

_EVERY = 0.25
"""Seconds between two looks whether there are new records."""


async def follow(store: Store, *, after: int | None, as_json: bool) -> int:
    """Write each record as it is committed, once and in order; return when told to stop.

    Args:
        after: The last record that the reader has; None begins with what comes from now on.
        as_json: As `export` writes them, so that what is cut off goes on with its last number.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with store.audit_log.snapshot() as audited:
        last, buried = audited.last, audited.buried
    position = last if after is None else after
    await record_export(store, "follow", {"after": position})
    if position < buried:
        complain(f"records up to {buried} were removed for their age; it goes on after them")
    await _write_on(store, position, format_line if as_json else tail_line, stop)
    return DONE


async def _write_on(
    store: Store, position: int, render: Callable[[Record], str], stop: asyncio.Event
) -> None:
    reader = _Reader()
    while not stop.is_set() and not reader.is_gone():
        with store.audit_log.records(after=position) as records:
            for record in records:
                sys.stdout.write(render(record))
                position = record.seq
                if stop.is_set():
                    break
        say()
        try:
            async with asyncio.timeout(_EVERY):
                await stop.wait()
        except TimeoutError:
            continue


class _Reader:
    """Whoever reads standard output: nothing is written to a pipe that may stay quiet for hours."""

    def __init__(self) -> None:
        self._poll = select.poll()
        try:
            self._poll.register(sys.stdout.fileno(), 0)
        except (OSError, ValueError):
            # It is no file.
            self._poll = select.poll()

    def is_gone(self) -> bool:
        """Return whether it has closed its end."""
        return any(event & (select.POLLERR | select.POLLNVAL) for _, event in self._poll.poll(0))
