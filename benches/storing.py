"""Sealing an export into a vault beside sealing it into plain files; opening a vault's records beside a plain table.

Data keys, terms and audit entries are in all figures; deliveries and what is to be anchored in rows of their own. Clock
time, since a database's server works in processes of its own; each run is a fresh one, and the best of three counts. An
opened record is one that can be used, a `SealedRecord`, on both sides; the vault besides decrypts it and enters that
into the log.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from _figures import Figure, table
from sealing import write_export

from chartseal.chain.anchors import AnchorQueue
from chartseal.keys import IssuerKey, Wallet
from chartseal.sealing import Issuing, PatientMap, SealedLine, SealedRecord, Source, seal_resource, seal_run
from chartseal.vault import MOST_LINES, Vault, VaultOutput

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.postgres import Server

COPIES = int(os.environ.get("CHARTSEAL_STORING_COPIES", "8"))
"""Of the sample charts, 1,816 resources each."""
OPENED = 1_000
_ROUNDS = 3
_BASE = "https://hospital.example/fhir/"


class Keys:
    """Secrets in memory: what a keystore costs is paid once, when it is opened."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """As `KeyProvider`."""
        return sorted(self._kept)

    def get(self, name: str) -> bytes:
        """As `KeyProvider`."""
        return self._kept[name]

    def make(self, name: str) -> bytes:
        """As `KeyProvider`."""
        return self._kept.setdefault(name, secrets.token_bytes(32))

    def destroy(self, name: str) -> None:
        """As `KeyProvider`."""
        self._kept.pop(name, None)


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Bench:
    """One export, sealed again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source = Source(folder / "export.ndjson")
        address = Wallet.generate().sealing_address().data
        patients = write_export(folder / "export.ndjson", COPIES)
        self._addresses = PatientMap(dict.fromkeys(patients, address))
        self._issuing: Issuing = IssuerKey.generate(base=_BASE).issuing()

    def into_files(self) -> float:
        """Seconds a record, into a folder."""
        with tempfile.TemporaryDirectory(dir=self._folder) as output:
            return self._timed(lambda: seal_run(self._source, self._issuing, self._addresses, Path(output)).sealed)

    def into_vault(self, places: Callable[[str], str], name: str, days: int) -> float:
        """Seconds a record, into a vault that is empty."""
        queue = AnchorQueue(self._issuing.domain) if days else None
        with made(places(name)) as vault:
            output = VaultOutput(vault, "bench", now, queue, days)
            return self._timed(lambda: seal_run(self._source, self._issuing, self._addresses, output).sealed)

    def _timed(self, run: Callable[[], int]) -> float:
        begun = time.perf_counter()
        count = run()
        return (time.perf_counter() - begun) / count


@contextmanager
def made(place: str) -> Iterator[Vault]:
    """A new vault."""
    vault = Vault.create(place, Keys(), now=now())
    yield vault
    vault.close()


def _best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(_ROUNDS))


def _storing(folder: Path, places: Callable[[str], str]) -> Iterator[Figure]:
    bench = Bench(folder)
    plain = _best(bench.into_files)
    for name in ("SQLite", "PostgreSQL"):
        try:
            stored = [_best(partial(bench.into_vault, places, name, days)) for days in (0, 90)]
        except FileNotFoundError:  # PostgreSQL's server is not installed
            continue
        peer = ("seal into files", plain)
        yield Figure(f"seal, encrypt, store ({name}), a record", stored[0], *peer, 1.3, is_floor=True)
        yield Figure(f"the same, delivered and queued ({name})", stored[1], *peer, is_floor=True)
    yield _opening(folder)


def _opening(folder: Path) -> Figure:
    """A thousand records of one code and a range of dates."""
    lines = list(_lines(OPENED))
    with closing(sqlite3.connect(folder / "plain.db")) as plain, made(str(folder / "opened.db")) as vault:
        plain.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, code TEXT, date TEXT, line BLOB)")
        plain.execute("CREATE INDEX record_code ON record (code, date)")
        rows = [("http://loinc.org|2823-3", "2026-05-04", each.line) for each in lines]
        plain.executemany("INSERT INTO record (code, date, line) VALUES (?, ?, ?)", rows)
        plain.commit()
        for at in range(0, len(lines), MOST_LINES):
            vault.put(lines[at : at + MOST_LINES], actor="bench", now=now(), delivery_days=0)

        def ours() -> float:
            begun = time.perf_counter()
            found = vault.find(code="http://loinc.org|2823-3", since=date(2026, 5, 1), until=date(2026, 5, 31))
            assert sum(1 for _ in vault.read(found, actor="bench", now=now())) == OPENED
            return (time.perf_counter() - begun) / OPENED

        def theirs() -> float:
            begun = time.perf_counter()
            query = "SELECT line FROM record WHERE code = ? AND date BETWEEN ? AND ?"
            found = plain.execute(query, ("http://loinc.org|2823-3", "2026-05-01", "2026-05-31"))
            assert sum(1 for _ in (SealedRecord.from_json(line) for (line,) in found)) == OPENED
            return (time.perf_counter() - begun) / OPENED

        what = f"open {OPENED:,} records by code and date, a record"
        return Figure(what, _best(ours), "a plain SQLite table", _best(theirs), 3, is_floor=True)


def _lines(count: int) -> Iterator[SealedLine]:
    address = Wallet.generate().sealing_address().data
    issuing = IssuerKey.generate(base=_BASE).issuing()
    for number in range(count):
        text = (
            f'{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"coding":[{{"system":'
            '"http://loinc.org","code":"2823-3"}]},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2026-05-04"}'
        )
        yield SealedLine(seal_resource(text, issuing, address).to_json(), b"", address)


def figures() -> list[Figure]:
    """Storing in both databases, where PostgreSQL's server is installed, and opening."""
    with tempfile.TemporaryDirectory() as folder:
        server: list[Server] = []

        def places(name: str) -> str:
            if name == "SQLite":
                return str(Path(folder, f"{secrets.token_hex(4)}.db"))
            server[:] = server or [Server()]
            return server[0].database()

        try:
            return list(_storing(Path(folder), places))
        finally:
            for each in server:
                each.stop()


if __name__ == "__main__":
    print(table(figures()))
