"""An audit log in a database of its own, and what tests do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, insert

from chartseal.attestation import ZERO_ADDRESS, Domain, LocalSigner
from chartseal.chain.anchors import AnchorQueue
from chartseal.vault.audit import Act, Action, AuditLog, close_periods
from chartseal.vault.database import writing
from chartseal.vault.tables import META

LOG = bytes(range(16))
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PATIENT = b"\x07" * 16


def begun(engine: Engine) -> Engine:
    """A vault's database, with an id and nothing else in it."""
    with writing(engine) as connection:
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
        close_periods(connection, issuer(), queues=[queue()], now=NOW + timedelta(days=days))
