"""What was seen of watched streams: stored with the stop, and told in its thread."""

from collections.abc import Mapping

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.model.actions import Json
from bot.model.live_notices import Watch
from bot.model.messages import MessageKind
from bot.model.operations import LaterEvent, LaterKind, Operation
from bot.storage.later_events import LaterEvents
from bot.storage.off_air import OffAir
from bot.storage.outbox import Outbox
from bot.storage.session import Session, write
from bot.storage.shared_threads import SharedThreads
from bot.storage.tables import operations, watches
from bot.storage.watches import is_unheard
from bot.storage.writer import Transaction

SEEN = "seen"
"""Kind of the record of a state that was told in the thread of a watch."""


class Sightings:
    """Records the states that were read for watches."""

    def __init__(
        self,
        session: Session,
        outbox: Outbox,
        later_events: LaterEvents,
        off_air: OffAir,
        threads: SharedThreads,
    ) -> None:
        self.session = session
        self._outbox = outbox
        self._later_events = later_events
        self._off_air = off_air
        self._threads = threads

    @write
    def record_live_again(
        self, tx: Transaction, watch: Watch, observed: str, facts: Mapping[str, Json]
    ) -> bool:
        """Record, once, that a stopped stream is on again, and end its watch.

        Returns:
            Whether it was news.
        """
        id_, later = watch.operation.id, self._later(tx, watch)
        is_news = self._off_air.turn_on_again(tx, id_, observed, facts)
        # The verification may have told of it since the state was read.
        if is_news and (later is None or later.kind is not LaterKind.ON_AGAIN):
            self._tell(tx, watch.operation, observed, tx.now)
        return is_news

    @write
    def record_end(
        self, tx: Transaction, watch: Watch, observed: str, facts: Mapping[str, Json], at: float
    ) -> None:
        """Record, once, that the push of a stopped stream has ended.

        Args:
            at: When that was heard, epoch seconds.
        """
        if self._later(tx, watch) is not None or not self._is_watched(tx, watch):
            return
        ended = max(at, watch.since)
        tx.facts.append(Fact(SEEN, watch.operation.id, dict(facts)))
        event = LaterEvent(LaterKind.CHECKED, ended, observed)
        self._later_events.record(tx, [watch.operation.id], event)
        self._tell(tx, watch.operation, observed, ended)

    @write
    def postpone(self, tx: Transaction, watch: Watch, seconds: float, *, heard: bool) -> None:
        """Have a stream read again later, unless a notice has come of it meanwhile.

        Args:
            heard: Whether a read has followed its last notice now.
        """
        values = {"next_at": tx.now + seconds} | ({"heard": ""} if heard else {})
        if tx.now + seconds > watch.until:
            tx.connection.execute(sa.delete(watches).where(is_unheard(watch)))
        else:
            tx.connection.execute(sa.update(watches).where(is_unheard(watch)).values(values))

    def _later(self, tx: Transaction, watch: Watch) -> LaterEvent | None:
        """Return what is known to have become of a stop by now."""
        query = sa.select(operations).where(operations.c.id == watch.operation.id)
        found = tx.connection.execute(query).all()
        return next((one.later for one in self.session.quarantine.operations(found)), None)

    def _is_watched(self, tx: Transaction, watch: Watch) -> bool:
        query = sa.select(watches.c.operation).where(watches.c.operation == watch.operation.id)
        return tx.connection.execute(query).first() is not None

    def _tell(self, tx: Transaction, operation: Operation, observed: str, at: float) -> None:
        if self._threads.is_told(tx, operation, at, observed):
            return
        after = max(0.0, at - (operation.ended_at or at))
        self._outbox.enqueue(tx, operation, MessageKind.SEEN, f"{after:.3f} {observed}")
