"""Consents given, and withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "consent_given",
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("holder", sa.LargeBinary(32), nullable=False),
        sa.Column("grantee", sa.LargeBinary(32), nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("expiry", sa.BigInteger, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary),
        sa.Column("account", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("root", name="consent_given_pk"),
    )
    op.create_index("consent_given_holder_ix", "consent_given", ["holder"])
    op.create_index("consent_given_grantee_ix", "consent_given", ["grantee"])
    op.create_table(
        "consent_withdrawn",
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("holder", sa.LargeBinary(32), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger, nullable=False),
        sa.Column("withdrawal", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("root", "holder", name="consent_withdrawn_pk"),
    )
    op.create_index("consent_withdrawn_withdrawn_at_ix", "consent_withdrawn", ["withdrawn_at"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("consent_withdrawn")
    op.drop_table("consent_given")
