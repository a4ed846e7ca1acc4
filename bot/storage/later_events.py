"""What becomes of a stop after its ending: stored with it, and shown on its card."""

from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa

from bot.model.messages import MessageKind
from bot.model.operations import LaterEvent
from bot.storage import rows
from bot.storage.outbox import Outbox
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
        query = sa.select(operations).where(operations.c.id.in_(ids))
        known = self.session.quarantine.operations(tx.connection.execute(query).all())
        news = [
            one.id for one in known if not (one.later and replace(one.later, at=event.at) == event)
        ]
        changed = (
            sa.update(operations)
            .where(operations.c.id.in_(news))
            .values(later=rows.later(event), seq=operations.c.seq + 1)
            .returning(*operations.c)
        )
        # Read as a whole, because enqueueing uses the same connection.
        found = tx.connection.execute(changed).all() if news else []
        for operation in self.session.quarantine.operations(found):
            self._outbox.enqueue(tx, operation, MessageKind.CARD)
