"""Real proofs for tests: development keys made in memory, and a world of issuers under a trust root."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.chain.authority import StatusList, compute_trust_root, find_membership
from chartseal.chain.authority.trust_root import EPOCH_SECONDS
from chartseal.chain.calls import Block
from chartseal.chain.view import FactsView
from chartseal.circuits import CircuitEntry, KeyEntry, KnownKey, Manifest, Proof, Prover
from chartseal.circuits.development import SEED
from chartseal.disclosure import HeldRecord, Membership
from chartseal.disclosure.statements import CIRCUITS, publics
from chartseal.record import Field
from chartseal.sealing import Issuing, SealedRecord
from chartseal.verification import TrustedAuthority, TrustedIssuer, TrustPolicy
from tests.charts import DOMAIN, ISSUING, NOW, SEALED_AT, Holder, field_of, sealed
from tests.issuers import AUTHORITY, MadeIssuer, granted, issuer
from tests.made_chain import MadeChain
from tests.memory_facts import DEPLOYMENT

ROLE = "laboratory"


@lru_cache(maxsize=8)
def prover_of(circuit: str) -> Prover:
    """Of the development key, made here: what a cache would hold."""
    proving, verification = _core.development_key(circuit, SEED)
    key_hash = _core.CircuitVerifier(circuit, verification).hash
    return Prover(KeyEntry(circuit, "development", True, key_hash, hashlib.sha256(proving).digest(), 0, None), proving)


@lru_cache(maxsize=8)
def known_key(circuit: str) -> tuple[bytes, KnownKey]:
    """The development key's hash and the key."""
    _, verification = _core.development_key(circuit, SEED)
    verifier = _core.CircuitVerifier(circuit, verification)
    return verifier.hash, KnownKey(circuit, "development", True, verifier)


def verifier_of(key_hash: bytes) -> KnownKey | None:
    """In place of `circuits.verifier_of`."""
    return dict(known_key(circuit) for circuit in CIRCUITS).get(key_hash)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program find these keys, instead of what is in the manifest and in somebody's cache."""
    keys = {circuit: (replace(prover_of(circuit).key),) for circuit in CIRCUITS}
    entries = {name: CircuitEntry(name, publics(name), 0, 0, bytes(32), keys[name]) for name in CIRCUITS}
    monkeypatch.setattr("chartseal.circuits.manifest", lambda: Manifest(entries))
    monkeypatch.setattr("chartseal.circuits.load_prover", lambda circuit, name: prover_of(circuit))
    monkeypatch.setattr("chartseal.circuits.verifier_of", verifier_of)


@dataclass(frozen=True)
class ProvingHolder(Holder):
    """A holder who proves too."""

    def holder_commitment(self) -> bytes:
        return _core.holder_commitment(self.keys.spend_public())

    def prove(self, prover: Prover, inputs: Mapping[str, Any], **options: Any) -> Proof:
        return prover.prove(inputs, self.keys, **options)


class Places:
    """Places in a status list, one after the other."""

    def __init__(self) -> None:
        self.next = 7

    def reserve(self, attester: Address, uids: Sequence[bytes]) -> list[tuple[int, int]]:
        begins, self.next = self.next, self.next + len(uids)
        return [(0, index) for index in range(begins, self.next)]


def issuing_of(made: MadeIssuer) -> Issuing:
    """An issuer that gives credentials."""
    return replace(ISSUING, proving=made.key, places=Places())


class Chain(MadeChain):
    """The chain that the records of these tests are sealed for, on which nothing is anchored or revoked."""

    def __init__(self) -> None:
        super().__init__()
        self.deployment = DEPLOYMENT

    def timestamp(self, data: Digest) -> int:
        return 0

    def revoked_offchain(self, revoker: Address, data: Digest) -> int:
        return 0


@dataclass
class World:
    """An authority with three laboratories, the first of which seals; today's and yesterday's roots are attested."""

    now: datetime = NOW
    chain: Chain = field(default_factory=Chain)
    revoked: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self.lab = MadeIssuer(ISSUING.signer.address, issuer(1).key)
        self.issuing = issuing_of(self.lab)
        today = int(self.now.timestamp()) // EPOCH_SECONDS
        begins = (today - 30) * EPOCH_SECONDS
        for made in (self.lab, issuer(2), issuer(3)):
            self.chain.accredit(AUTHORITY, granted(made, ROLE), begins)
            self.chain.status(made.address, StatusList(made.address, 0, frozenset()).root, begins + 60)
        self.final_at(int(self.now.timestamp()))
        self.publish(today - 1)
        self.publish(today)

    def final_at(self, seconds: int) -> None:
        number = self.chain.head.number + 1
        head = Digest(_core.keccak256(number.to_bytes(8)))
        self.chain.head = self.chain.final = Block(number, head, self.chain.head.hash, seconds)

    def publish(self, epoch: int) -> None:
        root = compute_trust_root(self.chain, AUTHORITY, ROLE, epoch).root
        self.chain.publish(AUTHORITY, epoch, ROLE, root, epoch * EPOCH_SECONDS + 600)

    def revoke(self, *indices: int, at: int) -> None:
        """The lab publishes a new status root."""
        self.revoked |= frozenset(indices)
        self.chain.status(self.lab.address, StatusList(self.lab.address, 0, self.revoked).root, at)

    @property
    def lists(self) -> list[StatusList]:
        return [StatusList(self.lab.address, 0, self.revoked), StatusList(self.lab.address, 0, frozenset())]

    def membership(self, record: HeldRecord) -> Membership:
        assert isinstance(record, SealedRecord)
        assert record.credential is not None
        return find_membership(self.chain, AUTHORITY, ROLE, record.attester, record.credential, self.lists)

    @property
    def view(self) -> FactsView:
        return FactsView([self.chain])

    def trust(self, **changes: Any) -> TrustPolicy:
        policy = TrustPolicy(
            issuers=(TrustedIssuer(self.lab.address, "Example laboratory"),),
            domains=frozenset({DOMAIN}),
            authorities=(TrustedAuthority(AUTHORITY, frozenset({ROLE}), "Example board"),),
            development_keys=frozenset(CIRCUITS),
        )
        return replace(policy, **changes)


def observation(world: World, value: str, *, holder: Holder, at: datetime = SEALED_AT, **options: Any) -> SealedRecord:
    """An HbA1c of the laboratory, taken on 10 November 2026."""
    return sealed("Observation", hba1c(value), by=world.issuing, holder=holder, at=at, **options)


def hba1c(value: str, day: str = "2026-11-10") -> list[Field]:
    values = {
        "status": "final",
        "subject.reference": "Patient/1",
        "code.coding[0].system": "http://loinc.org",
        "code.coding[0].code": "4548-4",
        "effectiveDateTime": day,
        "valueQuantity.value": value,
        "valueQuantity.unit": "%",
        "valueQuantity.system": "http://unitsofmeasure.org",
        "valueQuantity.code": "%",
    }
    return [field_of(f"Observation.{name}", "string", text) for name, text in values.items()]


def prescription(
    world: World, *, repeats: int, holder: Holder, at: datetime = SEALED_AT, **options: Any
) -> SealedRecord:
    """A prescription of metformin that may be dispensed once and `repeats` times more."""
    values = {
        "status": "active",
        "intent": "order",
        "subject.reference": "Patient/1",
        "medicationCodeableConcept.coding[0].system": "http://www.nlm.nih.gov/research/umls/rxnorm",
        "medicationCodeableConcept.coding[0].code": "860975",
        "authoredOn": "2026-11-10",
    }
    fields = [field_of(f"MedicationRequest.{name}", "string", text) for name, text in values.items()]
    fields.append(field_of("MedicationRequest.dispenseRequest.numberOfRepeatsAllowed", "int256", repeats))
    return sealed("MedicationRequest", fields, by=world.issuing, holder=holder, at=at)
