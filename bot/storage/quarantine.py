"""Remembers the stored rows that this release cannot read."""

from collections.abc import Collection, Sequence

import structlog

from bot.errors import UnreadableRowError

log = structlog.get_logger("stopstream.store")

MOST = 1000
"""How many rows of a table are remembered; one that is forgotten is found again."""


class Quarantine:
    """What this process does not touch any more, by table. Threads may share it.

    In memory alone: a row that is mended, or that a newer release can read, is taken up by the
    next process that finds it.
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[int | str, None]] = {}
        self._unreported: list[UnreadableRowError] = []

    def add(self, error: UnreadableRowError) -> None:
        """Quarantine a row; the first time, the log says so."""
        rows = self._rows.setdefault(error.table, {})
        if error.row in rows:
            return
        if len(rows) >= MOST:
            del rows[next(iter(rows))]
        rows[error.row] = None
        self._unreported.append(error)
        log.error(
            "a stored row is quarantined",
            table=error.table,
            row=error.row,
            operation=error.operation,
            why=error.why,
        )

    def of(self, table: str) -> Collection[int | str]:
        """Return the ids of the rows of a table that are quarantined."""
        return tuple(self._rows.get(table, ()))

    def unreported(self) -> Sequence[UnreadableRowError]:
        """Return what the trail has not been told of yet."""
        return tuple(self._unreported)

    def reported(self, errors: Sequence[UnreadableRowError]) -> None:
        """Note that the trail has been told."""
        del self._unreported[: len(errors)]
