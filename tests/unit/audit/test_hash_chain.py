"""The chain of records: whatever is changed in it is found, named, and placed."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.audit.checkpoints import SignedCheckpoint
from bot.audit.hash_chain import GENESIS, Fact, Raw
from bot.model.actions import Json
from tests.support.hash_chain import (
    CHECKPOINT,
    COUNT,
    HEAD,
    OURS,
    ROWS,
    SEALS,
    THEIRS,
    facts,
    linked,
    pruned,
    seal,
    told,
    verified,
)


def test_hash_chain_verifies_an_untouched_log() -> None:
    """An untouched log with its checkpoints verifies to its end, without notes."""
    report = verified(ROWS, SEALS, OURS.public)

    assert (report.count, report.found, report.sealed) == (COUNT, None, COUNT)
    assert report.notes == ()


def test_hash_chain_verifies_an_empty_log() -> None:
    """An empty log verifies with a count of zero."""
    assert verified([]).found is None
    assert verified([]).count == 0


def test_hash_chain_notes_a_missing_checkpoint() -> None:
    """A log without a checkpoint verifies with a note that nothing vouches for it."""
    report = verified(linked([Fact("asked", "op1", {})]))

    assert (report.count, report.found) == (1, None)
    assert "no seal" in report.notes[0]


def bits(row: Raw) -> list[Raw]:
    """Give a record with each bit of it flipped in turn."""
    import struct  # noqa: PLC0415 (here alone)

    found: list[Raw] = []
    for bit in range(64):
        (raw,) = struct.unpack("<Q", struct.pack("<d", row[1]))
        (at,) = struct.unpack("<d", struct.pack("<Q", raw ^ (1 << bit)))
        found.append((row[0], at, *row[2:]))
    for column in range(2, 6):
        text: Any = row[column]
        for bit in range(len(text) * 8):
            changed = bytearray(text)
            changed[bit // 8] ^= 1 << bit % 8
            found.append((*row[:column], bytes(changed), *row[column + 1 :]))  # type: ignore[arg-type] # one is replaced
    return found


SHORT = linked(facts(5))
"""One record of each kind (a key, plain, with other letters), and one in the next batch."""


SHORT_SEALS = (seal(SHORT, 5), seal(SHORT, 4, CHECKPOINT))


@pytest.mark.parametrize(
    ("place", "sealed"), [(0, ()), (1, ()), (3, ()), (4, ()), (0, SHORT_SEALS), (4, SHORT_SEALS)]
)
def test_hash_chain_locates_every_flipped_bit(
    place: int, sealed: tuple[SignedCheckpoint, ...]
) -> None:
    """A flipped bit in any column but seq is reported as an alteration of that record."""
    row = SHORT[place]
    for changed in bits(row):
        rows = [*SHORT[:place], changed, *SHORT[place + 1 :]]
        assert told(verified(rows, sealed, OURS.public)) == (row[0], "altered"), changed


def renumbered(rows: Sequence[Raw]) -> list[Raw]:
    return [(seq, *row[1:]) for seq, row in enumerate(rows, 1)]


@pytest.mark.parametrize("place", range(COUNT))
def test_hash_chain_locates_every_deleted_record(place: int) -> None:
    """A deleted record is reported at its place, even if the rest is renumbered."""
    rows = [*ROWS[:place], *ROWS[place + 1 :]]
    last = place == COUNT - 1

    assert told(verified(rows, SEALS)) == (place + 1, "cut off" if last else "missing")
    found = told(verified(renumbered(rows), SEALS))
    assert found == (place + 1, "cut off" if last else "missing")


@pytest.mark.parametrize("place", range(COUNT + 1))
@pytest.mark.parametrize("honest", [True, False])
def test_hash_chain_locates_every_inserted_record(place: int, honest: bool) -> None:
    """An inserted record is reported at its place, with a right or a wrong hash."""
    last = ROWS[place - 1][5].decode() if place else GENESIS
    (put,) = linked([Fact("ended", "op66", {})], place + 1, last)
    if not honest:
        put = (*put[:5], b"0" * 64)

    found = told(verified(renumbered([*ROWS[:place], put, *ROWS[place:]]), SEALS))

    if place == COUNT and not honest:
        assert found == (place + 1, "altered")
    else:
        assert found == (place + 1, "inserted")


def test_hash_chain_detects_a_duplicate_record() -> None:
    """A record that occurs twice is reported as inserted."""
    rows = [*ROWS[:5], ROWS[4], *ROWS[5:]]

    assert told(verified(rows, SEALS)) == (5, "inserted")


@pytest.mark.parametrize("one", range(COUNT))
@pytest.mark.parametrize("other", range(COUNT))
def test_hash_chain_names_both_swapped_records(one: int, other: int) -> None:
    """Two swapped records are reported as swapped, and both places are named."""
    if one >= other:
        return
    rows = list(ROWS)
    rows[one], rows[other] = rows[other], rows[one]

    report = verified(renumbered(rows), SEALS)

    assert told(report) == (one + 1, "swapped")
    assert report.found is not None
    assert f"places with record {other + 1}" in report.found.why


@pytest.mark.parametrize("left", range(COUNT))
def test_hash_chain_detects_every_truncation(left: int) -> None:
    """A log truncated at any length is reported as cut off at the first missing record."""
    assert told(verified(ROWS[:left], SEALS)) == (left + 1, "cut off")


def test_hash_chain_detects_truncation_without_the_head() -> None:
    """A truncated log is reported as cut off even if its signed head was removed."""
    assert told(verified(ROWS[:6], SEALS[1:])) == (7, "cut off")
    assert told(verified(ROWS[:3], ())) == (4, "cut off")


@pytest.mark.parametrize("from_", range(1, COUNT + 1))
def test_hash_chain_detects_a_rewritten_log(from_: int) -> None:
    """A recomputed log is reported as rewritten after the last checkpoint that fits it."""
    changed = facts(COUNT)
    changed[from_ - 1] = Fact("ended", "op1", {"user": "U0NOBODY"})
    place, what = told(verified(linked(changed), SEALS, OURS.public))

    assert what == "rewritten"
    # It lies behind the last seal that fits.
    assert place == (1 if from_ <= 4 else 5)


def test_hash_chain_detects_records_after_the_head() -> None:
    """A record after the signed head is reported as inserted."""
    assert told(verified(ROWS, [seal(ROWS, 7)])) == (8, "inserted")


def test_hash_chain_verifies_a_pruned_log() -> None:
    """A log pruned with a signed tombstone verifies, with a note on what was removed."""
    rows, sealed = pruned()
    report = verified(rows, sealed, OURS.public)

    assert (report.first, report.count, report.found) == (7, 5, None)
    assert "up to 6 were removed" in report.notes[0]


def test_hash_chain_requires_a_genuine_tombstone() -> None:
    """Records pruned without a recorded tombstone by a trusted key fail verification."""
    rows, sealed = pruned()
    assert told(verified(rows, sealed[1:], OURS.public)) == (1, "missing")
    rows, sealed = pruned(said=False)
    assert told(verified(rows, sealed, OURS.public)) == (6, "forged")
    rows, sealed = pruned(THEIRS)
    sealed[1] = seal(rows, 11, HEAD, THEIRS)
    assert told(verified(rows, sealed, OURS.public)) == (6, "forged")


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(), scalars, max_size=3)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(values, names, names)
def test_hash_chain_verifies_any_json_value(value: Json, kind: str, operation: str) -> None:
    """A record with any JSON value, kind and operation id verifies."""
    rows = linked([facts(1)[0], Fact(f"so {kind}", operation, {"value": value})])

    assert verified(rows, [seal(rows, 2)], OURS.public).found is None
