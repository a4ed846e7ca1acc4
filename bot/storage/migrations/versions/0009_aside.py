"""The lanes of the outbox in which refused messages are tried while others pass them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the lane of a message, and the index of those that have one."""
    op.add_column("outbox", sa.Column("aside", sa.Text, nullable=False, server_default=""))
    aside = sa.text("aside != ''")
    op.create_index(
        "outbox_aside",
        "outbox",
        ["destination", "aside", "id"],
        sqlite_where=aside,
        postgresql_where=aside,
    )
