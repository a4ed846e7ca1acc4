"""The tasks that work on operations, one for each."""

import asyncio
from collections.abc import Coroutine, KeysView
from typing import Any

import structlog

from bot.metrics import Metrics
from bot.storage.store import Store

log = structlog.get_logger("stopstream.engine")


class OperationTasks:
    """The running tasks of this replica, by the id of what they work on."""

    def __init__(self, *, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def ids(self) -> KeysView[str]:
        """The ids that have a running task."""
        return self._tasks.keys()

    def spawn(self, id_: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run `work` in a task; if it raises, the row is released and claimed again."""
        task = asyncio.create_task(work, name=f"operation {id_}")
        self._tasks[id_] = task
        self._metrics.in_hand.set(len(self._tasks))
        task.add_done_callback(lambda _: self._done(id_, task))
        return task

    async def wait(self, grace: float) -> None:
        """Wait until the running tasks have ended, at most for `grace` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=grace)

    def cancel(self) -> None:
        """Cancel every task."""
        for task in list(self._tasks.values()):
            task.cancel()

    def _done(self, id_: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(id_) is task:
            del self._tasks[id_]
        self._metrics.in_hand.set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            # A fault of ours: the row keeps its state, and is claimed again.
            log.error("an operation's work broke off", operation=id_, exc_info=error)
            self._store.leases.release(id_)
