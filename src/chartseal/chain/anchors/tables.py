"""Tables of the anchor queue. Their names begin with `anchor_`, so that they can live in a vault's database.

A leaf waits until a batch (one anchor) takes it; a batch goes pending -> sent -> mined -> final. Times are Unix
seconds.
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
VERSIONS = "anchor_alembic_version"
"""The table that says which migrations were made."""

PENDING, SENT, MINED, FINAL = "pending", "sent", "mined", "final"
"""States of a batch: closed; handed to a worker, which may have broadcast it; timestamped; timestamped for good."""

SEAL, ANNOUNCEMENTS, STATEMENT = 1, 2, 3
"""What a leaf stands for."""

_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys by itself

QUEUE = Table(
    "anchor_queue",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("contract", LargeBinary(20), nullable=False),
    Column("version", String(20), nullable=False),
    Column("closed_at", BigInteger, nullable=False),  # when the newest batch was closed; 0 never
    UniqueConstraint("chain_id", "contract", "version"),
)
"""One row for each deployment of EAS that seals are for."""

BATCH = Table(
    "anchor_batch",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("queue_id", ForeignKey(QUEUE.c.id), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("leaves", Integer, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("lease_until", BigInteger, nullable=False),  # until when no other worker sends it; milliseconds
    Column("tx_hash", LargeBinary(32)),  # the newest transaction of ours that was mined
    Column("timestamp", BigInteger),  # EAS's, while the chain has it
    Column("block_number", BigInteger),  # the block at which that was read
    Column("block_hash", LargeBinary(32)),
    UniqueConstraint("queue_id", "root"),
    Index(None, "queue_id", "state"),
)
"""One Merkle root, to be timestamped once."""

LEAF = Table(
    "anchor_leaf",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("queue_id", ForeignKey(QUEUE.c.id), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("time", BigInteger, nullable=False),  # the seal's own, which is the start of its anchor period
    Column("attester", LargeBinary(20)),
    Column("uid", LargeBinary(32)),
    Column("signature_hash", LargeBinary(32)),
    Column("batch_id", ForeignKey(BATCH.c.id)),
    UniqueConstraint("leaf", "queue_id"),
    Index(None, "batch_id", "time"),
    Index(None, "uid"),
)
"""Values of anchors' trees, each once."""

ANNOUNCEMENT = Table(
    "anchor_announcement",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("queue_id", ForeignKey(QUEUE.c.id), nullable=False),
    Column("entry", LargeBinary(34), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("batch_id", ForeignKey(BATCH.c.id)),
    UniqueConstraint("queue_id", "entry"),
    Index(None, "batch_id", "time"),
)
"""enc ‖ tag of each record; those of one batch, sorted, are its page."""

STATEMENT_TEXT = Table(
    "anchor_statement",
    METADATA,
    Column("leaf_id", ForeignKey(LEAF.c.id), primary_key=True),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""Signed audit statements, as they are hashed."""
