"""Statements that run with every operation: compiled once, then given to the driver as they are.

What SQLite runs in 3 µs costs SQLAlchemy 80 µs to look up and bind, and 350 µs where the statement
is built anew; an operation has more than a hundred.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

Given: TypeAlias = Mapping[str, Any]
"""The values of a statement by the names of its parameters, as the driver takes them."""

_NOTHING: Given = {}


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement in one dialect.

    Attributes:
        names: Of the parameters, in the order of their places; None where the driver takes names.
        fixed: Values that are part of the statement.
        decoders: Of the columns of its result whose values the driver does not decode itself.
    """

    sql: str
    names: tuple[str, ...] | None
    fixed: Given
    columns: SimpleResultMetaData
    decoders: Mapping[int, Callable[[Any], Any]]

    def values(self, given: Given) -> Any:
        """Return the values in the form that the driver takes; KeyError if one is missing."""
        if self.names is None:
            return {**self.fixed, **given}
        fixed = self.fixed
        return tuple([given[name] if name in given else fixed[name] for name in self.names])

    def decoded(self, found: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Decode rows of the driver."""
        if not self.decoders:
            return iter(found)
        return (
            tuple(
                self.decoders[at](value) if at in self.decoders else value
                for at, value in enumerate(row)
            )
            for row in found
        )


class Prepared:
    """A statement whose text never changes.

    Args:
        statement: Its parameters are `bindparam`, one for each value of a list, too.
        columns: Those that an INSERT sets; None for all.
    """

    def __init__(
        self, statement: sa.ClauseElement, *, columns: Collection[str] | None = None
    ) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._forms: dict[str, _Form] = {}

    def all(self, connection: sa.Connection, given: Given = _NOTHING) -> Sequence[sa.Row[Any]]:
        """Return all rows.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: As of SQLAlchemy's own execution, here and below.
        """
        form = self._form(connection)
        found = _execute(connection, form, form.values(given)).fetchall()
        if not found:
            return []
        result: Any = IteratorResult(form.columns, form.decoded(found))
        rows: Sequence[sa.Row[Any]] = result.all()
        return rows

    def first(self, connection: sa.Connection, given: Given = _NOTHING) -> sa.Row[Any] | None:
        """Return the first row; None if there is none."""
        found = self.all(connection, given)
        return found[0] if found else None

    def scalar(self, connection: sa.Connection, given: Given = _NOTHING) -> Any:
        """Return the first column of the first row; None if there is none."""
        form = self._form(connection)
        found = _execute(connection, form, form.values(given)).fetchall()
        return found[0][0] if found else None

    def run(self, connection: sa.Connection, given: Given = _NOTHING) -> int:
        """Execute it; return how many rows it has changed."""
        form = self._form(connection)
        return int(_execute(connection, form, form.values(given)).rowcount)

    def run_each(self, connection: sa.Connection, many: Sequence[Given]) -> None:
        """Execute it once for each."""
        form = self._form(connection)
        _execute(connection, form, [form.values(given) for given in many], many=True)

    def _form(self, connection: sa.Connection) -> _Form:
        dialect = connection.dialect
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = self._compile(dialect)
        return form

    def _compile(self, dialect: sa.Dialect) -> _Form:
        compiled = cast("Any", self._statement.compile(dialect=dialect, column_keys=self._columns))
        assert not compiled.post_compile_params, "it has a list of values"  # noqa: S101
        places = compiled.positiontup
        results = list(getattr(self._statement, "exported_columns", ()))
        found = {at: _decoder(column.type, dialect) for at, column in enumerate(results)}
        return _Form(
            str(compiled),
            None if places is None else tuple(places),
            {name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            SimpleResultMetaData([column.key for column in results]),
            {at: decoder for at, decoder in found.items() if decoder is not None},
        )


def names(count: int) -> list[str]:
    """Return the names of that many parameters, for a list of values."""
    return [f"one_{number}" for number in range(count)]


def in_any(column: sa.ColumnElement[Any], count: int) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of the values of `listed`."""
    return column.in_([sa.bindparam(name, type_=column.type) for name in names(count)])


def listed(values: Collection[Any]) -> tuple[int, Given]:
    """Return how many parameters hold a list of values, and these: few lengths, few statements."""
    found = list(values)
    count = 1 << max(0, len(found) - 1).bit_length()
    filled = [*found, *found[-1:] * (count - len(found))]
    return count, dict(zip(names(count), filled, strict=True))


def _decoder(type_: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    # SQLite keeps truth as 0 and 1; all else is decoded by the driver.
    return (
        type_.dialect_impl(dialect).result_processor(dialect, None)
        if (isinstance(type_, sa.Boolean))
        else None
    )


def _execute(connection: sa.Connection, form: _Form, values: Any, *, many: bool = False) -> Any:
    """Return the driver's cursor after a statement; its errors are SQLAlchemy's."""
    raw = connection.connection.dbapi_connection
    assert raw is not None  # noqa: S101 (the connection is open)
    dialect = connection.dialect
    driver = dialect.loaded_dbapi
    cursor = raw.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(form.sql, values)
    except driver.Error as error:
        gone = dialect.is_disconnect(error, raw, cursor)
        if gone:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            form.sql,
            values,
            error,
            driver.Error,
            hide_parameters=True,
            connection_invalidated=gone,
            dialect=dialect,
        ) from error
    return cursor
