"""Keeps the requests to each API below its documented limit, over all replicas."""

import asyncio
import time

import structlog

from bot.errors import StoreError
from bot.metrics import Metrics
from bot.model.commands import Command
from bot.storage.store import Store

log = structlog.get_logger("stopstream.engine")

PACE = 0.965
"""The part of a documented limit that is used, so that the network's jitter stays below it."""

_LATE = 0.015
"""Seconds by which a request may miss its slot: a later one would crowd the next second."""

_SLOTS = 3
"""How many slots a request may miss until it leaves late: the cloud keeps its limit, too."""

_LEAD_MOST = 2.0
"""Seconds by which a slot is reserved ahead at most."""


def interval(command: Command) -> float:
    """Return the seconds between two requests to the command's API, over all replicas."""
    return 1 / (command.action.per_second * PACE)


class RateLimiter:
    """Reserves slots under an account's limit of an API, and waits for them."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def acquire(self, command: Command) -> None:
        """Reserve a slot and wait for it.

        Raises:
            StoreError: No slot could be reserved.
        """
        await self.wait_for(command, await self._reserve(command))

    async def wait_for(self, command: Command, at: float) -> None:
        """Wait for a reserved slot; reserve another where it is missed, so none is overfull.

        Where a slot has passed by the time the database has answered, the next is reserved as
        far ahead as that took. A request leaves at the latest after _SLOTS of them: a slow
        database or a busy machine delays a stop, and never keeps it.

        Args:
            at: When the slot begins, by `time.monotonic`.
        """
        with self._metrics.limited.labels(command.action.api).time():
            await self._wait_for(command, at)

    async def _wait_for(self, command: Command, at: float) -> None:
        for _ in range(_SLOTS):
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            late = time.monotonic() - at
            if late < _LATE:
                return
            try:
                at = await self._reserve(command, min(_LEAD_MOST, 2 * late))
            except StoreError as error:
                # The intent is on disk, and the cloud keeps the limit, too.
                log.warning("sent late, without another turn", why=str(error))
                return
        await asyncio.sleep(max(0.0, at - time.monotonic()))

    async def _reserve(self, command: Command, lead: float = 0.0) -> float:
        return await self._store.rate_limits.reserve(
            command.account, command.action.api, interval(command), lead
        )
