"""Keeps a message from being posted once its lease may be over: another replica may have it."""

from bot.clock_skew import elapsed
from bot.storage.outbox_message import OutboxMessage
from bot.storage.store import Store


class MessageLease:
    """The lease on a message that is about to be sent.

    Half of a lease after the database was last asked it is asked again: what comes before a post,
    a look for an earlier one above all, may take longer, and a process may be suspended meanwhile.
    """

    def __init__(self, store: Store, message: OutboxMessage) -> None:
        self._store = store
        self._message = message
        self._since: float | None = None

    async def stands(self) -> bool:
        """Return whether the message may leave now; from then on it may have reached Slack.

        Raises:
            StoreError: It is not known.
        """
        while not self._is_fresh():
            self._since = await self._store.outbox.mark_in_flight(self._message)
            if self._since is None:
                return False
        return True

    def _is_fresh(self) -> bool:
        since = self._since
        return since is not None and elapsed() - since < self._store.session.lease / 2
