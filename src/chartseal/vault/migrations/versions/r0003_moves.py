"""Moves: addresses that were left for others, and records that were sealed again there."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "vault_succession",
        sa.Column("old", sa.LargeBinary(16), nullable=False),
        sa.Column("new", sa.LargeBinary(16), nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("old", name="vault_succession_pk"),
    )
    op.create_table(
        "vault_move",
        sa.Column("record_id", _ID, nullable=False),
        sa.Column("successor_id", _ID, nullable=False),
        sa.Column("succession", sa.LargeBinary(16), nullable=False),
        sa.Column("domain", sa.LargeBinary(32), nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("record_id", name="vault_move_pk"),
        sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name="vault_move_record_id_fk"),
        sa.ForeignKeyConstraint(["successor_id"], ["vault_record.id"], name="vault_move_successor_id_fk"),
        sa.ForeignKeyConstraint(["succession"], ["vault_succession.old"], name="vault_move_succession_fk"),
    )
    op.create_index("vault_move_succession_ix", "vault_move", ["succession"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("vault_move")
    op.drop_table("vault_succession")
