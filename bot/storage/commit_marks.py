"""The table `commits`: a mark in each transaction tells afterwards whether it was committed."""

import secrets
from typing import Any

import sqlalchemy as sa

from bot.storage.prepared import Prepared
from bot.storage.tables import commits

SILENT_FOR = 8.0
"""Seconds after which PostgreSQL ends a writing transaction that sends nothing.

Nobody else can write meanwhile, and its process may be gone, stopped or cut off.
"""

_WRITE_LOCK = Prepared(
    sa.text(
        "SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true),"
        " pg_advisory_xact_lock(7307)"
    )
)

_KEPT = 30 * 86_400.0
"""Seconds for which the last mark of a writer is kept."""

_PRUNE = sa.delete(commits).where(commits.c.at < sa.bindparam("before", type_=sa.Double))

_LEAVE = (
    "INSERT INTO commits (writer, mark, at)"
    " SELECT :writer, :mark, CAST(:at AS DOUBLE PRECISION) WHERE {changed}"
    " ON CONFLICT (writer) DO UPDATE SET mark = excluded.mark, at = excluded.at"
)
# A transaction that changes nothing leaves no mark, so that an idle process writes nothing.
_ON_SQLITE = Prepared(sa.text(_LEAVE.format(changed="true")))
_ON_POSTGRES = Prepared(sa.text(_LEAVE.format(changed="txid_current_if_assigned() IS NOT NULL")))


def lock_writes(connection: sa.Connection) -> None:
    """Wait for PostgreSQL's lock that a writing transaction holds until its end."""
    _WRITE_LOCK.scalar(connection, {"milliseconds": str(int(SILENT_FOR * 1000))})


class CommitMarks:
    """The marks of one writer, which has one transaction at a time."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._is_postgres = engine.dialect.name == "postgresql"
        self._writer = secrets.token_hex(16)
        self._changes = 0
        self._pruned = False

    def begin(self, connection: sa.Connection) -> None:
        """Note the beginning of a transaction."""
        if not self._is_postgres:
            self._changes = _changes(connection)

    def leave(self, connection: sa.Connection, now: float) -> str:
        """Leave a mark in a transaction before its commit, and return it; empty without changes."""
        mark = secrets.token_hex(16)
        given = {"writer": self._writer, "mark": mark, "at": now}
        if not self._is_postgres and _changes(connection) == self._changes:
            return ""
        statement = _ON_POSTGRES if self._is_postgres else _ON_SQLITE
        if not statement.run(connection, given):
            return ""
        if not self._pruned:
            connection.execute(_PRUNE, {"before": now - _KEPT})
            self._pruned = True
        return mark

    def is_committed(self, mark: str) -> bool:
        """Return whether the transaction that left a mark was committed; it must be the last one.

        On PostgreSQL this waits until the server has ended that transaction.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The database cannot be asked.
        """
        query = sa.select(commits.c.mark).where(commits.c.writer == self._writer)
        with self._engine.connect().execution_options(reads=True) as connection:
            if self._is_postgres:
                lock_writes(connection)
            return connection.execute(query).scalar() == mark


def _changes(connection: sa.Connection) -> int:
    """Return how many rows a connection of SQLite has changed since it was opened."""
    driver: Any = connection.connection.driver_connection
    return int(driver.total_changes)
