"""Reads what a request would touch, for one who may decide over it and with their rights."""

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from bot.audit.hash_chain import Fact
from bot.catalog.effects import live_before
from bot.catalog.registry import command_of, live_list
from bot.model.actions import Json, ResourceKey
from bot.model.commands import Command
from bot.model.operations import Decision, LiveBefore, Operation, Preview
from bot.operations.approvals import ApprovalService
from bot.operations.audit_facts import preview_facts
from bot.operations.results import Objection, Touched
from bot.operations.state_reader import StateReader
from bot.storage.store import Store


class TouchedReader:
    """Reads for one person what its asker may not read, so the card does not show it.

    Args:
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        reader: StateReader,
        approvals: ApprovalService,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._reader = reader
        self._approvals = approvals
        self._clock = clock

    async def read(self, press: Decision) -> Touched | Objection:
        """Return what an operation would touch, or why that is not shown. Waits for Slack.

        Args:
            press: By whom, where, and on which message; its choice is to approve.

        Raises:
            StoreError: It cannot be recorded, so nothing is returned.
        """
        objection = await self._approvals.objection(press)
        if objection is not None:
            return objection
        operation = await self._store.operations.get(press.operation)
        command = command_of(operation) if operation else None
        if operation is None or command is None:
            return Objection("This button has expired.")
        hidden = await self._reader.reads_hidden_from(press.actor, operation, command)
        seen = await self._look(command, hidden)
        await self._record(operation, press, seen)
        return Touched(replace(operation, preview=seen), self._clock(), bool(hidden))

    async def _look(self, command: Command, hidden: Collection[str]) -> Preview:
        state, readings = await self._reader.preview(command, hidden)
        listing, instead = live_list(command.action), tuple[ResourceKey, ...]()
        missing = live_before(command.action, state) is LiveBefore.NOT_LIVE
        if missing and listing is not None and listing.api not in hidden:
            found = await self._reader.live_names(command)
            instead = tuple({name: str(value) for name, value in key.items()} for key in found)
        return Preview(state or "", readings=readings, live_instead=instead)

    async def _record(self, operation: Operation, press: Decision, seen: Preview) -> None:
        facts: dict[str, Json] = {"by": press.actor.user, "by_team": press.actor.team}
        fact = Fact("shown", operation.id, facts | preview_facts(seen))
        await self._store.audit_log.record(fact)
