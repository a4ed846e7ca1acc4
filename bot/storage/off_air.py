"""What is off and not yet on, and what nobody may start: the tables `off` and `holds`."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.catalog.effects import LISTED_FOR, announce_at
from bot.model.off_air import Hold, OffAirChange, StartScope
from bot.storage.tables import ENDS, FOR_A_WHILE, holds, off, operations

_LIFTED = 2.0
"""Seconds after something has ended by itself at which somebody looks."""

Insert = Callable[[sa.Table], Any]
"""Makes an INSERT of the database's own dialect."""


def apply(
    connection: sa.Connection, insert: Insert, now: float, operation: str, switch: OffAirChange
) -> None:
    """Note what an operation's ending changes."""
    one = {"account": switch.account, "thing": switch.resource_type, "key": switch.key}
    if switch.resource_gone or not switch.off:
        is_one = {f"is_{name}": value for name, value in one.items()}
        connection.execute(_TURN_ON, is_one | {"is_since": now - switch.minimum_age})
    if not switch.off:
        return
    ends = switch.until
    row = {
        "operation": operation,
        "weight": switch.weight,
        "since": now,
        "until": ends,
        "next_at": announce_at(now, ends) if ends is not None else None,
    }
    connection.execute(_turn_off(insert), one | row)


# Made once, because looking them over costs SQLAlchemy more than the database takes.
_TURN_ON = sa.delete(off).where(
    *(off.c[name] == sa.bindparam(f"is_{name}") for name in ("account", "thing", "key")),
    off.c.since <= sa.bindparam("is_since"),
)


@cache
def _turn_off(insert: Insert) -> Any:
    statement = insert(off)
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[off.c.account, off.c.thing, off.c.key],
        set_={n: given[n] for n in ("operation", "weight", "since", "until", "next_at")},
        where=off.c.weight <= given.weight,
    )


def claim_expiring(
    connection: sa.Connection, now: float, lease: float, limit: int
) -> Iterator[tuple[str, float, bool]]:
    """Take what is about to end by itself, once, and what has ended.

    Whoever dies while looking at what has ended leaves it to the next one, after `lease` seconds.

    Returns:
        The operation that turned it off, when it ends, and whether it has.
    """
    due = sa.select(off).where(ENDS, off.c.next_at <= now).order_by(off.c.next_at).limit(limit)
    for row in connection.execute(due).all():
        ended = now >= row.until
        next_at = now + lease if ended else row.until + _LIFTED
        one = off.c.account == row.account, off.c.thing == row.thing, off.c.key == row.key
        connection.execute(sa.update(off).where(*one).values(next_at=next_at))
        yield row.operation, row.until, ended


def mark_expired(connection: sa.Connection, operation: str, *, still: bool) -> bool:
    """Note that something has ended by itself; `still`: it is off all the same.

    Returns:
        False if that was noted before, or it was turned on or off anew.
    """
    mine = off.c.operation == operation, ENDS
    if still:
        stays = sa.update(off).where(*mine).values(until=None, next_at=None)
        return connection.execute(stays).rowcount > 0
    return connection.execute(sa.delete(off).where(*mine)).rowcount > 0


def forget(connection: sa.Connection, operation: str) -> bool:
    """Take out what an operation turned off; False if nothing is off by it."""
    return connection.execute(sa.delete(off).where(off.c.operation == operation)).rowcount > 0


def clear(connection: sa.Connection, now: float) -> None:
    """Take out what nothing brings back: it would stand there for ever."""
    connection.execute(sa.delete(off).where(FOR_A_WHILE, off.c.since < now - LISTED_FOR))


def listed(limit: int) -> sa.Select[Any]:
    """Select the operations by which something is off, the newest first, and until when."""
    return (
        sa.select(operations, off.c.until, off.c.account.label("filed"))
        .join(off, off.c.operation == operations.c.id)
        .order_by(off.c.since.desc())
        .limit(limit)
    )


def latest(account: str, thing: str, key: str) -> sa.Select[Any]:
    """Select the operation by which a thing is off now."""
    one = off.c.account == account, off.c.thing == thing, off.c.key == key
    return sa.select(operations).join(off, off.c.operation == operations.c.id).where(*one)


def filed(operation: str) -> sa.Select[Any]:
    """Select the account under which an operation's thing is off, or its target held."""
    under = (sa.select(t.c.account).where(t.c.operation == operation) for t in (off, holds))
    return sa.union_all(*under).limit(1)  # type: ignore[return-value] # as good as a select


def hold(connection: sa.Connection, insert: Insert, held: Hold) -> None:
    """Let nobody start a target, unless somebody holds it already."""
    row = {
        "account": held.account,
        "target": held.target,
        "operation": held.operation,
        "actor": held.held_by,
        "reason": held.reason,
        "since": held.since,
    }
    connection.execute(insert(holds).values(row).on_conflict_do_nothing())


def _held(start: StartScope) -> tuple[sa.ColumnElement[bool], ...]:
    there = holds.c.account == start.account
    if start.known_accounts is not None:
        there = sa.or_(there, holds.c.account.not_in(start.known_accounts))
    return there, holds.c.target.in_(start.targets)


def adopt(connection: sa.Connection, account: str, by: str) -> int:
    """Give what lies under one account's name to another's; give how much."""
    moved = 0
    for table in (off, holds):
        names = [column for column in table.primary_key if column.name != "account"]
        theirs = sa.select(*names).where(table.c.account == by)
        free = sa.tuple_(*names).not_in(theirs)
        ours = sa.update(table).where(table.c.account == account, free)
        moved += connection.execute(ours.values(account=by)).rowcount
    return moved


def release(connection: sa.Connection, start: StartScope) -> None:
    """End the holds of some targets."""
    connection.execute(sa.delete(holds).where(*_held(start)))


def held(connection: sa.Connection, start: StartScope) -> Hold | None:
    """Find who holds one of some targets."""
    row = connection.execute(sa.select(holds).where(*_held(start)).limit(1)).first()
    if row is None:
        return None
    return Hold(row.account, row.target, row.operation, row.actor, row.reason, row.since)


def holding() -> sa.Select[Any]:
    """Select the operations by which targets are held, the newest first."""
    return (
        sa.select(operations, holds.c.account.label("filed"))
        .join(holds, holds.c.operation == operations.c.id)
        .order_by(holds.c.since.desc())
    )
