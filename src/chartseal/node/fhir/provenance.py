"""The Provenance that goes with a record: who sealed it, and all that a receiver needs to check that."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chartseal.attestation import checksum_address, to_hex
from chartseal.consent import Decision
from chartseal.disclosure import Selection
from chartseal.node.fhir.judging import Judged
from chartseal.sealing import SealedRecord
from chartseal.verification.facts import SEAL_FORMAT, UNOPENED_URL

AnswerRecord = Callable[[SealedRecord, Selection | None], bytes]
"""What a receiver checks a record by: seal, opened fields with salts, multiproof; of a cut record only what opens."""

_SIGNATURE_TYPE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.14"}
"""Source signature (hl7.org/fhir/R4/valueset-signature-type.html)."""
_ATTESTER = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "attester"}]
}
_URI = "urn:ietf:rfc:3986"


def provenance_id(attester: bytes, uid: bytes) -> str:
    """One id for one seal: it is the same in every answer, and no route reads it."""
    return f"seal-{hashlib.sha256(b'chartseal provenance' + attester + uid).hexdigest()[:40]}"


def provenance(judged: Judged, target: str, answer: AnswerRecord) -> str:
    """A record's Provenance, as JSON; `target` is how the answer names the record."""
    shown, record = judged.shown, judged.record
    selection = shown.selection if shown is not None else None
    message, domain = record.package.message, record.package.domain
    recorded = datetime.fromtimestamp(message.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    account = f"did:pkh:eip155:{domain.chain_id}:{checksum_address(record.attester)}"
    who = {"identifier": {"system": _URI, "value": account}}
    unopened = shown.unopened if shown is not None else ()
    members: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": provenance_id(record.attester, record.uid),
        **({"extension": [{"url": UNOPENED_URL, "valueString": each} for each in unopened]} if unopened else {}),
        "target": [{"reference": target}],
        "recorded": recorded,
        "policy": list(_policies(judged.decision)),
        "agent": [{"type": _ATTESTER, "who": who}],
        "signature": [
            {
                "type": [_SIGNATURE_TYPE],
                "when": recorded,
                "who": who,
                "sigFormat": SEAL_FORMAT,
                "data": base64.b64encode(answer(record, selection)).decode(),
            }
        ],
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _policies(decision: Decision) -> list[str]:
    """On what basis the record is given, and by which consent, whose copy the receiver has."""
    consent = [f"urn:chartseal:consent:{to_hex(decision.consent)}"] if decision.consent is not None else []
    return [f"urn:chartseal:basis:{decision.basis}", *consent]
