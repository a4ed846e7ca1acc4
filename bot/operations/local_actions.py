"""Runs the bot's own actions: hold and release, watch and unwatch."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bot.catalog.builtin import HOLD, UNWATCH, WATCH
from bot.catalog.live import DESCRIBE_LIVE_STREAM_STATE
from bot.errors import StoreError
from bot.model.commands import Command
from bot.model.live_notices import WatchPlace
from bot.model.operations import Operation, State
from bot.operations.authorizer import Authorizer
from bot.operations.state_reader import StateReader
from bot.operations.transitions import Transitions
from bot.redact import apart
from bot.storage.requested_watches import OWN_MOST, TOTAL_MOST, scope_of
from bot.storage.store import Store
from bot.storage.transition import Changes
from bot.times import TO_MINUTE, format_utc

log = structlog.get_logger("stopstream.engine")

T = TypeVar("T")

_TRIES = 3
"""How often what is held or watched is read again because another operation has changed it."""

_STATE_FIELD = (DESCRIBE_LIVE_STREAM_STATE.effect_spec.state_field or ("", ""))[0]

_NOT_WATCHED = "Nobody watches it here."
_END_ONE = "Press Stop watching on a card to free one."
_NO_THREAD = (
    "A watch tells what it sees in a Slack thread, so ask for it in a channel: "
    "«/stopstream watch STREAM». From here, «status live STREAM» reads the state once."
)


class LocalActions:
    """Begins and ends holds and watches."""

    def __init__(
        self,
        *,
        store: Store,
        authorizer: Authorizer,
        transitions: Transitions,
        reader: StateReader,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._transitions = transitions
        self._reader = reader

    async def run(self, operation: Operation, command: Command) -> None:
        """Begin or end a hold or a watch, and store the ending."""
        if command.action is WATCH:
            await self._watch(operation, command)
        elif command.action is UNWATCH:
            await self._unwatch(operation, command)
        else:
            await self._hold_or_release(operation, command)

    async def _watch(self, operation: Operation, command: Command) -> None:
        """Begin a watch, unless nobody would hear of it or too much is watched already."""
        if not operation.place.channel:
            await self._end(operation, command, State.FAILED, _NO_THREAD)
            return
        state = await self._reader.read_state(command)
        changes: Changes = {}
        if state is not None:
            changes["result"] = {_STATE_FIELD: state}
        watches, scope = self._store.requested_watches, scope_of(operation)
        for _ in range(_TRIES):
            found = await self._known(lambda: watches.place(scope, operation.actor.user))
            ending, detail = _ending(found)
            if await self._end(operation, command, ending, detail, changes):
                return

    async def _unwatch(self, operation: Operation, command: Command) -> None:
        watches, scope = self._store.requested_watches, scope_of(operation)
        for _ in range(_TRIES):
            watched = await self._known(lambda: watches.exists(scope))
            ending = (State.ACCEPTED, "") if watched else (State.ALREADY, _NOT_WATCHED)
            if await self._end(operation, command, *ending):
                return

    async def _end(
        self,
        operation: Operation,
        command: Command,
        state: State,
        detail: str,
        changes: Changes | None = None,
    ) -> bool:
        """Store an ending; return False where another operation was first."""
        all_changes = Changes(detail=detail) | (changes or Changes())
        path = (operation.state, state)
        return await self._transitions.move(operation, command, path, all_changes) is not None

    async def _hold_or_release(self, operation: Operation, command: Command) -> None:
        scope, begins = self._authorizer.hold_scope(operation, command), command.action is HOLD
        for _ in range(_TRIES):
            held = await self._known(lambda: self._store.off_air.find_hold(scope))
            state, detail = State.ACCEPTED, ""
            if begins and held is not None and held.operation != operation.id:
                state = State.ALREADY
                detail = f"{held.held_by} holds it already: {apart(held.reason)}."
            elif not begins and held is None:
                state, detail = State.ALREADY, "Nobody holds it."
            if await self._end(operation, command, state, detail):
                return
            # Another operation was first, or another replica has this one by now.

    async def _known(self, read: Callable[[], Awaitable[T]]) -> T:
        """Return what the store tells, as soon as it does."""
        while True:
            try:
                return await read()
            except StoreError as error:
                log.error("what is held and watched is not known yet", why=str(error))
                await asyncio.sleep(1.0)


def _ending(found: WatchPlace) -> tuple[State, str]:
    """Return how a watch ends that is asked for beside others, and why."""
    if found.same is not None:
        watcher, until = found.same
        return State.ALREADY, f"{watcher} watches it here until {format_utc(until, TO_MINUTE)}."
    if found.own >= OWN_MOST:
        return State.FAILED, f"You are watching {OWN_MOST} streams, the most allowed. {_END_ONE}"
    if found.total >= TOTAL_MOST:
        return State.FAILED, f"{TOTAL_MOST} streams are being watched, the most allowed in all."
    return State.ACCEPTED, ""
