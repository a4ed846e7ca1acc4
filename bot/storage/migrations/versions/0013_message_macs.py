"""Codes that authenticate the messages of the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the code; a message without one is of an older release, which delivers it."""
    op.add_column("outbox", sa.Column("mac", sa.Text, nullable=False, server_default=""))
    uncoded = sa.text("mac = ''")
    op.create_index(
        "outbox_uncoded", "outbox", ["id"], sqlite_where=uncoded, postgresql_where=uncoded
    )
