"""Runs what must happen right after an ack and needs Slack: a bounded queue, a few workers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import structlog

from bot.errors import StopstreamError
from bot.supervision import IDLE, LONGEST, Loop, Supervisor

log = structlog.get_logger("stopstream.errands")

Work: TypeAlias = Callable[[], Awaitable[object]]
FailureReply: TypeAlias = Callable[[str], Awaitable[object]]
"""Tells someone that a job failed, given the fault's number."""


def fault_number() -> str:
    """Return a new number that appears both in the answer and in the log."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    work: Work
    on_failure: FailureReply | None


class BackgroundQueue:
    """Runs jobs in the order of their submission; a failure is logged and stops no worker.

    Args:
        workers: How many jobs run at once.
        capacity: How many jobs may wait.
        timeout: Seconds that a job may take.
    """

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        workers: int = 4,
        capacity: int = 200,
        timeout: float = 15.0,
    ) -> None:
        self._supervisor = supervisor
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(capacity)
        self._worker_count = workers
        self._timeout = timeout
        self._workers: list[Loop] = []
        self._spawned: set[asyncio.Task[None]] = set()
        self._attempts: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start the workers."""
        # A job and its failure reply, and as long again until a busy machine has cancelled them.
        longest = 4 * self._timeout + LONGEST
        self._workers = [
            self._supervisor.start(f"errands {number}", self._serve, longest=longest)
            for number in range(self._worker_count)
        ]

    async def stop(self, grace: float = 1.0) -> None:
        """Run the jobs that wait, at most for `grace` seconds, then stop."""
        if self._workers:
            done = asyncio.create_task(self._queue.join())
            await asyncio.wait({done}, timeout=grace)
            done.cancel()
        for loop in self._workers:
            loop.stop()
        self._workers = []
        running = (*self._spawned, *self._attempts)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something outside the workers until it ends or the queue is stopped."""
        task = asyncio.create_task(work, name=name)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        return task

    def submit(self, name: str, work: Work, on_failure: FailureReply | None = None) -> bool:
        """Put a job into the queue; return False if the queue is full and the job is dropped.

        Args:
            name: For the log.
            work: Runs in a task of its own.
            on_failure: Called with the fault's number if the work failed.
        """
        if self._queue.full():
            log.error("too many errands wait", errand=name)
            return False
        self._queue.put_nowait(_Job(name, work, on_failure))
        return True

    async def _serve(self) -> None:
        """Run the next job, or return after a short wait for one."""
        try:
            async with asyncio.timeout(IDLE):
                job = await self._queue.get()
        except TimeoutError:
            return
        try:
            fault = await self._attempt(job.name, job.work)
            if fault and job.on_failure is not None:
                await self._attempt(f"{job.name}: apology", partial(job.on_failure, fault))
        finally:
            self._queue.task_done()

    async def _attempt(self, name: str, work: Work) -> str:
        """Run a job in a task of its own, which contains whatever it raises.

        Returns:
            The fault's number, or nothing if it succeeded.
        """
        task = asyncio.create_task(_awaited(work), name=name)
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)
        try:
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            task.cancel()
        await asyncio.wait({task})
        error = TimeoutError() if task.cancelled() else task.exception()
        if error is None:
            return ""
        fault = fault_number()
        # What Slack or the database refuses is no defect of ours: its traceback says nothing.
        defect = None if isinstance(error, StopstreamError | TimeoutError) else error
        why = str(error) or type(error).__name__
        log.error("an errand failed", errand=name, fault=fault, why=why, exc_info=defect)
        return fault


async def _awaited(work: Work) -> None:
    await work()
