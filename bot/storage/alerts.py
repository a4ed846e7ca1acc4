"""The table `alerts`: what monitoring systems have told, and the cards that show it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.model.actions import Json
from bot.model.alerts import (
    Alert,
    Notice,
    changed,
    dismissed,
    news,
    with_live_since,
    without_dismissed,
)
from bot.storage import alert_rows
from bot.storage.message_integrity import OPENED
from bot.storage.outbox import Outbox
from bot.storage.prepared import Prepared
from bot.storage.quarantine import without
from bot.storage.session import MOST, Session, write
from bot.storage.tables import alerts
from bot.storage.writer import Transaction

OVER, FALSE = "alert over", "false alarm"
"""Kinds of the records that nothing of an alert fires any more, and that it was called false."""

KEPT_FOR = 30 * 86_400.0
"""Seconds since the last notice for which an alert is kept, so that repeats of it are known."""

_REMOVED_AT_ONCE = 20
_KNOWN_MOST = 20
"""How many cards of one group are looked at for what was said before."""

_SEEN_EVERY = 60.0
"""Seconds between two notes that an alert is still told of."""

_STREAMS_IN_FACTS = 20


class Taken(StrEnum):
    """What became of a notice that is stored, or need not be."""

    STORED = "stored"
    REPEATED = "repeated"
    """Everything that it says was known."""
    IGNORED = "ignored"
    """It is the end of something that was never told."""


class Alerts:
    """Stores what notices say, once however often they come."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self.session = session
        self._outbox = outbox

    async def take(self, id_: str, notice: Notice, channel: str) -> Taken:
        """Store a notice, and enqueue the card of its alert.

        Args:
            id_: Of a new alert, if it becomes one.
        """
        return await self.session.writer.do(self._take, (id_, notice, channel))

    async def get(self, id_: str) -> Alert | None:
        """Return an alert.

        Raises:
            UnreadableRowError: This release cannot decode it.
        """
        found = await self.session.fetch(sa.select(alerts).where(alerts.c.id == id_))
        macs = self.session.integrity.macs
        return alert_rows.decode(found[0], macs) if found else None

    @write
    def dismiss(self, tx: Transaction, id_: str, user: str) -> bool:
        """Record that somebody has called an alert a false alarm, once; its card says so.

        Returns:
            False where it is over, or not as it was stored.
        """
        found = self._open(tx, alerts.c.id == id_)
        if found is None:
            return False
        after = dismissed(found, user, tx.now)
        self._write(tx, after)
        named = [" ".join(one.params.values()) for one in found.streams[:_STREAMS_IN_FACTS]]
        facts: dict[str, Json] = {"user": user, "title": found.title, "streams": [*named]}
        tx.facts.append(Fact(FALSE, id_, facts))
        self._outbox.enqueue_alert(tx, after)
        return True

    @write
    def note_live_since(self, tx: Transaction, notice: Notice, since: float) -> None:
        """Store since when the stream of a notice's group is live, as it was read."""
        found = self._open(tx, alerts.c.group_key == _digest(notice))
        if found is None or found.live_since == since:
            return
        after = with_live_since(found, since)
        self._write(tx, after)
        self._outbox.enqueue_alert(tx, after)

    def _open(self, tx: Transaction, which: sa.ColumnElement[bool]) -> Alert | None:
        """Return the newest alert of some that is not over; None if there is none."""
        quarantine = self.session.quarantine
        readable = sa.select(alerts).where(which, quarantine.excluding(alerts))
        newest = readable.order_by(alerts.c.opened_at.desc()).limit(1)
        rows = tx.connection.execute(newest).all()
        found = alert_rows.genuine(rows, self.session.integrity.macs, quarantine)
        return next((one for one in found if one.is_open(tx.now)), None)

    def _take(self, tx: Transaction, given: Sequence[tuple[str, Notice, str]]) -> list[Taken]:
        return [self._take_one(tx, *one) for one in given]

    def _take_one(self, tx: Transaction, id_: str, notice: Notice, channel: str) -> Taken:
        group = _digest(notice)
        quarantine = self.session.quarantine
        newest = _newest(quarantine.of(alerts.name))
        rows = newest.all(tx.connection, {"is_group": group, "most": _KNOWN_MOST})
        stored = alert_rows.genuine(rows, self.session.integrity.macs, quarantine)
        # What was told of for the last time long ago may be told anew.
        known = [one for one in stored if one.is_open(tx.now) or one.resolved_at is not None]
        fresh = news(without_dismissed(notice, stored, tx.now), known, tx.now)
        before = next((one for one in known if one.is_open(tx.now)), None)
        if not fresh:
            if before is not None:
                self._note_seen(tx, before)
            return Taken.REPEATED
        if before is None:
            if not any(one.firing for one in fresh):
                return Taken.IGNORED
            self._remove_old(tx)
            before = Alert(id_, notice.source, group, channel, tx.now, tx.now)
        after = changed(before, notice, fresh, tx.now)
        self._write(tx, after)
        if not before.seq or after.resolved_at is not None:
            tx.facts.append(_fact(after))
        self._outbox.enqueue_alert(tx, after)
        return Taken.STORED

    def _write(self, tx: Transaction, alert: Alert) -> None:
        row = alert_rows.columns(alert, self.session.integrity.macs)
        _upsert(self.session.insert, tuple(row)).run(tx.connection, row)

    def _note_seen(self, tx: Transaction, alert: Alert) -> None:
        if tx.now - alert.seen_at >= _SEEN_EVERY:
            self._write(tx, replace(alert, seen_at=tx.now))

    def _remove_old(self, tx: Transaction) -> None:
        given = {"is_before": tx.now - KEPT_FOR, "most": _REMOVED_AT_ONCE}
        _REMOVE_OLD.run(tx.connection, given)


def _digest(notice: Notice) -> str:
    """Return what a group is stored under: its own name may be long, and is foreign text."""
    whole = json.dumps([notice.source, notice.group])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _fact(alert: Alert) -> Fact:
    """Describe that an alert was opened, or is over."""
    is_over = alert.resolved_at is not None
    named = alert.streams[:_STREAMS_IN_FACTS]
    facts: dict[str, Json] = {
        "source": alert.source,
        "title": alert.title,
        "severity": alert.severity,
        "channel": alert.channel,
        "streams": [" ".join(one.params.values()) for one in named] if not is_over else [],
    }
    kind = OVER if is_over else OPENED
    return Fact(kind, alert.id, {name: value for name, value in facts.items() if value})


# Made once, because every notice runs them.
_OLD = (
    sa.select(alerts.c.id)
    .where(alerts.c.seen_at < sa.bindparam("is_before", type_=sa.Double))
    .order_by(alerts.c.seen_at)
    .limit(MOST)
)
_REMOVE_OLD = Prepared(sa.delete(alerts).where(alerts.c.id.in_(_OLD.scalar_subquery())))


@lru_cache(8)
def _newest(quarantined: tuple[str | int, ...]) -> Prepared:
    """Return the query of the newest alerts of a group."""
    return Prepared(
        sa.select(alerts)
        .where(alerts.c.group_key == sa.bindparam("is_group"), without(alerts, quarantined))
        .order_by(alerts.c.opened_at.desc())
        .limit(MOST)
    )


@cache
def _upsert(insert: Callable[[sa.Table], Any], columns: tuple[str, ...]) -> Prepared:
    """Return the INSERT of an alert, which replaces what is there."""
    inserted = insert(alerts)
    # Where its card is posted is written by whoever posts it.
    kept = {
        name: inserted.excluded[name] for name in columns if name not in ("card_channel", "card_ts")
    }
    statement = inserted.on_conflict_do_update(index_elements=[alerts.c.id], set_=kept)
    return Prepared(statement, columns=columns)
