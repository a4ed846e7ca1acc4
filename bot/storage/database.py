"""Open the database: an engine with the right settings, and the schema that a release can use."""

import hashlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.errors import ConfigError, NoTablesError, StoreError
from bot.storage import sqlite_file
from bot.storage.durability import configure_postgres, configure_sqlite
from bot.storage.prepared import Prepared
from bot.storage.tables import METADATA, compatibility

HEAD = "0018"
"""The newest migration. A test compares it with the files."""

OLDEST = "0010"
"""The oldest migration whose release works beside this one, on the schema HEAD.

A migration that a release before it cannot work with raises this to itself.
"""

_BEGIN, _BEGIN_WRITING = Prepared(sa.text("BEGIN")), Prepared(sa.text("BEGIN IMMEDIATE"))

_VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where alembic keeps the newest migration that a database has seen."""

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
        (_BEGIN if reads else _BEGIN_WRITING).run(connection)

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


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema that a database has.

    Attributes:
        current: The newest migration that it has seen; None if it has no tables.
        oldest: The oldest migration whose release may use it; empty where a release before 0014
            has made it, and did not say.
    """

    current: str | None
    oldest: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether a newer release has made it."""
        return self.current is not None and self.current > HEAD

    @property
    def is_usable(self) -> bool:
        """Whether this release can work with it as it is."""
        return self.current == HEAD or (self.is_newer and "" < self.oldest <= HEAD)

    @property
    def is_safe_to_upgrade(self) -> bool:
        """Whether the release that works with it now can go on after an upgrade to HEAD."""
        return self.current is None or OLDEST <= self.current < HEAD

    @property
    def next_step(self) -> str:
        """What makes this release work with it, as a sentence; empty where it works."""
        if self.current is None:
            return "stopstream db upgrade or stopstream serve makes the tables"
        if self.is_usable:
            return ""
        if self.is_newer:
            oldest = f", and releases before {self.oldest} cannot use it" if self.oldest else ""
            return f"it is of a newer release{oldest}: run that one, or restore a backup"
        if self.is_safe_to_upgrade:
            return (
                "stopstream serve upgrades it, or run stopstream db upgrade; what runs now can go "
                "on meanwhile"
            )
        return (
            "stop every stopstream that uses it, then run stopstream db backup FILE and "
            "stopstream db upgrade"
        )

    def __str__(self) -> str:
        return self.current or "none"


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to HEAD; safe when several replicas start at once.

    Raises:
        StoreError: The database cannot be reached or changed, or is of a newer release.
    """
    try:
        found = _schema(engine)
        if found.is_usable:
            return
        if found.current is not None:
            # Takes half a second, and not while nobody else can write.
            import_module("alembic.command")
        _upgrade(engine)
    except sa.exc.SQLAlchemyError as error:
        raise _unreachable(error) from error


def prepare(engine: sa.Engine, *, may_create: bool = False, may_upgrade: bool = False) -> None:
    """See to it that this release can work with the schema.

    Args:
        may_create: Make the tables of a database that has none.
        may_upgrade: Upgrade it, where the release that works with it now can go on.

    Raises:
        NoTablesError: It has none, and may not get any now.
        StoreError: This release cannot work with it; the message says what to run.
    """
    found = schema(engine)
    if found.is_usable:
        return
    if found.current is None:
        if not may_create:
            raise NoTablesError(f"it has no tables yet; {found.next_step}")
    elif not (may_upgrade and found.is_safe_to_upgrade):
        raise StoreError(f"its schema is {found}, and this release needs {HEAD}: {found.next_step}")
    migrate(engine)


def schema(engine: sa.Engine) -> Schema:
    """Return the schema of a database. A file that is not there is not made for this.

    Raises:
        StoreError: The database cannot be read.
    """
    file = engine.url.database or ""
    if engine.dialect.name == "sqlite" and not Path(file).exists():
        return Schema(None)
    try:
        return _schema(engine)
    except sa.exc.SQLAlchemyError as error:
        raise _unreachable(error) from error


def _unreachable(error: sa.exc.SQLAlchemyError) -> StoreError:
    origin = str(getattr(error, "orig", None) or error).strip().splitlines()
    return StoreError(origin[0] if origin else "the database does not answer")


def _schema(engine: sa.Engine) -> Schema:
    with engine.connect().execution_options(reads=True) as connection:
        return _schema_of(connection)


def _schema_of(connection: sa.Connection) -> Schema:
    tables = sa.inspect(connection)
    if not tables.has_table(_VERSION.name):
        return Schema(None)
    current = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    if not tables.has_table(compatibility.name):
        return Schema(current)
    oldest = connection.execute(sa.select(compatibility.c.oldest)).scalar()
    return Schema(current, oldest or "")


def _upgrade(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7308)"))
        found = _schema_of(connection)
        if found.is_usable:
            # Another replica was here while this one waited.
            return
        if found.current is None:
            _create(connection)
        else:
            _run_migrations(connection)
        connection.execute(sa.delete(compatibility))
        connection.execute(sa.insert(compatibility).values(oldest=OLDEST))


def _create(connection: sa.Connection) -> None:
    """Make the tables as they are declared, as if every migration had run; of any there, fail.

    That is faster than the migrations, and alembic, which stays in memory, is not needed.
    """
    _VERSION.create(connection)
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(sa.insert(_VERSION).values(version_num=HEAD))


def _run_migrations(connection: sa.Connection) -> None:
    # Imported only with a new release: it stays in memory.
    from alembic import command  # noqa: PLC0415 (see above)
    from alembic.config import Config  # noqa: PLC0415 (see above)
    from alembic.util import CommandError  # noqa: PLC0415 (see above)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = METADATA
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"it is of another release of stopstream: {error}") from error
