"""A bundle holds under the bot's key, and nothing in it can be changed without that being found."""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bot.audit import bundle, bundle_checker
from bot.audit.bundle import Case
from bot.audit.checkpoints import CheckpointKind, Signer, fingerprint, format_checkpoint
from bot.audit.hash_chain import GENESIS, Fact, Record, canonical, digest

SIGNER, STRANGER = Signer(b"a" * 32), Signer(b"b" * 32)
NAME = fingerprint(SIGNER.public)
PICTURE = b"\x89PNG of a stream"
KNOWN = hashlib.sha256(PICTURE).hexdigest()
FACTS = (
    Fact("asked", "op1", {"user": "U0ALICE", "case": "INC-42"}),
    Fact("delivered", "other", {"user": "U0BOB"}),
    Fact("evidence", "op1", {"picture_sha256": KNOWN}),
    Fact("ended", "op1", {"state": "accepted", "words": "\u00c4\u2028 {}"}),
    Fact("ended", "other", {"state": "failed"}),
)


def chain(before: str = GENESIS, first: int = 7) -> list[Record]:
    found: list[Record] = []
    for seq, fact in enumerate(FACTS, first):
        body = canonical(seq, 1_700_000_000.0 + seq, fact)
        before = digest(before, body)
        found.append(Record(seq, 0.0, fact.kind, fact.operation, body, before))
    return found


def case(signer: Signer = SIGNER) -> Case:
    records = chain()
    last = records[-1]
    seal = signer.sign(CheckpointKind.CHECKPOINT, last.seq, last.hash, 1_700_000_100.25)
    pictures = {"1.png": PICTURE}
    return Case("INC-42", ["op1"], GENESIS, records, seal, pictures)


def laid(files: Mapping[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def wrong(files: Mapping[str, bytes], trusted: str = NAME) -> str:
    """Return what the checker says against files; empty if they hold."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            bundle_checker.check(laid(files, Path(folder)), trusted)
        except Exception as error:  # noqa: BLE001 (as its main does)
            return f"{error!r}"
    return ""


FILES = bundle.files(case(), SIGNER)


def signed_again(files: Mapping[str, bytes], signer: Signer, **more: Any) -> dict[str, bytes]:
    """Return files with a manifest that fits them, signed with a key."""
    content = {n: one for n, one in files.items() if not n.startswith("manifest")}
    says = json.loads(files["manifest.json"]) | more | {"key": signer.public}
    says["files"] = {name: hashlib.sha256(one).hexdigest() for name, one in content.items()}
    raw = json.dumps(says).encode()
    signature = signer.sign_bundle(hashlib.sha256(raw).hexdigest()).encode()
    return {**content, "manifest.json": raw, "manifest.sig": signature}


def test_bundle_holds_for_anyone_with_python(tmp_path: Path) -> None:
    """The archive, unpacked, is verified by its own checker in a plain Python."""
    packed = bundle.archive(case(), SIGNER)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(tmp_path, filter="data")
    script = tmp_path / "stopstream-INC-42" / "check.py"

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", str(script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
        return done.returncode, done.stdout

    assert run(NAME) == (0, "verified\n")
    assert run(hashlib.sha256(SIGNER.public.encode()).hexdigest())[0] == 0
    for trusted in ([], [""], [NAME[:15]], [fingerprint(STRANGER.public)]):
        code, said = run(*trusted)
        assert code == 1
        assert "fingerprint" in said
    script.with_name("records.jsonl").write_bytes(b"")
    assert run(NAME)[0] == 1


def test_bundle_is_the_same_bytes_each_time() -> None:
    """The same case is the same archive, with no time, owner or order of the machine in it."""
    packed = bundle.archive(case(), SIGNER)

    assert packed == bundle.archive(case(), SIGNER)
    assert gzip.decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {(one.mtime, one.uid, one.uname, one.mode) for one in tar} == {(0, 0, "", 0o600)}


@given(st.sampled_from(sorted(FILES)), st.data())
def test_any_changed_byte_is_found(name: str, data: st.DataObject) -> None:
    """Whichever byte of whichever file is changed, the bundle does not hold."""
    content = FILES[name]
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytes([content[at] ^ data.draw(st.integers(1, 255))])
    changed = content[:at] + flipped + content[at + 1 :]
    if name == "manifest.sig" and changed.strip() == content.strip():
        return

    assert wrong(FILES | {name: changed})


@given(st.data())
def test_any_other_set_of_files_is_found(data: st.DataObject) -> None:
    """A file that is missing, is there besides, or has the content of another is found."""
    files = dict(FILES)
    match data.draw(st.sampled_from(["drop", "add", "swap"])):
        case "drop":
            del files[data.draw(st.sampled_from(sorted(files)))]
        case "add":
            files[data.draw(st.sampled_from(["x", "pictures/2.png", "check.pyc"]))] = b"x"
        case _:
            one, other = data.draw(
                st.lists(st.sampled_from(sorted(files)), min_size=2, max_size=2, unique=True)
            )
            files[one], files[other] = files[other], files[one]

    assert wrong(files)


@given(st.data())
def test_changed_records_are_found_under_the_right_signature(data: st.DataObject) -> None:
    """Records that were changed, dropped, swapped or added break the chain, whoever signs."""
    lines = FILES["records.jsonl"].splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(["drop", "swap", "double", "edit", "rehash"])):
        case "drop":
            del lines[at]
        case "swap":
            other = data.draw(st.integers(0, len(lines) - 1).filter(lambda one: one != at))
            lines[at], lines[other] = lines[other], lines[at]
        case "double":
            lines.insert(at, lines[at])
        case "edit":
            lines[at] = lines[at].replace(b'"kind":"', b'"kind":"x')
        case _:
            # As somebody would who makes a chain anew, without the key for its seal.
            body = lines[at].partition(b',"hash"')[0].replace(b"op1", b"op2") + b',"x":1}'
            lines[at] = body[:-1] + b',"hash":"' + b"0" * 64 + b'"}\n'

    assert wrong(signed_again(FILES | {"records.jsonl": b"".join(lines)}, SIGNER))


def test_bundle_under_another_key_is_found() -> None:
    """A bundle made anew by a stranger holds under their key alone."""
    forged = bundle.files(case(STRANGER), STRANGER)

    assert wrong(forged)
    assert not wrong(forged, fingerprint(STRANGER.public))
    assert wrong(signed_again(FILES, STRANGER))
    assert wrong(FILES | {"manifest.sig": bundle.files(case(STRANGER), STRANGER)["manifest.sig"]})


def test_seal_of_another_key_or_record_is_found() -> None:
    """The seal must be of the last record, and signed by the key that it names."""
    last, other = chain()[-1], chain()[-2]
    seals = [
        STRANGER.sign(CheckpointKind.CHECKPOINT, last.seq, last.hash, 1.0),
        SIGNER.sign(CheckpointKind.CHECKPOINT, other.seq, other.hash, 1.0),
        SIGNER.sign(CheckpointKind.TOMBSTONE, last.seq, last.hash, 1.0),
    ]
    named = format_checkpoint(seals[0]).replace(STRANGER.public, SIGNER.public)
    for text in [named, *map(format_checkpoint, seals[1:])]:
        assert wrong(signed_again(FILES, SIGNER, seal=text)), text


@pytest.mark.parametrize("operations", [[], ["op1", "op3"], ["nobody"]])
def test_operations_without_records_are_found(operations: list[str]) -> None:
    """A case names only operations whose records are there."""
    assert wrong(signed_again(FILES, SIGNER, operations=operations))


def test_picture_that_no_record_of_the_case_knows_is_found() -> None:
    """A picture belongs to the case only where a record of it has its hash."""
    assert wrong(signed_again(FILES | {"pictures/1.png": b"another"}, SIGNER))
    assert wrong(signed_again(FILES, SIGNER, operations=["other"]))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.data())
def test_checker_agrees_with_the_library(seed: bytes, text: bytes, data: st.DataObject) -> None:
    """Ed25519 of the checker takes what the library signs, and refuses what it does not."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signature = bytearray(key.sign(text))
    assert bundle_checker.is_signed(public, base64.b64encode(signature).decode(), text)
    signature[data.draw(st.integers(0, 63))] ^= 1 << data.draw(st.integers(0, 7))
    broken = base64.b64encode(signature).decode()
    with contextlib.suppress(ValueError):
        assert not bundle_checker.is_signed(public, broken, text)
    assert not bundle_checker.is_signed(
        public, base64.b64encode(key.sign(text)).decode(), b"!" + text
    )


@pytest.mark.parametrize("name", ["INC-42", "a/../../etc", "...", "#7", "A" * 200])
def test_folder_of_any_case_is_a_plain_name(name: str) -> None:
    """Whatever a case is called, the folder in its archive is no path."""
    found = bundle.folder_name(name)

    assert found.startswith("stopstream-")
    assert Path(found).parts == (found,)
