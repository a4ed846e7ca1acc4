"""Alerts of monitoring systems, each with its card in a channel."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the table; a release before it leaves messages about alerts to the others."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False, server_default=""),
        sa.Column("group_key", sa.Text, nullable=False, server_default=""),
        sa.Column("channel", sa.Text, nullable=False, server_default=""),
        sa.Column("title", sa.Text, nullable=False, server_default=""),
        sa.Column("summary", sa.Text, nullable=False, server_default=""),
        sa.Column("severity", sa.Text, nullable=False, server_default=""),
        sa.Column("link", sa.Text, nullable=False, server_default=""),
        sa.Column("members", sa.Text, nullable=False, server_default="[]"),
        sa.Column("streams", sa.Text, nullable=False, server_default="[]"),
        sa.Column("opened_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("seen_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("resolved_at", sa.Double),
        sa.Column("card_channel", sa.Text, nullable=False, server_default=""),
        sa.Column("card_ts", sa.Text, nullable=False, server_default=""),
        sa.Column("seq", sa.Integer, nullable=False, server_default="0"),
        sa.Column("mac", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("alerts_by_group", "alerts", ["group_key", "opened_at"])
    op.create_index("alerts_by_time", "alerts", ["seen_at"])
