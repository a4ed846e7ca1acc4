"""How long records of the audit log wait for a message in the audit channel that covers them."""

import asyncio
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from bot.cli.demo import AUDIT
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
        posted = [
            (float(one.ts), int(one.metadata.get("event_payload", {}).get("seq", 0)))
            for one in world.slack.channels[AUDIT].roots
        ]
        with sqlite3.connect(folder / "stopstream.db") as database:
            records = database.execute("SELECT seq, at FROM trail").fetchall()
            (end,) = database.execute("SELECT max(at) FROM trail").fetchone()
    waits, uncovered = [], 0
    for seq, at in records:
        covered = [ts for ts, upto in posted if upto >= seq]
        uncovered += not covered
        waits.append((min(covered) if covered else end + _QUIET) - at)
    return Window(len(posted), uncovered, waits)
