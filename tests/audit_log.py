"""An audit log in a database of its own, and what tests do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from chartseal.attestation import ZERO_ADDRESS, Domain, LocalSigner
from chartseal.chain.anchors import AnchorQueue, open_queue, writing
from chartseal.vault.audit import Act, Action, AuditLog, close_periods
from chartseal.vault.tables import META, METADATA

LOG = bytes(range(16))
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PATIENT = b"\x07" * 16


def open_log(place: str) -> Engine:
    """A database with a vault's tables and the queue's, made where it is new."""
    engine = open_queue(place)
    with writing(engine) as connection:
        METADATA.create_all(connection)
        connection.execute(insert(META).values(name="id", value=LOG))
    return engine


def a_log() -> AuditLog:
    """With both keys."""
    return AuditLog(b"p" * 32, b"a" * 32)


def looked(number: int, patient: bytes | None = PATIENT) -> Act:
    """Somebody read a record."""
    return Act("clerk-7", Action.READ, f"record {number}", patient, "TREAT")


def told(number: int) -> Act:
    """A record was disclosed, with what accounting names."""
    detail = {"recipient": "Lakeside Registry", "address": "Quay 4", "description": f"record {number}"}
    return Act("clerk-7", Action.DISCLOSE, f"record {number}", PATIENT, "PUBHLTH", "164.512(b)", detail)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database can be, of each kind."""
    return str(tmp_path / "vault.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(place: str) -> Engine:
    return open_log(place)


def issuer() -> LocalSigner:
    """The provider's key."""
    return LocalSigner(b"\x11" * 32)


def queue() -> AnchorQueue:
    """The queue beside the log."""
    return AnchorQueue(Domain("1.2.0", 31_337, ZERO_ADDRESS))


def filled(engine: Engine, days: int = 3, each: int = 2) -> None:
    """Some acts on each of some days, each day closed."""
    with writing(engine) as connection:
        for day in range(days):
            at = NOW + timedelta(days=day)
            a_log().append(connection, [looked(day), *(told(number) for number in range(each - 1))], now=at)
        close_periods(connection, issuer(), queue=queue(), now=NOW + timedelta(days=days))
