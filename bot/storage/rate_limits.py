"""Rate limits that all replicas share: GCRA, one row per account and API."""

from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.storage.session import Session, write
from bot.storage.tables import limits
from bot.storage.writer import Transaction

_FARTHEST = 60.0
"""Seconds by which the next free slot can be ahead; beyond them a clock was turned back."""


class RateLimits:
    """Reserves the times at which requests may leave."""

    def __init__(self, session: Session) -> None:
        self.session = session

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
        key = {"is_account": account, "is_api": api}
        free_at = tx.connection.execute(_FREE_AT, key).scalar()
        if free_at is None or free_at > tx.now + _FARTHEST + interval * count:
            free_at = 0.0
        first = max(free_at, tx.now + lead - interval * (burst - 1))
        after = first + interval * count
        row = {"account": account, "api": api, "free_at": after}
        tx.connection.execute(_reserved(self.session.insert), row)
        begin = tx.monotonic + first - tx.now
        return [begin + interval * slot for slot in range(count)]


# Made once, because building them costs more than running them.
_FREE_AT = sa.select(limits.c.free_at).where(
    limits.c.account == sa.bindparam("is_account"), limits.c.api == sa.bindparam("is_api")
)


@cache
def _reserved(insert: Callable[[sa.Table], Any]) -> Any:
    statement = insert(limits)
    return statement.on_conflict_do_update(
        index_elements=[limits.c.account, limits.c.api],
        set_={"free_at": statement.excluded.free_at},
    )
