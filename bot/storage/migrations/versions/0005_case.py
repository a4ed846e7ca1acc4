"""The case that an operation belongs to, and what to read about it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns with what stands for nothing, and the index that a search by case takes."""
    for name in ("case", "runbook"):
        column = sa.Column(name, sa.Text, nullable=False, server_default="")
        op.add_column("operations", column)
    of_one = sa.text("\"case\" != ''")
    op.create_index(
        "operations_by_case",
        "operations",
        ["case", "asked_at"],
        sqlite_where=of_one,
        postgresql_where=of_one,
    )
