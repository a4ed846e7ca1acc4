"""Copies the trail to a file; see `bot.audit.trail_file`."""

import asyncio

import structlog

from bot.audit.copies import format_line
from bot.audit.trail_file import FileEnd, TrailFile
from bot.errors import SinkError
from bot.storage.store import Store

log = structlog.get_logger("stopstream.sink")

BATCH = 500
"""How many records are written at once."""


class FileSink:
    """Appends to a file what is not in it yet."""

    def __init__(self, store: Store, file: TrailFile) -> None:
        self.name = str(file.path)
        self._store = store
        self._file = file
        self._known = FileEnd()

    async def advance(self) -> int:
        """Write the next records; return how many are still to be written.

        Raises:
            SinkError: The file cannot be written, or is not a copy of this trail.
            StoreError: The records cannot be read.
        """
        try:
            return await self._advance()
        except OSError as error:
            raise SinkError(error.strerror or str(error)) from None

    async def behind(self) -> int:
        """Return how many records are not in the file; all of them before it could be read.

        Raises:
            StoreError: The database does not answer.
        """
        log_ = self._store.audit_log
        rest = await log_.following(self._known.seq, self._known.hash, 1)
        if not rest.is_ours:
            rest = await log_.following(0, "", 1)
        return rest.last - rest.records[0].seq + 1 if rest.records else 0

    async def taken(self) -> int:
        """Return the number of the last record in the file, and write nothing.

        Raises:
            SinkError: The file cannot be read, or is not a copy of this trail.
            StoreError: The database does not answer.
        """
        try:
            end = await asyncio.to_thread(self._file.peek)
        except OSError as error:
            raise SinkError(f"{self.name}: {error.strerror or error}") from None
        if not (await self._store.audit_log.following(end.seq, end.hash, 1)).is_ours:
            raise SinkError(f"{self.name}: its last record, {end.seq}, is not on this trail")
        return end.seq

    async def close(self) -> None:
        """Do nothing: the file is open only while it is written."""

    async def _advance(self) -> int:
        end = await asyncio.to_thread(self._file.end)
        if end.seq < self._known.seq:
            lost = f"{end.seq + 1} to {self._known.seq}"
            log.error("records were cut off in the audit sink", sink=self.name, records=lost)
        self._known = end
        batch = await self._store.audit_log.following(end.seq, end.hash, BATCH)
        if not batch.is_ours:
            raise SinkError(
                f"its last record, {end.seq}, is not on this trail; look into it with "
                "stopstream audit verify --against, and name another file to go on"
            )
        if not batch.records:
            return 0
        lines = "".join(map(format_line, batch.records)).encode("ascii")
        if await asyncio.to_thread(self._file.append, end, lines):
            last = batch.records[-1]
            self._known = FileEnd(last.seq, last.hash)
            return batch.last - last.seq
        return batch.last - end.seq
