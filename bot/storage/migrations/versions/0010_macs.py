"""Codes that authenticate operations and decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the codes; a row without one is of an older release, and is never run."""
    for table in ("operations", "decisions"):
        op.add_column(table, sa.Column("mac", sa.Text, nullable=False, server_default=""))
