"""The chain of records: whatever is changed in it is found, named, and placed."""

import base64
import inspect
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.audit import checkpoints as seals
from bot.audit import hash_chain as chain
from bot.audit import verifier, witness
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, Signer
from bot.audit.hash_chain import GENESIS, KEY, PRUNED, Fact, Raw
from bot.audit.verifier import Report
from bot.model.actions import Json
from tests.support.paths import ROOT

OURS, THEIRS = Signer(b"o" * 32), Signer(b"t" * 32)
HEAD, CHECKPOINT, TOMBSTONE = (
    CheckpointKind.HEAD,
    CheckpointKind.CHECKPOINT,
    CheckpointKind.TOMBSTONE,
)
AT = 1_700_000_000.25


def linked(facts: Sequence[Fact], first: int = 1, last: str = GENESIS) -> list[Raw]:
    rows: list[Raw] = []
    for seq, fact in enumerate(facts, first):
        at = round(AT + seq // 3 * 0.37, 6)
        body = chain.canonical(seq, at, fact)
        last = chain.digest(last, body)
        row = (fact.kind, fact.operation, body, last)
        rows.append((seq, at, *(text.encode() for text in row)))  # type: ignore[arg-type] # four
    return rows


def facts(count: int) -> list[Fact]:
    found: list[Fact] = [
        Fact("ended", f"op{number}", {"request_id": f"r{number}", "took": 0.125})
        for number in range(1, count + 1)
    ]
    found[0] = Fact(KEY, "", {"key": OURS.public})
    if count > 3:
        found[3] = Fact('said "so"', "ö p", {"user": "U0ÄLICE"})
    return found


def seal(
    rows: Sequence[Raw], seq: int, kind: CheckpointKind = HEAD, signer: Signer = OURS
) -> SignedCheckpoint:
    hash_ = next(row[5] for row in rows if row[0] == seq).decode()
    return signer.sign(kind, seq, hash_, AT)


def verified(rows: Sequence[Raw], sealed: Sequence[SignedCheckpoint] = (), *trusted: str) -> Report:
    batches = [rows[at : at + 4] for at in range(0, len(rows), 4)]
    numbered = {row[0]: row for row in rows}
    return verifier.verify(batches, lookup=numbered.get, checkpoints=sealed, trusted=trusted)


def told(report: Report) -> tuple[int, str]:
    assert report.found is not None
    return report.found.seq, report.found.what


PRIVATE = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
COUNT = 10
ROWS = linked(facts(COUNT))
SEALS = (seal(ROWS, COUNT), seal(ROWS, 4, CHECKPOINT))

# --- the documented form -----------------------------------------------------------------


def test_hash_chain_canonical_form_matches_its_vector() -> None:
    """The canonical form of a record and its hash match the documented test vector."""
    body = chain.canonical(1, 1_700_000_000.5, Fact("asked", "op1", {"user": "U0ÄLICE", "n": 1}))

    assert body == (
        '{"at":1700000000.5,"facts":{"n":1,"user":"U0\\u00c4LICE"},"kind":"asked",'
        '"operation":"op1","seq":1}'
    )
    assert chain.digest(GENESIS, body) == (
        "8105b66a15b9d9f1c50661c85eed884f05a85d85ff662efb1c7575c6afd500f5"
    )


def test_checkpoint_signature_matches_its_vector() -> None:
    """The signed statement and its Ed25519 signature match the documented test vector."""
    signer = Signer(bytes.fromhex(PRIVATE))
    sealed = signer.sign(CHECKPOINT, 7, "ab" * 32, 1_700_000_000.5)

    # The key of RFC 8032, section 7.1, test 1.
    assert base64.b64decode(signer.public).hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert seals.statement(CHECKPOINT, 7, "ab" * 32, 1_700_000_000.5) == (
        b"stopstream trail\nend\n7\n" + b"ab" * 32 + b"\n1700000000.5\n"
    )
    assert base64.b64decode(sealed.signature).hex() == (
        "2f0c9999998dae66e56c0f596970f17a838e70c6d06acf5c9261f3160ae06349"
        "7ae27adafc92b6d66218473169e687c38299249cadebcdc288ae741bad80810b"
    )
    assert seals.is_genuine(sealed)


def test_audit_log_docs_contain_both_vectors() -> None:
    """The documentation contains each hash, key and signature of both test vectors."""
    text = (ROOT / "docs" / "trail.md").read_text()

    for words in (
        "test_hash_chain_canonical_form_matches_its_vector",
        "test_checkpoint_signature_matches_its_vector",
    ):
        source = inspect.getsource(globals()[words])
        for digits in re.findall(r"[0-9a-f]{64}", source):
            if digits != PRIVATE:
                assert digits in text, digits


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


# --- a chain that holds --------------------------------------------------------------------


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


# --- one that was tampered with --------------------------------------------------------------


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


@pytest.mark.parametrize("sealed", [(), SEALS])
def test_hash_chain_locates_every_flipped_bit(sealed: tuple[SignedCheckpoint, ...]) -> None:
    """A flipped bit in any column but seq is reported as an alteration of that record."""
    for place, row in enumerate(ROWS):
        for changed in bits(row):
            rows = [*ROWS[:place], changed, *ROWS[place + 1 :]]
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


def test_hash_chain_detects_records_after_the_head() -> None:
    """A record after the signed head is reported as inserted."""
    assert told(verified(ROWS, [seal(ROWS, 7)])) == (8, "inserted")


# --- one whose oldest records were removed -----------------------------------------------------


def pruned(signer: Signer = OURS, *, said: bool = True) -> tuple[list[Raw], list[SignedCheckpoint]]:
    tomb = seal(ROWS, 6, TOMBSTONE, signer)
    told_facts: dict[str, Any] = {"upto": 6, "hash": tomb.hash, "keys": [signer.public]}
    more = Fact(PRUNED, "", told_facts) if said else Fact("ended", "op1", {})
    rows = [*ROWS[6:], *linked([more], 11, ROWS[9][5].decode())]
    return rows, [tomb, seal(rows, 11)]


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


# --- the witness ---------------------------------------------------------------------------------


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
