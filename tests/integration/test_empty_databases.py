"""The databases that tests get on a PostgreSQL: each as new, though it was used before."""

import psycopg
import pytest

from tests.support.databases import EmptyDatabases


def test_left_rows_and_connections_are_gone(empty_databases: EmptyDatabases) -> None:
    """Who is still connected is cut off; neither rows nor numbers of the last test are left."""
    with empty_databases.one() as first:
        left = psycopg.connect(first)
        number = "SELECT nextval('outbox_id_seq')"
        left.execute("INSERT INTO limits VALUES ('a', 'b', 1)")
        left.execute(number)
        left.commit()
        left.execute("SELECT 1 FROM outbox FOR UPDATE")
    with empty_databases.one() as second, psycopg.connect(second) as connection:
        assert second == first
        assert connection.execute(number).fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM limits").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError):
        left.execute(number)
    left.close()


@pytest.mark.parametrize(
    "changed",
    [
        "ALTER TABLE outbox ADD COLUMN newer TEXT",
        "ALTER TABLE outbox RENAME TO gone",
        "CREATE TABLE newer (id TEXT)",
        "DROP INDEX outbox_by_destination",
        "UPDATE compatibility SET oldest = 'x'",
        "UPDATE alembic_version SET version_num = 'x'",
        "ALTER DATABASE {name} SET work_mem = 1024",
    ],
)
def test_changed_schema_is_used_by_no_other_test(
    empty_databases: EmptyDatabases, changed: str
) -> None:
    """A database whose schema or settings a test has changed is dropped."""
    with empty_databases.one() as first, psycopg.connect(first) as connection:
        connection.execute(changed.format(name=connection.info.dbname))
    with empty_databases.one() as second:
        assert second != first
