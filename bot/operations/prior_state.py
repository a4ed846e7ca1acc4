"""Reads what was live before a stop, beside it: the stop never waits for the answer."""

import asyncio
from dataclasses import dataclass

from bot.catalog.effects import live_before, takes_off_air
from bot.model.actions import Params
from bot.model.commands import Command
from bot.model.operations import LiveBefore, Operation
from bot.operations.state_reader import StateReader, status_read

ANSWER_WITHIN = 1.0
"""Seconds for which an ending waits for the read, counted from the answer to the stop."""

LIVE_NOW_WITHIN = 2.0
"""Seconds for which an ending waits for the names that were live instead."""


@dataclass(slots=True)
class _Read:
    """A read that was begun for one stop.

    Attributes:
        known: What it told, where it needed no task.
        stop_sent: The stop has left: what leaves later tells nothing of the state before it.
    """

    task: asyncio.Task[LiveBefore] | None = None
    known: LiveBefore = LiveBefore.UNREADABLE
    stop_sent: bool = False


class PriorState:
    """Holds the read of each stop that is being sent."""

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._reads: dict[str, _Read] = {}

    def begin(self, operation: Operation, command: Command, state: str | None = None) -> None:
        """Begin to read, once for each stop; what may have been sent before tells nothing.

        Args:
            state: As it was read a moment ago. It is not read again: the second read would wait
                for its slot under the API's limit, and leave after the stop.
        """
        action = command.action
        if not takes_off_air(action) or status_read(action) is None:
            return
        if operation.id in self._reads:
            return
        read = self._reads[operation.id] = _Read()
        if operation.attempts:
            return
        if state is not None:
            read.known = live_before(action, state)
        else:
            work = self._read(read, operation, command)
            read.task = asyncio.create_task(work, name=f"before {operation.id}")

    def note_sent(self, id_: str) -> None:
        """Note that the stop leaves now."""
        if read := self._reads.get(id_):
            read.stop_sent = True

    def discard(self, id_: str) -> None:
        """Forget the read of a stop that was not sent."""
        read = self._reads.pop(id_, None)
        if read and read.task:
            read.task.cancel()

    async def result(self, id_: str) -> LiveBefore | None:
        """Return what was live before a stop that was answered; None if nothing can tell."""
        read = self._reads.pop(id_, None)
        if read is None:
            return None
        if read.task is None:
            return read.known
        done, _ = await asyncio.wait({read.task}, timeout=ANSWER_WITHIN)
        if not done:
            read.task.cancel()
            return LiveBefore.UNREADABLE
        return read.task.result()

    async def live_now(self, command: Command) -> tuple[Params, ...]:
        """Return what is live in the place of what was not."""
        return await self._reader.live_names(command, LIVE_NOW_WITHIN)

    async def _read(self, read: _Read, operation: Operation, command: Command) -> LiveBefore:
        status = status_read(command.action)
        if status is None or status.api in await self._reader.hidden_reads(operation, command):
            return LiveBefore.UNREADABLE
        state = await self._reader.read_state(command, may_leave=lambda: not read.stop_sent)
        return live_before(command.action, state)
