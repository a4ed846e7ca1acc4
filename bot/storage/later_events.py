"""What becomes of a stop after its ending: stored with it, and shown on its card."""

from collections.abc import Collection
from dataclasses import replace
from functools import cache

import sqlalchemy as sa

from bot.model.messages import MessageKind
from bot.model.operations import LaterEvent
from bot.storage import rows
from bot.storage.outbox import Outbox
from bot.storage.prepared import Prepared, in_any, listed
from bot.storage.session import Session
from bot.storage.tables import operations
from bot.storage.writer import Transaction


class LaterEvents:
    """Stores what happened later, and enqueues the cards that show it, in one transaction."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self.session = session
        self._outbox = outbox

    def record(self, tx: Transaction, ids: Collection[str], event: LaterEvent) -> None:
        """Store an event with some operations, but for those that have the same already."""
        if not ids:
            return
        count, given = listed(ids)
        known = self.session.quarantine.operations(_known(count).all(tx.connection, given))
        news = [
            one.id for one in known if not (one.later and replace(one.later, at=event.at) == event)
        ]
        if not news:
            return
        count, given = listed(news)
        found = _changed(count).all(tx.connection, {"new_later": rows.later(event), **given})
        for operation in self.session.quarantine.operations(found):
            self._outbox.enqueue(tx, operation, MessageKind.CARD)


@cache
def _known(count: int) -> Prepared:
    return Prepared(sa.select(operations).where(in_any(operations.c.id, count)))


@cache
def _changed(count: int) -> Prepared:
    return Prepared(
        sa.update(operations)
        .where(in_any(operations.c.id, count))
        .values(later=sa.bindparam("new_later"), seq=operations.c.seq + 1)
        .returning(*operations.c)
    )
