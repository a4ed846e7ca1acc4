"""Removes records of the audit log that are older than the time for which they are kept."""

import structlog

from bot.clock_skew import ClockSkew
from bot.errors import StoreError
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.keeper")

_DAY = 86_400.0

_STUCK = 3600.0
"""Seconds that removing old records may take: they go a few at a time."""


class RetentionJob:
    """Removes old records. Several replicas may run it: the first one does the work.

    Args:
        keep: Seconds that a record is kept.
        skew: How far the clock may be from others.
    """

    def __init__(
        self, store: Store, *, keep: float, skew: ClockSkew, supervisor: Supervisor
    ) -> None:
        self._store = store
        self._keep = keep
        self._skew = skew
        self._supervisor = supervisor
        self._loop: Loop | None = None

    def start(self) -> None:
        """Begin to remove old records, at once and then every day."""
        every = min(_DAY, self._keep)
        self._loop = self._supervisor.start("retention", self._prune, every=every, longest=_STUCK)

    def stop(self) -> None:
        """Stop."""
        if self._loop:
            self._loop.stop()
        self._loop = None

    async def _prune(self) -> None:
        try:
            pruning = await self._store.audit_log.prune(self._keep, skew=self._skew)
            if pruning.clock_is_suspect:
                log.error(
                    "old records are not removed",
                    why=pruning.why,
                    next="check the clock; stopstream audit prune --force removes them",
                )
            elif pruning.removed:
                log.info("old records are removed", records=pruning.removed, left=pruning.left)
        except StoreError as error:
            log.error("old records are not removed now", why=str(error))
