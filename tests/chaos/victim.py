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
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# Alembic is imported late by the program, and would be by every child anew.
import alembic.command  # noqa: F401

from bot.cli import wiring
from bot.cli.serve import serve
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.operations import Answer, Operation, State
from bot.storage.operations import Operations
from bot.storage.store import Store
from bot.storage.transition import Transition
from bot.tencent.client import TencentCloud
from tests.chaos.points import Points

LEASE, SPACING = 2.0, 0.02
"""Seconds; shorter than the program's own, so that a campaign of hundreds of kills ends."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=Path, required=True)
    parser.add_argument("--reversed", action="store_true")
    options = parser.parse_args()
    quicken()
    if options.reversed:
        turn_round()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
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
        new = asyncio.new_event_loop()
        points.watch_tasks(new)
        return new

    code = 1
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            code = runner.run(serve())
    finally:
        sys.stdout.flush()
        os._exit(code)


def quicken() -> None:
    """Shorten what a campaign would only wait for."""
    inspect.getattr_static(Store, "__init__").__kwdefaults__["lease"] = LEASE
    inspect.getattr_static(wiring, "build").__kwdefaults__["spacing"] = SPACING


def turn_round() -> None:
    """Act before the intent is on disk, in both places: what the campaign must find."""
    ask, start, call = Operations.add, Operations.start, TencentCloud.call
    later: set[asyncio.Task[Any]] = set()
    meant: dict[str, tuple[Operations, tuple[str, str, float, list[Transition]]]] = {}

    async def ask_later(
        repository: Operations, operation: Operation, facts: Mapping[str, Json]
    ) -> Operation | None:
        async def note() -> None:
            await asyncio.sleep(0.1)
            await ask(repository, operation, facts)

        task = asyncio.create_task(note())
        later.add(task)
        task.add_done_callback(later.discard)
        return operation

    async def start_later(
        repository: Operations, account: str, api: str, interval: float, moves: Sequence[Transition]
    ) -> list[tuple[float, Operation | None]]:
        found: list[tuple[float, Operation | None]] = []
        for move in moves:
            await asyncio.sleep(0.15)
            one = await repository.get(move.id)
            if one is not None:
                one = replace(one, state=State.RUNNING, attempts=one.attempts + 1)
                target = json.dumps(dict(one.params), sort_keys=True)
                meant[target] = (repository, (account, api, interval, [move]))
            found.append((time.monotonic(), one))
        return found

    async def call_first(cloud: TencentCloud, command: Command) -> Answer:
        mine = meant.pop(json.dumps(dict(command.params), sort_keys=True), None)
        try:
            return await call(cloud, command)
        finally:
            if mine is not None:
                await start(mine[0], *mine[1])

    Operations.add = ask_later  # type: ignore[method-assign, assignment]
    Operations.start = start_later  # type: ignore[method-assign, assignment]
    TencentCloud.call = call_first  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
