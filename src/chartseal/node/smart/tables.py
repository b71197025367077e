"""Tables of what a node's token endpoint remembers. They may live in a vault's database. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table

METADATA = MetaData(naming_convention={"pk": "%(table_name)s_pk", "ix": "%(table_name)s_%(column_0_N_name)s_ix"})
VERSIONS = "node_token_alembic_version"
"""The table that says which migrations were made."""

USED = Table(
    "node_token_used",
    METADATA,
    Column("mark", LargeBinary(32), primary_key=True),  # SHA-256 of the client and its jti: neither can be read
    Column("forget_at", BigInteger, nullable=False),
    Index(None, "forget_at"),
)
"""Assertions that were used."""
