"""A database in memory that several replicas share, and what can go wrong with its commits."""

import contextlib
import functools
import random
import sqlite3
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.storage.tables import METADATA, compatibility
from tests.support.databases import lay_schema


class Fate(Enum):
    """What becomes of a commit."""

    ANSWERED = "answered"
    LOST = "lost"
    """It takes place, and its answer is lost."""
    REFUSED = "refused"


class _Cursor(sqlite3.Cursor):
    """One that tells each replica of the writes of all others, which have the same connection."""

    def execute(self, sql: str, *given: Any) -> "_Cursor":
        """Execute a statement; each change counts as one of another connection."""
        asks = sql == "PRAGMA data_version"
        super().execute("SELECT total_changes()" if asks else sql, *given)
        return self


class _Connection(sqlite3.Connection):
    def cursor(self, *_: Any) -> _Cursor:  # type: ignore[override] # the only kind here
        return super().cursor(_Cursor)


class MemoryDatabase:
    """One SQLite in memory, emptied for each run: statements that were made once stay usable.

    Attributes:
        engine: As `bot.storage.database.connect` makes it, but for its one connection.
        fates: Of the next commits.
        away: Whether it can't be reached.
    """

    def __init__(self) -> None:
        self.fates: list[Fate] = []
        self.away = False
        self.file = sqlite3.connect(
            ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=1_000,
            factory=_Connection,
        )
        self.file.deserialize(_schema())
        self.engine = sa.create_engine(
            "sqlite://", creator=lambda: self.file, poolclass=sa.StaticPool
        )
        sa.event.listen(self.engine, "begin", self._begin)
        dialect: Any = self.engine.dialect
        self._do_commit = dialect.do_commit
        dialect.do_commit = self._commit

    def empty(self) -> None:
        """Leave nothing but the schema, and the numbers that messages go on from."""
        self.fates.clear()
        self.away = False
        if self.file.in_transaction:
            self.file.execute("ROLLBACK")
        # Another schema, even the same, would have every statement prepared anew.
        self.file.execute("BEGIN")
        for table in METADATA.sorted_tables:
            if table is not compatibility:
                self.file.execute(str(sa.delete(table)))
        self.file.execute("COMMIT")

    def rows(self, query: str, given: Mapping[str, object] | None = None) -> list[Any]:
        """Return what a query finds, as a witness who stands beside."""
        return self.file.execute(query, given or {}).fetchall()

    def _begin(self, connection: sa.Connection) -> None:
        if self.away:
            origin = sqlite3.OperationalError("the database is away")
            raise sa.exc.OperationalError("BEGIN", None, origin)
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    def _commit(self, connection: Any) -> None:
        fate = self.fates.pop(0) if self.fates else Fate.ANSWERED
        if fate is Fate.REFUSED:
            raise sqlite3.OperationalError("database or disk is full")
        self._do_commit(connection)
        if fate is Fate.LOST:
            raise sqlite3.OperationalError("disk I/O error")


@functools.cache
def _schema() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schema.db"
        lay_schema(file)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            # What is in memory has no WAL.
            connection.execute("PRAGMA journal_mode=DELETE")
        return file.read_bytes()


def chosen(dice: random.Random, chances: Mapping[Any, float]) -> Any:
    """Return one of several things, each as often as its weight says."""
    return dice.choices(list(chances), list(chances.values()))[0]
