"""The schema's history: what an older release wrote is there afterwards, and complete."""

import json

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import GENESIS, Fact, canonical, digest
from bot.errors import StoreError
from bot.storage import database, tables
from tests.conftest import opened
from tests.support.databases import migrate_to

OURS = Signer(b"o" * 32)
AT = 1_700_000_000.12345678


def test_migrations_end_where_a_new_database_begins(empty_database_url: str) -> None:
    """A new database has the declared tables at once: the same as after every migration."""
    engine = database.connect(empty_database_url)
    database.migrate(engine)
    new = _described(engine)
    with engine.begin() as connection:
        tables.METADATA.drop_all(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))
        migrate_to("head", connection)

    assert _described(engine) == new
    assert {name for name, *_ in new} >= {table.name for table in tables.METADATA.sorted_tables}
    engine.dispose()


def test_replica_that_comes_second_to_a_new_database_changes_nothing(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It found no tables, and they are there when its turn comes."""
    engine = database.connect(empty_database_url)
    database.migrate(engine)
    made = _described(engine)
    monkeypatch.setattr(database, "_schema", lambda _engine: database.Schema(None))
    monkeypatch.setattr(database, "_run_migrations", None)
    database.migrate(engine)
    assert _described(engine) == made
    engine.dispose()


def test_tables_of_somebody_else_are_left_alone(empty_database_url: str) -> None:
    """Where a table has one of our names already, nothing is made."""
    engine = database.connect(empty_database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE outbox (id INTEGER)"))
    with pytest.raises(StoreError, match="exists"):
        database.migrate(engine)
    assert {name for name, *_ in _described(engine)} == {"outbox"}
    engine.dispose()


def _described(engine: sa.Engine) -> set[tuple[str, ...]]:
    """Return what there is to know of the tables, whatever the order of their columns."""
    where = "pg_indexes WHERE schemaname = 'public'"
    indexes = f"SELECT tablename, indexname, indexdef FROM {where}"  # noqa: S608 (our own)
    if engine.dialect.name == "sqlite":
        indexes = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index'"
    found = sa.inspect(engine)
    columns = {
        (table, *(f"{column[of]}" for of in ("name", "type", "nullable", "default")))
        for table in found.get_table_names()
        for column in found.get_columns(table)
    }
    keys = {
        (table, f"{found.get_pk_constraint(table)}", f"{found.get_unique_constraints(table)}")
        for table in found.get_table_names()
    }
    with engine.connect() as connection:
        made = {tuple(map(str, row)) for row in connection.execute(sa.text(indexes))}
    return columns | keys | made


async def test_migrations_upgrade_a_database_of_revision_0002(empty_database_url: str) -> None:
    """Data of revision 0002 is completed by the upgrade; its log, never signed, is acknowledged."""
    old(empty_database_url)
    async with opened(empty_database_url, signer=OURS) as store:
        (one,) = await store.operations.recent()
        assert one.target == "stream1"
        assert one.ended_at == one.asked_at
        await store.audit_log.record(Fact("ended", "op1", {}))
        # Whoever can write the database can remove all signatures, too.
        with store.audit_log.snapshot() as audited:
            (unknown,) = audited.verify([OURS.public], lambda _seq: None).unacknowledged
        await store.audit_log.acknowledge([unknown], {"reason": "of the first release"})
        with store.audit_log.snapshot() as audited:
            report = audited.verify([OURS.public], lambda _seq: None)

    assert (report.count, report.found) == (5, None)


def old(url: str) -> None:
    """Make a database as 0002 left it, with one operation and its record."""
    engine = database.connect(url)
    with engine.begin() as connection:
        migrate_to("0002", connection)
        body = canonical(1, AT, Fact("invalid", "op1", {}))
        connection.execute(
            sa.text("INSERT INTO trail VALUES (1, :at, 'invalid', 'op1', :body, :hash)"),
            {"at": AT, "body": body, "hash": digest(GENESIS, body)},
        )
        meta = sa.MetaData()
        meta.reflect(connection, only=["operations"])
        texts = {c.name: "" for c in meta.tables["operations"].c if isinstance(c.type, sa.Text)}
        given = texts | {
            "id": "op1",
            "state": "invalid",
            "via": "command",
            "params": json.dumps({"StreamName": "stream1"}),
            "approval": "none",
            "result": "{}",
            "consent": "{}",
            "seq": 0,
            "attempts": 0,
            "asked_at": AT,
            "lease_until": 0.0,
            "due_at": 0.0,
            "emergency": False,
        }
        connection.execute(sa.insert(meta.tables["operations"]), [given])
    engine.dispose()
