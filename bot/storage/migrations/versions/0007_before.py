"""What was live before a stop, and what was live in its place."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add what was read beside a stop, and what was live if its own name was not."""
    for name, default in (("live_before", ""), ("live_now", "[]")):
        column = sa.Column(name, sa.Text, nullable=False, server_default=default)
        op.add_column("operations", column)
