"""Copies the trail to a place outside the database, as soon as records are committed."""

import asyncio
import contextlib
from typing import Protocol

import structlog

from bot.errors import SinkError, StoreError
from bot.supervision import Loop, Supervisor

log = structlog.get_logger("stopstream.sink")

_EVERY = 0.5
"""Seconds between two looks whether there are new records."""

_LONGEST = 60.0
"""Seconds between two tries while the sink refuses, at most."""

_PATIENCE = 30.0
"""Seconds that one write may take before it is told."""

_ENDLESS = float("inf")


class Sink(Protocol):
    """A place that the trail is copied to, each record once and in order."""

    name: str

    async def advance(self) -> int:
        """Write the next records, some at a time; return how many are still to be written.

        Raises:
            SinkError: It did not take them, which may be tried again.
            StoreError: They cannot be read.
        """
        ...

    async def behind(self) -> int:
        """Return how many records are still to be written, as far as that is known.

        It waits for nothing but the database: it is asked while the sink refuses or hangs.

        Raises:
            StoreError: The database does not answer.
        """
        ...

    async def close(self) -> None:
        """Release what it holds."""
        ...


class Copy(Protocol):
    """A place that must have a record before that is removed for its age."""

    name: str

    async def taken(self) -> int | None:
        """Return the number of its last record, and write nothing; None if it is owed none.

        Raises:
            SinkError: It cannot be read, or is of another trail.
            StoreError: The database does not answer.
        """
        ...


class SinkRelay:
    """Writes to a sink for as long as it takes. Nothing else waits for it.

    Args:
        what: What it is called in the log and among the loops.
        patience: Seconds that one write may take before it is told.

    Attributes:
        trouble: Why the sink does not take the trail; empty if it does.
        behind: How many records are still to be written, as far as that is known.
        is_complete: Whether the sink had every record when it was last written to.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        supervisor: Supervisor,
        what: str = "audit sink",
        patience: float = _PATIENCE,
    ) -> None:
        self._sink = sink
        self._what = what
        self._supervisor = supervisor
        self._patience = patience
        self.trouble = ""
        self.behind = 0
        self.is_complete = False
        self._stands = False
        self._failures = 0
        self._loop: Loop | None = None
        self._write: asyncio.Task[int] | None = None

    def start(self) -> None:
        """Begin to copy."""
        # A sink that hangs is told as its trouble; it is no reason to take the bot out of service.
        self._loop = self._supervisor.start(
            self._what, self.copy, every=self._pause, longest=_ENDLESS
        )

    async def stop(self, grace: float = 2.0) -> None:
        """Write what is committed, at most for `grace` seconds; the rest follows at the start."""
        if self._loop:
            self._loop.stop()
        self._loop = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                if self._write is not None:
                    # It began before the last records were there.
                    await self.copy()
                await self.copy()
                while self.behind and not self.trouble:
                    await asyncio.sleep(_EVERY if self._stands else 0.0)
                    await self.copy()
        if self._write is not None:
            self._write.cancel()
        await self._sink.close()

    async def copy(self) -> None:
        """Write one batch; what goes wrong becomes the trouble."""
        # One that hangs is not begun again: the next pass waits for it, too.
        write = self._write = self._write or asyncio.create_task(self._sink.advance())
        await asyncio.wait({write}, timeout=self._patience)
        if not write.done():
            await self._fail(f"it has not answered for {self._patience:.0f} s")
            return
        self._write, self.is_complete, before = None, False, self.behind
        try:
            self.behind = write.result()
        except SinkError as error:
            await self._fail(str(error))
        except ValueError as error:
            # A header or a record that cannot be sent at all; the words may hold a secret.
            await self._fail(f"what is sent is not well-formed ({type(error).__name__})")
        except StoreError as error:
            log.error("the trail is not copied: the store does not answer", why=str(error))
        else:
            if self.trouble:
                log.info("it takes the trail again", what=self._what, sink=self._sink.name)
            self.trouble, self._failures = "", 0
            self.is_complete = not self.behind
            # Another replica is at it, or a backlog does not become smaller.
            self._stands = self.behind >= before

    async def _fail(self, why: str) -> None:
        self.trouble = f"the {self._what} {self._sink.name} does not take the trail: {why}"
        self._failures += 1
        log.error(
            "a sink refuses", what=self._what, sink=self._sink.name, why=why, again_in=self._pause()
        )
        with contextlib.suppress(StoreError):
            self.behind = await self._sink.behind()

    def _pause(self) -> float:
        if self._failures:
            return float(min(_LONGEST, _EVERY * 2.0 ** min(self._failures, 16)))
        return 0.0 if self.behind and not self._stands else _EVERY
