"""Releases side by side on one database: what reads never migrates, and nobody is locked out."""

import argparse
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact
from bot.cli import terminal
from bot.cli.main import build_parser, main
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import open_store
from bot.errors import StoreError
from bot.storage import database
from bot.storage.database import HEAD, OLDEST, Schema
from tests.conftest import opened
from tests.support.databases import migrate_to

READS = ("pending", "off", "audit tail", "audit show op1", "audit export", "audit verify")
BEFORE = f"{int(HEAD) - 1:04}"
TOO_OLD = f"{int(OLDEST) - 1:04}"


def at_revision(url: str, revision: str) -> None:
    """Make a database as the release of a revision left it."""
    engine = database.connect(url)
    with engine.begin() as connection:
        migrate_to(revision, connection)
    engine.dispose()


def upgraded_by_newer(url: str, oldest: str) -> None:
    """Do what the upgrade of a newer release does: more schema, and who may use it."""
    engine = database.connect(url)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE operations ADD COLUMN newer TEXT DEFAULT 'x'"))
        connection.execute(sa.text("CREATE TABLE newer (id TEXT)"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("UPDATE compatibility SET oldest = :oldest"), {"oldest": oldest})
    engine.dispose()


def found(url: str) -> Schema:
    engine = database.connect(url)
    try:
        return database.schema(engine)
    finally:
        engine.dispose()


async def run(settings: Settings, command: str) -> int:
    options: argparse.Namespace = build_parser().parse_args(command.split())
    return await terminal.COMMANDS[options.command](settings, options)


@pytest.mark.parametrize("command", READS)
async def test_reading_command_migrates_nothing(command: str, settings: Settings) -> None:
    """It says what to run, and the release that serves can start again."""
    at_revision(settings.database_url, BEFORE)
    with pytest.raises(StoreError, match="run stopstream db upgrade"):
        await run(settings, command)
    assert found(settings.database_url) == Schema(BEFORE)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("pending", 0),
        ("off", 0),
        ("audit tail", 0),
        ("audit export", 0),
        ("db status", 0),
        ("audit verify", 1),
        ("audit show op1", 1),
    ],
)
def test_reading_command_makes_no_database(
    command: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is in progress where nothing is stored, and nobody vouches for a trail."""
    # The log of this process is not the command's.
    monkeypatch.setattr("bot.telemetry.configure", lambda *_, **__: None)
    monkeypatch.setenv("STOPSTREAM_DATABASE_URL", f"sqlite:///{tmp_path / 'stopstream.db'}")
    assert main(command.split()) == code
    said = capsys.readouterr()
    assert "no tables yet" in said.err or "serve makes the tables" in said.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("revision", "goes"), [(BEFORE, True), (OLDEST, True), (TOO_OLD, False)])
async def test_serve_upgrades_where_the_release_beside_it_can_go_on(
    empty_database_url: str, revision: str, goes: bool
) -> None:
    """Otherwise it says what to run, in order."""
    at_revision(empty_database_url, revision)
    settings = read_settings(STOPSTREAM_DATABASE_URL=empty_database_url)
    if goes:
        await open_store(settings, with_signer=False, may_upgrade=True).close()
        assert found(empty_database_url) == Schema(HEAD, OLDEST)
        return
    with pytest.raises(StoreError, match="stop every stopstream that uses it, then run"):
        open_store(settings, with_signer=False, may_upgrade=True)
    assert found(empty_database_url) == Schema(TOO_OLD)
    assert await run(settings, "db upgrade") == 0
    assert found(empty_database_url) == Schema(HEAD, OLDEST)


async def test_release_before_starts_again_after_an_upgrade(database_url: str) -> None:
    """It reads and writes what a newer release has added to, and does not migrate it back."""
    upgraded_by_newer(database_url, OLDEST)
    settings = read_settings(STOPSTREAM_DATABASE_URL=database_url)
    for _ in range(2):
        store = open_store(settings, with_signer=False, may_upgrade=True)
        await store.audit_log.record(Fact("started", "", {}))
        await store.ready()
        await store.close()
    assert await run(settings, "pending") == 0
    assert await run(settings, "db upgrade") == 0
    assert found(database_url) == Schema("9999", OLDEST)


async def test_release_that_is_too_old_is_told_so(database_url: str) -> None:
    """It writes nothing, and names what can."""
    upgraded_by_newer(database_url, "9998")
    settings = read_settings(STOPSTREAM_DATABASE_URL=database_url)
    for command in ("pending", "db upgrade", "audit tail"):
        with pytest.raises(StoreError, match=r"of a newer release.*: run that one"):
            await run(settings, command)
    with pytest.raises(StoreError, match="releases before 9998 cannot use it"):
        open_store(settings, with_signer=False, may_upgrade=True)
    assert await run(settings, "db status") == 1


@pytest.mark.parametrize(
    ("revision", "code", "said"),
    [
        (HEAD, 0, "nothing to do"),
        (BEFORE, 1, "stopstream serve upgrades it"),
        (TOO_OLD, 1, "stop every stopstream"),
    ],
)
async def test_status_says_the_next_step(
    settings: Settings, capsys: pytest.CaptureFixture[str], revision: str, code: int, said: str
) -> None:
    """Its exit code tells whether this release can work with the database."""
    at_revision(settings.database_url, revision)
    # What `database.migrate` adds.
    await run(settings, "db upgrade") if revision == HEAD else None
    capsys.readouterr()
    assert await run(settings, "db status") == code
    assert said in capsys.readouterr().out


async def test_upgrade_keeps_what_a_signed_trail_says(empty_database_url: str) -> None:
    """What was sealed before is verified after it."""
    signer = Signer(b"o" * 32)
    at_revision(empty_database_url, BEFORE)
    async with opened(empty_database_url, signer=signer) as store:
        for number in range(3):
            await store.audit_log.record(Fact("exported", "", {"n": number}))
        with store.audit_log.snapshot() as audited:
            report = audited.verify([signer.public], lambda _seq: None)
    assert report.found is None
    assert report.count >= 3
