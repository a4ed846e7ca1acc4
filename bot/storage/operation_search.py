"""Finds operations among a million: along the index with the fewest of them."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.model.lifecycle import ENDINGS
from bot.model.operations import Search, State
from bot.storage.tables import OF_A_CASE, operations

_FEW = 20_000
"""Entries of an index that are counted to see whether it leads to few."""

_WHISPERED = [State.DENIED.value, State.INVALID.value]
"""What the asker alone was told."""


Clause: TypeAlias = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class _Way:
    """A condition with an index of its own, within which the newest come first.

    Attributes:
        column: What the index begins with.
        holds: Makes the condition of the column, or of an expression that no index knows.
        sorted: Without it the index must be read whole and sorted.
    """

    column: sa.Column[str]
    holds: Callable[[sa.ColumnElement[str]], Clause]
    sorted: bool = True


def find(connection: sa.Connection, wanted: Search, limit: int) -> list[sa.Row[Any]]:
    """Give the newest rows that are as wanted, newest first."""
    parts = [
        _rows(connection, wanted, api, audience, limit)
        for api in wanted.apis or ("",)
        for audience in _audiences(wanted)
    ]
    merged = heapq.merge(*parts, key=lambda row: (-row.asked_at, row.id))
    return _distinct(merged, limit)


def _audiences(wanted: Search) -> Sequence[_Way | None]:
    """Split what a reader may see: their own, and what their channel saw."""
    if not wanted.reader:
        return (None,)
    own = _equal(operations.c.actor, wanted.reader)
    told = operations.c.state.not_in(_WHISPERED)
    there = _Way(operations.c.channel, lambda c: sa.and_(c == wanted.channel, told))
    return (own, there) if wanted.channel else (own,)


def _rows(
    connection: sa.Connection, wanted: Search, api: str, audience: _Way | None, limit: int
) -> Sequence[sa.Row[Any]]:
    table = operations.c
    ways = [audience] if audience else []
    ways += [_equal(table.actor, wanted.user)] if wanted.user else []
    ways += [_equal(table.api, api)] if api else []
    ways += [_target(connection, wanted.target)] if wanted.target else []
    ways += [_case(wanted.case)] if wanted.case else []
    ways += [_state(wanted.state)] if wanted.state is not None else []
    times: list[Clause] = [table.asked_at >= wanted.since]
    # There are few accounts: an index would lead to much of everything.
    times += [table.account == wanted.account] if wanted.account else []
    if wanted.before is not None:
        at, id_ = wanted.before
        times += [table.asked_at <= at, sa.or_(table.asked_at < at, table.id > id_)]
    query = (
        sa.select(operations)
        .where(*times, *_along(connection, ways, times))
        .order_by(table.asked_at.desc(), table.id)
        .limit(limit)
    )
    return connection.execute(query).all()


def _equal(column: sa.Column[str], value: str) -> _Way:
    return _Way(column, lambda c: c == value)


def _case(case: str) -> _Way:
    # The index has those alone that belong to one.
    return _Way(operations.c.case, lambda c: sa.and_(c == case, OF_A_CASE))


def _state(state: State) -> _Way:
    # Those that have no ending are few and of late, and in no index.
    ended = operations.c.ended_at.is_not(None) if state in ENDINGS else sa.true()
    return _Way(operations.c.state, lambda c: sa.and_(c == state.value, ended))


def _target(connection: sa.Connection, target: str) -> _Way:
    column, prefix = operations.c.target, target.removesuffix("*")
    if prefix == target:
        return _equal(column, target)
    if connection.dialect.name == "sqlite":
        # Its LIKE ignores case and so takes no index.
        last = prefix + "\U0010ffff"
        return _Way(column, lambda c: sa.and_(c >= prefix, c < last), sorted=False)
    return _Way(column, lambda c: c.startswith(prefix, autoescape=True), sorted=False)


def _along(
    connection: sa.Connection, ways: Sequence[_Way], times: Sequence[Clause]
) -> Sequence[Clause]:
    """Give the conditions so that the one with the fewest entries leads.

    PostgreSQL counts for itself. SQLite knows nothing of how often a value stands there, so a
    little is counted, and all other conditions are hidden from its planner.
    """
    if connection.dialect.name != "sqlite":
        return [way.holds(way.column) for way in ways]
    best: _Way | None = None
    fewest = _FEW
    for way in ways:
        some = sa.select(operations.c.asked_at).where(way.holds(way.column), times[0]).limit(_FEW)
        count = connection.execute(sa.select(sa.func.count()).select_from(some.subquery()))
        found = count.scalar_one()
        if found < fewest or (best is None and way.sorted):
            best, fewest = way, found
    return [way.holds(way.column if way is best else way.column.concat("")) for way in ways]


def _distinct(rows: Iterator[sa.Row[Any]], limit: int) -> list[sa.Row[Any]]:
    found: dict[str, sa.Row[Any]] = {}
    for row in rows:
        found.setdefault(row.id, row)
        if len(found) == limit:
            break
    return list(found.values())
