"""The rows of a database, as another release may write to them."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.storage import database, tables


class Rows:
    """The database, as another release may write to it."""

    def __init__(self, url: str) -> None:
        self._engine = database.connect(url)

    def change(self, table: sa.Table, id_: str | int, **values: Any) -> None:
        self.change_each(table, {id_: values})

    def change_each(self, table: sa.Table, changes: Mapping[Any, Mapping[str, Any]]) -> None:
        with self._engine.begin() as connection:
            for id_, values in changes.items():
                done = connection.execute(sa.update(table).where(table.c.id == id_).values(values))
                assert done.rowcount == 1

    def change_all(self, table: sa.Table, **values: Any) -> None:
        with self._engine.begin() as connection:
            assert connection.execute(sa.update(table).values(values)).rowcount

    def delete_all(self, table: sa.Table) -> None:
        with self._engine.begin() as connection:
            assert connection.execute(sa.delete(table)).rowcount

    def insert(self, table: sa.Table, made: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.insert(table), made)

    def execute(self, statement: str) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def orphan(self, table: sa.Table, id_: str = "") -> None:
        """Let whoever held the rows, or one of them, have been silent for long."""
        which = table.c.id == id_ if id_ else sa.true()
        with self._engine.begin() as connection:
            connection.execute(sa.update(table).where(which).values(owner="dead", lease_until=1.0))

    def all(self, table: sa.Table) -> list[sa.Row[Any]]:
        with self._engine.connect() as connection:
            return list(connection.execute(sa.select(table)).all())

    def one(self, table: sa.Table, id_: str | int) -> sa.Row[Any]:
        return next(row for row in self.all(table) if row.id == id_)

    def notices(self) -> list[str]:
        """Return what the audit channel must hear of quarantined rows."""
        return [row.text for row in self.all(tables.outbox) if row.key.startswith("unreadable:")]

    def close(self) -> None:
        self._engine.dispose()
