"""The first schema: operations, trail, outbox, limits."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_UNFINISHED = sa.text("state IN ('asked', 'waiting', 'due', 'running')")


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "operations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        *_text("state"),
        sa.Column("seq", sa.Integer, nullable=False),
        *_text("team", "actor", "via", "channel", "thread_ts", "reply_url", "text", "api"),
        *_text("params", "region", "account", "rule", "approval", "detail"),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        *_text("decided_by"),
        sa.Column("decided_at", sa.Double),
        sa.Column("sent_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        *_text("request_id", "code", "said", "result"),
        sa.Column("took", sa.Double),
        *_text("card_channel", "card_ts", "owner"),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
    )
    op.create_index(
        "operations_unfinished",
        "operations",
        ["lease_until"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index("operations_by_actor", "operations", ["actor", "asked_at"])
    op.create_index("operations_by_time", "operations", ["asked_at"])
    op.create_table(
        "trail",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        *_text("kind", "operation", "body", "hash"),
    )
    op.create_index("trail_by_operation", "trail", ["operation", "seq"])
    op.create_index("trail_by_time", "trail", ["at"])
    op.create_table(
        "outbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        *_text("operation", "owed", "text", "destination"),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        *_text("owner"),
        sa.Column("lease_until", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_destination", "outbox", ["destination", "id"])
    op.create_table(
        "limits",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("api", sa.Text, primary_key=True),
        sa.Column("free_at", sa.Double, nullable=False),
    )
