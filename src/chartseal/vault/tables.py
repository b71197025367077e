"""Tables of a vault. Their names begin with `vault_`; the anchor queue's stand beside them in one database.

No column holds a plaintext of a record: patients and terms are keyed hashes, contents are ciphertexts. Times are Unix
seconds, hashes SHA-256.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    }
)
VERSIONS = "vault_alembic_version"
"""The table that says which migrations were made."""

LIVE, ERASED = 1, 2
"""States of a record; of an erased one the tombstone stays."""

NO_KEY = bytes(80)
"""What a wrapped data key is overwritten with."""

_ID = BigInteger().with_variant(Integer, "sqlite")  # in SQLite only an INTEGER key is the row's own number

META = Table(
    "vault_meta",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""What is true of the vault as a whole: its id (16 bytes), whether it is searchable, the audit chain's head."""
HEAD = "audit_head"
"""Name in `META` of the audit chain's head: whoever locks it writes alone."""
OWNER = "blobs_owner"
"""Name in `META` of what the place of large ciphertexts belongs to: 1 where it was used before it was marked, else 0 (1
byte); 16 bytes of randomness, others in every vault and in every copy that a backup was restored to."""

EPOCH = Table(
    "vault_epoch",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("reader", LargeBinary(32), nullable=False),  # X25519 public key
    Column("made_at", BigInteger, nullable=False),
    Column("destroyed_at", BigInteger),  # when its secret was destroyed: what is wrapped for it alone is gone
)
"""Epochs of the vault's own reader key; data keys are wrapped for the newest."""

RECORD = Table(
    "vault_record",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("attester", LargeBinary(20), nullable=False),
    Column("uid", LargeBinary(32), nullable=False),
    Column("version", Integer, nullable=False),  # of the ciphertext: grows when it is encrypted anew
    Column("state", SmallInteger, nullable=False),
    Column("blob", LargeBinary(32)),  # hash of the ciphertext; none when erased
    Column("size", BigInteger, nullable=False),  # of the ciphertext, bytes
    Column("patient", LargeBinary(16)),  # the patient's pseudonym; none when erased
    Column("sealed_at", BigInteger, nullable=False),  # the seal's own time: the start of its anchor period
    Column("stored_at", BigInteger, nullable=False),
    Column("retain_until", BigInteger),  # before this day it is not erased without a basis
    UniqueConstraint("attester", "uid"),
    Index(None, "patient"),
    Index(None, "blob"),
)
"""One row for each record that was ever stored."""

ERASURE = Table(
    "vault_erasure",
    METADATA,
    Column("record_id", ForeignKey(RECORD.c.id), primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    Column("basis", String(32), nullable=False),  # a code
    Column("sequence", BigInteger, nullable=False),  # of its audit entry
    Column("epoch", Integer, nullable=False),  # the newest known when it was erased: no later one ever had its key
    Index(None, "sequence"),
)
"""Tombstones: when records were erased, and on what basis."""

KEY = Table(
    "vault_key",
    METADATA,
    Column("record_id", ForeignKey(RECORD.c.id), primary_key=True),
    Column("epoch", ForeignKey(EPOCH.c.number), primary_key=True),
    Column("wrapped", LargeBinary(80), nullable=False),  # HPKE: enc, then the data key encrypted
    Index(None, "epoch"),
)
"""A record's data key, wrapped for an epoch; of an erased record `NO_KEY` in its place.

Rows are never deleted and keep their size: SQLite would else move rows from page to page, and leave copies of them in
what is free of a page, which no later erasure reaches.
"""

TERM = Table(
    "vault_term",
    METADATA,
    Column("term", LargeBinary(16), primary_key=True),  # keyed hash
    Column("record_id", _ID, primary_key=True),  # of a record: to let the server check each took a fifth of its work
    Index(None, "record_id"),
    sqlite_with_rowid=False,
)
"""Blind index: what a record may be found by. It tells which records share a term, and nothing else."""

BLOB = Table(
    "vault_blob",
    METADATA,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
"""Ciphertexts that are small enough to stand in the database; larger ones are in the blob store."""

DELIVERY = Table(
    "vault_delivery",
    METADATA,
    Column("locator", LargeBinary(32), primary_key=True),
    Column("record_id", ForeignKey(RECORD.c.id), nullable=False),
    Column("blob", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "record_id"),
    Index(None, "expires_at"),
    Index(None, "blob"),
)
"""Ciphertexts for patients, until they are accepted or expire; the blob is where a record's would be."""

HOLD = Table(
    "vault_hold",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("record_id", ForeignKey(RECORD.c.id)),
    Column("patient", LargeBinary(16)),
    Column("basis", String(64), nullable=False),  # a code, no text about anybody
    Column("placed_at", BigInteger, nullable=False),
    Column("lifted_at", BigInteger),
    Index(None, "record_id"),
    Index(None, "patient"),
)
"""Legal holds on one record or on all of a patient."""

SUCCESSION = Table(
    "vault_succession",
    METADATA,
    Column("old", LargeBinary(16), primary_key=True),  # keyed hash of the address that was left
    Column("new", LargeBinary(16), nullable=False),  # likewise, of the one that follows it
    Column("taken_at", BigInteger, nullable=False),
)
"""Sealing addresses that their holders left, by successor notices: none of them is ever sealed to or followed again."""

MOVE = Table(
    "vault_move",
    METADATA,
    Column("record_id", ForeignKey(RECORD.c.id), primary_key=True),
    Column("successor_id", ForeignKey(RECORD.c.id), nullable=False),
    Column("succession", ForeignKey(SUCCESSION.c.old), nullable=False),  # by which
    Column("domain", LargeBinary(32), nullable=False),  # EIP-712 separator of the deployment where its seal is revoked
    Column("revoked_at", BigInteger),  # when the old seal was found revoked; none while that is to be done
    Index(None, "succession"),
)
"""Records that were sealed again to the address that follows theirs, each once, and what they became."""

AUDIT = Table(
    "vault_audit",
    METADATA,
    Column("sequence", _ID, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),  # the bytes that are hashed
    Column("hash", LargeBinary(32), nullable=False),
    Column("at", BigInteger, nullable=False),  # the entry's own, to be searched by
    Column("patient", LargeBinary(16)),  # likewise
    Index(None, "patient", "at"),
    Index(None, "at"),
)
"""The audit chain."""

DETAIL = Table(
    "vault_audit_detail",
    METADATA,
    Column("sequence", _ID, ForeignKey(AUDIT.c.sequence), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),  # encrypted; the entry holds the hash of the ciphertext
    Column("keep_until", BigInteger, nullable=False),
    Index(None, "keep_until"),
)
"""What accounting must name and the chain must not: to whom, where, what in words; deleted after its term."""

STATEMENT = Table(
    "vault_statement",
    METADATA,
    Column("period", BigInteger, primary_key=True, autoincrement=False),  # its start
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""Signed heads of the audit chain, one a period, empty ones too."""
