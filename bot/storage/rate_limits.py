"""Rate limits that all replicas share: GCRA, one row per account and API."""

import sqlalchemy as sa

from bot.storage.prepared import Prepared
from bot.storage.session import Session, write
from bot.storage.tables import limits
from bot.storage.writer import Transaction

_FARTHEST = 60.0
"""Seconds by which the next free slot can be ahead; beyond them a clock was turned back."""


_FREE_AT = Prepared(
    sa.select(limits.c.free_at).where(
        limits.c.account == sa.bindparam("account"), limits.c.api == sa.bindparam("api")
    )
)


class RateLimits:
    """Reserves the times at which requests may leave."""

    def __init__(self, session: Session) -> None:
        self.session = session
        inserted = session.insert(limits)
        self._reserved = Prepared(
            inserted.on_conflict_do_update(
                index_elements=[limits.c.account, limits.c.api],
                set_={"free_at": inserted.excluded.free_at},
            )
        )

    @write
    def reserve(
        self, tx: Transaction, account: str, api: str, interval: float, lead: float = 0.0
    ) -> float:
        """Reserve the next slot of an API and return its time by `time.monotonic`.

        Args:
            interval: Seconds between two requests, over all replicas.
            lead: Seconds from now in which the slot cannot be used.
        """
        return self.reserve_slots(tx, account, api, interval, lead=lead)[0]

    def reserve_slots(
        self,
        tx: Transaction,
        account: str,
        api: str,
        interval: float,
        *,
        count: int = 1,
        burst: int = 1,
        lead: float = 0.0,
    ) -> list[float]:
        """Reserve the next `count` slots and return their times by `time.monotonic`.

        Args:
            burst: How many may leave at once after a pause.
            lead: Seconds from now in which none of them can be used.
        """
        of_api = {"account": account, "api": api}
        free_at = _FREE_AT.scalar(tx.connection, of_api)
        if free_at is None or free_at > tx.now + _FARTHEST + interval * count:
            free_at = 0.0
        first = max(free_at, tx.now + lead - interval * (burst - 1))
        after = first + interval * count
        self._reserved.run(tx.connection, {**of_api, "free_at": after})
        begin = tx.monotonic + first - tx.now
        return [begin + interval * slot for slot in range(count)]
