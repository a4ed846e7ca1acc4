"""Bots that are wrong on purpose: the campaign of that fault must find each of them."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.operations import Answer, Operation, State
from bot.storage.operations import Operations
from bot.storage.transition import Transition
from bot.tencent.client import TencentCloud


def act_first() -> None:
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


BROKEN: Mapping[str, Callable[[], None]] = {"kill": act_first}
"""By the fault whose campaign must find it."""
