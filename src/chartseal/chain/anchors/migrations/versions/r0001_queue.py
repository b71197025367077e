"""The queue: deployments, batches, leaves, announcements, statements."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "anchor_queue",
        sa.Column("id", _ID, nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("contract", sa.LargeBinary(20), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="anchor_queue_pk"),
        sa.UniqueConstraint("chain_id", "contract", "version", name="anchor_queue_chain_id_contract_version_uq"),
    )
    op.create_table(
        "anchor_batch",
        sa.Column("id", _ID, nullable=False),
        sa.Column("queue_id", _ID, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("leaves", sa.Integer, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(32)),
        sa.Column("timestamp", sa.BigInteger),
        sa.Column("block_number", sa.BigInteger),
        sa.Column("block_hash", sa.LargeBinary(32)),
        sa.PrimaryKeyConstraint("id", name="anchor_batch_pk"),
        sa.ForeignKeyConstraint(["queue_id"], ["anchor_queue.id"], name="anchor_batch_queue_id_fk"),
        sa.UniqueConstraint("queue_id", "root", name="anchor_batch_queue_id_root_uq"),
    )
    op.create_index("anchor_batch_queue_id_state_ix", "anchor_batch", ["queue_id", "state"])
    op.create_table(
        "anchor_leaf",
        sa.Column("id", _ID, nullable=False),
        sa.Column("queue_id", _ID, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("attester", sa.LargeBinary(20)),
        sa.Column("uid", sa.LargeBinary(32)),
        sa.Column("signature_hash", sa.LargeBinary(32)),
        sa.Column("batch_id", _ID),
        sa.PrimaryKeyConstraint("id", name="anchor_leaf_pk"),
        sa.ForeignKeyConstraint(["queue_id"], ["anchor_queue.id"], name="anchor_leaf_queue_id_fk"),
        sa.ForeignKeyConstraint(["batch_id"], ["anchor_batch.id"], name="anchor_leaf_batch_id_fk"),
        sa.UniqueConstraint("leaf", "queue_id", name="anchor_leaf_leaf_queue_id_uq"),
    )
    op.create_index("anchor_leaf_batch_id_time_ix", "anchor_leaf", ["batch_id", "time"])
    op.create_index("anchor_leaf_uid_ix", "anchor_leaf", ["uid"])
    op.create_table(
        "anchor_announcement",
        sa.Column("id", _ID, nullable=False),
        sa.Column("queue_id", _ID, nullable=False),
        sa.Column("entry", sa.LargeBinary(34), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("batch_id", _ID),
        sa.PrimaryKeyConstraint("id", name="anchor_announcement_pk"),
        sa.ForeignKeyConstraint(["queue_id"], ["anchor_queue.id"], name="anchor_announcement_queue_id_fk"),
        sa.ForeignKeyConstraint(["batch_id"], ["anchor_batch.id"], name="anchor_announcement_batch_id_fk"),
        sa.UniqueConstraint("queue_id", "entry", name="anchor_announcement_queue_id_entry_uq"),
    )
    op.create_index("anchor_announcement_batch_id_time_ix", "anchor_announcement", ["batch_id", "time"])
    op.create_table(
        "anchor_statement",
        sa.Column("leaf_id", _ID, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("leaf_id", name="anchor_statement_pk"),
        sa.ForeignKeyConstraint(["leaf_id"], ["anchor_leaf.id"], name="anchor_statement_leaf_id_fk"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("statement", "announcement", "leaf", "batch", "queue"):
        op.drop_table(f"anchor_{name}")
