"""The outbox: messages to Slack, enqueued in the transaction of what they are about."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.clock_skew import elapsed
from bot.model.actions import Json
from bot.model.alerts import Alert
from bot.model.commands import Via
from bot.model.messages import EphemeralNotice, MessageKind, Sent
from bot.model.operations import Operation, State
from bot.storage import alert_rows, rows
from bot.storage import outbox_lanes as lanes
from bot.storage import outbox_settlement as settlement
from bot.storage import outbox_statements as statements
from bot.storage.outbox_message import OutboxMessage, decode, delivery, is_recorded
from bot.storage.outbox_settlement import Settled
from bot.storage.prepared import Prepared, listed
from bot.storage.rate_limits import RateLimits
from bot.storage.session import Session, write
from bot.storage.tables import alerts, operations, outbox
from bot.storage.writer import Transaction

_EDITS_APART = 3.0
"""How many times as far apart the edits of alerts are: Slack takes 50 edits a minute of all cards,
and those of operations need the most of them."""

_SLACK = "slack:"
"""Account of Slack's destinations among the rate limits; a policy can name no account so."""


class Outbox:
    """Enqueues messages and hands them out for delivery, in order for each destination.

    Attributes:
        claim_took: Seconds that the last claim has worked, without its wait for the writer.
    """

    def __init__(self, session: Session, rate_limits: RateLimits) -> None:
        self.session = session
        self.claim_took = 0.0
        self._rate_limits = rate_limits
        self._upsert = statements.upsert(session.insert)

    # --- enqueueing ------------------------------------------------------------------

    def enqueue(
        self, tx: Transaction, operation: Operation, kind: MessageKind, observed: str = ""
    ) -> None:
        """Enqueue a message about an operation, unless it has no destination.

        Args:
            observed: See Delivery.
        """
        destination = self._destination(operation, kind)
        if not destination:
            return
        self._insert(
            tx,
            _key(operation, kind, observed),
            kind,
            destination,
            about=operation,
            text=observed,
        )

    def enqueue_notice(self, tx: Transaction, key: str, notice: EphemeralNotice) -> None:
        """Enqueue a notice to one person."""
        destination = f"@{notice.actor.user}"
        self._insert(tx, key, MessageKind.WORD, destination, text=notice.text, notice=notice)

    def enqueue_alert(self, tx: Transaction, alert: Alert) -> None:
        """Enqueue the card of an alert; only its newest form counts.

        Alerts have lanes of their own: however many come, what people ask for passes them, and a
        new card passes the edits of the others.
        """
        lane = lanes.ALERT_EDITS if alert.card_ts else lanes.ALERTS
        key = f"{alert.id}:{MessageKind.ALERT.value}"
        self._insert(tx, key, MessageKind.ALERT, alert.channel, about=alert)
        _TO_ALERTS.run(tx.connection, {"is_key": key, "new_aside": lane})

    def enqueue_audit(self, tx: Transaction, key: str, text: str) -> None:
        """Enqueue a text to the audit channel, if there is one; the same key again does nothing."""
        if self.session.audit_channel:
            self._insert(tx, key, MessageKind.AUDIT, self.session.audit_channel, text=text)

    @write
    def enqueue_card(self, tx: Transaction, id_: str) -> None:
        """Enqueue the card of an operation as it is now."""
        found = tx.connection.execute(sa.select(operations).where(operations.c.id == id_))
        for operation in self.session.quarantine.operations(found):
            self.enqueue(tx, operation, MessageKind.CARD)

    @write
    def announce(
        self, tx: Transaction, key: str, text: str, facts: Mapping[str, Json], kind: str
    ) -> None:
        """Record something that belongs to no operation, and announce it in the audit channel.

        Args:
            key: The same key again is the same announcement.
            kind: Of the audit record, e.g. `policy broken`.
        """
        tx.facts.append(Fact(kind, "", dict(facts)))
        self.enqueue_audit(tx, key, text)

    def _insert(
        self,
        tx: Transaction,
        key: str,
        kind: MessageKind,
        destination: str,
        *,
        about: Operation | Alert | None = None,
        text: str = "",
        notice: EphemeralNotice | None = None,
    ) -> None:
        tx.enqueued = True
        operation = about if isinstance(about, Operation) else None
        covered = {
            "key": key,
            "operation": about.id if about else "",
            "owed": kind.value,
            "text": text,
            "about": operation.state.value if operation else "",
            "place": rows.notice(notice) if notice else "",
            "destination": destination,
        }
        self._upsert.run(
            tx.connection,
            lanes.names(operation, key)
            | covered
            | {
                "is_destination": destination,
                "mac": self._code(tx, covered),
                "wanted": about.seq if about else 0,
                "attempts": 0,
                "uncertain": False,
                "next_at": 0.0,
                "owner": "",
                "lease_until": 0.0,
                # A card that is replaced has waited since it was first enqueued.
                "enqueued_at": tx.now,
            },
        )

    def _code(self, tx: Transaction, covered: Mapping[str, str]) -> str:
        if self.session.signer is None:
            return ""
        last = self.session.writer.end_of(tx).seq
        return self.session.message_integrity.code(covered, last)

    def _destination(self, operation: Operation, kind: MessageKind) -> str:
        match kind:
            case MessageKind.AUDIT:
                return self.session.audit_channel
            case MessageKind.PRIVATE:
                return "" if operation.via is Via.TERMINAL else f"@{operation.actor.user}"
            case MessageKind.WORD:
                return ""
            case _:
                return operation.place.channel

    # --- delivery --------------------------------------------------------------------

    @write
    def claim(
        self, tx: Transaction, spacing: float = 0.0, burst: int = 1, *, limit: int = 50
    ) -> list[OutboxMessage]:
        """Claim the first message of each destination that may be tried now.

        Args:
            spacing: Seconds between two messages to one destination, over all replicas.
            burst: How many may be sent at once after a pause.
        """
        began = time.monotonic()
        try:
            claimed = self._claim_rows(tx, limit)
            if not claimed:
                return []
            messages = self._decode(tx, claimed)
            self.session.release_quarantined(tx, outbox)
            return [replace(one, wait=self._wait(tx, one, spacing, burst)) for one in messages]
        finally:
            self.claim_took = time.monotonic() - began

    def _claim_rows(self, tx: Transaction, limit: int) -> list[sa.Row[Any]]:
        """Claim the first rows that may be tried now, and are ours, whatever stands before them."""
        integrity, genuine = self.session.message_integrity, list[sa.Row[Any]]()
        ready = statements.ready(self.session.quarantine.of(outbox.name), coded=integrity.enabled)
        while True:
            claimed = self.session.lease_rows(tx, outbox, ready, limit)
            ours = integrity.genuine(tx, claimed)
            genuine += ours
            if len(ours) == len(claimed):
                return genuine
            integrity.reject_first(tx, {row.destination for row in claimed})

    def _decode(self, tx: Transaction, claimed: Sequence[sa.Row[Any]]) -> list[OutboxMessage]:
        count, ids = listed({row.operation for row in claimed})
        stored = statements.about(count).all(tx.connection, ids)
        found = {one.id: one for one in self.session.integrity.operations(tx, stored)}
        of_alerts = {one.id: one for one in self._alerts(tx, claimed)}
        in_order = sorted(claimed, key=lambda row: row.id)
        return list(
            self.session.quarantine.decode(
                lambda row: decode(found, of_alerts, row, tx.now), in_order
            )
        )

    def _alerts(self, tx: Transaction, claimed: Sequence[sa.Row[Any]]) -> list[Alert]:
        """Return the alerts whose cards are among some messages; most are about operations."""
        ids = {row.operation for row in claimed if row.owed == MessageKind.ALERT.value}
        if not ids:
            return []
        quarantine = self.session.quarantine
        query = sa.select(alerts).where(alerts.c.id.in_(ids), quarantine.excluding(alerts))
        found = tx.connection.execute(query).all()
        return alert_rows.genuine(found, self.session.integrity.macs, quarantine)

    def _wait(self, tx: Transaction, message: OutboxMessage, spacing: float, burst: int) -> float:
        """Reserve a slot of a message's destination and return the seconds until it begins."""
        slots = self._rate_limits.reserve_slots(
            tx, _SLACK, message.destination, spacing, burst=burst
        )
        if message.alert is not None and message.is_edit:
            apart = spacing * _EDITS_APART
            slots += self._rate_limits.reserve_slots(tx, _SLACK, lanes.ALERT_EDITS, apart)
        return max(0.0, max(slots) - tx.monotonic)

    @write
    def mark_in_flight(self, tx: Transaction, message: OutboxMessage) -> float | None:
        """Note that a message is about to be sent: from now on it may have reached Slack.

        Returns:
            When its lease has begun anew, by `clock_skew.elapsed`; None if another replica has
            claimed it since, which must be left to it.
        """
        given = {
            "is_id": message.id,
            "is_owner": self.session.owner,
            "new_until": tx.now + self.session.lease,
        }
        since = elapsed()
        return since if statements.IN_FLIGHT.run(tx.connection, given) else None

    @write
    def mark_delivered(self, tx: Transaction, message: OutboxMessage, sent: Sent) -> Settled:
        """Delete a message, unless it is a card that has changed since it was rendered.

        Where another replica has posted it, too, the first to come here is the one that counts.
        """
        counts, is_alone = settlement.settle(tx, message, sent, self.session.owner)
        if is_recorded(message, sent):
            tx.facts.append(delivery(message, sent, self.session.workspace, counts))
        more = statements.WAITING.scalar(tx.connection, {"is_now": tx.now}) is not None
        return Settled(counts, is_alone, more)

    @write
    def mark_postponed(
        self,
        tx: Transaction,
        message: OutboxMessage,
        seconds: float,
        *,
        uncertain: bool,
        aside: bool = False,
    ) -> str:
        """Have a message tried again after some seconds.

        Args:
            aside: Whether the others to its destination pass it meanwhile, but for those of the
                same operation and thread.

        Returns:
            The `ts` of what another replica has posted of it since; empty if none has.
        """
        at, owner = tx.now + seconds, self.session.owner
        is_ours = settlement.postpone(tx, message, owner, at, uncertain=uncertain)
        if seconds and message.is_edit:
            statements.PASSED.run(tx.connection, {"is_id": message.id})
        if aside:
            self._set_aside(tx, message)
        return "" if is_ours else settlement.counting(tx, message)

    def _set_aside(self, tx: Transaction, message: OutboxMessage) -> None:
        """Give a message and those that must not pass it a lane of their own, within bounds."""
        names = lanes.names(message.operation, message.key)
        name = names["is_thread"] or names["is_lane"]
        given = names | {"is_destination": message.destination, "is_row": message.id}
        taken = set(tx.connection.execute(lanes.TAKEN, given).scalars())
        if name in taken or len(taken) < lanes.MOST:
            tx.connection.execute(lanes.SET_ASIDE, given | {"new_aside": name})

    @write
    def adopt(self, tx: Transaction) -> None:
        """Take over what a release whose messages had no codes has left; see MessageIntegrity."""
        last = self.session.writer.end_of(tx).seq
        if count := self.session.message_integrity.adopt(tx, last):
            tx.facts.append(Fact("messages adopted", "", {"count": count}))

    @write
    def mark_undeliverable(
        self, tx: Transaction, message: OutboxMessage, why: str, *, tell: str = ""
    ) -> None:
        """Delete a message that Slack will never take, and record that.

        Args:
            tell: A line for the audit channel, unless the message was for that channel.
        """
        tx.connection.execute(sa.delete(outbox).where(outbox.c.id == message.id))
        facts: dict[str, Json] = {"owed": message.kind.value, "why": why}
        operation, about = message.operation, message.about
        tx.facts.append(Fact("undeliverable", about.id if about else "", facts))
        if operation and _is_told_privately(message.kind, operation):
            self.enqueue(tx, operation, MessageKind.PRIVATE)
        if tell and message.kind is not MessageKind.AUDIT:
            self.enqueue_audit(tx, f"{message.key}:undeliverable", tell)

    # --- reading ---------------------------------------------------------------------

    async def is_card_queued(self, id_: str) -> bool:
        """Return whether the newest card of an operation has not reached Slack yet."""
        query = sa.select(outbox.c.id).where(outbox.c.key == f"{id_}:{MessageKind.CARD.value}")
        return bool(await self.session.fetch(query))

    async def depth(self) -> int:
        """Count the queued messages, without those that this process cannot decode."""
        readable = self.session.quarantine.excluding(outbox)
        ours = self.session.message_integrity.may_be_ours
        query = sa.select(sa.func.count()).select_from(outbox).where(readable, ours)
        return int((await self.session.fetch(query))[0][0])


_TO_ALERTS = Prepared(
    sa.update(outbox)
    .where(outbox.c.key == sa.bindparam("is_key"), outbox.c.aside == "")
    .values(aside=sa.bindparam("new_aside"))
)
"""Made once, because every notice of an alert runs it."""


def _key(operation: Operation, kind: MessageKind, observed: str) -> str:
    """Return the key that makes a message unique.

    A card is one message whose newest form counts; any other is sent once for each state.
    """
    key = f"{operation.id}:{kind.value}"
    match kind:
        case MessageKind.CARD:
            return key
        case MessageKind.REMINDER:
            return f"{key}:{operation.approvals.reminded}"
        case MessageKind.LIFT | MessageKind.LATE | MessageKind.SEEN:
            # Once when the end is known, and once more shortly before it; each answer once, and
            # each change of a watched stream.
            return f"{key}:{observed}"
        case _:
            return f"{key}:{operation.state.value}"


def _is_told_privately(lost: MessageKind, operation: Operation) -> bool:
    """Return whether the asker is told alone what the channel was not; once for each ending."""
    no_card = lost is MessageKind.CARD and not operation.card_ts
    # An operation in progress has an ending that is told.
    return lost is MessageKind.ENDING or (no_card and operation.state is State.WAITING)
