"""A bundle: the records of a case, with what an outsider needs to verify them, as one archive."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from bot.audit import bundle_checker
from bot.audit.checkpoints import SignedCheckpoint, Signer, fingerprint, format_checkpoint
from bot.audit.copies import format_line
from bot.audit.hash_chain import Record

FORMAT = 1
"""Of the manifest."""

PICTURE_HASH = "picture_sha256"
"""The fact that names the SHA-256 of a picture."""

_README = """\
Audit records of stopstream: case {case}

records.jsonl   {count} records of the audit trail, {first} to {last}, byte for byte
manifest.json   what belongs to the case, the hash before the first record, the seal, all files
manifest.sig    the bot's signature of manifest.json (Ed25519)
check.py        the checker; it needs Python 3 and nothing else
{pictures}
Check it, with the fingerprint of the bot's key:

    python3 check.py FINGERPRINT     prints "verified" and exits with 0; else the fault, and 1

Take the fingerprint from the audit channel (each checkpoint names it) or from who runs the bot,
not from this archive: whoever makes up a bundle signs it with a key of their own. The same goes for
check.py, which somebody could have replaced: compare it with bot/audit/bundle_checker.py of the
program's source.

What is proven: whoever has that key signed exactly these files; no record between the first and
the last was changed, left out, added or put elsewhere since record {seal} was sealed.

What is not proven:
- that what a record says is true. Tencent Cloud can confirm a RequestId.
- that a picture shows the stream. It is unchanged since the record with its SHA-256, which names
  who added it and when.
- that whoever has the key did not rewrite the whole trail before. The seal of record {seal} was
  posted to the audit channel when it was made, with the same hash; a copy of the trail elsewhere
  has the same records:
  {hash}
- that the case has no records before the first or after the last of these.

Operations of the case: {operations}
The other records lie between theirs: the chain can't be checked without them. Stream keys and
secrets were never on the trail. Its form: docs/trail.md of the program's source.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What a bundle is made of.

    Attributes:
        name: The case, or the id of its only operation.
        operations: Ids of its operations.
        before: Hash of the record before the first one, hex.
        records: Every record from the first of the operations to the one that was sealed.
        seal: Of the last record.
        pictures: Contents by file name.
    """

    name: str
    operations: Sequence[str]
    before: str
    records: Sequence[Record]
    seal: SignedCheckpoint
    pictures: Mapping[str, bytes]


def is_sealed(case: Case) -> bool:
    """Return whether the records of a case follow one another up to the seal."""
    lines = [format_line(record).encode().rstrip(b"\n") for record in case.records]
    try:
        bundle_checker.check_records(lines, case.before, format_checkpoint(case.seal))
    except (ValueError, LookupError):
        return False
    return True


def folder_name(case: str) -> str:
    """Return the name of the folder in the archive, which can be no path."""
    return "stopstream-" + (re.sub(r"[^A-Za-z0-9._-]+", "-", case).strip(".-")[:64] or "case")


def files(case: Case, signer: Signer) -> dict[str, bytes]:
    """Return the files of a bundle by name: the same for the same case."""
    found = {
        "README.txt": _readme(case),
        "check.py": checker(),
        "records.jsonl": "".join(map(format_line, case.records)).encode(),
        **{f"pictures/{name}": content for name, content in sorted(case.pictures.items())},
    }
    manifest = {
        "format": FORMAT,
        "case": case.name,
        "operations": sorted(case.operations),
        "before": case.before,
        "seal": format_checkpoint(case.seal),
        "key": signer.public,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in found.items()},
    }
    raw = (json.dumps(manifest, sort_keys=True, indent=1) + "\n").encode()
    signature = signer.sign_bundle(hashlib.sha256(raw).hexdigest())
    return {**found, "manifest.json": raw, "manifest.sig": f"{signature}\n".encode()}


def archive(case: Case, signer: Signer) -> bytes:
    """Return the bundle as a `tar.gz`, without times and owners, so that its bytes are the same."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files(case, signer).items()):
            entry = tarfile.TarInfo(f"{folder_name(case.name)}/{name}")
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def checker() -> bytes:
    """Return the source of the checker that lies in each bundle."""
    return resources.files("bot.audit").joinpath("bundle_checker.py").read_bytes()


def _readme(case: Case) -> bytes:
    listed = "".join(f"pictures/{name}\n" for name in sorted(case.pictures))
    return _README.format(
        case=case.name,
        count=len(case.records),
        first=case.records[0].seq,
        last=case.records[-1].seq,
        seal=case.seal.seq,
        hash=case.seal.hash,
        operations=", ".join(sorted(case.operations)),
        pictures=listed,
    ).encode()


def signer_name(signer: Signer) -> str:
    """Return the fingerprint with which the bundle is checked."""
    return fingerprint(signer.public)
