"""Decode stored rows, and remember those that this release cannot decode."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from bot.errors import TamperedRowError, UnreadableRowError
from bot.model.operations import Operation
from bot.storage import rows
from bot.storage.row_macs import RowMacs, Standing

log = structlog.get_logger("stopstream.store")

MOST = 1000
"""How many rows of a table are remembered; one that is forgotten is found again."""

T = TypeVar("T")


class Quarantine:
    """The rows that this process leaves alone, by table. Threads may share it.

    It is in memory: a row that is repaired, or that a newer release can decode, is processed by
    the next process that finds it.

    Args:
        macs: Check the rows of operations.

    Attributes:
        tampered: How many rows this process has found that were tampered with.
    """

    def __init__(self, macs: RowMacs) -> None:
        self._macs = macs
        self._rows: dict[str, dict[int | str, None]] = {}
        self._unreported: list[UnreadableRowError] = []
        self.tampered = 0

    def operations(self, found: Iterable[sa.Row[Any]]) -> Iterator[Operation]:
        """Decode rows of `operations`; see `decode`."""
        return self.decode(self.operation, found)

    def operation(self, row: sa.Row[Any], standing: Standing | None = None) -> Operation:
        """Decode a row of `operations`, and mark what may not be acted on.

        Args:
            standing: What its code says, where that is known already.

        Raises:
            UnreadableRowError: This release cannot decode it.
        """
        found = rows.operation(row)
        is_genuine = (standing or self._macs.of_operation(row)) is Standing.GENUINE
        # A row that was put back matches its code, and is known only from its quarantine.
        trusted = is_genuine and row.id not in self._rows.get("operations", ())
        return found if trusted else replace(found, unsigned=True)

    def decode(
        self, decode_row: Callable[[sa.Row[Any]], T], found: Iterable[sa.Row[Any]]
    ) -> Iterator[T]:
        """Decode rows, and quarantine those that cannot be decoded."""
        for row in found:
            try:
                yield decode_row(row)
            except UnreadableRowError as error:
                self.add(error)

    def add(self, error: UnreadableRowError) -> None:
        """Quarantine a row, and log it the first time."""
        quarantined = self._rows.setdefault(error.table, {})
        if error.row in quarantined:
            return
        if len(quarantined) >= MOST:
            del quarantined[next(iter(quarantined))]
        quarantined[error.row] = None
        self._note(error)

    def report(self, error: TamperedRowError) -> None:
        """Report a row that needs no quarantine, because a mark in the database keeps it away."""
        if any((one.table, one.row) == (error.table, error.row) for one in self._unreported):
            return
        self._note(error)

    def _note(self, error: UnreadableRowError) -> None:
        self._unreported.append(error)
        tampered = isinstance(error, TamperedRowError)
        self.tampered += tampered
        log.error(
            "a stored row was tampered with" if tampered else "a stored row is quarantined",
            table=error.table,
            row=error.row,
            operation=error.operation,
            why=error.why,
        )

    def of(self, table: str) -> tuple[int | str, ...]:
        """Return the ids of the quarantined rows of a table."""
        return tuple(self._rows.get(table, ()))

    def excluding(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Return the condition that leaves the quarantined rows of a table out."""
        return without(table, self.of(table.name))

    def unreported(self) -> Sequence[UnreadableRowError]:
        """Return the errors that are not in the audit log yet."""
        return tuple(self._unreported)

    def reported(self, errors: Sequence[UnreadableRowError]) -> None:
        """Note that the oldest unreported errors are in the audit log now."""
        del self._unreported[: len(errors)]


def without(table: sa.Table, ids: Collection[int | str]) -> sa.ColumnElement[bool]:
    """Return the condition that leaves some rows of a table out."""
    # A parameter for each: a list of them would be expanded whenever it runs.
    return table.c.id.not_in([sa.literal(one) for one in ids]) if ids else sa.true()
