"""Approvals: what an operation waits for, presses of buttons, words to those who pressed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _added(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def upgrade() -> None:
    """Add columns with what stands for nothing, and the table of decisions."""
    for column in (
        _added("consent", "{}"),
        _added("reason"),
        sa.Column("emergency", sa.Boolean, nullable=False, server_default=sa.false()),
        _added("joined"),
    ):
        op.add_column("operations", column)
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "operations_waiting",
        "operations",
        ["due_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.add_column("outbox", _added("about"))
    op.add_column("outbox", _added("place"))
    op.create_table(
        "decisions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (
                "operation",
                "choice",
                "team",
                "actor",
                "place",
                "reason",
                "message_ts",
                "owner",
            )
        ),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    unsettled = sa.text("NOT settled")
    op.create_index(
        "decisions_unsettled",
        "decisions",
        ["lease_until"],
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )
