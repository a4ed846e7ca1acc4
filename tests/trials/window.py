"""How long records of the audit log wait for a message in the audit channel that covers them."""

import asyncio
import contextlib
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from bot.cli.demo import AUDIT, Sandbox
from tests.support.waiting import until
from tests.support.worlds import sandbox

_QUIET = 8.0
"""Seconds after the last operation."""


@dataclass(frozen=True)
class Window:
    """How long each record had no witness; the last ones until the end of the trial.

    Attributes:
        uncovered: How many records no message covers yet.
        waits: Seconds from a record to the first message that covers it.
    """

    lines: int
    uncovered: int
    waits: list[float]

    def line(self) -> str:
        """Return the result as a line."""
        parts = ", ".join(f"p{part * 100:g} {self.at(part):.2f} s" for part in (0.5, 0.9, 0.99))
        return (
            f"{len(self.waits)} records, {self.lines} messages: without a witness {parts}; "
            f"{self.uncovered} wait for the next message"
        )

    def at(self, part: float) -> float:
        """Return the wait that a part of the records did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def window(folder: Path, *, count: int, rate: float) -> Window:
    """Stop a number of streams, so many a second, and measure."""
    async with sandbox(folder, socket=False, limits=True) as world:
        alice = world.slack.person("U0ALICE")

        async def ask(number: int) -> None:
            await asyncio.sleep(number / rate)
            await alice.slash("/stopstream", f"live stream{number}")

        await asyncio.gather(*(ask(number) for number in range(count)))
        await asyncio.sleep(_QUIET)
        records = _records(folder)
        # While lines are left, the next one is on its way; after the last one, none is.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_QUIET):
                await until(lambda: records[-1][0] <= max(seq for _, seq in _posted(world)))
        posted, end = _posted(world), time.time()
    waits, uncovered = [], 0
    for seq, at in records:
        covered = [ts for ts, upto in posted if upto >= seq]
        uncovered += not covered
        waits.append((min(covered) if covered else end) - at)
    return Window(len(posted), uncovered, waits)


def _records(folder: Path) -> list[tuple[int, float]]:
    with sqlite3.connect(folder / "stopstream.db") as database:
        return database.execute("SELECT seq, at FROM trail ORDER BY seq").fetchall()


def _posted(world: Sandbox) -> list[tuple[float, int]]:
    """Return when each message was posted in the audit channel, and up to which record it goes."""
    return [
        (float(one.ts), int(one.metadata.get("event_payload", {}).get("seq", 0)))
        for one in world.slack.channels[AUDIT].roots
    ]
