"""Makes signed checkpoints of the audit log, for the audit channel."""

import structlog

from bot.errors import StoreError
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.keeper")

MOST = 10_000
"""So many new records make a checkpoint due before its time."""

_LOOK = 60.0
"""Seconds between two looks, at most."""


class Checkpointer:
    """Makes checkpoints. Several replicas may run it: the first one does the work.

    Args:
        every: Seconds between two checkpoints, if there is something new.
    """

    def __init__(self, store: Store, *, every: float, supervisor: Supervisor) -> None:
        self._store = store
        self._every = every
        self._supervisor = supervisor
        self._loop: Loop | None = None

    def start(self) -> None:
        """Begin to make checkpoints."""
        every = min(_LOOK, self._every)
        self._loop = self._supervisor.start(
            "checkpoints", self._checkpoint, every=every, after=every
        )

    def stop(self) -> None:
        """Stop."""
        if self._loop:
            self._loop.stop()
        self._loop = None

    async def _checkpoint(self) -> None:
        try:
            if await self._store.audit_log.checkpoint(every=self._every, most=MOST):
                log.info("the trail has a new checkpoint")
        except StoreError as error:
            log.error("no checkpoint now", why=str(error))
