"""The files of a database and of the key: who may read them, and that looking makes none."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.cli.check import check
from bot.cli.settings import Settings, read_settings
from bot.cli.wiring import open_store
from bot.storage import database
from tests.support.databases import lay_schema

POLICY = "roles:\n  a: {members: {users: [U0A]}, allow: [{actions: ['*']}]}\n"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "policy.yml").write_text(POLICY)
    return read_settings(
        STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'stopstream.db'}",
        STOPSTREAM_POLICY=str(tmp_path / "policy.yml"),
    )


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of the files in a folder, without the policy."""
    files = (file for file in folder.iterdir() if file.name != "policy.yml")
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}


@pytest.mark.usefixtures("_umask")
async def test_files_are_for_their_owner_alone(settings: Settings, tmp_path: Path) -> None:
    """Whatever the umask, nobody else reads the key, the database or what lies beside it."""
    store = open_store(settings, may_create=True)
    await store.ready()
    found = modes(tmp_path)
    await store.close()
    names = ("stopstream.db", "stopstream.db-wal", "stopstream.db-shm", "stopstream.key")
    assert found == dict.fromkeys(names, 0o600)


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o640, 0o640)])
async def test_file_of_an_older_release_is_closed_to_everybody(
    settings: Settings, tmp_path: Path, before: int, after: int
) -> None:
    """What everybody may read is taken from them; what one group may read was given to it."""
    file = tmp_path / "stopstream.db"
    lay_schema(file)
    file.chmod(before)
    await open_store(settings, may_create=True).close()
    assert modes(tmp_path)[file.name] == after


async def test_check_makes_no_file(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first start it says that key and database are going to be made."""
    await check(settings)
    assert modes(tmp_path) == {}
    said = capsys.readouterr().out
    assert f"ok  database: the first start makes {tmp_path / 'stopstream.db'}" in said
    assert f"ok  trail: the first start makes {tmp_path / 'stopstream.key'}" in said


async def test_check_changes_no_schema(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what the next start does with a database of another release."""
    lay_schema(tmp_path / "stopstream.db")
    engine = database.connect(settings.database_url)
    for other, told in (
        ("0013", "ok  database: its schema is 0013"),
        ("0009", "FIX database: its schema is 0009"),
        ("9999", "of a newer"),
    ):
        with engine.begin() as connection:
            for change in (
                "UPDATE alembic_version SET version_num = :other",
                "UPDATE compatibility SET oldest = :other",
            ):
                connection.execute(sa.text(change), {"other": other})
        await check(settings)
        assert database.schema(engine).current == other
        assert told in capsys.readouterr().out
    engine.dispose()


async def test_check_tells_of_a_lost_key(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a trail that is sealed no new key is promised."""
    store = open_store(settings, may_create=True)
    await store.audit_log.record(Fact("exported", "", {}))
    await store.close()
    settings.key_file.unlink()
    await check(settings)
    assert not settings.key_file.exists()
    assert "rotate-key --abandon-key" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sink", "told"),
    [
        ("file://{folder}/trail.jsonl", "ok  audit sink: the first start makes {folder}/trail"),
        ("{folder}/nothing/trail.jsonl", "FIX audit sink: {folder}/nothing/trail.jsonl is not"),
        ("{folder}", "FIX audit sink: {folder} cannot be written"),
    ],
)
async def test_check_tells_whether_the_sink_can_be_written(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], sink: str, told: str
) -> None:
    """A file that the trail cannot be copied to is told before the first start; none is made."""
    given = settings.model_copy(update={"audit_sink": sink.format(folder=tmp_path)})
    await check(given)
    assert told.format(folder=tmp_path) in capsys.readouterr().out
    assert modes(tmp_path) == {}
