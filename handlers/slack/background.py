"""What must happen right after an ack and needs Slack: a bounded queue and a few workers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import structlog

from bot.supervision import IDLE, LONGEST, Loop, Supervisor

log = structlog.get_logger("stopstream.errands")

Work: TypeAlias = Callable[[], Awaitable[object]]
FailureReply: TypeAlias = Callable[[str], Awaitable[object]]
"""Tells someone that it failed, given the fault's number."""


def fault_number() -> str:
    """Make the number that stands both in the answer and in the log."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class _Errand:
    name: str
    work: Work
    sorry: FailureReply | None


class BackgroundQueue:
    """Runs errands in the order they came; a failure is logged and never stops a worker.

    Args:
        workers: How many run at once.
        most: How many may wait.
        patience: Seconds that one may take.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        workers: int = 4,
        most: int = 200,
        patience: float = 15.0,
    ) -> None:
        self._supervisor = supervisor
        self._queue: asyncio.Queue[_Errand] = asyncio.Queue(most)
        self._count = workers
        self._patience = patience
        self._workers: list[Loop] = []
        self._kept: set[asyncio.Task[None]] = set()
        self._attempts: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to work."""
        # An errand and its apology, and as long again until a busy machine has cancelled them.
        longest = 4 * self._patience + LONGEST
        self._workers = [
            self._supervisor.start(f"errands {number}", self._serve, longest=longest)
            for number in range(self._count)
        ]

    async def stop(self, grace: float = 1.0) -> None:
        """Finish what waits, at most for `grace` seconds."""
        if self._workers:
            done = asyncio.create_task(self._queue.join())
            await asyncio.wait({done}, timeout=grace)
            done.cancel()
        for loop in self._workers:
            loop.stop()
        self._workers = []
        running = (*self._kept, *self._attempts)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def keep(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something go on beside the errands until it ends or these do."""
        task = asyncio.create_task(work, name=name)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task

    def take(self, name: str, work: Work, sorry: FailureReply | None = None) -> bool:
        """Put an errand into the queue; False if it is full and nothing will happen.

        Args:
            name: For the log.
            work: Runs in a task of its own.
            sorry: Called with the fault's number if the work failed.
        """
        if self._queue.full():
            log.error("too many errands wait", errand=name)
            return False
        self._queue.put_nowait(_Errand(name, work, sorry))
        return True

    async def _serve(self) -> None:
        """Run the next errand, or wait a little for one to come."""
        try:
            async with asyncio.timeout(IDLE):
                errand = await self._queue.get()
        except TimeoutError:
            return
        try:
            failed = await self._attempt(errand.name, errand.work)
            if failed and errand.sorry is not None:
                apology = partial(errand.sorry, failed)
                await self._attempt(f"{errand.name}: apology", apology)
        finally:
            self._queue.task_done()

    async def _attempt(self, name: str, work: Work) -> str:
        """Run something in a task of its own, so that whatever it raises stays there.

        Returns:
            The fault's number, or nothing if all went well.
        """
        task = asyncio.create_task(_awaited(work), name=name)
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)
        try:
            await asyncio.wait({task}, timeout=self._patience)
        finally:
            task.cancel()
        await asyncio.wait({task})
        error = TimeoutError() if task.cancelled() else task.exception()
        if error is None:
            return ""
        fault = fault_number()
        log.error("an errand failed", errand=name, fault=fault, why=str(error), exc_info=error)
        return fault


async def _awaited(work: Work) -> None:
    await work()
