"""Erasing one record of many beside one of few: rows are generated, not sealed.

Clock time of one erasure in SQLite, commit and emptying of the log included; the median of many.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from _figures import Figure, table
from sqlalchemy import insert

from chartseal.vault import Entry, Vault
from chartseal.vault.blobs.digests import digest_of
from chartseal.vault.database import writing
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.tables import BLOB, DELIVERY, KEY, LIVE, RECORD, TERM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.vaults import MemoryKeys

FEW = 10_000
MANY = int(os.environ.get("CHARTSEAL_BENCH_ROWS", "200000"))
_ERASED = 200
_TERMS = 6
_CHUNK = 5_000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _fill(vault: Vault, count: int) -> None:
    for start in range(1, count + 1, _CHUNK):
        ids = range(start, min(start + _CHUNK, count + 1))
        data = {each: secrets.token_bytes(500) for each in ids}
        row = {"version": 1, "state": LIVE, "size": 500, "sealed_at": 0, "stored_at": 0, "attester": bytes(20)}
        with writing(vault.engine) as connection:
            connection.execute(
                insert(RECORD),
                [
                    {"id": each, "uid": secrets.token_bytes(32), "blob": digest_of(data[each]), **row}
                    | {"patient": (each // 50).to_bytes(16)}
                    for each in ids
                ],
            )
            keys = [{"record_id": each, "epoch": 1, "wrapped": secrets.token_bytes(80)} for each in ids]
            connection.execute(insert(KEY), keys)
            words = [{"term": secrets.token_bytes(16), "record_id": each} for each in ids for _ in range(_TERMS)]
            connection.execute(insert(TERM), words)
            connection.execute(insert(BLOB), [{"hash": digest_of(each), "data": each} for each in data.values()])
            waiting = [
                {"locator": secrets.token_bytes(32), "record_id": each, "blob": secrets.token_bytes(32)}
                | {"size": 500, "expires_at": 1}
                for each in ids
            ]
            connection.execute(insert(DELIVERY), waiting)


def _erase(count: int) -> float:
    """Seconds of erasing one record of so many."""
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault.create(str(Path(folder) / "vault.db"), MemoryKeys(), now=_NOW)
        _fill(vault, count)
        taken = []
        for at in range(_ERASED + 1):
            entry = Entry(1 + at * (count // (_ERASED + 1)), (bytes(20), bytes(32)), 0, 0, 0, LIVE)
            begun = time.perf_counter()
            done = erase(vault, [entry], basis=Basis.DUPLICATE, actor="bench", now=_NOW)
            taken.append(time.perf_counter() - begun)
            assert done.erased == 1
        vault.close()
    return statistics.median(taken[1:])


def figures() -> list[Figure]:
    """One figure: beside the same in a small vault."""
    few, many = _erase(FEW), _erase(MANY)
    return [Figure(f"a record erased, of {MANY:,}", many, f"one of {FEW:,}", few, is_floor=True)]


if __name__ == "__main__":
    print(table(figures()))
