"""Verifies afterwards that a stop has lasted, and that what expires has ended."""

import time
from collections.abc import Callable

import structlog

from bot.catalog import effects as offair
from bot.catalog.registry import command_of, undo_of
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.model.actions import Action, Json
from bot.model.operations import UNREADABLE, LiveBefore, Operation
from bot.operations.state_reader import StateReader
from bot.storage.store import Store

log = structlog.get_logger("stopstream.engine")

_LIFTING = 600.0
"""Seconds after an expiry during which a state that cannot be read is read again."""

_LOOKING = 10.0
"""Seconds that reading a state for a verification may take."""


class Verifier:
    """Reads the state after the fact, and records it.

    Args:
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        reader: StateReader,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._reader = reader
        self._metrics = metrics
        self._clock = clock

    async def verify(self, operation: Operation) -> None:
        """Record whether a stop has lasted: nothing else reports an encoder that came back."""
        command = command_of(operation)
        if command is None:
            await self._store.verifications.skip(operation)
            return
        action = command.action
        hidden = await self._reader.hidden_reads(operation, command)
        state = None
        if action.status_read not in hidden:
            state = await self._reader.read_state(command, _LOOKING)
        seen = state or UNREADABLE
        facts: dict[str, Json] = {"api": operation.api, "seen": seen}
        try:
            if await self._changed_since(operation, action):
                await self._store.verifications.skip(operation)
                return
            on = offair.is_on(action, undo_of(action), seen)
            before = operation.live_before
            unsure = before is LiveBefore.UNREADABLE and not on and not hidden
            live_now = await self._reader.live_names(command, _LOOKING) if unsure else ()
            # That nothing was live is said in the ending.
            news = on or before is not LiveBefore.NOT_LIVE
            await self._store.verifications.record(
                operation, seen, facts, live_now, on=on, announced=news
            )
            if on and await self._store.off_air.record_on_again(operation.id, seen, facts):
                self._metrics.came_back.inc()
        except StoreError as error:
            log.error("what was seen is not on file", operation=operation.id, why=str(error))

    async def record_expiry(self, operation: Operation, ended: float) -> None:
        """Record that something has ended by itself, such as a ban that nobody remembers.

        Args:
            ended: When it ended, epoch seconds.
        """
        command = command_of(operation)
        if command is None:
            await self._store.off_air.record_expiry(
                operation, "", {"api": operation.api}, still=True
            )
            return
        state = await self._reader.read_state(command, _LOOKING)
        if state is None and self._clock() < ended + _LIFTING:
            # It stays listed, and is read again.
            return
        facts: dict[str, Json] = {"api": operation.api, "seen": state or UNREADABLE}
        try:
            still = state is None or state == command.action.effect_spec.new_state
            await self._store.off_air.record_expiry(operation, state or "", facts, still=still)
        except StoreError as error:
            log.error("an end is not on file", operation=operation.id, why=str(error))

    async def _changed_since(self, operation: Operation, action: Action) -> bool:
        """Return whether it has been turned on since, or off anew, or has expired."""
        change = offair.off_air_change(operation, action, {}, self._clock())
        if change is None:
            return False
        ends = offair.expires_at(operation, action)
        if ends is not None and ends <= self._clock():
            return True
        now = await self._store.off_air.latest_stop(
            change.account, change.resource_type, change.key
        )
        return now is None or (now.ended_at or 0.0) > (operation.ended_at or 0.0)
