"""What `serve` does at SIGINT and SIGTERM."""

import asyncio
import os
import signal
import threading

from bot.cli.output import DONE

LAST = 9.5
"""Seconds after a signal at which the process ends even where a database, a thread or the event
loop itself hangs."""


def stop_on_signal(stop: asyncio.Event) -> None:
    """Set an event at the first SIGINT or SIGTERM, and end the process within LAST of it.

    Nothing is lost by an end at any moment, and no wait on the way is without its bound: not for
    the threads that the interpreter joins at its exit, nor for a start in which the loop waits
    for the database.
    """
    loop = asyncio.get_running_loop()
    last = threading.Timer(LAST, os._exit, (DONE,))
    last.daemon = True
    obeyed = False

    def obey(*_: object) -> None:
        nonlocal obeyed
        if obeyed:
            return
        # First of all: the next signal comes in while the timer still waits for its thread.
        obeyed = True
        last.start()
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        # Not the loop's own handlers, which run only while it does.
        signal.signal(number, obey)
