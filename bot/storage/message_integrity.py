"""Tells messages of the outbox that this bot enqueued from those that somebody else wrote there.

A code names the last audit record when its message was enqueued, and the record of a delivery
names the code. So a message that was delivered, and is put back, is known.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact, stored_facts
from bot.errors import TamperedRowError
from bot.model.actions import Json
from bot.model.lifecycle import BEGINNINGS
from bot.model.messages import MessageKind
from bot.model.operations import State
from bot.storage.audit_end import pruned
from bot.storage.prepared import Prepared, in_any, listed
from bot.storage.quarantine import Quarantine
from bot.storage.row_macs import RowMacs, Standing, columns_of, sealed_seq
from bot.storage.tables import CODED, REJECTED, UNCODED, alerts, operations, outbox, trail
from bot.storage.writer import Transaction

DELIVERED = "delivered"
"""Kind of the record of a delivery."""

OPENED = "alert"
"""Kind of the record that an alert was opened."""

STARTED = "started"
"""Kind of the record of a start of the bot."""

OVERLAP = 600.0
"""Seconds for which a message without a code may be one that an older release will deliver."""

_AT_ONCE = 200
_MISPLACED = "what it is about names a card that was not posted for it"
_CARD, _ALERT = MessageKind.CARD.value, MessageKind.ALERT.value
_ASKED = BEGINNINGS[State.ASKED].record
_MESSAGE, _ENQUEUED = "message", "enqueued"

# Made once, because building them costs more than running them.
_UNCODED = Prepared(sa.select(outbox).where(UNCODED).limit(_AT_ONCE))


class MessageIntegrity:
    """Judges rows of the outbox. Those that are not ours are kept, marked and reported.

    They are marked in the database, unlike other rows that were tampered with, because they stand
    in a line: however many they are, they hold up nothing.
    """

    def __init__(self, macs: RowMacs, quarantine: Quarantine) -> None:
        self._macs = macs
        self._quarantine = quarantine
        self._uncoded_since: dict[int, float] = {}

    @property
    def enabled(self) -> bool:
        """Whether messages have codes, and only those that have count."""
        return self._macs.enabled

    def code(self, columns: Mapping[str, Any], last: int) -> str:
        """Return the code of a message.

        Args:
            last: Number of the last audit record before those of this transaction.
        """
        return self._macs.message(columns, last)

    @property
    def may_be_ours(self) -> sa.ColumnElement[bool]:
        """The condition that leaves out what has no code, whoever wrote it."""
        return CODED if self.enabled else sa.true()

    def genuine(self, tx: Transaction, claimed: Sequence[sa.Row[Any]]) -> list[sa.Row[Any]]:
        """Return those that may be delivered, and reject the others."""
        if not self.enabled or not claimed:
            return list(claimed)
        delivered, misplaced = _delivered(tx, claimed), _misplaced(tx, claimed)
        flaws = [
            (row, self._flaw(row, delivered) or (_MISPLACED if row.operation in misplaced else ""))
            for row in claimed
        ]
        for row, why in flaws:
            if why:
                self._reject(tx, row, why)
        return [row for row, why in flaws if not why]

    def reject_first(self, tx: Transaction, destinations: Collection[str]) -> None:
        """Reject what is not ours among the first messages to some destinations."""
        first = (
            sa.select(outbox)
            .where(outbox.c.destination.in_(destinations), self.may_be_ours)
            .order_by(outbox.c.id)
            .limit(_AT_ONCE)
        )
        self.genuine(tx, tx.connection.execute(first).all())

    def reject_uncoded(self, tx: Transaction) -> None:
        """Reject what has had no code for so long that no older release will deliver it."""
        if not self.enabled:
            return
        found = _UNCODED.all(tx.connection)
        since = {row.id: self._uncoded_since.get(row.id, tx.now) for row in found}
        for row in found:
            if tx.now - since[row.id] >= OVERLAP:
                self._reject(tx, row, "it has no code: an older release or somebody else wrote it")
        self._uncoded_since = since

    def adopt(self, tx: Transaction, last: int) -> int:
        """Give a code to what a release without codes has left; return how many there are.

        This happens at the first start with codes alone: later, what has none is not ours. That a
        start was recorded cannot be unsaid, unlike the schema that the database claims to have.

        Args:
            last: Number of the last audit record before those of this transaction.
        """
        if not self.enabled or _has_started_with_codes(tx.connection):
            return 0
        found = tx.connection.execute(sa.select(outbox).where(UNCODED)).all()
        for row in found:
            mac = self.code(columns_of(row), last)
            tx.connection.execute(sa.update(outbox).where(outbox.c.id == row.id).values(mac=mac))
        return len(found)

    def _flaw(self, row: sa.Row[Any], delivered: set[tuple[str, int]]) -> str:
        standing = self._macs.of_message(row)
        if standing is not Standing.GENUINE:
            return f"its code is {standing.value}"
        # A card is delivered again and again, as an edit.
        is_card = row.owed in (_CARD, _ALERT)
        is_replayed = (row.key, sealed_seq(row.mac)) in delivered and not is_card
        return "it was delivered before, and put back" if is_replayed else ""

    def _reject(self, tx: Transaction, row: sa.Row[Any], why: str) -> None:
        marked = sa.update(outbox).where(outbox.c.id == row.id)
        tx.connection.execute(marked.values(mac=REJECTED, owner="", lease_until=0.0))
        self._quarantine.report(TamperedRowError(outbox.name, row.id, row.operation, why))


def recode(tx: Transaction, former: Signer, successor: Signer) -> None:
    """Give the messages that have the code of a key that of its successor."""
    theirs, ours = RowMacs(former), RowMacs(successor)
    for row in tx.connection.execute(sa.select(outbox).where(CODED)).all():
        last = sealed_seq(row.mac)
        if last is not None and theirs.of_message(row) is Standing.GENUINE:
            mac = ours.message(columns_of(row), last)
            tx.connection.execute(sa.update(outbox).where(outbox.c.id == row.id).values(mac=mac))


def delivery_facts(key: str, mac: str) -> dict[str, Json]:
    """Return the facts of a delivery by which its message is known again."""
    last = sealed_seq(mac)
    return {} if last is None else {_MESSAGE: key, _ENQUEUED: last}


def first_delivery(
    tx: Transaction, about: str, key: str, kind: MessageKind, state: State | None
) -> str:
    """Return the `ts` of a message by the first record of its delivery; empty without one.

    Args:
        about: Id of the operation or alert.
        state: That it was enqueued for: a record of a log without a key has no more than that.
    """
    wanted = (kind.value, state.value if state else None)
    rows = _deliveries(1).all(tx.connection, {"since": 0, **listed({about})[1]})
    for row in sorted(rows, key=lambda one: one.seq):
        facts = stored_facts(row.body)
        if (facts.get("owed"), facts.get("about")) == wanted and facts.get(_MESSAGE, key) == key:
            return str(facts.get("ts", ""))
    return ""


def _delivered(tx: Transaction, claimed: Sequence[sa.Row[Any]]) -> set[tuple[str, int]]:
    """Return key and number of the messages of these that the audit log lists as delivered."""
    since = min((sealed_seq(row.mac) or 0 for row in claimed), default=0)
    count, ids = listed({row.operation for row in claimed})
    bodies = [row.body for row in _deliveries(count).all(tx.connection, {"since": since, **ids})]
    # In this transaction, too, some may have been delivered.
    found = [
        *map(stored_facts, bodies),
        *(fact.facts for fact in tx.facts if fact.kind == DELIVERED),
    ]
    return {(str(facts.get(_MESSAGE)), facts.get(_ENQUEUED, -1)) for facts in found}


def _misplaced(tx: Transaction, claimed: Sequence[sa.Row[Any]]) -> set[str]:
    """Return what among these names a card which no record says was posted.

    Where the card stands is no part of the code of an operation or alert: a message of the bot's
    about anything else would be overwritten, or answered.
    """
    of_alerts = {row.operation for row in claimed if row.owed == _ALERT}
    of_operations = {row.operation for row in claimed if row.operation} - of_alerts
    return _unposted(tx, of_operations, _CARD) | _unposted(tx, of_alerts, _ALERT)


def _unposted(tx: Transaction, ids: Collection[str], kind: str) -> set[str]:
    """Return those that name a card which was not posted by a message of this kind."""
    if not ids:
        return set()
    count, given = listed(ids)
    cards: dict[tuple[str, str, str], bool] = {}
    for row in _cards(kind, count).all(tx.connection, given):
        card = row.id, row.card_channel, row.card_ts
        facts = stored_facts(row.body or "")
        is_here = (facts.get("channel"), facts.get("ts")) == card[1:]
        cards[card] = cards.get(card, False) or (is_here and facts.get("owed") == kind)
    # In this transaction, too, some may have been posted.
    now = {
        (fact.facts.get("channel"), fact.facts.get("ts"))
        for fact in tx.facts
        if _is_card(fact, kind)
    }
    unknown = {
        id_
        for (id_, *place), is_posted in cards.items()
        if not is_posted and tuple(place) not in now
    }
    return {id_ for id_ in unknown if not _is_pruned(tx.connection, id_)}


@cache
def _deliveries(count: int) -> Prepared:
    return Prepared(
        sa.select(trail.c.seq, trail.c.body).where(
            in_any(trail.c.operation, count),
            trail.c.kind == DELIVERED,
            trail.c.seq > sa.bindparam("since"),
        )
    )


@cache
def _cards(kind: str, count: int) -> Prepared:
    """Return what selects the cards that rows name, each with the deliveries of what it is about.

    Args:
        kind: Of the message that posts them.
    """
    table = alerts if kind == _ALERT else operations
    # A card that is shared was posted for the operation that was asked first.
    others = [] if kind == _ALERT else [sa.func.nullif(operations.c.joined, "")]
    posted = sa.and_(trail.c.operation.in_([table.c.id, *others]), trail.c.kind == DELIVERED)
    return Prepared(
        sa.select(table.c.id, table.c.card_channel, table.c.card_ts, trail.c.body)
        .join_from(table, trail, posted, isouter=True)
        .where(in_any(table.c.id, count), table.c.card_ts != "")
    )


def _has_started_with_codes(connection: sa.Connection) -> bool:
    """Return whether the last recorded start was of a release that names its schema, as of 0014."""
    query = (
        sa.select(trail.c.body)
        .where(trail.c.operation == "", trail.c.kind == STARTED)
        .order_by(trail.c.seq.desc())
        .limit(1)
    )
    return "schema" in stored_facts(connection.execute(query).scalar() or "")


def _is_card(fact: Fact, kind: str) -> bool:
    return fact.kind == DELIVERED and fact.facts.get("owed") == kind


def _is_pruned(connection: sa.Connection, id_: str) -> bool:
    """Return whether the first records of an operation or alert may have been removed as old."""
    begun = trail.c.kind.in_([_ASKED, OPENED])
    asked = sa.select(trail.c.seq).where(trail.c.operation == id_, begun)
    return bool(pruned(connection)) and connection.execute(asked.limit(1)).first() is None
