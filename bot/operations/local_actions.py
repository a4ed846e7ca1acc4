"""Runs the bot's own actions, hold and release, for which nothing is sent."""

import asyncio

import structlog

from bot.catalog.builtin import HOLD
from bot.errors import StoreError
from bot.model.commands import Command
from bot.model.off_air import Hold, StartScope
from bot.model.operations import Operation, State
from bot.operations.authorizer import Authorizer
from bot.operations.transitions import Transitions
from bot.redact import apart
from bot.storage.store import Store

log = structlog.get_logger("stopstream.engine")

_TRIES = 3
"""How often the hold is read again because another operation has changed it."""


class LocalActions:
    """Begins and releases holds."""

    def __init__(self, *, store: Store, authorizer: Authorizer, transitions: Transitions) -> None:
        self._store = store
        self._authorizer = authorizer
        self._transitions = transitions

    async def run(self, operation: Operation, command: Command) -> None:
        """Hold a target or release it, and store the ending."""
        scope, begins = self._authorizer.hold_scope(operation, command), command.action is HOLD
        for _ in range(_TRIES):
            held = await self._find_hold(scope)
            state, detail = State.ACCEPTED, ""
            if begins and held is not None and held.operation != operation.id:
                state = State.ALREADY
                detail = f"{held.held_by} holds it already: {apart(held.reason)}."
            elif not begins and held is None:
                state, detail = State.ALREADY, "Nobody holds it."
            path = (operation.state, state)
            if await self._transitions.move(operation, command, path, {"detail": detail}):
                return
            # Another operation was first, or another replica has this one by now.

    async def _find_hold(self, scope: StartScope) -> Hold | None:
        while True:
            try:
                return await self._store.off_air.find_hold(scope)
            except StoreError as error:
                log.error("who holds it is not known yet", why=str(error))
                await asyncio.sleep(1.0)
