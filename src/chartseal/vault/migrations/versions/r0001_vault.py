"""The vault: epochs, records, keys, terms, blobs, deliveries, holds, the audit chain."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vault_audit",
        sa.Column("sequence", _ID, autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("patient", sa.LargeBinary(16)),
        sa.PrimaryKeyConstraint("sequence", name="vault_audit_pk"),
    )
    op.create_index("vault_audit_at_ix", "vault_audit", ["at"])
    op.create_index("vault_audit_patient_at_ix", "vault_audit", ["patient", "at"])
    op.create_table(
        "vault_blob",
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="vault_blob_pk"),
    )
    op.create_table(
        "vault_epoch",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("reader", sa.LargeBinary(32), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("destroyed_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("number", name="vault_epoch_pk"),
    )
    op.create_table(
        "vault_meta",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="vault_meta_pk"),
    )
    op.create_table(
        "vault_record",
        sa.Column("id", _ID, nullable=False),
        sa.Column("attester", sa.LargeBinary(20), nullable=False),
        sa.Column("uid", sa.LargeBinary(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("blob", sa.LargeBinary(32)),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("patient", sa.LargeBinary(16)),
        sa.Column("sealed_at", sa.BigInteger, nullable=False),
        sa.Column("stored_at", sa.BigInteger, nullable=False),
        sa.Column("retain_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="vault_record_pk"),
        sa.UniqueConstraint("attester", "uid", name="vault_record_attester_uid_uq"),
    )
    op.create_index("vault_record_patient_ix", "vault_record", ["patient"])
    op.create_table(
        "vault_statement",
        sa.Column("period", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("period", name="vault_statement_pk"),
    )
    op.create_table(
        "vault_audit_detail",
        sa.Column("sequence", _ID, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("keep_until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="vault_audit_detail_pk"),
        sa.ForeignKeyConstraint(["sequence"], ["vault_audit.sequence"], name="vault_audit_detail_sequence_fk"),
    )
    op.create_index("vault_audit_detail_keep_until_ix", "vault_audit_detail", ["keep_until"])
    op.create_table(
        "vault_delivery",
        sa.Column("locator", sa.LargeBinary(32), nullable=False),
        sa.Column("record_id", _ID, nullable=False),
        sa.Column("blob", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("locator", name="vault_delivery_pk"),
        sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name="vault_delivery_record_id_fk"),
    )
    op.create_index("vault_delivery_expires_at_ix", "vault_delivery", ["expires_at"])
    op.create_index("vault_delivery_record_id_ix", "vault_delivery", ["record_id"])
    op.create_table(
        "vault_hold",
        sa.Column("id", _ID, nullable=False),
        sa.Column("record_id", _ID),
        sa.Column("patient", sa.LargeBinary(16)),
        sa.Column("basis", sa.String(64), nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="vault_hold_pk"),
        sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name="vault_hold_record_id_fk"),
    )
    op.create_index("vault_hold_patient_ix", "vault_hold", ["patient"])
    op.create_index("vault_hold_record_id_ix", "vault_hold", ["record_id"])
    op.create_table(
        "vault_key",
        sa.Column("record_id", _ID, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(80), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "epoch", name="vault_key_pk"),
        sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name="vault_key_record_id_fk"),
        sa.ForeignKeyConstraint(["epoch"], ["vault_epoch.number"], name="vault_key_epoch_fk"),
    )
    op.create_index("vault_key_epoch_ix", "vault_key", ["epoch"])
    op.create_table(
        "vault_term",
        sa.Column("term", sa.LargeBinary(16), nullable=False),
        sa.Column("record_id", _ID, nullable=False),
        sa.PrimaryKeyConstraint("term", "record_id", name="vault_term_pk"),
        sa.ForeignKeyConstraint(["record_id"], ["vault_record.id"], name="vault_term_record_id_fk"),
        sqlite_with_rowid=False,
    )
    op.create_index("vault_term_record_id_ix", "vault_term", ["record_id"])


def downgrade() -> None:
    """Drop the tables."""
    for name in (
        "term",
        "key",
        "hold",
        "delivery",
        "audit_detail",
        "statement",
        "record",
        "meta",
        "epoch",
        "blob",
        "audit",
    ):
        op.drop_table(f"vault_{name}")
