"""Prints to a terminal: lines, errors, tables and a progress bar; and names the exit codes."""

import sys
import time
from collections.abc import Sequence

DONE, FAILED, USAGE = 0, 1, 2
"""Exit codes: done; failed or refused; wrong usage or configuration."""

_INTERVAL = 0.2
"""Seconds between two drawings of a progress bar."""

_WIDTH = 24
"""Characters of a progress bar."""


def say(*lines: str) -> None:
    """Print lines, at once even where standard output is a pipe."""
    for line in lines:
        print(line)  # noqa: T201 (a terminal)
    sys.stdout.flush()


def complain(line: str, label: str = "stopstream:") -> None:
    """Print what is wrong to standard error, behind a label."""
    print(f"{label} {line}", file=sys.stderr)  # noqa: T201 (a terminal)


def one_line(text: str) -> str:
    """Replace what could move the cursor or begin a line."""
    return "".join(c if c.isprintable() else " " for c in text)


def counted(number: int, what: str) -> str:
    """Return a number with what it counts, in the plural where it is not one."""
    return f"{number} {what}{'s' if number != 1 else ''}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, each column as wide as its widest cell."""
    cells = [[one_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in cells]
    rule = "  ".join("-" * width for width in widths)
    return [line.rstrip() for line in (lines[0], rule, *lines[1:])]


class Progress:
    """A progress bar on standard error, if that is a terminal; nothing otherwise.

    Args:
        first: The position that counts as 0 %.
        last: The position that counts as 100 %.
    """

    def __init__(self, label: str, first: int, last: int) -> None:
        self._label = label
        self._first = first
        self._total = max(1, last - first)
        self._started = self._drawn = time.monotonic()
        self._visible = sys.stderr.isatty()

    def __call__(self, position: int) -> None:
        """Draw the bar at a position, a few times a second at most."""
        now = time.monotonic()
        if not self._visible or now - self._drawn < _INTERVAL:
            return
        self._drawn = now
        done = position - self._first
        part = min(1.0, done / self._total)
        filled = round(part * _WIDTH)
        bar = "#" * filled + "." * (_WIDTH - filled)
        rate = done / (now - self._started)
        line = f"\r{self._label} [{bar}] {part:4.0%} {done:,} records, {rate:,.0f} a second "
        print(line, end="", file=sys.stderr, flush=True)  # noqa: T201 (a terminal)

    def done(self) -> None:
        """Erase the bar."""
        if self._visible:
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # noqa: T201 (a terminal)
