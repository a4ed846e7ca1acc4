"""Signed checkpoints: their form, their keys, and what they reveal of the records."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.audit import checkpoints as seals
from bot.audit import witness
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint
from bot.audit.hash_chain import KEY, Fact, Raw
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
    seal,
    told,
    verified,
)


@given(
    st.integers(1, 2**53),
    st.floats(0, 4e9),
    st.sampled_from(CheckpointKind),
    st.binary(min_size=32, max_size=32),
)
def test_checkpoint_round_trips_through_its_text(
    seq: int, at: float, kind: CheckpointKind, hash_: bytes
) -> None:
    """A signed checkpoint parsed from its text equals the original and verifies."""
    sealed = OURS.sign(kind, seq, hash_.hex(), at)

    assert seals.parse_checkpoint(seals.format_checkpoint(sealed)) == sealed
    assert seals.is_genuine(sealed)


@given(st.text())
def test_checkpoint_parser_ignores_other_text(word: str) -> None:
    """Arbitrary text in the audit channel parses to no checkpoint and raises nothing."""
    assert seals.parse_checkpoint(word) is None
    assert seals.parse_checkpoint(f"seal:head:{word}") is None


def test_checkpoint_with_a_wrong_signature_is_forged() -> None:
    """A checkpoint whose signature does not verify is reported as forged."""
    changed = linked([*facts(5), Fact("ended", "op6", {"user": "U0NOBODY"})])
    real = seal(changed, 6)
    twisted = SignedCheckpoint(real.kind, 6, real.hash, real.at, real.key, SEALS[0].signature)

    assert told(verified(changed, [twisted], OURS.public)) == (6, "forged")


def test_checkpoint_signed_with_an_unknown_key_is_forged() -> None:
    """A log signed with an untrusted key is forged, or its key noted if none is trusted."""
    rows = linked([Fact(KEY, "", {"key": THEIRS.public}), *facts(3)[1:]])
    report = verified(rows, [seal(rows, 3, HEAD, THEIRS)], OURS.public)

    assert told(report) == (3, "forged")
    assert report.found is not None
    assert THEIRS.public in report.found.why
    # Without a key of ours it says whose it takes.
    assert THEIRS.public in verified(rows, [seal(rows, 3, HEAD, THEIRS)]).notes[0]


def test_keyring_trusts_a_key_signed_for_by_the_first() -> None:
    """A second key is trusted once the first has signed past the record that names it."""
    rows = linked([*facts(3), Fact(KEY, "", {"key": THEIRS.public}), *facts(8)[4:]])
    theirs = seal(rows, 8, HEAD, THEIRS)

    assert verified(rows, [theirs, seal(rows, 5, CHECKPOINT)], OURS.public).found is None
    early = [theirs, seal(rows, 3, CHECKPOINT)]
    assert told(verified(rows, early, OURS.public)) == (8, "forged")
    assert verified(rows, early, OURS.public, THEIRS.public).found is None


def hashes(rows: Sequence[Raw]) -> Any:
    return {row[0]: row[5].decode() for row in rows}.get


def test_checkpoints_in_the_channel_reveal_a_rewrite() -> None:
    """A log rewritten with the real key is exposed by the checkpoints in the channel."""
    seen = [seal(ROWS, 4, CHECKPOINT), seal(ROWS, 8, CHECKPOINT)]
    assert witness.compare(seen, hashes(ROWS), 0).found is None
    # Even with the very key.
    changed = facts(COUNT)
    changed[6] = Fact("ended", "op7", {"user": "U0NOBODY"})
    rows = linked(changed)
    assert verified(rows, [seal(rows, COUNT)], OURS.public).found is None

    found = witness.compare(seen, hashes(rows), 0).found

    assert found is not None
    assert (found.seq, found.what) == (5, "rewritten")


def test_checkpoints_in_the_channel_reveal_a_rollback() -> None:
    """A store restored to an older state is exposed by a later checkpoint in the channel."""
    rows = ROWS[:6]
    assert verified(rows, [seal(rows, 6)], OURS.public).found is None

    found = witness.compare([seal(ROWS, 8, CHECKPOINT)], hashes(rows), 0).found

    assert found is not None
    assert (found.seq, found.what) == (8, "cut off")


def test_checkpoints_of_pruned_records_are_only_counted() -> None:
    """Checkpoints of pruned records are counted as older and are not compared."""
    seen = [seal(ROWS, 4, CHECKPOINT), seal(ROWS, 8, CHECKPOINT)]
    result = witness.compare(seen, hashes(ROWS[6:]), 6)

    assert (result.older, result.compared, result.found) == (1, 1, None)
