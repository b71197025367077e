"""Bits that flip in a vault's file, and beside it: what is damaged is told, and every other record stays as it was."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chartseal.errors import ChartsealError
from chartseal.vault import Vault
from chartseal.vault.audit import verify_log
from chartseal.vault.blobs import Blobs, FolderBlobs
from chartseal.vault.database import reading
from chartseal.vault.deliveries import publish
from chartseal.vault.epochs import rotate
from chartseal.vault.erasure import Basis, erase
from chartseal.vault.opening import Entry
from tests.charts import NOW
from tests.vault_records import create, identity, lines_of, put

FLIPS = 3_000
RECORDS, PAGE = 12, 4_096
_TREES = (2, 5, 10, 13)
"""First bytes of pages that hold rows or say where rows are. Source: SQLite's file format, 1.6."""


def taken(act: Callable[[], object]) -> str:
    """Do it: the code of a typed error, or nothing. Anything else is a fault of ours."""
    try:
        act()
    except ChartsealError as error:
        return error.code
    return ""


class Damaged:
    """A vault whose file is put back and damaged, again and again."""

    def __init__(self, folder: Path) -> None:
        self.path, self.mailbox = folder / "vault.db", folder / "mailbox"
        vault, lines = create(str(self.path)), lines_of(RECORDS)
        put(vault, lines)
        vault.close()
        self.keys = vault.keys
        self.lines = {identity(each): each.line for each in lines}
        self.whole = self.path.read_bytes()
        pages = range(len(self.whole) // PAGE)
        self._trees = [page for page in pages if not page or self.whole[page * PAGE] in _TREES]

    def flip(self) -> None:
        """One bit: half of the time in a page's head, where SQLite looks first."""
        for each in self.path.parent.glob("vault.db*"):
            each.unlink()
        data = bytearray(self.whole)
        page = random.choice(self._trees) if random.random() < 0.8 else random.randrange(len(data) // PAGE)
        data[page * PAGE + random.randrange(random.choice((64, PAGE)))] ^= 1 << random.randrange(8)
        self.path.write_bytes(data)

    def open(self) -> Vault:
        return Vault.open(str(self.path), self.keys)

    def readable(self, vault: Vault) -> int:
        """How many records open, each as it was."""
        entries: list[Entry] = []
        taken(lambda: entries.extend(vault.find()))
        return sum(self._reads(vault, entry) for entry in entries)

    def _reads(self, vault: Vault, entry: Entry) -> bool:
        try:
            [opened] = vault.lines([entry], actor="clerk", now=NOW)
        except ChartsealError:
            return False
        assert self.lines[opened.identity] == opened.line
        return True


def use(vault: Vault, mailbox: Path) -> None:
    """All that a vault is for: whatever is damaged, nothing but a typed error comes of it."""

    def check_log() -> None:
        with reading(vault.engine) as connection:
            verify_log(connection, now=NOW)

    def remove() -> None:
        erase(vault, vault.find()[:2], basis=Basis.PATIENT_REQUEST, actor="clerk", now=NOW)

    taken(check_log)
    taken(lambda: vault.find(patient="Patient/p1", code="http://loinc.org|2823-3"))
    taken(lambda: publish(vault, mailbox, actor="clerk", now=NOW, early=True))
    taken(lambda: put(vault, lines_of(1)))
    taken(remove)
    taken(lambda: rotate(vault.engine, vault.keys, now=NOW))


@pytest.mark.long
def test_a_bit_of_the_database(tmp_path: Path, drill_scale: float) -> None:
    damaged, lost, named = Damaged(tmp_path), Counter[str](), 0
    flips = max(8, round(FLIPS * drill_scale))
    for _ in range(flips):
        damaged.flip()
        try:
            vault = damaged.open()
        except ChartsealError:
            lost["closed"] += 1
            continue
        findings: list[object] = list(vault.verify())
        count = RECORDS - damaged.readable(vault)
        assert findings or not count
        lost[str(count)] += 1
        named += bool(findings)
        use(vault, damaged.mailbox)
        vault.close()
    print(f"\nflipped bits: {flips}, records lost: {dict(lost)}, {named} times something was named")
    assert lost["0"] + lost["1"] > flips / 2


def test_a_bit_of_a_ciphertext_outside(tmp_path: Path) -> None:
    vault, folder, lines = create(str(tmp_path / "vault.db")), tmp_path / "blobs", lines_of(RECORDS)
    vault.blobs = Blobs(FolderBlobs(folder), inline=100)
    put(vault, lines, delivery_days=0)
    files = sorted(folder.glob("*/*/*"))
    assert len(files) == RECORDS
    for number, file in enumerate(files):
        data = bytearray(file.read_bytes())
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        file.write_bytes(data)
        assert [each.code for each in vault.verify()] == ["blob_damaged"] * (number + 1)
        codes = Counter(taken(lambda: list(vault.lines([entry], actor="c", now=NOW))) for entry in vault.find())  # noqa: B023
        assert codes == +Counter({"": RECORDS - number - 1, "blob_damaged": number + 1})
    vault.close()
