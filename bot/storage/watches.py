"""The tables `watches` and `live_notices`: the streams whose state is read again and again."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.catalog.effects import MAYBE
from bot.catalog.live import STREAM
from bot.model.live_notices import LiveNotice, NoticeKind, Watch
from bot.model.off_air import OffAirChange
from bot.model.operations import Operation
from bot.storage.prepared import Prepared
from bot.storage.pushes import Pushes
from bot.storage.session import Session, write
from bot.storage.tables import live_notices, off, operations, watches
from bot.storage.writer import Transaction

WATCHED_FOR = 600.0
"""Seconds for which a stream is watched after each stop of it."""

KEPT_FOR = 3600.0
"""Seconds for which a notice is known; none is accepted that is half as old."""

_EARLY = 5.0
"""Seconds by which Tencent Cloud's clock may be behind, so that a notice seems too old."""

_FIRST_READ = 10.0
"""Seconds from a stop to the first read of its watch; the verification reads before."""

_READ_APART = 1.0
"""Seconds between two reads of one stream, however many notices come of it."""

_CLAIMED = 30.0
"""Seconds after which a read that was claimed and not recorded is due again."""

_AT_ONCE = 16
"""Reads that are claimed together, at most."""

_UNPROMPTED = 4
"""Those among them that nobody asked for and no notice prompts: after many stops, they are read
more rarely, and neither a notice nor what people ask for waits for them."""


class Watches:
    """Begins and ends watches, takes notices of streams, and hands out what is to be read."""

    def __init__(self, session: Session, pushes: Pushes) -> None:
        self.session = session
        self._pushes = pushes

    # --- within a transition ---------------------------------------------------------

    def follow(self, tx: Transaction, operation: Operation, change: OffAirChange) -> None:
        """Watch a stream that was stopped, and no longer one that was started.

        A later stop of the same stream takes the place of an earlier one.
        """
        if change.resource_type != STREAM.name:
            return
        _FORGET.run(tx.connection, {"is_account": change.account, "is_key": change.key})
        if change.off and change.weight > MAYBE and operation.place.channel:
            row = self._row(operation, change.key, tx.now, tx.now + WATCHED_FOR)
            row |= {"account": change.account, "next_at": tx.now + _FIRST_READ}
            # Its end may be told sooner than the answer to the stop.
            ended = _last_heard(tx, row, since=operation.sent_at or tx.now)
            self._insert(tx, row | ended)

    def end(self, tx: Transaction, id_: str) -> None:
        """End the watch of an operation."""
        tx.connection.execute(sa.delete(watches).where(watches.c.operation == id_))

    def _insert(self, tx: Transaction, row: dict[str, Any]) -> None:
        _insertion(self.session.insert, tuple(row)).run(tx.connection, row)

    def _row(self, operation: Operation, key: str, since: float, until: float) -> dict[str, Any]:
        return {
            "operation": operation.id,
            "account": operation.account,
            "stream": stream_of(key),
            "key": key,
            "since": since,
            "until": until,
            "next_at": since,
            "asked": False,
        }

    # --- notices ---------------------------------------------------------------------

    @write
    def take_notice(self, tx: Transaction, notice: LiveNotice) -> bool:
        """Store a notice, and have the watched streams that it is about read now.

        Returns:
            False where the same notice was taken before, by any replica.
        """
        tx.connection.execute(
            sa.delete(live_notices).where(live_notices.c.received_at < tx.now - KEPT_FOR)
        )
        row = {
            "key": notice.key,
            "account": notice.account,
            "stream": notice.stream,
            "kind": notice.kind.value,
            "at": notice.at,
            "received_at": tx.now,
        }
        insert = self.session.insert(live_notices).values(row).on_conflict_do_nothing()
        if not tx.connection.execute(insert.returning(live_notices.c.key)).all():
            return False
        self._pushes.note(tx, notice)
        if not self._wake(tx, notice) and notice.kind is NoticeKind.BEGAN:
            self._watch_again(tx, notice)
        return True

    def _wake(self, tx: Transaction, notice: LiveNotice) -> bool:
        """Have the watches of a stream read now; return whether one of them is of a stop."""
        about = watches.c.account == notice.account, watches.c.stream == notice.stream
        # What began before the stop is the push that it cut.
        early = 1.0 if notice.kind is NoticeKind.BEGAN else _EARLY
        soon = sa.case(
            (watches.c.read_at > tx.now - _READ_APART, watches.c.read_at + _READ_APART),
            else_=tx.now,
        )
        heard = {"heard": notice.kind.value, "heard_at": tx.now, "next_at": soon}
        news = sa.update(watches).where(*about, watches.c.since <= notice.at + early)
        tx.connection.execute(news.values(heard))
        of_stop = sa.select(watches.c.operation).where(*about, sa.not_(watches.c.asked))
        return tx.connection.execute(of_stop).first() is not None

    def _watch_again(self, tx: Transaction, notice: LiveNotice) -> None:
        """Have a stream read that was stopped so long ago that it is not watched any more."""
        one = off.c.account == notice.account, off.c.thing == STREAM.name
        query = sa.select(operations, off.c.since.label("stopped")).join(
            off, off.c.operation == operations.c.id
        )
        stopped = query.where(*one, off.c.key == notice.resource_key)
        for row in tx.connection.execute(stopped).all():
            if row.stopped > notice.at + 1.0:
                continue
            for operation in self.session.integrity.operations(tx, [row]):
                again = self._row(operation, notice.resource_key, row.stopped, tx.now + _CLAIMED)
                heard = {"heard": notice.kind.value, "heard_at": tx.now}
                self._insert(tx, again | heard | {"next_at": tx.now, "account": notice.account})

    # --- reading ---------------------------------------------------------------------

    async def is_due(self) -> bool:
        """Return whether anything is to be read now: most looks find nothing, and write nothing."""
        query = sa.select(watches.c.operation).where(watches.c.next_at <= self.session.now())
        return bool(await self.session.fetch(query.limit(1)))

    @write
    def forget(self, tx: Transaction, watch: Watch) -> None:
        """End a watch whose state may not be read."""
        self.end(tx, watch.operation.id)

    @write
    def claim(self, tx: Transaction) -> list[Watch]:
        """Claim what is to be read now; a claim that is not recorded lapses.

        What a notice is about comes first, then what somebody asked for.
        """
        # One that somebody asked for ends with a line in its thread, unless nobody can read it.
        ended = sa.and_(watches.c.until < tx.now - _CLAIMED, sa.not_(watches.c.asked))
        lost = watches.c.until < tx.now - KEPT_FOR
        over = sa.delete(watches).where(sa.or_(ended, lost))
        tx.connection.execute(over)
        prompted = sa.or_(watches.c.heard != "", watches.c.asked)
        due = sa.select(watches).where(watches.c.next_at <= tx.now)
        first = due.where(prompted).order_by(watches.c.heard == "", watches.c.next_at)
        rest = due.where(sa.not_(prompted)).order_by(watches.c.next_at)
        found = [
            *tx.connection.execute(first.limit(_AT_ONCE)),
            *tx.connection.execute(rest.limit(_UNPROMPTED)),
        ]
        if not found:
            return []
        ids = [row.operation for row in found]
        claimed = sa.update(watches).where(watches.c.operation.in_(ids))
        tx.connection.execute(claimed.values(next_at=tx.now + _CLAIMED, read_at=tx.now))
        query = sa.select(operations).where(operations.c.id.in_(ids))
        of_ours = self.session.integrity.operations(tx, tx.connection.execute(query).all())
        by_id = {one.id: one for one in of_ours}
        return [_watch(row, by_id[row.operation]) for row in found if row.operation in by_id]


def _watch(row: sa.Row[Any], operation: Operation) -> Watch:
    return Watch(
        operation,
        row.since,
        row.until,
        row.state,
        row.changes,
        NoticeKind(row.heard) if row.heard else None,
        row.heard_at,
        row.asked,
    )


def is_unheard(watch: Watch) -> sa.ColumnElement[bool]:
    """Select a watch unless a notice has come of it since it was claimed: that is read at once."""
    unheard = sa.func.coalesce(watches.c.heard_at, 0.0) == (watch.heard_at or 0.0)
    return sa.and_(watches.c.operation == watch.operation.id, unheard)


def stream_of(key: str) -> str:
    """Return the name of the stream that a key identifies."""
    return str(next(iter(json.loads(key)), ""))


def _last_heard(tx: Transaction, row: dict[str, Any], since: float) -> dict[str, Any]:
    """Return the columns for a stream whose end was told since a time; empty if it was not."""
    about = {"is_account": row["account"], "is_stream": row["stream"], "is_since": since}
    found = _LAST_HEARD.first(tx.connection, about)
    if found is None or found.kind != NoticeKind.ENDED:
        return {}
    return {"heard": found.kind, "heard_at": found.received_at, "next_at": tx.now}


# Made once, because every stop runs them.
_SAME = (
    watches.c.account == sa.bindparam("is_account"),
    watches.c.key == sa.bindparam("is_key"),
)
_FORGET = Prepared(sa.delete(watches).where(*_SAME, sa.not_(watches.c.asked)))
_LAST_HEARD = Prepared(
    sa.select(live_notices.c.kind, live_notices.c.received_at)
    .where(
        live_notices.c.account == sa.bindparam("is_account"),
        live_notices.c.stream == sa.bindparam("is_stream"),
        live_notices.c.received_at >= sa.bindparam("is_since"),
    )
    .order_by(live_notices.c.received_at.desc())
    .limit(1)
)


@cache
def _insertion(insert: Callable[[sa.Table], Any], columns: tuple[str, ...]) -> Prepared:
    return Prepared(insert(watches).on_conflict_do_nothing(), columns=columns)
