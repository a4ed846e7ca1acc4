"""The process that is killed: `stopstream serve`, forked from a parent that has it imported.

Reads orders from standard input, a JSON object a line: `target` and `nth` as `Points` takes
them. Says `born PID` and `dead STATUS` for each; ends with its input.
"""

import argparse
import asyncio
import inspect
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Alembic is imported late by the program, and would be by every child anew.
import alembic.command  # noqa: F401
import uvloop
from sqlalchemy.engine.default import DefaultDialect

from bot.cli import wiring
from bot.cli.serve import run
from bot.storage import postgres_connection
from bot.storage.store import Store
from tests.chaos.broken import BROKEN, break_bot
from tests.chaos.points import Points

LEASE, SPACING = 2.0, 0.02
"""Seconds; shorter than the program's own, so that a campaign of hundreds of faults ends."""

STATEMENT_TIMEOUT, ANSWER_WITHIN, PING_WITHIN = 2.5, 3.0, 0.75
"""Seconds; a quarter of the program's own."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--broken", default="", choices=("", *BROKEN))
    options = parser.parse_args()
    quicken()
    if options.broken:
        break_bot(options.broken)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            lose_commits_on_signal()
            _live(options.points, json.loads(line))
        _say(f"born {child}")
        _, status = os.waitpid(child, 0)
        _say(f"dead {os.waitstatus_to_exitcode(status)}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _live(log: Path, order: Mapping[str, Any]) -> None:
    points = Points(log, order["target"], order["nth"])
    points.watch_commits()

    def loop() -> asyncio.AbstractEventLoop:
        new = uvloop.new_event_loop()
        points.watch_tasks(new)
        return new

    code = 1
    try:
        code = run(loop)
    finally:
        sys.stdout.flush()
        os._exit(code)


def quicken() -> None:
    """Shorten what a campaign would only wait for."""
    inspect.getattr_static(Store, "__init__").__kwdefaults__["lease"] = LEASE
    inspect.getattr_static(wiring, "build").__kwdefaults__["spacing"] = SPACING
    postgres_connection.ANSWER_WITHIN = ANSWER_WITHIN
    postgres_connection.PING_WITHIN = PING_WITHIN
    timeout = f"-c statement_timeout={STATEMENT_TIMEOUT * 1000:.0f}"
    postgres_connection.PARAMETERS = {**postgres_connection.PARAMETERS, "options": timeout}


def lose_commits_on_signal() -> None:
    """Let the writer's next commit on SQLite fail after it was done, at each SIGUSR1."""
    left = 0

    def lose(*_: object) -> None:
        nonlocal left
        left += 1

    commit: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

    def committed(dialect: DefaultDialect, connection: Any) -> None:
        nonlocal left
        commit(dialect, connection)
        if dialect.name == "sqlite" and left and threading.current_thread().name == "writer":
            left -= 1
            raise sqlite3.OperationalError("disk I/O error")

    signal.signal(signal.SIGUSR1, lose)
    DefaultDialect.do_commit = committed  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
