"""Tables of shared links. Times are Unix seconds. Neither a link's URL nor its key is among them, nor a passcode."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
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
VERSIONS = "share_alembic_version"
"""The table that says which migrations were made."""

_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys by itself

LINK = Table(
    "share_link",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("name_hash", LargeBinary(32), nullable=False),  # SHA-256 of the URL's 32 random bytes
    Column("is_direct", Boolean, nullable=False),
    Column("is_one_time", Boolean, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("used_at", BigInteger),  # when a link for one opening was opened
    Column("revoked_at", BigInteger),
    Column("passcode_salt", LargeBinary(16)),
    Column("passcode_hash", LargeBinary(32)),  # scrypt's
    Column("attempts_left", Integer, nullable=False),  # wrong passcodes still taken; one is taken away before each try
    UniqueConstraint("name_hash"),
)
"""One row for each link."""

FILE = Table(
    "share_file",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("link_id", ForeignKey(LINK.c.id), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("content_type", String(40), nullable=False),
    Column("jwe", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("link_id", "position"),
)
"""Encrypted files, until their link ends."""

LOCATION = Table(
    "share_location",
    METADATA,
    Column("token_hash", LargeBinary(32), primary_key=True),  # SHA-256 of the URL's 32 random bytes
    Column("file_id", ForeignKey(FILE.c.id), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "expires_at"),
    Index(None, "file_id"),
)
"""Where a manifest said that a file is: for minutes, and once."""

OPENING = Table(
    "share_opening",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("link_id", ForeignKey(LINK.c.id), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("recipient", String(200), nullable=False),  # as whoever opened it called themselves
    Index(None, "link_id"),
)
"""Who opened a link, for whoever shared it."""
