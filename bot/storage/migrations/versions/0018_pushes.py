"""The streams that are pushed, as callbacks and reads have told."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the tables; a release without them reads what is live each time."""
    op.create_table(
        "pushes",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False, server_default=""),
        sa.Column("at", sa.Double, nullable=False, server_default="0"),
        sa.Column("heard_at", sa.Double, nullable=False, server_default="0"),
    )
    op.create_table(
        "live_lists",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("read_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("missed_at", sa.Double, nullable=False, server_default="0"),
    )
