"""A copy of the trail shows what was done to it, and what was done to the database."""

from collections.abc import Callable

import pytest

from bot.audit.copies import Compared, compare, format_line, parse_line
from bot.audit.hash_chain import GENESIS, Fact, Record, canonical, digest

COUNT, NEW = 9, 1000.0
NOTHING = (0, "")


def records(*, by: str = "U0ALICE") -> list[Record]:
    found: list[Record] = []
    last = GENESIS
    for seq in range(1, COUNT + 1):
        body = canonical(seq, float(seq), fact := Fact("ended", f"op{seq}", {"user": by}))
        last = digest(last, body)
        found.append(Record(seq, float(seq), fact.kind, fact.operation, body, last))
    return found


ROWS = records()
LINES = [format_line(row).encode() for row in ROWS]


def compared(
    lines: list[bytes], rows: list[Record] = ROWS, removed: tuple[int, str] = NOTHING
) -> Compared:
    stored = [(row.seq, row.hash, row.at) for row in rows]
    return compare(lines, stored, removed, due_before=NEW)


def test_copy_agrees() -> None:
    """What was copied line by line is the trail."""
    assert compared(LINES) == Compared(COUNT, 0, None)
    assert parse_line(LINES[0]) is not None


def test_newest_records_may_be_missing() -> None:
    """What is younger than the sink may take is no loss, nor is a line that is being written."""
    stored = [(row.seq, row.hash, row.at) for row in ROWS]
    result = compare([*LINES[:7], LINES[7][:-5]], stored, NOTHING, due_before=8.0)
    assert result == Compared(7, 0, None, behind=2)


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


def altered(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"U0ALICE", b"U0BOB", 1) if b'"seq":5' in line else line for line in lines]


ATTACKS: list[tuple[Callable[[list[bytes]], list[bytes]], int, str]] = [
    (lambda lines: lines[:-2], 8, "missing"),
    (lambda lines: lines[2:], 1, "missing"),
    (lambda lines: lines[:0], 1, "missing"),
    (lambda lines: lines[:4] + lines[5:], 5, "missing"),
    (lambda lines: [*lines, lines[-1]], 9, "out of order"),
    (lambda lines: lines + lines, 1, "out of order"),
    (lambda lines: [*lines, LINES[2]], 3, "out of order"),
    (swapped, 4, "missing"),
    (altered, 5, "altered"),
    (lambda lines: [*lines[:4], b"{}\n", *lines[4:]], 5, "altered"),
    (lambda lines: [*lines[:4], b"\xff\n", *lines[4:]], 5, "altered"),
    (lambda lines: [*lines[:4], b'{"seq":true,"hash":"x"}\n'], 5, "altered"),
]


@pytest.mark.parametrize(("attack", "seq", "what"), ATTACKS)
def test_what_is_done_to_a_copy_is_found(
    attack: Callable[[list[bytes]], list[bytes]], seq: int, what: str
) -> None:
    """Cut, replayed, exchanged or altered lines are named."""
    found = compared(attack(list(LINES))).found
    assert found is not None
    assert (found.seq, found.what) == (seq, what)


def test_what_is_done_to_the_database_is_found() -> None:
    """A chain made anew, and an older copy of the database, differ from what was copied."""
    anew = compared(LINES, records(by="U0MALLORY")).found
    older = compared(LINES, ROWS[:6]).found
    assert anew is not None
    assert older is not None
    assert (anew.seq, anew.what) == (1, "rewritten")
    assert (older.seq, older.what) == (7, "cut off")


def test_copy_keeps_what_the_database_has_removed() -> None:
    """Records that were removed for their age are counted, and held to the tombstone."""
    assert compared(LINES, ROWS[4:], (4, ROWS[3].hash)) == Compared(COUNT, 4, None)
    assert compared(LINES[4:], ROWS[4:], (4, ROWS[3].hash)) == Compared(COUNT - 4, 0, None)
    found = compared(LINES, ROWS[4:], (4, "0" * 64)).found
    assert found is not None
    assert (found.seq, found.what) == (4, "rewritten")
