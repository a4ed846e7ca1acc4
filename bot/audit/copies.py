"""Copies of the trail outside the database: their lines, and whether one is whole; pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from bot.audit.hash_chain import GENESIS, Record, digest
from bot.audit.verifier import ChainError

_MARK, _END = b',"hash":"', b'"}\n'

Stored: TypeAlias = tuple[int, str, float]
"""Number, hash and time of a record in the database."""


@dataclass(frozen=True, slots=True)
class Line:
    """A record in a copy."""

    seq: int
    hash: str
    body: str


def format_line(record: Record) -> str:
    """Return a record as a line of JSON, with its hash as the last key.

    The hash is spliced into the stored text, so that without it the line is the very bytes
    that were hashed.
    """
    return f'{record.body[:-1]},"hash":"{record.hash}"}}\n'


def parse_line(line: bytes) -> Line | None:
    """Read what `format_line` returned; None if it is anything else."""
    body, mark, rest = line.rpartition(_MARK)
    if not mark or not rest.endswith(_END):
        return None
    try:
        text = body.decode("ascii") + "}"
        seq = json.loads(text)["seq"]
        hash_ = rest.removesuffix(_END).decode("ascii")
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return Line(seq, hash_, text) if type(seq) is int and seq > 0 else None


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of comparing a copy with the database.

    Attributes:
        count: How many lines are as they were written.
        older: How many of them are of records that the database no longer keeps.
        found: The first error; None if there is none.
        behind: How many of the newest records are still to come.
    """

    count: int
    older: int
    found: ChainError | None
    behind: int = 0


def compare(
    lines: Iterable[bytes],
    stored: Iterable[Stored],
    removed: tuple[int, str],
    *,
    due_before: float,
) -> Compared:
    """Compare a copy with the database: each record once, in order, as it was written.

    Args:
        lines: Each with its line feed; a last one without is still being written.
        stored: All records that are kept, in order.
        removed: Number and hash of the last record that was removed for its age, 0 for none.
        due_before: Epoch seconds; newer records may still be missing.
    """
    check = _Check(iter(stored), removed)
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break
        found = check.add(number, line)
        if found is not None:
            return Compared(check.count, check.older, found)
    return check.end(due_before)


class _Check:
    def __init__(self, stored: Iterator[Stored], removed: tuple[int, str]) -> None:
        self.count = self.older = 0
        self._stored = stored
        self._removed, self._tombstone = removed
        self._last: Line | None = None

    def add(self, number: int, text: bytes) -> ChainError | None:
        line, last = parse_line(text), self._last
        if line is None:
            due = last.seq + 1 if last else 1
            return ChainError(due, "altered", f"line {number} is no record of a trail")
        due = last.seq + 1 if last else min(line.seq, self._removed + 1)
        if line.seq != due:
            return _misplaced(number, line.seq, due)
        before = last.hash if last else GENESIS if line.seq == 1 else None
        if before is not None and digest(before, line.body) != line.hash:
            why = f"line {number}, record {line.seq}, does not match its hash"
            return ChainError(line.seq, "altered", why)
        self._last = line
        found = self._differs(line)
        if found is None:
            self.count += 1
            self.older += line.seq <= self._removed
        return found

    def _differs(self, line: Line) -> ChainError | None:
        if line.seq < self._removed:
            return None
        hash_: str | None = self._tombstone
        if line.seq > self._removed:
            hash_ = next((stored[1] for stored in self._stored), None)
        if hash_ is None:
            why = f"the copy has a record {line.seq}, the database has none"
            return ChainError(line.seq, "cut off", why)
        if hash_ != line.hash:
            return ChainError(line.seq, "rewritten", f"record {line.seq} is another in the copy")
        return None

    def end(self, due_before: float) -> Compared:
        """Return the result once all lines are read: what else is stored is not in the copy."""
        first = next(self._stored, None)
        if first is None:
            return Compared(self.count, self.older, None)
        behind, due = 0, 0
        for seq, _, at in chain([first], self._stored):
            behind += 1
            due = seq if at < due_before else due
        if not due:
            return Compared(self.count, self.older, None, behind)
        which = f"record {first[0]} is" if due == first[0] else f"records {first[0]} to {due} are"
        why = f"{which} not in the copy: cut off there, or not written because no bot runs"
        return Compared(self.count, self.older, ChainError(first[0], "missing", why), behind)


def _misplaced(number: int, seq: int, due: int) -> ChainError:
    if seq > due:
        return ChainError(due, "missing", f"record {due} is missing; line {number} is record {seq}")
    return ChainError(seq, "out of order", f"line {number} is record {seq} again, or too late")
