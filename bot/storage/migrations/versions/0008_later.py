"""What became of a stop after its ending, and the stops that another one has replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add what happened later, and the earlier operations of what is off."""
    op.add_column("operations", sa.Column("later", sa.Text, nullable=False, server_default=""))
    op.add_column("off", sa.Column("earlier", sa.Text, nullable=False, server_default="[]"))
