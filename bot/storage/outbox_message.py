"""A message of the outbox, as a replica has claimed it, and the record of its delivery."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.audit.checkpoints import parse_checkpoint
from bot.audit.hash_chain import Fact
from bot.audit.witness import text_digest
from bot.errors import UnreadableRowError
from bot.model.actions import Json
from bot.model.alerts import Alert
from bot.model.messages import EphemeralNotice, MessageKind, Sent
from bot.model.operations import Operation, State
from bot.storage import rows
from bot.storage.message_integrity import DELIVERED, delivery_facts
from bot.storage.tables import outbox

_LATE = 60.0
"""Seconds after which a checkpoint may be one that was posted before, and was put back."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A row of the outbox, claimed by this replica.

    Attributes:
        operation: As it is now; None for an announcement or a notice, which have `text` instead.
        destination: A channel id, or `@` and a user id.
        about_state: The state that it was enqueued for.
        text: Of an announcement or a notice, its text; of others, the state that was observed.
        notice: The notice, if it is one.
        wait: Seconds until its destination may be sent another message.
        mac: The code of its row.
        alert: As it is now, if the message is its card.
    """

    id: int
    key: str
    kind: MessageKind
    operation: Operation | None
    text: str
    destination: str
    attempts: int
    uncertain: bool
    about_state: State | None = None
    notice: EphemeralNotice | None = None
    wait: float = 0.0
    mac: str = ""
    alert: Alert | None = None

    @property
    def is_edit(self) -> bool:
        """Whether it edits a card that is posted."""
        about = self.about
        return self.kind.is_card and about is not None and bool(about.card_ts)

    @property
    def about(self) -> Operation | Alert | None:
        """What it shows; None for an announcement or a notice."""
        return self.operation or self.alert


def decode(
    found: Mapping[str, Operation], alerts: Mapping[str, Alert], row: sa.Row[Any], now: float
) -> OutboxMessage:
    """Decode a row of the outbox.

    Args:
        found: The operations that could be decoded, by id.
        alerts: The same of alerts.
        now: The store's time.

    Raises:
        UnreadableRowError: This release cannot decode it.
    """
    kind, about, notice = rows.message(row)
    of_alert = kind is MessageKind.ALERT
    if (row.operation or of_alert) and row.operation not in (alerts if of_alert else found):
        why = f"its {'alert' if of_alert else 'operation'} {row.operation} cannot be read"
        raise UnreadableRowError(outbox.name, row.id, row.operation, why)
    return OutboxMessage(
        row.id,
        row.key,
        kind,
        None if of_alert else found.get(row.operation),
        row.text,
        row.destination,
        row.attempts,
        row.uncertain or _may_stand(row.key, now),
        about,
        notice,
        mac=row.mac,
        alert=alerts[row.operation] if of_alert else None,
    )


def _may_stand(key: str, now: float) -> bool:
    """Return whether a message must be looked for: a checkpoint, whose delivery is no record."""
    checkpoint = parse_checkpoint(key)
    return checkpoint is not None and now - checkpoint.at > _LATE


def is_recorded(message: OutboxMessage, sent: Sent) -> bool:
    """Return whether a delivery is recorded: an edit of the same card is not.

    Nor is a checkpoint: its record would be what the next one is about.
    """
    if message.kind.is_card and message.about is not None:
        return sent.ts != message.about.card_ts
    return parse_checkpoint(message.key) is None


def delivery(message: OutboxMessage, sent: Sent, workspace: str, counts: str) -> Fact:
    """Return the record of a delivery.

    Args:
        counts: The `ts` of the message that counts, which may be another replica's.
    """
    about, destination = message.about, message.destination
    facts: dict[str, Json] = {
        "owed": message.kind.value,
        "about": message.about_state.value if message.about_state else "",
        "channel": sent.channel,
        "ts": sent.ts,
        "permalink": permalink(workspace, sent),
        "to": destination.removeprefix("@") if destination[:1] == "@" else "",
        "tries": message.attempts + 1,
        "notice": message.key if about is None and message.notice is None else "",
        "counts": counts if counts != sent.ts else "",
    }
    facts |= _witnessed(sent) | delivery_facts(message.key, message.mac)
    id_ = about.id if about else ""
    return Fact(DELIVERED, id_, {name: value for name, value in facts.items() if value})


def _witnessed(sent: Sent) -> dict[str, Json]:
    """Return what a message of the audit channel says of the audit log, and the digest of it all.

    With this on the log, the message can be neither removed nor changed unseen.
    """
    seal = parse_checkpoint(sent.seal)
    if seal is None:
        return {}
    return {"seal": seal.seq, "sha256": text_digest(sent.text) if sent.text else ""}


def permalink(workspace: str, sent: Sent) -> str:
    """Return the address of a message, as Slack makes it; empty where it is not known."""
    if not (workspace and sent.channel and sent.ts):
        return ""
    return f"{workspace.rstrip('/')}/archives/{sent.channel}/p{sent.ts.replace('.', '')}"
