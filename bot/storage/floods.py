"""Bounds what the refusals of one person cost everybody else: those of a flood share one line.

Each refusal is on the trail all the same, in its own record: the trail takes hundreds a second,
Slack one message a second for each channel.
"""

import sqlalchemy as sa

from bot.model.messages import EphemeralNotice, MessageKind
from bot.model.operations import Operation, State
from bot.storage.outbox import Outbox
from bot.storage.tables import operations
from bot.storage.writer import Transaction

REFUSALS, WITHIN = 10, 60.0
"""Refusals of one person that are told one by one, and the seconds in which they were asked."""

ONE_BY_ONE = frozenset({MessageKind.PRIVATE, MessageKind.AUDIT})
"""Messages about a refusal that a flood has none of."""

_COUNT = sa.select(sa.func.count()).select_from(
    sa.select(sa.literal(1))
    .where(
        operations.c.actor == sa.bindparam("is_actor"),
        operations.c.asked_at > sa.bindparam("is_after"),
        operations.c.state == State.DENIED.value,
        operations.c.team == sa.bindparam("is_team"),
    )
    .limit(REFUSALS + 2)
    .subquery()
)


def is_of_flood(tx: Transaction, outbox: Outbox, operation: Operation) -> bool:
    """Return whether a refusal, which is stored, is one too many; tell of the first that is.

    All replicas count together. It counts when things were asked, because a flood may be refused
    long after it came.
    """
    given = {
        "is_actor": operation.actor.user,
        "is_team": operation.actor.team,
        "is_after": operation.asked_at - WITHIN,
    }
    refused = int(tx.connection.execute(_COUNT, given).scalar_one())
    if refused == REFUSALS + 1:
        _tell(tx, outbox, operation)
    return refused > REFUSALS


def _tell(tx: Transaction, outbox: Outbox, operation: Operation) -> None:
    user = operation.actor.user
    outbox.enqueue_audit(
        tx,
        f"flood:{operation.id}",
        f"{user} was refused more than {REFUSALS} times within a minute: the refusals that follow "
        f"have no line of their own here. Each is on the trail: "
        f"/stopstream audit user={user}",
    )
    if operation.approvals.withheld:
        # An outsider gets one sentence, and has had it.
        return
    words = (
        f"You were refused {REFUSALS} times within a minute, so further refusals are not told "
        "here; what is allowed goes ahead as always. /stopstream whoami shows what you can do."
    )
    notice = EphemeralNotice(operation.actor, operation.place, words, pressed_at=tx.now)
    outbox.enqueue_notice(tx, f"flood:{operation.id}:word", notice)
