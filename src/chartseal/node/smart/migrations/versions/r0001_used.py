"""Assertions that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "node_token_used",
        sa.Column("mark", sa.LargeBinary(32), nullable=False),
        sa.Column("forget_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("mark", name="node_token_used_pk"),
    )
    op.create_index("node_token_used_forget_at_ix", "node_token_used", ["forget_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("node_token_used")
