"""The private data that several benches share: 30 fields of one laboratory report."""

from __future__ import annotations

import hashlib

from chartseal.attestation import Digest, PrivateData, PrivateValue

FIELDS = 30
OPENED = (3, 11, 20)


def values() -> list[PrivateValue]:
    """30 string fields, the same ones each time."""
    return [
        PrivateValue("string", f"Observation.component[{at}].valueString", f"finding {at}", _salt(at))
        for at in range(FIELDS)
    ]


def _salt(at: int) -> Digest:
    return Digest(hashlib.sha256(f"salt {at}".encode()).digest())


def data() -> PrivateData:
    """Their tree."""
    return PrivateData(values())
