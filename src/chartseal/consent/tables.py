"""Tables of consents. Their names begin with `consent_`, so that they can live in a vault's database.

Patients and grantees are keyed hashes, terms and what accounting needs of them ciphertexts. Times are Unix seconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    }
)
VERSIONS = "consent_alembic_version"
"""The table that says which migrations were made."""

GIVEN = Table(
    "consent_given",
    METADATA,
    Column("root", LargeBinary(32), primary_key=True),
    Column("holder", LargeBinary(32), nullable=False),
    Column("grantee", LargeBinary(32), nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("expiry", BigInteger, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("document", LargeBinary),  # the consent's JSON; none once it counts no more
    Column("account", LargeBinary, nullable=False),  # what accounting of disclosures needs of it
    Index(None, "holder"),
    Index(None, "grantee"),
)
"""One row for each consent that was ever taken."""

WITHDRAWN = Table(
    "consent_withdrawn",
    METADATA,
    Column("root", LargeBinary(32), primary_key=True),
    Column("holder", LargeBinary(32), primary_key=True),  # whoever learns of a root withdraws nothing of another's
    Column("withdrawn_at", BigInteger, nullable=False),
    Column("withdrawal", LargeBinary, nullable=False),  # its JSON, encrypted: that the patient withdrew it
    Index(None, "withdrawn_at"),
)
"""Withdrawals, of consents that have not come yet too. A consent counts while it has none: no race brings it back."""
