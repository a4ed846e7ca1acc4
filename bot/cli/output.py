"""What a terminal is told: lines, complaints, tables, and how far something long has come."""

import sys
import time
from collections.abc import Sequence

_EVERY = 0.2
_WIDE = 24


def say(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        print(line)  # noqa: T201 (a terminal)


def complain(line: str) -> None:
    """Say what is wrong, where nobody takes it for the answer."""
    print(f"stopstream: {line}", file=sys.stderr)  # noqa: T201 (a terminal)


def one_line(text: str) -> str:
    """Take out what could move the cursor or begin a line."""
    return "".join(c if c.isprintable() else " " for c in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Set rows under a head, each column as wide as its widest cell."""
    cells = [[one_line(cell) for cell in row] for row in (head, *rows)]
    wide = [max(len(row[at]) for row in cells) for at in range(len(head))]
    lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)) for row in cells]
    rule = "  ".join("-" * w for w in wide)
    return [line.rstrip() for line in (lines[0], rule, *lines[1:])]


class Progress:
    """A bar on standard error, if that is a terminal; nothing otherwise.

    Args:
        first: Where it begins.
        last: Where it ends.
    """

    def __init__(self, what: str, first: int, last: int) -> None:
        self._what = what
        self._first = first
        self._whole = max(1, last - first)
        self._began = self._shown = time.monotonic()
        self._visible = sys.stderr.isatty()

    def __call__(self, at: int) -> None:
        """Show how far it has come, a few times a second."""
        now = time.monotonic()
        if not self._visible or now - self._shown < _EVERY:
            return
        self._shown = now
        done = at - self._first
        part = min(1.0, done / self._whole)
        filled = round(part * _WIDE)
        bar = "#" * filled + "." * (_WIDE - filled)
        rate = done / (now - self._began)
        line = f"\r{self._what} [{bar}] {part:4.0%} {done:,} records, {rate:,.0f} a second "
        print(line, end="", file=sys.stderr, flush=True)  # noqa: T201 (a terminal)

    def done(self) -> None:
        """Take the bar away."""
        if self._visible:
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # noqa: T201 (a terminal)
