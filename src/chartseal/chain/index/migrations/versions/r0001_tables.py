"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_EVENTS = ("attestations", "revocations", "offchain_revocations", "timestamps")
_ORDERED = ("schema", "attester", "recipient", "ref_uid")


def _number(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), **{"nullable": False, **options})


def _digest(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(32), nullable=False)


def _address(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(20), nullable=False)


def _place() -> list[sa.Column[Any]]:
    return [
        _number("block_number"),
        sa.Column("log_index", sa.Integer(), nullable=False),
        _digest("tx_hash"),
    ]


def _one_row() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Create them."""
    _state()
    op.create_table(
        "attestations",
        _digest("uid"),
        _digest("schema"),
        _number("time"),
        _number("expiration_time"),
        _digest("ref_uid"),
        _address("recipient"),
        _address("attester"),
        sa.Column("revocable", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        *_place(),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_table(
        "revocations", _digest("uid"), _address("attester"), _number("time"), *_place(), sa.PrimaryKeyConstraint("uid")
    )
    op.create_table(
        "offchain_revocations",
        _digest("data"),
        _address("revoker"),
        _number("time"),
        *_place(),
        sa.PrimaryKeyConstraint("data", "revoker"),
    )
    op.create_table("timestamps", _digest("data"), _number("time"), *_place(), sa.PrimaryKeyConstraint("data"))
    for name in _EVENTS:
        op.create_index(f"{name}_of_place", name, ["block_number", "log_index"])
    for column in _ORDERED:
        op.create_index(f"attestations_of_{column}", "attestations", [column, "block_number", "log_index"])


def _state() -> None:
    op.create_table(
        "deployment",
        _one_row(),
        _number("chain_id"),
        sa.Column("version", sa.String(100), nullable=False),
        _address("eas"),
        _address("schema_registry"),
        _number("from_block"),
        _number("from_time"),
        _number("finality"),
    )
    op.create_table("cursor", _one_row(), _number("number"), _number("synced_at", nullable=True))
    op.create_table(
        "blocks",
        _number("number", primary_key=True, autoincrement=False),
        _digest("hash"),
        _digest("parent"),
        _number("timestamp"),
    )
    op.create_table(
        "schemas",
        _digest("uid"),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        _address("resolver"),
        sa.Column("revocable", sa.Boolean(), nullable=False),
        _number("block_number"),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_table(
        "expected_revocations", _digest("uid"), _number("time"), _number("block_number"), sa.PrimaryKeyConstraint("uid")
    )
