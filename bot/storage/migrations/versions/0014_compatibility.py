"""Which releases may use the schema."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the table that names the oldest release; `database.migrate` fills it in."""
    op.create_table("compatibility", sa.Column("oldest", sa.Text, primary_key=True))
