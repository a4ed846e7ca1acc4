"""Keeps the trail: signed checkpoints for the audit channel, and no record for too long."""

from functools import partial

import structlog

from bot.errors import StoreError
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.keeper")

MOST = 10_000
"""So many new records make a checkpoint due before its time."""

_LOOK = 60.0
"""Seconds between two looks, at most."""

_DAY = 86_400.0

_STUCK = 3600.0
"""Seconds that removing old records may take: they go a few at a time."""


class Checkpointer:
    """Looks after the trail of a bot that serves. Several replicas may: whoever is first does it.

    Args:
        every: Seconds between two checkpoints, if there is something new.
        keep: Seconds that a record is kept; None for ever.
    """

    def __init__(
        self, store: Store, *, every: float, keep: float | None, supervisor: Supervisor
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._every = every
        self._keep = keep
        self._loops: list[Loop] = []

    def start(self) -> None:
        """Begin to look."""
        start, every = self._supervisor.start, min(_LOOK, self._every)
        self._loops = [start("checkpoints", self._seal, every=every, after=every)]
        if self._keep is not None:
            prune, every = partial(self._prune, self._keep), min(_DAY, self._keep)
            self._loops.append(start("retention", prune, every=every, longest=_STUCK))

    def stop(self) -> None:
        """Stop looking."""
        for loop in self._loops:
            loop.stop()
        self._loops = []

    async def _seal(self) -> None:
        try:
            if await self._store.audit_log.checkpoint(every=self._every, most=MOST):
                log.info("the trail has a new checkpoint")
        except StoreError as error:
            log.error("no checkpoint now", why=str(error))

    async def _prune(self, keep: float) -> None:
        try:
            if gone := await self._store.audit_log.prune(keep):
                log.info("old records are removed", records=gone)
        except StoreError as error:
            log.error("old records are not removed now", why=str(error))
