"""A look at the cloud after a stop."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add when to look, and what was seen."""
    op.add_column("operations", sa.Column("look_at", sa.Double))
    looked = sa.Column("looked", sa.Text, nullable=False, server_default="")
    op.add_column("operations", looked)
    unseen = sa.text("look_at IS NOT NULL")
    op.create_index(
        "operations_unseen",
        "operations",
        ["look_at"],
        sqlite_where=unseen,
        postgresql_where=unseen,
    )
