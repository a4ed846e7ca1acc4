"""What a message's row becomes once Slack has answered, also where two replicas have posted it.

Slack has no fence: a process that is stopped between its last look at the lease and the first byte
may post what another has posted meanwhile. Which of the two counts, only the database can say:
the card that it names, or what was recorded first.
"""

from typing import NamedTuple

import sqlalchemy as sa

from bot.model.alerts import Alert
from bot.model.messages import Sent
from bot.model.operations import Operation
from bot.storage import outbox_statements as statements
from bot.storage.message_integrity import first_delivery
from bot.storage.outbox_message import OutboxMessage
from bot.storage.tables import alerts, operations
from bot.storage.writer import Transaction


class Settled(NamedTuple):
    """What follows from a message that Slack has taken.

    Attributes:
        counts: The `ts` of the message that counts: what was sent, or another replica's.
        is_alone: Whether no other replica is known to have had it meanwhile.
        more: Whether there are messages to claim: what has waited for this one may be among them.
    """

    counts: str
    is_alone: bool
    more: bool


def settle(tx: Transaction, message: OutboxMessage, sent: Sent, owner: str) -> tuple[str, bool]:
    """Delete the row of a message that stands in Slack, or have what has changed sent anew.

    Returns:
        `counts` and `is_alone`; see Settled.
    """
    counts = _place_card(tx, message, sent)
    if counts != sent.ts:
        # What it was to show is shown by an edit of the card that counts.
        postpone(tx, message, owner, 0.0, uncertain=False)
        return counts, False
    about = message.about
    given = {
        "is_id": message.id,
        "is_seq": about.seq if about else 0,
        "is_about": about.id if about else "",
    }
    is_ours = bool(statements.DELIVERED.run(tx.connection, given | {"is_owner": owner}))
    if not is_ours:
        is_ours = postpone(tx, message, owner, 0.0, uncertain=False)
        if message.alert is not None:
            statements.SHOWN.run(tx.connection, {"is_id": message.id, "is_now": tx.now})
    if is_ours:
        return counts, True
    if statements.DELIVERED_BY_ANOTHER.run(tx.connection, given) or message.kind.is_card:
        return counts, False
    return counting(tx, message) or counts, False


def postpone(
    tx: Transaction, message: OutboxMessage, owner: str, next_at: float, *, uncertain: bool
) -> bool:
    """Have a message sent anew; return whether it was still leased to this replica."""
    given = {
        "is_id": message.id,
        "is_owner": owner,
        "new_next_at": next_at,
        "new_uncertain": uncertain,
    }
    return bool(statements.POSTPONED.run(tx.connection, given))


def counting(tx: Transaction, message: OutboxMessage) -> str:
    """Return the `ts` of the message that counts; empty while none does."""
    about = message.about
    if about is None or not message.kind.may_be_withdrawn:
        return ""
    if message.kind.is_card:
        card = statements.card_of(_table(about)).scalar(tx.connection, {"is_id": about.id})
        return str(card or "")
    return first_delivery(tx, about.id, message.key, message.kind, message.about_state)


def _place_card(tx: Transaction, message: OutboxMessage, sent: Sent) -> str:
    """Note where a card stands that stands nowhere else; return the `ts` of the one that counts."""
    about = message.about
    if about is None or not message.kind.is_card or sent.ts == about.card_ts:
        return sent.ts
    card = {"is_id": about.id, "new_channel": sent.channel, "new_ts": sent.ts}
    placed = statements.card(_table(about)).run(tx.connection, card | {"was_ts": about.card_ts})
    return sent.ts if placed else counting(tx, message) or sent.ts


def _table(about: Operation | Alert) -> sa.Table:
    return alerts if isinstance(about, Alert) else operations
