"""Live notices that were taken, and the streams that are watched."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the tables; a release without them watches nothing."""
    op.create_table(
        "live_notices",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
    )
    op.create_index("live_notices_by_time", "live_notices", ["received_at"])
    op.create_index("live_notices_by_stream", "live_notices", ["account", "stream"])
    op.create_table(
        "watches",
        sa.Column("operation", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("read_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("state", sa.Text, nullable=False, server_default=""),
        sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("heard", sa.Text, nullable=False, server_default=""),
        sa.Column("heard_at", sa.Double),
        sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("watches_by_time", "watches", ["next_at"])
    op.create_index("watches_by_stream", "watches", ["account", "stream"])
