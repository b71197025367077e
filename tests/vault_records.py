"""Vaults with records for tests, which take no time to seal."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from chartseal.chain.anchors import AnchorQueue
from chartseal.sealing import SealedLine, SealedRecord
from chartseal.vault import Stored, Vault
from chartseal.vault.keys import KeyProvider
from tests.charts import DOMAIN, HOLDER, NOW, sealed, texts
from tests.vaults import MemoryKeys

BASE = "https://hospital.example/fhir/"
LOINC = "http://loinc.org"


def keys_of(kept: Mapping[str, bytes]) -> MemoryKeys:
    keys = MemoryKeys()
    keys.kept.update(kept)
    return keys


def line_of(
    number: int, patient: str = "p1", *, day: str = "2026-05-04", code: str = "2823-3", has_full_url: bool = True
) -> SealedLine:
    """An Observation's record with what delivers it."""
    ikm = secrets.token_bytes(32)
    fields = {
        "Observation.id": f"o{number}",
        "Observation.status": "final",
        "Observation.code.coding[0].system": LOINC,
        "Observation.code.coding[0].code": code,
        "Observation.subject.reference": f"Patient/{patient}",
        "Observation.effectiveDateTime": day,
        "Observation.note[0].text": f"a note of Olivia Bauch, number {number}",
    }
    url = f"{BASE}Observation/o{number}" if has_full_url else ""
    record = sealed("Observation", texts(fields), full_url=url, ikm=ikm)
    return SealedLine(record.to_json(), ikm, HOLDER.keys.address())


def lines_of(count: int, patient: str = "p1", **options: Any) -> list[SealedLine]:
    return [line_of(number, patient, **options) for number in range(count)]


def identity(line: SealedLine) -> tuple[bytes, bytes]:
    record = SealedRecord.from_json(line.line)
    return record.attester, record.uid


def create(place: str, keys: KeyProvider | None = None, **options: Any) -> Vault:
    return Vault.create(place, keys or MemoryKeys(), base=BASE, now=NOW, **options)


def put(vault: Vault, lines: Sequence[SealedLine], **options: Any) -> Stored:
    given: dict[str, Any] = {"actor": "clerk", "now": NOW, "queue": AnchorQueue(DOMAIN), **options}
    return vault.put(lines, **given)


def receive(locator: bytes, ciphertext: bytes, line: SealedLine) -> bytes:
    """What the holder of the tests makes of a delivery."""
    enc = SealedRecord.from_json(line.line).enc
    assert HOLDER.keys.receive(enc, 0, 0)[2] == locator
    return HOLDER.keys.open(enc, ciphertext, 0, 0)
