"""The audit log: entries appended and checked, beside SHA-256 of the very bytes that the chain hashes."""

from __future__ import annotations

import hashlib
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from _figures import Figure, cpu_seconds, table
from sqlalchemy import Engine, insert, select

from chartseal.vault.audit import Act, Action, AuditLog, record_text, verify_log
from chartseal.vault.database import open_database, reading, writing
from chartseal.vault.tables import AUDIT, META

ENTRIES = 100_000
_AT_ONCE = 1_000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PEER = "SHA-256 of the same bytes"


def _append(engine: Engine) -> float:
    """CPU seconds of one entry, a thousand in a transaction."""
    log = AuditLog(b"p" * 32, b"a" * 32)
    acts = [
        Act("clerk-7", Action.CREATE, record_text(bytes(20), number.to_bytes(32), 1), number.to_bytes(16), "TREAT")
        for number in range(_AT_ONCE)
    ]
    begun = time.process_time()
    for _ in range(ENTRIES // _AT_ONCE):
        with writing(engine) as connection:
            log.append(connection, acts, now=_NOW)
    return (time.process_time() - begun) / ENTRIES


def _hash(entries: list[bytes]) -> None:
    previous = bytes(32)
    for entry in entries:
        previous = hashlib.sha256(previous + entry).digest()


def figures() -> list[Figure]:
    """Figures of one SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(str(Path(folder) / "vault.db"), create=True)
        with writing(engine) as connection:
            connection.execute(insert(META).values(name="id", value=bytes(16)))
        appended = _append(engine)
        with reading(engine) as connection:
            entries = list(connection.execute(select(AUDIT.c.entry).order_by(AUDIT.c.sequence)).scalars())
            verified = cpu_seconds(lambda: verify_log(connection, now=_NOW), 1) / ENTRIES
        hashed = cpu_seconds(lambda: _hash(entries), 1) / ENTRIES
        engine.dispose()
    return [
        Figure("an audit entry appended, 1,000 at a time", appended, _PEER, hashed, is_floor=True),
        Figure(f"an audit entry checked, of {ENTRIES:,}", verified, _PEER, hashed, is_floor=True),
        Figure("audit entries checked a second", 1 / verified, unit="entries/s"),
    ]


if __name__ == "__main__":
    print(table(figures()))
