"""Keeps a request from leaving once its lease may be over: another replica may have taken it."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.clock_skew import elapsed
from bot.model.operations import Operation
from bot.storage.store import Store


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment by this machine's clocks.

    Attributes:
        wall: Epoch seconds.
        awake: Seconds that also count while the machine sleeps, where it has such a clock.
    """

    wall: float
    awake: float


class LeaseGuard:
    """Knows for how long a request that is recorded may still leave.

    Until half of the lease may have passed this machine's clocks are asked; then the database,
    because they stand still while a machine is suspended.

    Args:
        operation: As its intent was stored, with the lease of this replica.
        since: A moment before that.
        expires: Seconds after which what was asked or consented to may not leave any more.
        now: Reads the clocks.
    """

    def __init__(
        self,
        store: Store,
        operation: Operation,
        *,
        since: Instant,
        expires: float,
        now: Callable[[], Instant],
    ) -> None:
        self._store = store
        self._operation = operation
        self._since = since
        self._expires = expires
        self._now = now

    def is_fresh(self) -> bool:
        """Return whether less than half of the lease can have passed."""
        now, since = self._now(), self._since
        passed = max(now.wall - since.wall, now.awake - since.awake)
        return passed < self._store.session.lease / 2

    async def renew(self) -> bool:
        """Renew the lease by the database's clock; False where it has gone to another replica.

        Raises:
            StoreError: The database does not tell.
        """
        since = self._now()
        renewed = await self._store.leases.renew_sending(self._operation, self._expires)
        self._since = since
        return renewed


def clocks(wall: Callable[[], float]) -> Callable[[], Instant]:
    """Return what reads this machine's clocks.

    Args:
        wall: Epoch seconds.
    """
    return lambda: Instant(wall(), elapsed())
