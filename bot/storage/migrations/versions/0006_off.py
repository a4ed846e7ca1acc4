"""What is off and not yet on, and what nobody may start."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables, and the indexes by which what ends or is forgotten next is found."""
    op.create_table(
        "off",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("account", "thing", "key")),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("until", sa.Double),
        sa.Column("next_at", sa.Double),
    )
    ends = sa.text("next_at IS NOT NULL")
    op.create_index("off_ends", "off", ["next_at"], sqlite_where=ends, postgresql_where=ends)
    op.create_index("off_by_time", "off", ["since"])
    op.create_index("off_by_operation", "off", ["operation"])
    brief = sa.text("weight < 2")
    op.create_index("off_for_a_while", "off", ["since"], sqlite_where=brief, postgresql_where=brief)
    op.create_table(
        "holds",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("account", "target")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("operation", "actor", "reason")),
        sa.Column("since", sa.Double, nullable=False),
    )
