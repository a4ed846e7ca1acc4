"""The audit: seals of the trail, and what a search goes along."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TARGETS = ("StreamName", "TaskId", "UserId", "DomainName")
"""Of the actions of 0002, what each is about, the first that it has."""


def upgrade() -> None:
    """Add the table of seals, the target of operations and the indexes."""
    op.create_table(
        "seals",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
    )
    op.add_column("operations", sa.Column("target", sa.Text, nullable=False, server_default=""))
    _fill_targets()
    _round_times()
    op.execute("UPDATE operations SET ended_at = asked_at WHERE state = 'invalid'")
    op.create_index("operations_by_api", "operations", ["api", "asked_at"])
    op.create_index("operations_by_channel", "operations", ["channel", "asked_at"])
    op.create_index(
        "operations_by_target",
        "operations",
        ["target", "asked_at"],
        postgresql_ops={"target": "text_pattern_ops"},
    )
    ended = sa.text("ended_at IS NOT NULL")
    op.create_index(
        "operations_by_ending",
        "operations",
        ["state", "asked_at"],
        sqlite_where=ended,
        postgresql_where=ended,
    )


def _fill_targets() -> None:
    table = sa.table("operations", sa.column("id"), sa.column("params"), sa.column("target"))
    update = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("is_id"))
        .values(target=sa.bindparam("new_target", type_=sa.Text))
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c.id, table.c.params)).all()
    given = [
        {"is_id": row.id, "new_target": target}
        for row in rows
        if (target := _target(json.loads(row.params)))
    ]
    if given:
        connection.execute(update, given)


def _target(params: dict[str, object]) -> str:
    return next((str(params[name]) for name in _TARGETS if name in params), "")


def _round_times() -> None:
    """Let the column say exactly what the record says, so that not one bit of it is free."""
    table = sa.table("trail", sa.column("seq"), sa.column("at"))
    update = (
        sa.update(table)
        .where(table.c.seq == sa.bindparam("is_seq"))
        .values(at=sa.bindparam("new_at", type_=sa.Double))
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c.seq, table.c.at)).all()
    given = [
        {"is_seq": row.seq, "new_at": round(row.at, 6)}
        for row in rows
        if row.at != round(row.at, 6)
    ]
    if given:
        connection.execute(update, given)
