"""Reads what the audit log says of the messages in the audit channel."""

from collections.abc import Iterator

import sqlalchemy as sa

from bot.audit.checkpoints import parse_checkpoint
from bot.audit.hash_chain import CHECKPOINT, stored_facts
from bot.audit.witness import ListedMessage
from bot.model.messages import MessageKind
from bot.storage.tables import outbox, trail

_BATCH = 2000
"""How many records are in memory at once."""


def listed(
    connection: sa.Connection, channel: str, *, since: float, upto: int
) -> Iterator[ListedMessage]:
    """Yield the messages that records list as posted in a channel, in the order of the records.

    Lines of earlier releases, which vouch for nothing, are left out.

    Args:
        since: Epoch seconds of the first record that counts.
        upto: Number of the last one.
    """
    query = (
        sa.select(trail.c.seq, trail.c.kind, trail.c.body)
        .where(trail.c.kind.in_(("delivered", CHECKPOINT)))
        .where(trail.c.at + 0.0 >= since, trail.c.seq <= upto)
        .order_by(trail.c.seq)
    )
    with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
        for row in rows:
            facts = stored_facts(row.body)
            if facts.get("channel") != channel:
                continue
            if row.kind == CHECKPOINT:
                yield ListedMessage(row.seq, "", facts.get("seq", 0), facts.get("hash", ""))
            elif facts.get("owed") == MessageKind.AUDIT.value and "seal" in facts:
                digest = facts.get("sha256", "")
                yield ListedMessage(row.seq, facts.get("ts", ""), facts["seal"], digest)


def waiting(connection: sa.Connection, channel: str, *, since: float) -> frozenset[tuple[int, str]]:
    """Return number and hash of the checkpoints that are still to be posted in a channel.

    Args:
        since: Epoch seconds; what has waited for longer is as good as lost.
    """
    query = sa.select(outbox.c.key).where(
        outbox.c.destination == channel, outbox.c.owed == MessageKind.AUDIT.value
    )
    found = map(parse_checkpoint, connection.execute(query).scalars())
    return frozenset((one.seq, one.hash) for one in found if one is not None and one.at >= since)
