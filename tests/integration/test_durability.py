"""A commit is on disk: what each connection is set to, and that another setting is refused."""

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.errors import StoreError
from bot.storage import database
from bot.storage.durability import configure_postgres, configure_sqlite
from tests.support import traced
from tests.support.databases import lay_schema
from tests.support.disk_writer import DONE, TOO_EARLY

WRITER = "tests.support.disk_writer"

CONNECTIONS = 3
"""More than one, because a pool makes them when they are needed: the writer's, the readers'."""


class Driver:
    """A connection of a driver that answers each statement the same way, whatever was set."""

    def __init__(self, **answers: str | int) -> None:
        self._answers = answers
        self._asked = ""

    def execute(self, statement: str) -> "Driver":
        self._asked = statement.rsplit(maxsplit=1)[-1]
        return self

    def fetchone(self) -> tuple[str | int]:
        return (self._answers[self._asked],)

    def commit(self) -> None:
        """Do nothing."""


def settings(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Return what several connections, open at once, answer to statements."""
    engine = database.connect(url)
    try:
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(engine.connect()) for _ in range(CONNECTIONS)]
            # Reads, in transactions of their own.
            raw = [one.connection.cursor() for one in opened]
            return [tuple(_answer(cursor, one) for one in statements) for cursor in raw]
    finally:
        engine.dispose()


def _answer(cursor: sa.engine.interfaces.DBAPICursor, statement: str) -> object:
    cursor.execute(statement)
    found = cursor.fetchone()
    assert found is not None
    return found[0]


def test_sqlite_syncs_each_commit(tmp_path: Path) -> None:
    """Every connection of the pool has a WAL that is synced before a commit returns."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    found = settings(url, "PRAGMA journal_mode", "PRAGMA synchronous")
    assert found == [("wal", 2)] * CONNECTIONS


def test_sqlite_that_does_not_sync_is_refused() -> None:
    """A connection on which the setting did not take effect is never used."""
    with pytest.raises(StoreError, match="synchronous is 1"):
        configure_sqlite(Driver(synchronous=1))


@pytest.mark.parametrize(("configured", "used"), [("off", "on"), ("local", "local")])
def test_postgres_waits_for_the_wal(postgres_url: str, configured: str, used: str) -> None:
    """A database set to answer before its WAL is on disk does not answer us so."""
    name = sa.make_url(postgres_url).database
    engine = database.connect(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {name} SET synchronous_commit = {configured}"))
    engine.dispose()

    found = settings(postgres_url, "SHOW synchronous_commit")

    assert found == [(used,)] * CONNECTIONS


def test_postgres_that_does_not_sync_is_refused() -> None:
    """A connection on which the setting did not take effect is never used."""
    with pytest.raises(StoreError, match="synchronous_commit is off"):
        configure_postgres(Driver(synchronous_commit="off", on=""))


ANSWERS = 5


@pytest.mark.skipif(bool(traced.why_not()), reason=traced.why_not() or "it can be traced")
def test_wal_is_synced_before_each_answer(tmp_path: Path) -> None:
    """Nobody hears of a commit before it is on disk; without the setting, the trace shows it."""
    files = [tmp_path / "synced.db", tmp_path / "unsynced.db"]
    for file in files:
        lay_schema(file)
    log = tmp_path / "strace.log"
    options = ["--seccomp-bpf", "-e", "trace=write,pwrite64,fsync,fdatasync"]

    urls = [f"sqlite:///{file}" for file in files]
    code, heard = traced.run(WRITER, str(ANSWERS), *urls, log=log, options=options)

    assert (code, heard.count(DONE), heard.count(TOO_EARLY)) == (0, ANSWERS, ANSWERS)
    assert traced.unsynced(log, "/synced.db-wal", DONE) == []
    assert len(traced.unsynced(log, "/unsynced.db-wal", TOO_EARLY)) == ANSWERS
