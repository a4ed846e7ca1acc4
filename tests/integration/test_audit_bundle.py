"""`stopstream audit bundle`: a case as an archive that its own checker verifies."""

import asyncio
import hashlib
import io
import json
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.cli.settings import Settings
from bot.cli.wiring import open_store
from bot.errors import ConfigError, PictureError
from bot.model.actions import Json
from bot.model.people import Place
from bot.operations.pictures import Picture, Pictures
from bot.storage import database
from bot.storage.audit_log import AuditLog
from tests.support.audit_terminal import run
from tests.support.stored_operations import operation as stored

PICTURE = b"\x89PNG of a stream"
THREAD = "1700000000.000100"
LINK = f"https://acme.slack.com/archives/C0INC/p{THREAD.replace('.', '')}"


@pytest.fixture
async def trail(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A trail with two operations of a case between those of others."""
    monkeypatch.chdir(tmp_path)
    store = open_store(settings, may_create=True)
    for number, (operation, kind, case) in enumerate(
        (
            ("other1", "asked", ""),
            ("op1", "asked", "INC-42"),
            ("other1", "ended", ""),
            ("op2", "asked", "INC-42"),
            ("op1", "ended", "INC-42"),
            ("op2", "ended", ""),
            ("other2", "asked", "INC-7"),
        )
    ):
        facts: dict[str, Json] = {"user": "U0ALICE", "n": number}
        facts |= {"case": case} if case else {}
        if kind == "asked":
            place = Place("C0INC", thread_ts=THREAD if operation == "op2" else "")
            one = replace(stored(), id=operation, key=operation, case=case, place=place)
            await store.operations.add(one, facts)
        else:
            await store.audit_log.record(Fact(kind, operation, facts))
    await store.close()
    return settings


def unpacked(archive: bytes, folder: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return found


def checked(folder: Path, trusted: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(folder / "check.py"), trusted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    return done.returncode, done.stdout


async def test_case_is_written_and_verified_by_an_outsider(
    trail: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All operations of a case are in the archive, and hold under the printed fingerprint."""
    picture = tmp_path / "seen.png"
    await asyncio.to_thread(picture.write_bytes, PICTURE)
    assert await run(trail, "bundle", "INC-42", "--picture", str(picture)) == 0
    said = capsys.readouterr().out
    file = tmp_path / "stopstream-INC-42.tar.gz"
    content = await asyncio.to_thread(file.read_bytes)
    folder = await asyncio.to_thread(unpacked, content, tmp_path / "out")
    says = json.loads(await asyncio.to_thread((folder / "manifest.json").read_text))

    assert "not of INC-42 but needed to check the chain" in said
    assert says["operations"] == ["op1", "op2"]
    lines = (await asyncio.to_thread((folder / "records.jsonl").read_text)).splitlines()
    pictures = [one for one in map(json.loads, lines) if one["kind"] == "picture"]
    assert [one["facts"]["picture_sha256"] for one in pictures] == [
        hashlib.sha256(PICTURE).hexdigest()
    ]
    assert await asyncio.to_thread(checked, folder, said.split()[-1]) == (0, "verified\n")
    assert stat.S_IMODE((await asyncio.to_thread(file.stat)).st_mode) == 0o600
    # A checkpoint covers it by now, so it is the same archive each time.
    again = tmp_path / "again.tar.gz"
    more = ("--picture", str(picture), "--out", str(again))
    assert await run(trail, "bundle", "INC-42", *more) == 0
    assert await asyncio.to_thread(again.read_bytes) == content


async def test_operation_alone_is_a_case(trail: Settings, tmp_path: Path) -> None:
    """An operation's id is a case of its own; the taking away is on the trail."""
    assert await run(trail, "bundle", "op2", "--out", "op2.tar.gz") == 0
    content = await asyncio.to_thread((tmp_path / "op2.tar.gz").read_bytes)
    folder = await asyncio.to_thread(unpacked, content, tmp_path / "out")
    says = json.loads(await asyncio.to_thread((folder / "manifest.json").read_text))
    lines = (await asyncio.to_thread((folder / "records.jsonl").read_text)).splitlines()

    assert says["operations"] == ["op2"]
    exported = json.loads(lines[-1])
    assert (exported["kind"], exported["facts"]["format"]) == ("exported", "bundle")
    assert exported["facts"]["of"] == ["op2"]


@pytest.mark.parametrize(
    "link",
    [LINK, f"https://acme.slack.com/archives/C0INC/p1700000050000100?thread_ts={THREAD}&cid=C0INC"],
)
async def test_thread_is_a_case_by_the_link_to_any_of_its_messages(
    trail: Settings, tmp_path: Path, link: str
) -> None:
    """What Slack copies as a link leads to the operations of its thread."""
    assert await run(trail, "bundle", link) == 0
    file = tmp_path / f"stopstream-C0INC-{THREAD}.tar.gz"
    content = await asyncio.to_thread(file.read_bytes)
    folder = await asyncio.to_thread(unpacked, content, tmp_path / "out")
    says = json.loads(await asyncio.to_thread((folder / "manifest.json").read_text))
    assert (says["case"], says["operations"]) == (f"C0INC-{THREAD}", ["op2"])


async def test_case_does_not_read_the_whole_trail(
    trail: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the records of its operations are read to find them, and the segment to the seal."""
    asked: list[object] = []

    def noted(self: AuditLog, **criteria: object) -> object:
        asked.append(criteria.get("operation"))
        return records(self, **criteria)

    records = AuditLog.records
    monkeypatch.setattr(AuditLog, "records", noted)
    assert await run(trail, "bundle", "INC-42") == 0
    assert set(asked) == {"INC-42", "op1", "op2"}


@pytest.mark.parametrize(
    ("now", "says"),
    [(PICTURE, ""), (b"\x89PNG\r\n\x1a\n another", "it was changed since"), (None, "answered 404")],
)
async def test_picture_that_was_taken_before_a_ban_is_in_the_bundle(
    trail: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    now: bytes | None,
    says: str,
) -> None:
    """It is fetched from its bucket, and goes in only if its SHA-256 is the recorded one."""
    store = open_store(trail)
    address = "https://b-1.cos.ap-x.myqcloud.com/s1.png"
    facts: dict[str, Json] = {"via": "callback", "address": address}
    facts["picture_sha256"] = hashlib.sha256(PICTURE).hexdigest()
    await store.audit_log.record(Fact("picture", "op1", facts))
    await store.close()

    async def fetch(_: Pictures, asked: str) -> Picture:
        assert asked == address
        if now is None:
            raise PictureError("its host answered 404")
        return Picture("picture.png", now)

    monkeypatch.setattr(Pictures, "fetch", fetch)
    assert await run(trail, "bundle", "op1") == 0
    said = capsys.readouterr()
    content = await asyncio.to_thread((tmp_path / "stopstream-op1.tar.gz").read_bytes)
    folder = await asyncio.to_thread(unpacked, content, tmp_path / "out")
    files = json.loads(await asyncio.to_thread((folder / "manifest.json").read_text))["files"]
    assert any(one.startswith("pictures/") for one in files) is (now == PICTURE)
    assert says in said.err
    assert await asyncio.to_thread(checked, folder, said.out.split()[-1]) == (0, "verified\n")


async def test_bundle_refuses_what_it_cannot_vouch_for(
    trail: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No unknown case, no file that is there, no picture that can't be read."""
    await asyncio.to_thread((tmp_path / "op1.tar.gz").write_bytes, b"mine")
    assert await run(trail, "bundle", "nothing") == 1
    assert await run(trail, "bundle", "op1", "--out", "op1.tar.gz") == 1
    with pytest.raises(ConfigError):
        await run(trail, "bundle", "op1", "--picture", "absent.png", "--out", "new")
    said = capsys.readouterr().err

    assert "no operation and no case nothing" in said
    assert "op1.tar.gz exists and was not changed" in said
    assert await asyncio.to_thread((tmp_path / "op1.tar.gz").read_bytes) == b"mine"
    assert not await asyncio.to_thread((tmp_path / "new").exists)


async def test_bundle_of_a_changed_trail_does_not_hold(trail: Settings, tmp_path: Path) -> None:
    """A record that was changed in the database gives no archive that holds."""
    engine = database.connect(trail.database_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE trail SET body = replace(body, 'U0ALICE', 'U0BOB') WHERE seq = 4")
        )
    engine.dispose()
    code = await run(trail, "bundle", "op1", "--out", "op1.tar.gz")

    assert code == 1
    assert not await asyncio.to_thread((tmp_path / "op1.tar.gz").exists)


async def test_refused_decision_is_no_case(trail: Settings, tmp_path: Path) -> None:
    """An id that somebody has mistyped, or made up, has no story and no archive."""
    store = open_store(trail)
    await store.audit_log.record(Fact("refused", "nope", {"by": "U0ALICE", "detail": "no such"}))
    await store.close()

    assert await run(trail, "show", "nope") == 1
    assert await run(trail, "bundle", "nope") == 1

    assert await asyncio.to_thread(lambda: not list(tmp_path.glob("*.tar.gz")))
