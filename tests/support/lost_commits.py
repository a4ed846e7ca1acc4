"""Loses the database's answer to chosen commits, after they have taken place or before."""

import sqlite3
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from bot.storage.store import Store
from tests.support.database_relay import Relay


class LostCommits:
    """Watches the commits of a store's writer.

    Args:
        relay: Before a PostgreSQL; None on SQLite.

    Attributes:
        lost: The kinds whose commit has lost its answer, as `Repository.method`.
        before_losing: Called right before such a commit; has its answer lost.
    """

    def __init__(self, store: Store, relay: Relay | None) -> None:
        self.lost: list[str] = []
        self.before_losing: Callable[[], None] = self._lose_next
        self._relay = relay
        self._armed: set[str] = set()
        self._in_transaction: frozenset[str] = frozenset()
        self._fails = False
        self._changes: dict[int, int] = {}
        writer, engine = store.session.writer, store.session.engine
        commit, do_commit = writer._commit, engine.dialect.do_commit  # noqa: SLF001 (which work it is)

        def watched(jobs: list[Any]) -> list[Any]:
            self._in_transaction = frozenset(_kind(job.work) for job in jobs)
            return commit(jobs)

        def commit_then_fail(connection: Any) -> None:
            do_commit(connection)
            if self._fails:
                self._fails = False
                raise sqlite3.OperationalError("the answer is lost")

        writer._commit = watched  # type: ignore[method-assign] # noqa: SLF001 (see above)
        dialect: Any = engine.dialect
        dialect.do_commit = commit_then_fail
        sa.event.listen(engine, "commit", self._before_commit)

    def lose(self, *kinds: str) -> None:
        """Lose, for each kind of work, the answer to its next commit that has changed something."""
        self._armed.update(kinds)

    def _before_commit(self, connection: sa.Connection) -> None:
        changed, found = self._has_changed(connection), self._armed & self._in_transaction
        if not changed or not found:
            return
        self.lost += found
        self._armed -= found
        self.before_losing()

    def _lose_next(self) -> None:
        if self._relay is None:
            self._fails = True
        else:
            self._relay.lose_next_commit()

    def _has_changed(self, connection: sa.Connection) -> bool:
        if self._relay is not None:
            changed = connection.exec_driver_sql("SELECT txid_current_if_assigned()")
            return changed.scalar() is not None
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        before = self._changes.get(id(driver), 0)
        self._changes[id(driver)] = driver.total_changes
        return driver.total_changes > before


def _kind(work: Any) -> str:
    repository = getattr(work, "__self__", None)
    return f"{type(repository).__name__}.{work.__name__.strip('_')}"
