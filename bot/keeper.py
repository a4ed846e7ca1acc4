"""Keeps the trail: signed checkpoints for the audit channel, and no record for too long."""

import asyncio

import structlog

from bot.errors import StoreError
from bot.store import Store

log = structlog.get_logger("stopstream.keeper")

MOST = 10_000
"""So many new records make a checkpoint due before its time."""

_LOOK = 60.0
"""Seconds between two looks, at most."""

_DAY = 86_400.0


class Keeper:
    """Looks after the trail of a bot that serves. Several replicas may: whoever is first does it.

    Args:
        every: Seconds between two checkpoints, if there is something new.
        keep: Seconds that a record is kept; None for ever.
    """

    def __init__(self, store: Store, *, every: float, keep: float | None) -> None:
        self._store = store
        self._every = every
        self._keep = keep
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look."""
        self._tasks = [asyncio.create_task(self._seal(), name="checkpoints")]
        if self._keep is not None:
            self._tasks.append(asyncio.create_task(self._prune(self._keep), name="retention"))

    def stop(self) -> None:
        """Stop looking."""
        for task in self._tasks:
            task.cancel()

    async def _seal(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK, self._every))
            try:
                if await self._store.checkpoint(every=self._every, most=MOST):
                    log.info("the trail has a new checkpoint")
            except StoreError as error:
                log.error("no checkpoint now", why=str(error))

    async def _prune(self, keep: float) -> None:
        while True:
            try:
                if gone := await self._store.prune(keep):
                    log.info("old records are removed", records=gone)
            except StoreError as error:
                log.error("old records are not removed now", why=str(error))
            await asyncio.sleep(min(_DAY, keep))
