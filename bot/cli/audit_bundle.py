"""`stopstream audit bundle`: the records of a case, and what verifies them, in one archive."""

import argparse
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.audit import bundle
from bot.audit.bundle import PICTURE_HASH, Case
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, Signer
from bot.audit.hash_chain import Fact, Record
from bot.cli.audit_case import case_name, records_of
from bot.cli.audit_export import login, record_export
from bot.cli.output import DONE, FAILED, complain, counted, one_line, say
from bot.cli.settings import Settings
from bot.errors import ConfigError, PictureError
from bot.files import read_regular_file
from bot.model.actions import Json
from bot.operations.pictures import Pictures
from bot.storage.snapshots import PICTURE
from bot.storage.store import Store

_PICTURE_MOST = 20 << 20
"""Bytes of a picture."""


async def write_bundle(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    """Write the archive of a case, after a record that it is taken away.

    The pictures that were taken before a stop are fetched from where they are.

    Raises:
        ConfigError: A picture cannot be read.
    """
    signer = store.session.signer
    if signer is None:
        complain("the audit log has no key, so nothing in it can be proven to others")
        return FAILED
    records = await records_of(store, options.case)
    if not records:
        complain(f"the trail has no operation and no case {one_line(options.case)}")
        return FAILED
    pictures = _pictures(options.picture)
    if await _note_pictures(store, pictures, records):
        records = await records_of(store, options.case)
    pictures |= await _taken(Pictures(settings.picture_hosts), records, pictures)
    ids = sorted({record.operation for record in records})
    await record_export(store, "bundle", {"of": list[Json](ids)})
    found = await _sealed(store, case_name(options.case), records, pictures)
    if found is None:
        complain("no seal of the bot's is over these records: run stopstream audit verify")
        return FAILED
    return _write(found, signer, Path(options.out or f"{bundle.folder_name(found.name)}.tar.gz"))


async def _sealed(
    store: Store, name: str, records: Sequence[Record], pictures: dict[str, bytes]
) -> Case | None:
    """Return the case with the nearest seal after its last record; None if there is none."""
    first, last = records[0].seq, records[-1].seq
    seal = _seal_after(store, last)
    if seal is None:
        await store.audit_log.checkpoint()
        seal = _seal_after(store, last)
    if seal is None:
        return None
    with store.audit_log.snapshot() as audited:
        segment = audited.segment(first, seal.seq)
        before = audited.hash_before(first)
    operations = sorted({record.operation for record in records})
    case = Case(name, operations, before, segment, seal, pictures)
    return case if bundle.is_sealed(case) else None


def _seal_after(store: Store, seq: int) -> SignedCheckpoint | None:
    """Return the checkpoint that is the nearest to a record, or of it."""
    with store.audit_log.snapshot() as audited:
        kept = (one for one in audited.seals if one.kind is CheckpointKind.CHECKPOINT)
        return min((one for one in kept if one.seq >= seq), key=lambda one: one.seq, default=None)


def _pictures(paths: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number, path in enumerate(paths, 1):
        try:
            content = read_regular_file(Path(path), _PICTURE_MOST)
        except OSError as error:
            raise ConfigError([f"--picture {one_line(path)}: {error.strerror}"]) from None
        found[f"{number}{_suffix(path)}"] = content
    return found


async def _taken(
    source: Pictures, records: Sequence[Record], given: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the pictures that were taken before a stop and are still as they were then."""
    found: dict[str, bytes] = {}
    known = {hashlib.sha256(one).hexdigest() for one in given.values()}
    for record in records:
        wanted, address = record.facts.get(PICTURE_HASH), record.facts.get("address")
        if record.kind != PICTURE or not isinstance(address, str) or wanted in {None, *known}:
            continue
        name = one_line(address.rpartition("/")[2])
        try:
            picture = await source.fetch(address)
        except PictureError as error:
            complain(f"without the picture of record {record.seq}, {name}: {error}")
            continue
        if hashlib.sha256(picture.content).hexdigest() != wanted:
            complain(f"without the picture of record {record.seq}, {name}: it was changed since")
            continue
        known.add(str(wanted))
        found[f"record-{record.seq}{Path(picture.name).suffix}"] = picture.content
    return found


def _suffix(path: str) -> str:
    """Return the ending of a file's name; empty unless it is letters and digits."""
    suffix = Path(path).suffix
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""


async def _note_pictures(
    store: Store, pictures: dict[str, bytes], records: Sequence[Record]
) -> bool:
    """Record the SHA-256 of the pictures that no record knows yet; return whether there were any.

    They are noted with the last operation of the case, by who adds them, from now on.
    """
    known = {record.facts.get(PICTURE_HASH) for record in records}
    hashes = dict.fromkeys(hashlib.sha256(one).hexdigest() for one in pictures.values())
    news = [one for one in hashes if one not in known]
    for one in news:
        facts: dict[str, Json] = {"user": login(), "via": "terminal", PICTURE_HASH: one}
        await store.audit_log.record(Fact("picture", records[-1].operation, facts))
    return bool(news)


def _write(found: Case, signer: Signer, path: Path) -> int:
    """Write the archive for its owner alone, never over a file that is there."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(bundle.archive(found, signer))
    except FileExistsError:
        complain(f"{path} exists and was not changed")
        return FAILED
    except OSError as error:
        complain(f"{path} can't be written: {error.strerror}")
        return FAILED
    others = sum(1 for one in found.records if one.operation not in found.operations)
    records = counted(len(found.records), "record")
    say(
        f"{path}: {records} up to the seal of record {found.seal.seq}, "
        f"{others} of them not of {one_line(found.name)} but needed to check the chain",
        f"to check it: unpack it, then python3 check.py {bundle.signer_name(signer)}",
    )
    return DONE
