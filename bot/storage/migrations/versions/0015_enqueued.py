"""When a message was put into the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the time, 0 for what a release without it enqueues."""
    time = sa.Column("enqueued_at", sa.Double, nullable=False, server_default="0")
    op.add_column("outbox", time)
