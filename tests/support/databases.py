"""Databases with the newest schema: migrated once in a test process, then copied."""

import contextlib
import functools
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

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
def postgres_database(server: str, template: str = "") -> Iterator[str]:
    """Yield the address of a new database, and drop it afterwards.

    Args:
        template: The address of the database that is copied; nobody may be connected to it.
    """
    name = f"test_{uuid.uuid4().hex}"
    copied = f" TEMPLATE {sa.make_url(template).database}" if template else ""
    _execute(server, f"CREATE DATABASE {name}{copied}")
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def postgres_template(server: str) -> Iterator[str]:
    """Yield the address of a database with the newest schema, for `postgres_database`."""
    with postgres_database(server) as url:
        _migrate(url)
        yield url


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
