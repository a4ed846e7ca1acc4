"""Databases with the newest schema: migrated once in a test process, then copied."""

import contextlib
import functools
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from psycopg import sql

from bot.storage import database, tables


def lay_schema(file: Path) -> None:
    """Write a new SQLite file with the newest schema; one that is there stays as it is."""
    if not file.exists():
        file.write_bytes(_sqlite_template())


@functools.cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.db"
        _migrate(f"sqlite:///{file}")
        return file.read_bytes()


def _migrate(url: str) -> None:
    engine = database.connect(url)
    database.migrate(engine)
    # The last connection writes everything into the file.
    engine.dispose()


def migrate_to(revision: str, connection: sa.Connection) -> None:
    """Bring the schema to where an older release left it."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = tables.METADATA
    command.upgrade(config, revision)


@contextlib.contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """Yield the address of a new database without tables, and drop it afterwards."""
    url = _create(server)
    try:
        yield url
    finally:
        _drop(server, url)


class EmptyDatabases:
    """Databases with the newest schema and without rows, each for one test at a time.

    One that a test leaves is emptied and used again: to copy and drop one takes ten times as long.

    Args:
        server: The address of a PostgreSQL.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._template = _create(server)
        _migrate(self._template)
        self._untouched = _structure(self._template)
        self._spare: list[str] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        """Yield the address of one."""
        url = self._spare.pop() if self._spare else _create(self._server, self._template)
        try:
            yield url
        finally:
            _empty(url)
            if _structure(url) == self._untouched:
                self._spare.append(url)
            else:
                _drop(self._server, url)

    def close(self) -> None:
        """Drop them all."""
        for url in (*self._spare, self._template):
            _drop(self._server, url)


_NOT_EMPTIED = ("alembic_version", tables.compatibility.name)
"""What these hold belongs to the schema."""

_STRUCTURE = """
SELECT relname, attname, atttypid, attnotnull FROM pg_attribute JOIN pg_class ON oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped AND attnum > 0
UNION ALL
SELECT conname, pg_get_constraintdef(oid), conrelid, convalidated FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'set for it', setconfig::text, 0, true FROM pg_db_role_setting
JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
UNION ALL
SELECT 'version', version_num, 0, true FROM alembic_version
UNION ALL
SELECT 'oldest', oldest::text, 0, true FROM compatibility
ORDER BY 1, 2
"""


def _structure(url: str) -> list[tuple[Any, ...]]:
    """Return all that a test may have changed besides rows."""
    with psycopg.connect(url) as connection:
        return connection.execute(_STRUCTURE).fetchall()


def _empty(url: str) -> None:
    """Delete all rows, whoever is still connected."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (name,) in found.fetchall():
            if name not in _NOT_EMPTIED:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
            " FROM pg_sequences"
        )


def _create(server: str, template: str = "") -> str:
    """Create a database and return its address.

    Args:
        template: The address of the database that is copied; nobody may be connected to it.
    """
    name = f"test_{uuid.uuid4().hex}"
    copied = f" TEMPLATE {sa.make_url(template).database}" if template else ""
    _execute(server, f"CREATE DATABASE {name}{copied}")
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


def _drop(server: str, url: str) -> None:
    _execute(server, f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")


def without_sync(server: str) -> None:
    """Let a PostgreSQL answer before its disk has: the tests pull no plug."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        _execute(server, f"ALTER SYSTEM SET {setting} = off")
    _execute(server, "SELECT pg_reload_conf()")


def _execute(server: str, statement: str) -> None:
    address = sa.make_url(server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.execute(sa.text(statement))
