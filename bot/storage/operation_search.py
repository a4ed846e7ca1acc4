"""Search for operations among a million, by the index with the fewest matches."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.model.lifecycle import ENDINGS
from bot.model.operations import Search, State
from bot.storage.tables import OF_A_CASE, operations

_FEW = 20_000
"""How many entries of an index are counted at most to compare it with others."""

_TOLD_PRIVATELY = [State.DENIED.value, State.INVALID.value]
"""States that only the asker was told of."""


_CARD_WITHIN = 7 * 86_400.0
"""Seconds from the asking to the card, which waits where Slack takes no messages."""


Clause: TypeAlias = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class _IndexedCondition:
    """A condition with an index of its own, which is sorted by time.

    Attributes:
        column: The first column of the index.
        applied_to: Makes the condition of the column, or of an expression that has no index.
        sorted: Whether the matches are sorted by time already.
    """

    column: sa.Column[str]
    applied_to: Callable[[sa.ColumnElement[str]], Clause]
    sorted: bool = True


def find(connection: sa.Connection, wanted: Search, limit: int) -> list[sa.Row[Any]]:
    """Return the newest rows that match, newest first."""
    parts = [
        _rows(connection, wanted, api, audience, limit)
        for api in wanted.apis or ("",)
        for audience in _audiences(wanted)
    ]
    merged = heapq.merge(*parts, key=lambda row: (-row.asked_at, row.id))
    return _distinct(merged, limit)


def of_case(case: str) -> sa.Select[tuple[str]]:
    """Select the ids of the operations of a case, those too that cannot be decoded."""
    return sa.select(operations.c.id).where(operations.c.case == case, OF_A_CASE)


def in_thread(channel: str, ts: str) -> sa.Select[tuple[str]]:
    """Select the ids of the operations that a thread is about: by their card, and asked in it."""
    root = sa.or_(operations.c.card_ts == ts, operations.c.thread_ts == ts)
    since = operations.c.asked_at >= float(ts) - _CARD_WITHIN
    return sa.select(operations.c.id).where(operations.c.channel == channel, since, root)


def _audiences(wanted: Search) -> Sequence[_IndexedCondition | None]:
    """Return the conditions for what a reader may see: their own, and what their channel saw."""
    if not wanted.reader:
        return (None,)
    own = _equal(operations.c.actor, wanted.reader)
    public = operations.c.state.not_in(_TOLD_PRIVATELY)
    there = _IndexedCondition(operations.c.channel, lambda c: sa.and_(c == wanted.channel, public))
    return (own, there) if wanted.channel else (own,)


def _rows(
    connection: sa.Connection,
    wanted: Search,
    api: str,
    audience: _IndexedCondition | None,
    limit: int,
) -> Sequence[sa.Row[Any]]:
    table = operations.c
    conditions = [audience] if audience else []
    conditions += [_equal(table.actor, wanted.user)] if wanted.user else []
    conditions += [_equal(table.api, api)] if api else []
    conditions += [_target(connection, wanted.target)] if wanted.target else []
    conditions += [_case(wanted.case)] if wanted.case else []
    conditions += [_state(wanted.state)] if wanted.state is not None else []
    times: list[Clause] = [table.asked_at >= wanted.since]
    # There are few accounts: an index on them would match too much.
    times += [table.account == wanted.account] if wanted.account else []
    if wanted.before is not None:
        at, id_ = wanted.before
        times += [table.asked_at <= at, sa.or_(table.asked_at < at, table.id > id_)]
    query = (
        sa.select(operations)
        .where(*times, *_by_best_index(connection, conditions, times))
        .order_by(table.asked_at.desc(), table.id)
        .limit(limit)
    )
    return connection.execute(query).all()


def _equal(column: sa.Column[str], value: str) -> _IndexedCondition:
    return _IndexedCondition(column, lambda c: c == value)


def _case(case: str) -> _IndexedCondition:
    # The index has only operations that belong to a case.
    return _IndexedCondition(operations.c.case, lambda c: sa.and_(c == case, OF_A_CASE))


def _state(state: State) -> _IndexedCondition:
    # Unfinished operations are few and recent, and in no index.
    ended = operations.c.ended_at.is_not(None) if state in ENDINGS else sa.true()
    return _IndexedCondition(operations.c.state, lambda c: sa.and_(c == state.value, ended))


def _target(connection: sa.Connection, target: str) -> _IndexedCondition:
    column, prefix = operations.c.target, target.removesuffix("*")
    if prefix == target:
        return _equal(column, target)
    if connection.dialect.name == "sqlite":
        # Its LIKE ignores case and so uses no index.
        last = prefix + "\U0010ffff"
        return _IndexedCondition(column, lambda c: sa.and_(c >= prefix, c < last), sorted=False)
    return _IndexedCondition(column, lambda c: c.startswith(prefix, autoescape=True), sorted=False)


def _by_best_index(
    connection: sa.Connection, conditions: Sequence[_IndexedCondition], times: Sequence[Clause]
) -> Sequence[Clause]:
    """Return the conditions so that the index with the fewest entries is used.

    PostgreSQL has statistics. SQLite does not know how often a value occurs, so some entries are
    counted, and all other conditions are hidden from its planner.
    """
    if connection.dialect.name != "sqlite":
        return [condition.applied_to(condition.column) for condition in conditions]
    best: _IndexedCondition | None = None
    fewest = _FEW
    for condition in conditions:
        some = (
            sa.select(operations.c.asked_at)
            .where(condition.applied_to(condition.column), times[0])
            .limit(_FEW)
        )
        count = connection.execute(sa.select(sa.func.count()).select_from(some.subquery()))
        found = count.scalar_one()
        if found < fewest or (best is None and condition.sorted):
            best, fewest = condition, found
    return [
        condition.applied_to(condition.column if condition is best else condition.column.concat(""))
        for condition in conditions
    ]


def _distinct(rows: Iterator[sa.Row[Any]], limit: int) -> list[sa.Row[Any]]:
    found: dict[str, sa.Row[Any]] = {}
    for row in rows:
        found.setdefault(row.id, row)
        if len(found) == limit:
            break
    return list(found.values())
