"""A custodian's wallet and a patient's own, a vault of what was sealed to the first, and who moves it to the second."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chartseal import _core
from chartseal.attestation import Domain, LocalSigner
from chartseal.chain.anchors import AnchorQueue
from chartseal.chain.deployment import Deployment
from chartseal.chain.rpc.node import Node
from chartseal.chain.rpc_facts import RpcFacts
from chartseal.chain.seals import Revoker
from chartseal.chain.sending.sender import Sender
from chartseal.fhir import Reading
from chartseal.keys import SuccessorNotice, Wallet
from chartseal.sealing import Issuing, OnePatient, SealedRecord, Source, StatusStore, seal_run
from chartseal.vault import Vault, VaultOutput
from chartseal.vault.database import reading
from chartseal.vault.moving import Mover
from chartseal.vault.opening import Opened, decrypt
from chartseal.vault.succession import take_without_map
from chartseal.vault.tables import LIVE

BASE = "https://hospital.example/fhir/"
CUSTODIAN, PATIENT = (Wallet(bytes([number]) * 32) for number in (1, 2))
OLD, NEW = CUSTODIAN.sealing_address(), PATIENT.sealing_address()
AT = datetime(2026, 11, 30, 9, tzinfo=UTC)
NOTICE = SuccessorNotice.make(OLD, CUSTODIAN, NEW, now=AT, new_wallet=PATIENT)
PATIENT_URL = "urn:uuid:00000000-0000-4000-8000-000000000001"


def issuing_of(signer: LocalSigner, domain: Domain, store: Path) -> Issuing:
    """An issuer that gives credentials."""
    proving = _core.ProvingKey((7).to_bytes(32, "little"))
    return Issuing(signer, domain, b"\x66" * 32, BASE, proving=proving, places=StatusStore(store))


def mover_of(vault: Vault, issuing: Issuing, node: Node, deployment: Deployment, store: Path) -> Mover:
    facts = RpcFacts(node, deployment)
    revoker = Revoker(Sender(node, issuing.signer), facts, StatusStore(store))
    return Mover(vault, issuing, revoker, facts, "clerk", 30)


def conditions(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "resourceType": "Condition",
            "id": f"c{number}",
            "code": {"text": f"Quicksilveritis, number {number}"},
            "subject": {"reference": PATIENT_URL},
        }
        for number in range(first, first + count)
    ]


def prescription(number: int = 0) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": f"m{number}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "drops"},
        "subject": {"reference": PATIENT_URL},
        "dispenseRequest": {"numberOfRepeatsAllowed": 2},
    }


def chart_of(resources: Iterable[dict[str, Any]]) -> bytes:
    """A Bundle of the patient and of resources that name her by urn:uuid."""
    entries = [{"fullUrl": PATIENT_URL, "resource": {"resourceType": "Patient", "id": "p1"}}]
    entries += [
        {"fullUrl": f"urn:uuid:00000000-0000-4000-9000-{at:012}", "resource": each} for at, each in enumerate(resources)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def document_of() -> bytes:
    """A document Bundle: a Composition and its patient."""
    composition = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "note"},
        "subject": {"reference": "Patient/p1"},
        "date": "2026-05-04",
        "author": [{"display": "somebody"}],
        "title": "A note",
    }
    named = {"Composition/c": composition, "Patient/p1": {"resourceType": "Patient", "id": "p1"}}
    entries = [{"fullUrl": f"{BASE}{path}", "resource": each} for path, each in named.items()]
    whole = {"resourceType": "Bundle", "type": "document", "timestamp": "2026-05-04T09:00:00Z", "entry": entries}
    return json.dumps({**whole, "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"}}).encode()


def seal_to(vault: Vault, issuing: Issuing, chart: bytes, folder: Path, *, wallet: Wallet = CUSTODIAN) -> None:
    """Seal a chart into the vault, delivered."""
    path = folder / f"{_core.keccak256(chart).hex()[:8]}.json"
    path.write_bytes(chart)
    output = VaultOutput(vault, "sealer", lambda: AT, AnchorQueue(issuing.domain), 90)
    address = OnePatient(wallet.sealing_address().data)
    done = seal_run(Source(path), issuing, address, output, reading=Reading(), now=AT)
    assert not done.refused, done.codes


def moved_of(mover: Mover, **changes: Any) -> Any:
    """Take the notice and move."""
    take_without_map(mover.vault, NOTICE, actor="clerk", now=AT)
    return replace(mover, **changes).move(NOTICE, now=AT)


def records_at(vault: Vault, address: object) -> list[SealedRecord]:
    """What the vault has of an address, as nobody would read it: without an entry in the log."""
    entries = [each for each in vault.find(address=str(address)) if each.state == LIVE]
    with reading(vault.engine) as connection:
        found = decrypt(vault, connection, entries)
    return [SealedRecord.from_json(each.line) for each in found if isinstance(each, Opened)]
