"""The private data that several benches share: the first 30 string fields of a Patient."""

from __future__ import annotations

import hashlib

from _charts import line, resources

from chartseal.attestation import Digest, PrivateData, PrivateValue
from chartseal.record import read_fields

FIELDS = 30
OPENED = (3, 11, 20)


def values() -> list[PrivateValue]:
    """30 string fields, the same ones each time."""
    patient = next(resource for resource in resources() if resource["resourceType"] == "Patient")
    fields = [field for field in read_fields(line(patient)).fields if field.abi_type == "string"][:FIELDS]
    assert len(fields) == FIELDS
    return [PrivateValue(field.abi_type, field.name, field.value, _salt(field.name)) for field in fields]


def _salt(name: str) -> Digest:
    return Digest(hashlib.sha256(name.encode()).digest())


def data() -> PrivateData:
    """Their tree."""
    return PrivateData(values())
