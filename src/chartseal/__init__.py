"""Health records that carry their own proof: fhir → record → attestation → disclosure → verification.

    sealing = chartseal.seal_chart(Path("chart.json"), issuer.issuing(), wallet.sealing_address().data)
    selection = chartseal.select(sealing.records, ["Observation.value"])
    shown = chartseal.present(selection, wallet, audience="https://clinic.example", nonce=nonce, expires_at=expires_at)
    verified = chartseal.verify(shown, trust, audience="https://clinic.example", nonce=nonce, now=datetime.now(UTC))

Names are loaded when they are used, so that `chartseal.attestation` alone brings no FHIR, and a verifier no keys.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chartseal.disclosure import UnverifiedDisclosure, about_code, present, select
    from chartseal.keys import IssuerKey, SealingAddress, Wallet
    from chartseal.sealing import SealedRecord, read_records, seal_chart, seal_resource, seal_run
    from chartseal.verification import TrustPolicy, VerifiedDisclosure, verify

_HOMES = {
    "IssuerKey": "chartseal.keys",
    "SealedRecord": "chartseal.sealing",
    "SealingAddress": "chartseal.keys",
    "TrustPolicy": "chartseal.verification",
    "UnverifiedDisclosure": "chartseal.disclosure",
    "VerifiedDisclosure": "chartseal.verification",
    "Wallet": "chartseal.keys",
    "about_code": "chartseal.disclosure",
    "present": "chartseal.disclosure",
    "read_records": "chartseal.sealing",
    "seal_chart": "chartseal.sealing",
    "seal_resource": "chartseal.sealing",
    "seal_run": "chartseal.sealing",
    "select": "chartseal.disclosure",
    "verify": "chartseal.verification",
}

__all__ = [
    "IssuerKey",
    "SealedRecord",
    "SealingAddress",
    "TrustPolicy",
    "UnverifiedDisclosure",
    "VerifiedDisclosure",
    "Wallet",
    "about_code",
    "present",
    "read_records",
    "seal_chart",
    "seal_resource",
    "seal_run",
    "select",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'chartseal' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
