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
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from bot.storage.tables import METADATA, compatibility
from tests.support.databases import lay_schema


class Fate(Enum):
    """What becomes of a commit."""

    ANSWERED = "answered"
    LOST = "lost"
    """It takes place, and its answer is lost."""
    REFUSED = "refused"


class _Connection(sqlite3.Connection):
    """The connection that all replicas share; each is told of the writes of the others alone."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._own: WeakKeyDictionary[sa.Connection, int] = WeakKeyDictionary()
        self._writes: sa.Connection | None = None
        self._begun = 0

    def begin(self, who: sa.Connection) -> None:
        """Note who makes the changes that follow."""
        if self._writes is not None:
            mine = self.total_changes - self._begun
            self._own[self._writes] = self._own.get(self._writes, 0) + mine
        self._writes, self._begun = who, self.total_changes

    @property
    def data_version(self) -> int:
        """How many rows others than who writes now have changed."""
        own = self._own.get(self._writes, 0) if self._writes is not None else 0
        return self._begun - own

    def cursor(self, *_: Any) -> "_Cursor":  # type: ignore[override] # the only kind here
        """Return a cursor that answers what SQLite could not tell of a shared connection."""
        return super().cursor(_Cursor)


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *given: Any) -> "_Cursor":
        shared = self.connection
        if sql == "PRAGMA data_version" and isinstance(shared, _Connection):
            sql = f"SELECT {shared.data_version}"
        super().execute(sql, *given)
        return self


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
        assert isinstance(self.file, _Connection)
        self._shared = self.file
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
        self._shared.begin(connection)
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
