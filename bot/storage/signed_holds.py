"""Holds by the signed operations that began them: deleting their rows lifts none of them."""

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from bot.catalog.builtin import HOLD, RELEASE
from bot.model.off_air import StartScope
from bot.model.operations import Operation, State
from bot.storage.row_integrity import RowIntegrity
from bot.storage.tables import operations
from bot.storage.writer import Transaction


def find_signed_hold(
    tx: Transaction, integrity: RowIntegrity, scope: StartScope
) -> Operation | None:
    """Return the operation by which one of some targets is held; None where no key signs rows.

    Only holds that the key of today has signed are found. What an older release has released
    counts as released, and what somebody else has written does not.
    """
    if not integrity.macs.enabled:
        return None
    held: dict[tuple[str, str], Operation] = {}
    changes = tx.connection.execute(_changes(scope.targets)).all()
    for row in changes:
        if row.api == HOLD.api and not integrity.macs.is_genuine(row):
            continue
        if row.api == RELEASE.api and not held:
            continue
        for change in integrity.operations(tx, [row]):
            if change.params["Target"] in scope.targets:
                _apply(held, change, scope.known_accounts)
    return next((one for one in held.values() if _covers(scope, one.account)), None)


def _changes(targets: Iterable[str]) -> sa.Select[Any]:
    """Select the operations that may have held or released one of some targets, in order."""
    named = (operations.c.params.contains(json.dumps(one), autoescape=True) for one in targets)
    accepted = operations.c.state == State.ACCEPTED.value
    of_holds = operations.c.api.in_((HOLD.api, RELEASE.api))
    query = sa.select(operations).where(of_holds, accepted, sa.or_(*named))
    return query.order_by(operations.c.ended_at)


def _apply(
    held: dict[tuple[str, str], Operation], change: Operation, known: tuple[str, ...] | None
) -> None:
    target = str(change.params["Target"])
    if change.api == HOLD.api:
        held.setdefault((change.account, target), change)
        return
    reach = StartScope(change.account, (target,), known)
    for one in [one for one in held if one[1] == target and _covers(reach, one[0])]:
        del held[one]


def _covers(scope: StartScope, account: str) -> bool:
    known = scope.known_accounts
    return account == scope.account or (known is not None and account not in known)
