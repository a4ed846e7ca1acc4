"""Open the database: an engine with the right settings, and the schema brought up to date."""

import hashlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.errors import ConfigError, StoreError
from bot.storage import sqlite_file
from bot.storage.durability import configure_postgres, configure_sqlite
from bot.storage.tables import METADATA

HEAD = "0013"
"""The newest migration. A test compares it with the files."""

_ADDRESS = "STOPSTREAM_DATABASE_URL: "


def connect(url: str) -> sa.Engine:
    """Return an engine for `sqlite:///FILE` or `postgresql://…`; opens nothing yet.

    Raises:
        ConfigError: The address is not one of these.
    """
    address = _parse(url)
    match address.get_backend_name():
        case "sqlite":
            return _sqlite(address)
        case "postgresql":
            return _postgres(address)
        case other:
            raise ConfigError(
                [_ADDRESS + f"{other} is not supported; write sqlite:///FILE or postgresql://…"]
            )


def _parse(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            [_ADDRESS + "is not a database address; write sqlite:///FILE or postgresql://…"]
        ) from None


def _postgres(address: sa.URL) -> sa.Engine:
    # Imported only for a PostgreSQL, because its driver is slow to import.
    from bot.storage.postgres_connection import (  # noqa: PLC0415 (see above)
        PARAMETERS,
        Connection,
    )

    engine = sa.create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args=dict(PARAMETERS),
    )

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: Any, parameters: dict[str, Any]) -> Any:
        return Connection.connect(*args, **parameters)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        configure_postgres(connection)

    return engine


def _sqlite(address: sa.URL) -> sa.Engine:
    file = address.database or ""
    if file in ("", ":memory:"):
        raise ConfigError([_ADDRESS + "names no file; the trail must survive, so give it one"])
    folder = Path(file).parent
    if not folder.is_dir():
        raise ConfigError([_ADDRESS + f"the folder {folder} does not exist"])
    # Shorter than an ack may take, so that the asker is told why. `?timeout=` says otherwise.
    waits = {} if "timeout" in address.query else {"timeout": 1.5}
    engine = sa.create_engine(address, connect_args={**waits, "check_same_thread": False})

    @sa.event.listens_for(engine, "do_connect")
    def prepare(*_: Any) -> None:
        sqlite_file.keep_private(Path(file))

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # SQLAlchemy issues BEGIN itself, below; the driver must not.
        connection.isolation_level = None
        configure_sqlite(connection)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def name_of(url: str) -> str:
    """Return a short name of the database that an address means, whoever connects to it.

    Raises:
        ConfigError: It is no address.
    """
    address = _parse(url)
    file = address.database or ""
    if address.get_backend_name() == "sqlite":
        file = str(Path(file).resolve())
    means = f"{address.get_backend_name()}://{address.host}:{address.port}/{file}"
    return hashlib.sha256(means.encode()).hexdigest()[:8]


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to HEAD; safe when several replicas start at once.

    Raises:
        StoreError: The database cannot be reached or changed, or is of a newer release.
    """
    try:
        if _current(engine) != HEAD:
            _upgrade(engine)
    except sa.exc.SQLAlchemyError as error:
        raise _unreachable(error) from error


def schema(engine: sa.Engine) -> str | None:
    """Return the newest migration that a database has seen; None if it has no tables.

    A file that is not there is not made for this.

    Raises:
        StoreError: The database cannot be read.
    """
    file = engine.url.database or ""
    if engine.dialect.name == "sqlite" and not Path(file).exists():
        return None
    try:
        return _current(engine)
    except sa.exc.SQLAlchemyError as error:
        raise _unreachable(error) from error


def _unreachable(error: sa.exc.SQLAlchemyError) -> StoreError:
    origin = str(getattr(error, "orig", None) or error).strip().splitlines()
    return StoreError(origin[0] if origin else "the database does not answer")


def _current(engine: sa.Engine) -> str | None:
    with engine.connect().execution_options(reads=True) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return str(found) if found is not None else None


def _upgrade(engine: sa.Engine) -> None:
    # Imported only at a first start or with a new release, because alembic is slow to import.
    from alembic import command  # noqa: PLC0415 (see above)
    from alembic.config import Config  # noqa: PLC0415 (see above)
    from alembic.util import CommandError  # noqa: PLC0415 (see above)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # The second replica waits here, then finds nothing left to do.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7308)"))
        config.attributes["connection"] = connection
        config.attributes["metadata"] = METADATA
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                f"the database is of another release of stopstream: {error}"
            ) from error
