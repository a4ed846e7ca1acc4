"""Reads the streams that people watch, and tells each change in the thread of its watch."""

import time
from collections.abc import Callable
from dataclasses import replace

from bot.catalog.registry import command_of
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.live_notices import Watch
from bot.operations.authorizer import Authorizer
from bot.operations.state_reader import StateReader
from bot.policy.evaluation import DIRECTORY
from bot.storage.store import Store

_READING = 10.0
"""Seconds that reading a state may take."""

_GONE = "{user} may no longer read its state"
_UNKNOWN = "This release of the bot does not know it"


class RequestedWatches:
    """Follows what people asked to watch, as long as they may.

    Args:
        pause: Returns the seconds until a stream is read again, by the age of its watch.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        reader: StateReader,
        pause: Callable[[float], float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._reader = reader
        self._pause = pause
        self._clock = clock

    async def read(self, watch: Watch) -> None:
        """Read a watched stream that is due, and end its watch where it is over.

        Raises:
            StoreError: It is not recorded, and the read is due again.
        """
        watches = self._store.requested_watches
        command = command_of(watch.operation)
        if command is None:
            await watches.finish(watch, _facts(watch), _UNKNOWN)
            return
        again_in = self._pause(self._clock() - watch.since)
        denied = await self._authorizer.recheck(watch.operation, command)
        if denied is not None and denied.check != DIRECTORY:
            why = _GONE.format(user=watch.operation.actor.user)
            await watches.finish(watch, _facts(watch) | {"check": denied.check}, why)
            return
        # Without an answer from Slack nobody knows whether it may be read.
        state = None if denied is not None else await self._read(command)
        if state is not None:
            facts = _facts(watch) | {"seen": state}
            facts |= {"notice": watch.heard.value} if watch.heard else {}
            await watches.record_state(watch, state, facts, again_in)
            watch = replace(watch, state=state)
        if self._clock() >= watch.until:
            await watches.finish(watch, _facts(watch))
        elif state is None:
            await watches.postpone(watch, again_in)

    async def _read(self, command: Command) -> str | None:
        return await self._reader.read_state(command, _READING)


def _facts(watch: Watch) -> dict[str, Json]:
    return {"api": watch.operation.api}
