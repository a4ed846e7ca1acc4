"""The threads in which a stream is watched and stopped: what is seen of it is told there once."""

import sqlalchemy as sa

from bot.catalog.builtin import WATCH
from bot.catalog.effects import resource_key
from bot.catalog.live import STREAM
from bot.catalog.registry import action_of
from bot.model.operations import LaterEvent, LaterKind, Operation
from bot.storage.later_events import LaterEvents
from bot.storage.prepared import Prepared
from bot.storage.session import Session
from bot.storage.tables import operations, watches
from bot.storage.watches import stream_of
from bot.storage.writer import Transaction


class SharedThreads:
    """Compares what a stop is about to tell with what a watch in the same thread has told."""

    def __init__(self, session: Session, later_events: LaterEvents) -> None:
        self.session = session
        self._later_events = later_events

    def is_told(self, tx: Transaction, stop: Operation, at: float, state: str) -> bool:
        """Return whether a watch has told a state in a stop's thread, since the stop was sent.

        A watch that has not takes it for told now, because the stop tells it.

        Args:
            at: When the state was read or heard of, epoch seconds.
        """
        thread, stream = stop.place.thread_ts or stop.card_ts, _stream(stop)
        if not thread or not stream:
            return False
        about = {
            "is_account": stop.account,
            "is_stream": stream,
            "is_channel": stop.place.channel,
            "is_thread": thread,
        }
        found = _WATCHED.all(tx.connection, about)
        states, told = {row.id: row.watched for row in found}, False
        for watch in self.session.quarantine.operations(found):
            last = watch.later.at if watch.later is not None else 0.0
            if states[watch.id] == state and last >= (stop.sent_at or stop.asked_at):
                told = True
                continue
            _SET.run(tx.connection, {"is_id": watch.id, "new_state": state})
            kind = LaterKind.ON_AGAIN if state == _LIVE else LaterKind.CHECKED
            self._later_events.record(tx, [watch.id], LaterEvent(kind, at, state))
        return told


_LIVE = WATCH.effect_spec.resource_type.on


def _stream(stop: Operation) -> str:
    """Return the name of the stream that was stopped; empty for something else."""
    action = action_of(stop)
    if action is None or action.effect_spec.resource_type.name != STREAM.name:
        return ""
    key = resource_key(action, stop.params)
    return stream_of(key) if key else ""


# Made once, because every verification runs it.
_WATCHED = Prepared(
    sa.select(operations, watches.c.state.label("watched"))
    .join(watches, watches.c.operation == operations.c.id)
    .where(
        watches.c.asked,
        watches.c.account == sa.bindparam("is_account"),
        watches.c.stream == sa.bindparam("is_stream"),
        operations.c.channel == sa.bindparam("is_channel"),
        sa.case((operations.c.thread_ts != "", operations.c.thread_ts), else_=operations.c.card_ts)
        == sa.bindparam("is_thread"),
    )
)
_SET = Prepared(
    sa.update(watches)
    .where(watches.c.operation == sa.bindparam("is_id"))
    .values(state=sa.bindparam("new_state"), changes=watches.c.changes + 1)
)
