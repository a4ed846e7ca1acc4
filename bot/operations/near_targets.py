"""Finds out, before a ban is sent, whether another name is live than the one that was typed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from bot.catalog.effects import keeps_off, live_before, resource_key
from bot.catalog.near_names import near_names
from bot.catalog.registry import live_list
from bot.errors import StoreError
from bot.model.actions import Action, Params, ResourceKey
from bot.model.commands import Command
from bot.model.operations import LiveBefore, Operation
from bot.off_loop import compare_names
from bot.operations.state_reader import StateReader, status_read
from bot.storage.store import Store

log = structlog.get_logger("stopstream.engine")

WITHIN = 1.5
"""Seconds that the reads may take; without an answer by then the ban goes on as it was asked."""


@dataclass(frozen=True, slots=True)
class Near:
    """What was read before a ban.

    Attributes:
        state: Of the name that was given; None if it was not read, or not in time.
        instead: The key of what is live under the one similar name; empty if there is none.
    """

    state: str | None = None
    instead: tuple[ResourceKey, ...] = ()


class NearTargets:
    """Looks for what was probably meant by a ban of something that is not live."""

    def __init__(self, *, store: Store, reader: StateReader) -> None:
        self._store = store
        self._reader = reader

    async def find(self, operation: Operation, command: Command) -> Near:
        """Return what is live under the one similar name, if anything is.

        Nothing where the named one is live or was stopped before, where several names are
        similar, and where that cannot be read in time.
        """
        if not asks_before(command.action):
            return Near()
        try:
            async with asyncio.timeout(WITHIN):
                return await self._find(operation, command)
        except (StoreError, TimeoutError) as error:
            log.warning("what is live is not known", api=operation.api, why=str(error))
            return Near()

    async def _find(self, operation: Operation, command: Command) -> Near:
        if await self._was_stopped(command):
            return Near()
        status, listing = status_read(command.action), live_list(command.action)
        hidden = await self._reader.hidden_reads(operation, command)
        if status is None or listing is None or {status.api, listing.api} & set(hidden):
            return Near()
        # A ban of what is live waits for its state alone.
        work = self._reader.read_state(command, WITHIN)
        state = await asyncio.create_task(work, name=f"near {operation.id}")
        if not _is_missing(command, state):
            return Near(state)
        places = await self._reader.live_rows(command, WITHIN)
        near = partial(_only_near, command, places)
        return Near(state, await compare_names(sum(map(len, places)), near))

    async def _was_stopped(self, command: Command) -> bool:
        """Return whether the named resource is off by an earlier stop, so its name is right."""
        key = resource_key(command.action, command.params)
        kind = command.action.effect_spec.resource_type.name
        return (
            key is not None
            and await self._store.off_air.latest_stop(command.account, kind, key) is not None
        )


def asks_before(action: Action) -> bool:
    """Return whether a command of an action asks first where another name is live."""
    return keeps_off(action) and live_list(action) is not None


def _is_missing(command: Command, state: str | None) -> bool:
    """Return whether a state shows that nothing is live; one that is banned already has a name."""
    if state == command.action.effect_spec.new_state:
        return False
    return live_before(command.action, state) is LiveBefore.NOT_LIVE


def _only_near(command: Command, places: Sequence[Sequence[Params]]) -> tuple[ResourceKey, ...]:
    name = command.action.effect_spec.key[0]
    found: dict[str, ResourceKey] = {}
    for row in (row for rows in places for row in rows):
        found.setdefault(str(row[name]), {key: str(value) for key, value in row.items()})
    target = str(command.params[name])
    near = near_names(target, found)
    return (found[near[0]],) if len(near) == 1 and target not in found else ()
