"""Removes records of the audit log that are older than the time for which they are kept."""

from collections.abc import Callable

import structlog

from bot.clock_skew import ClockSkew
from bot.errors import StoreError
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.keeper")

_DAY = 86_400.0

_WAIT = 60.0
"""Seconds until it is looked again whether all copies of the audit log have every record."""

_STUCK = 3600.0
"""Seconds that removing old records may take: they go a few at a time."""


class RetentionJob:
    """Removes old records. Several replicas may run it: the first one does the work.

    Args:
        keep: Seconds that a record is kept.
        skew: How far the clock may be from others.
        is_copied: Whether records may be removed, because every copy of the audit log has them.
    """

    def __init__(
        self,
        store: Store,
        *,
        keep: float,
        skew: ClockSkew,
        supervisor: Supervisor,
        is_copied: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._keep = keep
        self._skew = skew
        self._supervisor = supervisor
        self._is_copied = is_copied
        self._waits = False
        self._loop: Loop | None = None

    def start(self) -> None:
        """Begin to remove old records, at once and then every day."""
        self._loop = self._supervisor.start(
            "retention", self._prune, every=self._pause, longest=_STUCK
        )

    def stop(self) -> None:
        """Stop."""
        if self._loop:
            self._loop.stop()
        self._loop = None

    def _pause(self) -> float:
        return min(_WAIT if self._waits else _DAY, self._keep)

    async def _prune(self) -> None:
        self._waits = not self._is_copied()
        if self._waits:
            log.info("old records are kept until the audit sink and the webhook have them")
            return
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
