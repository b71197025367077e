"""The index's tables, one form for SQLite and PostgreSQL.

Every event keeps its place (`block_number`, `log_index`), by which it is ordered and, when its block leaves the chain,
deleted. Times are Unix seconds.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

metadata = MetaData()


class Unsigned64(TypeDecorator[int]):
    """A uint64 in the 64 signed bits that databases have, as two's complement: for values that only come back.

    Whoever attests chooses an expiration of any size, and none may stop the index.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """To signed."""
        return None if value is None else int(value) - (int(value) >> 63 << 64)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """To unsigned."""
        return None if value is None else int(value) % 2**64


def _place() -> tuple[Column[Any], ...]:
    return (
        Column("block_number", BigInteger, nullable=False),
        Column("log_index", Integer, nullable=False),
        Column("tx_hash", LargeBinary(32), nullable=False),
    )


def _digest(name: str, **options: Any) -> Column[Any]:
    return Column(name, LargeBinary(32), nullable=False, **options)


def _address(name: str, **options: Any) -> Column[Any]:
    return Column(name, LargeBinary(20), nullable=False, **options)


def _ordered(name: str, *columns: str) -> Index:
    return Index(name, *columns, "block_number", "log_index")


deployment = Table(
    "deployment",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("version", String(100), nullable=False),
    _address("eas"),
    _address("schema_registry"),
    Column("from_block", BigInteger, nullable=False),
    Column("from_time", BigInteger, nullable=False),
    Column("finality", BigInteger, nullable=False),
)
"""One row: whose index this is. `from_time` is the first block's."""

cursor = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("synced_at", BigInteger, nullable=True),
)
"""One row: the newest block that is indexed, and when the node last had none newer (by our clock)."""

blocks = Table(
    "blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _digest("hash"),
    _digest("parent"),
    Column("timestamp", BigInteger, nullable=False),
)
"""Headers from the newest final one on, as far as they are known: what a reorganisation is recognised by."""

schemas = Table(
    "schemas",
    metadata,
    _digest("uid", primary_key=True),
    Column("text", LargeBinary, nullable=False),
    _address("resolver"),
    Column("revocable", Boolean, nullable=False),
    Column("block_number", BigInteger, nullable=False),
)
"""Schemas that something was attested under, first at `block_number`. The text is bytes, as it need not be
UTF-8, and has no index, as it may be longer than PostgreSQL's B-trees take; the table stays small.
"""

attestations = Table(
    "attestations",
    metadata,
    _digest("uid", primary_key=True),
    _digest("schema"),
    Column("time", BigInteger, nullable=False),
    Column("expiration_time", Unsigned64, nullable=False),
    _digest("ref_uid"),
    _address("recipient"),
    _address("attester"),
    Column("revocable", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
    *_place(),
    _ordered("attestations_of_schema", "schema"),
    _ordered("attestations_of_attester", "attester"),
    _ordered("attestations_of_recipient", "recipient"),
    _ordered("attestations_of_ref_uid", "ref_uid"),
    _ordered("attestations_of_place"),
)

revocations = Table(
    "revocations",
    metadata,
    _digest("uid", primary_key=True),
    _address("attester"),
    Column("time", BigInteger, nullable=False),
    *_place(),
    _ordered("revocations_of_place"),
)
"""Of attestations on chain; an attestation's revocation time stands only here."""

offchain_revocations = Table(
    "offchain_revocations",
    metadata,
    _digest("data", primary_key=True),
    _address("revoker", primary_key=True),
    Column("time", BigInteger, nullable=False),
    *_place(),
    _ordered("offchain_revocations_of_place"),
)

timestamps = Table(
    "timestamps",
    metadata,
    _digest("data", primary_key=True),
    Column("time", BigInteger, nullable=False),
    *_place(),
    _ordered("timestamps_of_place"),
)

expected_revocations = Table(
    "expected_revocations",
    metadata,
    _digest("uid", primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("block_number", BigInteger, nullable=False),
)
"""Attestations whose body said that they are revoked before the event was read: it must follow, or logs are missing."""

EVENTS = (attestations, revocations, offchain_revocations, timestamps)
PLACED = (*EVENTS, schemas, expected_revocations)
"""What a rollback deletes from."""
