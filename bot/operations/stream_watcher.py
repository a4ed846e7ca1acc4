"""Watches streams, after a stop or because somebody asked: reads their state again and again.

Where a notice has come, it is read at once.

A notice is a hint: nothing is said to be so that was not read.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from bot.catalog.effects import is_on
from bot.catalog.registry import command_of, undo_of
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.live_notices import NoticeKind, Watch
from bot.model.operations import LiveBefore
from bot.operations.authorizer import Authorizer
from bot.operations.live_streams import LiveStreams
from bot.operations.requested_watches import RequestedWatches
from bot.operations.state_reader import StateReader
from bot.storage.store import Store
from bot.supervision import Loop, Supervisor, until_set

log = structlog.get_logger("stopstream.watches")

SETTLED = 5.0
"""Seconds after a stop from which its state is believed although no notice says the same."""

_READING = 10.0
"""Seconds that reading a state may take."""

_SOONEST, _LATEST = 3.0, 30.0
"""Seconds between two reads of a stream: a quarter of its age, within these."""


class StreamWatcher:
    """Reads what is watched. Several replicas may run it: each read is claimed by one.

    Args:
        live: Told which accounts' lists may have changed.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        reader: StateReader,
        live: LiveStreams,
        supervisor: Supervisor,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._news = asyncio.Event()
        self._store = store
        self._reader = reader
        self._live = live
        self._supervisor = supervisor
        self._metrics = metrics
        self._clock = clock
        self._requested = RequestedWatches(
            store=store, authorizer=authorizer, reader=reader, pause=_pause, clock=clock
        )
        self._loop: Loop | None = None

    def start(self) -> None:
        """Begin to read."""
        self._loop = self._supervisor.start("watches", self._pass)

    def stop(self) -> None:
        """Stop."""
        if self._loop:
            self._loop.stop()
        self._loop = None

    def note_notice(self, account: str) -> None:
        """Note that this process has stored a notice about a stream of an account."""
        self._live.expire(account)
        self._news.set()

    async def _pass(self) -> None:
        await until_set(self._news)
        self._news.clear()
        await self.read_due()

    async def read_due(self) -> None:
        """Read the streams that are due, and record what has changed."""
        try:
            if await self._store.watches.is_due():
                due = await self._store.watches.claim()
                await asyncio.gather(*map(self._read, due))
        except StoreError as error:
            log.error("what is watched is not read now", why=str(error))

    async def _read(self, watch: Watch) -> None:
        if watch.asked:
            await self._requested.read(watch)
            return
        operation = watch.operation
        command = command_of(operation)
        if command is None or await self._is_hidden(watch, command):
            await self._store.watches.forget(watch)
            return
        state = await self._reader.read_state(command, _READING)
        age = self._clock() - watch.since
        if state is None:
            await self._store.sightings.postpone(watch, _pause(age), heard=False)
            return
        facts: dict[str, Json] = {"api": operation.api, "seen": state}
        facts |= {"notice": watch.heard.value} if watch.heard else {}
        settled = age >= SETTLED
        if _is_on(command, state, settled=settled):
            if settled or watch.heard is NoticeKind.BEGAN:
                if await self._store.sightings.record_live_again(watch, state, facts):
                    self._metrics.came_back.inc()
            else:
                # Tencent Cloud may not have cut it yet.
                await self._store.sightings.postpone(watch, _SOONEST, heard=False)
            return
        if _is_confirmed(watch, command, state):
            at = watch.heard_at or self._clock()
            await self._store.sightings.record_end(watch, state, facts, at)
        await self._store.sightings.postpone(watch, _pause(age), heard=True)

    async def _is_hidden(self, watch: Watch, command: Command) -> bool:
        """Return whether the state is one that the asker may not read."""
        hidden = await self._reader.hidden_reads(watch.operation, command)
        return command.action.status_read in hidden


def _is_on(command: Command, state: str, *, settled: bool) -> bool:
    """Return whether a state is one that a stop has ended.

    Args:
        settled: Whether it may also be one that shows that a ban is not in force.
    """
    resource = command.action.effect_spec.resource_type
    if not settled:
        return state == resource.on
    return is_on(command.action, undo_of(command.action), state)


def _is_confirmed(watch: Watch, command: Command, state: str) -> bool:
    """Return whether a notice and the state say that what was live is off."""
    ended = watch.heard is NoticeKind.ENDED and state == command.action.effect_spec.new_state
    return ended and watch.operation.live_before is LiveBefore.LIVE


def _pause(age: float) -> float:
    """Return the seconds until a stream is read again."""
    return min(_LATEST, max(_SOONEST, age / 4))
