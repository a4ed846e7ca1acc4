"""Tells rows that this bot wrote from those that somebody else did, by their codes and the trail.

Each audit record of a transition holds the `seq` of its row as `version`. A row whose code matches,
and whose `seq` is not that of its last record, is an earlier form that was put back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import KEY, stored_facts
from bot.errors import TamperedRowError
from bot.model.actions import Json
from bot.model.lifecycle import BEGINNINGS, ENDINGS, MEANWHILE, STEPS
from bot.model.operations import Operation, State
from bot.storage.prepared import Prepared
from bot.storage.quarantine import Quarantine
from bot.storage.row_macs import RowMacs, Standing, columns_of, key_name, sealed_seq, sealed_with
from bot.storage.tables import decisions, operations, trail
from bot.storage.writer import Transaction

LOOKED = "looked"
"""Kind of the record of a verification, which changes the row after its ending."""

_KINDS = sorted(
    {step.record for steps in (BEGINNINGS, STEPS, MEANWHILE) for step in steps.values()} | {LOOKED}
)
# Constants of the statement: a list of parameters would be expanded anew each time.
_QUOTED_KINDS: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{kind}'") for kind in _KINDS]
_VERSION = "version"
_LAST_RECORD = (
    sa.select(trail.c.body)
    .where(trail.c.operation == operations.c.id, trail.c.kind.in_(_QUOTED_KINDS))
    .order_by(trail.c.seq.desc())
    .limit(1)
    .correlate(operations)
    .scalar_subquery()
    .label("last_record")
)
_BEFORE = Prepared(
    sa.select(operations, _LAST_RECORD)
    .where(operations.c.id == sa.bindparam("is_id"))
    # Nobody changes it between this look at it and the change that follows.
    .with_for_update(of=operations)
)
_ABSENT = -1
"""In place of a version: there is no record of the operation."""


class Integrity(Enum):
    """Whose a row is."""

    OURS = "ours"
    OLDER = "older"
    """Of a release that signed no rows, or of a key that was replaced: shown, and never run."""
    TAMPERED = "tampered"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the row of an operation, which raises its `seq`.

    Attributes:
        macs: Make the row's new code.
        before: The row as it is; None where no code is made.
    """

    macs: RowMacs
    before: sa.Row[Any] | None = None

    def code(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the column of the code, for a change that sets some other columns."""
        if self.before is None:
            return {}
        after = {**columns_of(self.before), **values, "seq": self.before.seq + 1}
        return {"mac": self.macs.operation(after)}

    @property
    def version(self) -> dict[str, Json]:
        """The fact that ties the record of the change to the row."""
        return {_VERSION: self.before.seq + 1} if self.before is not None else {}


_UNCHECKED = Change(RowMacs(None))


class RowIntegrity:
    """Judges rows, and quarantines those that were tampered with."""

    def __init__(self, macs: RowMacs, quarantine: Quarantine) -> None:
        self.macs = macs
        self._quarantine = quarantine

    # --- operations ------------------------------------------------------------------

    def begin(self, tx: Transaction, id_: str, after: State) -> Change | None:
        """Look at the row of an operation that shall reach a state; None if it must not.

        What an older release has left may end, and nothing else.
        """
        if not self.macs.enabled:
            return _UNCHECKED
        before = _BEFORE.first(tx.connection, {"is_id": id_})
        if before is None:
            return _UNCHECKED
        standing = self.macs.of_operation(before)
        match self._judge(tx, before, standing, replayed=before.state not in ENDINGS):
            case Integrity.OURS:
                return Change(self.macs, before)
            case Integrity.OLDER if after in ENDINGS:
                return _UNCHECKED
            case _:
                return None

    def version(self, seq: int) -> dict[str, Json]:
        """Return the fact that ties a record to the row as it is then."""
        return {_VERSION: seq} if self.macs.enabled else {}

    def operations(
        self, tx: Transaction, found: Iterable[sa.Row[Any]], *, replayed: bool = False
    ) -> list[Operation]:
        """Decode rows, and quarantine those that were tampered with.

        Args:
            replayed: Whether an earlier form of a row counts as tampering: for what is run.
        """
        decoded = list[Operation]()
        for row in found:
            standing = self.macs.of_operation(row)
            if self._judge(tx, row, standing, replayed=replayed) is not Integrity.TAMPERED:
                decode = partial(self._quarantine.operation, standing=standing)
                decoded += self._quarantine.decode(decode, [row])
        return decoded

    def _judge(
        self, tx: Transaction, row: sa.Row[Any], standing: Standing, *, replayed: bool
    ) -> Integrity:
        if not self.macs.enabled or (standing is Standing.GENUINE and not replayed):
            return Integrity.OURS
        last = _last_version(tx, row)
        integrity, why = _verdict(tx.connection, row.mac, standing, last)
        if integrity is Integrity.TAMPERED:
            self._quarantine.add(TamperedRowError(operations.name, row.id, row.id, why))
        return integrity

    # --- decisions -------------------------------------------------------------------

    def decisions(self, tx: Transaction, found: Sequence[sa.Row[Any]]) -> list[sa.Row[Any]]:
        """Return the rows of `decisions` that may count, and quarantine the others."""
        return [row for row in found if self._is_pressed(tx, row)]

    def _is_pressed(self, tx: Transaction, row: sa.Row[Any]) -> bool:
        standing = self.macs.of_decision(row)
        if standing is Standing.GENUINE:
            return True
        about = _BEFORE.first(tx.connection, {"is_id": row.operation})
        if about is not None and standing is not Standing.ALTERED:
            of_operation = self._judge(tx, about, self.macs.of_operation(about), replayed=False)
            if of_operation is Integrity.OLDER:
                # It cannot count, and its maker is told so.
                return True
        why = f"its code is {standing.value}"
        self._quarantine.add(TamperedRowError(decisions.name, row.id, row.operation, why))
        return False


def _verdict(
    connection: sa.Connection, mac: str, standing: Standing, last: int | None
) -> tuple[Integrity, str]:
    """Return whose a row is, and why.

    Args:
        last: The version that its last record names; None if that names none.
    """
    if standing is Standing.GENUINE and last == sealed_seq(mac):
        return Integrity.OURS, ""
    if _is_older(connection, mac, standing, last):
        return Integrity.OLDER, ""
    if standing is Standing.GENUINE:
        return Integrity.TAMPERED, "an earlier form of it was put back"
    asked = "nobody asked for it, and " if last == _ABSENT else ""
    return Integrity.TAMPERED, f"{asked}its code is {standing.value}"


def _is_older(connection: sa.Connection, mac: str, standing: Standing, last: int | None) -> bool:
    if last is None:
        # A release without codes names no version, and a row that it has changed does not match.
        return True
    if standing is Standing.GENUINE:
        # Its records may have been removed at the end of their retention.
        return last == _ABSENT
    known = standing is Standing.OTHER_KEY and last == sealed_seq(mac)
    return known and sealed_with(mac) in _named_keys(connection)


def _last_version(tx: Transaction, row: sa.Row[Any]) -> int | None:
    for fact in reversed(tx.facts):
        if fact.operation == row.id and fact.kind in _KINDS:
            return _version_of(fact.facts)
    body = row._mapping.get("last_record", _ABSENT)  # noqa: SLF001 (public)
    if body == _ABSENT:
        query = sa.select(_LAST_RECORD).where(operations.c.id == row.id)
        body = tx.connection.execute(query).scalar()
    return _ABSENT if body is None else _version_of(stored_facts(body))


def _version_of(facts: Mapping[str, Any]) -> int | None:
    found = facts.get(_VERSION)
    return found if isinstance(found, int) else None


def _named_keys(connection: sa.Connection) -> set[str]:
    """Return the names of all keys that the trail names."""
    bodies = connection.execute(sa.select(trail.c.body).where(trail.c.kind == KEY)).scalars()
    return {key_name(str(stored_facts(body).get("key", ""))) for body in bodies}
