"""Erasure: its tombstones, and ciphertexts found by whether a row names them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table of tombstones and the indexes."""
    op.create_table(
        "vault_erasure",
        sa.Column("record_id", _ID, nullable=False),
        sa.Column("erased_at", sa.BigInteger, nullable=False),
        sa.Column("basis", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name="vault_erasure_pk"),
        sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name="vault_erasure_record_id_fk"),
    )
    op.create_index("vault_erasure_sequence_ix", "vault_erasure", ["sequence"])
    op.create_index("vault_record_blob_ix", "vault_record", ["blob"])
    op.create_index("vault_delivery_blob_ix", "vault_delivery", ["blob"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("vault_delivery_blob_ix", "vault_delivery")
    op.drop_index("vault_record_blob_ix", "vault_record")
    op.drop_table("vault_erasure")
