"""The lanes of the outbox: the order of a destination, and what others pass meanwhile."""

from collections.abc import Collection

import sqlalchemy as sa

from bot.model.operations import Operation
from bot.storage.quarantine import without
from bot.storage.tables import ASIDE, CODED, operations, outbox

MOST = 20
"""How many lanes of one destination are set aside; after that what is refused holds the rest."""


ALERTS = "alerts"
"""The lane of the new alerts of a destination; no operation and no thread is called so."""

EDITS = "edits"
"""The lane of the edits of operations' cards that Slack does not take now: the rest passes them."""

ALERT_EDITS = "alert edits"
"""The lane of the edits of their cards, which all else to the destination passes for a while."""

EDIT_PATIENCE = 30.0
"""Seconds for which an edit gives way to what is said for the first time."""


def names(operation: Operation | None, key: str) -> dict[str, str]:
    """Return the names of the lanes that a message belongs to once one of them is set aside."""
    if operation is None:
        return {"is_lane": key, "is_thread": ""}
    return {
        "is_lane": operation.id,
        "is_thread": operation.place.thread_ts or operation.card_ts,
    }


def is_first(quarantined: Collection[int | str], *, coded: bool) -> sa.ColumnElement[bool]:
    """Return the condition that a row is the first of its destination, or of its lane aside.

    Args:
        quarantined: Rows that delay no other.
        coded: Whether rows without a code delay no other, either.
    """
    aside = sa.select(sa.func.min(outbox.c.id)).where(ASIDE)
    if coded:
        aside = aside.where(CODED)
    if quarantined:
        aside = aside.where(without(outbox, quarantined))
    heads = aside.group_by(outbox.c.destination, outbox.c.aside).scalar_subquery()
    return sa.or_(outbox.c.id.in_(_first_ids(quarantined, coded=coded)), outbox.c.id.in_(heads))


def gives_way(now: sa.ColumnElement[float]) -> sa.ColumnElement[bool]:
    """Return the condition that a row is an edit which something else to its channel passes."""
    other = outbox.alias()
    something = sa.exists().where(
        other.c.destination == outbox.c.destination,
        other.c.aside != ALERT_EDITS,
        other.c.next_at <= now,
        other.c.lease_until <= now,
    )
    patient = outbox.c.enqueued_at > now - EDIT_PATIENCE
    return sa.and_(outbox.c.aside == ALERT_EDITS, patient, something)


def _first_ids(quarantined: Collection[int | str], *, coded: bool) -> sa.ScalarSelect[int]:
    """Select the id of the first row of each destination by a loose index scan.

    Grouping would read a backlog of thousands for every message.
    """
    nearest = sa.select(sa.func.min(outbox.c.destination).label("name")).cte("d", recursive=True)
    further = (
        sa.select(sa.func.min(outbox.c.destination))
        .where(outbox.c.destination > nearest.c.name)
        .scalar_subquery()
    )
    every = nearest.union_all(sa.select(further).where(nearest.c.name.is_not(None)))
    first = sa.select(sa.func.min(outbox.c.id)).where(
        outbox.c.destination == every.c.name, outbox.c.aside == ""
    )
    if coded:
        first = first.where(CODED)
    if quarantined:
        first = first.where(without(outbox, quarantined))
    return sa.select(first.scalar_subquery()).select_from(every).scalar_subquery()


_LANE = sa.bindparam("is_lane", type_=sa.Text)
_THREAD = sa.bindparam("is_thread", type_=sa.Text)
_HERE = outbox.c.destination == sa.bindparam("is_destination")
TAKEN = sa.select(outbox.c.aside).where(ASIDE, _HERE).distinct()
_MINE = outbox.c.aside.in_([_LANE, _THREAD])
JOINED = sa.func.coalesce(
    sa.select(outbox.c.aside).where(ASIDE, _HERE, _MINE).limit(1).scalar_subquery(), ""
)
"""The lane of a message that is enqueued: that of those which it must not pass, or none."""

_MATES = sa.select(operations.c.id).where(
    operations.c.id.in_(sa.select(outbox.c.operation).where(_HERE)),
    sa.or_(
        operations.c.id == _LANE,
        sa.and_(_THREAD != "", _THREAD.in_([operations.c.thread_ts, operations.c.card_ts])),
    ),
)
SET_ASIDE = (
    sa.update(outbox)
    .where(_HERE, sa.or_(outbox.c.id == sa.bindparam("is_row"), outbox.c.operation.in_(_MATES)))
    .values(aside=sa.bindparam("new_aside"))
)
