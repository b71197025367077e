"""A chain with an authority's trust roots, both verifiers, and presentations that a simulator makes for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from eth_abi.abi import encode

from chartseal import _core
from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Read
from chartseal.chain.contract import Bound
from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion, audience_hash
from chartseal.chain.schemas import ACCREDITATION, ROLES, TRUST_ROOT
from tests.anvil_evm import AnvilEas
from tests.evm import START, Eas, accreditation, named, trust_root
from tests.groth16 import Trapdoor

DAY = 86_400
TODAY = START // DAY
AUTHORITY, ASKER, PAYEE, RELAYER = named(21), named(22), named(23), named(24)
HOSPITAL, PHARMACY = ROLES.index("hospital"), ROLES.index("pharmacy")
DOOR = Trapdoor.of("anonymous-1", 7)


def root_of(epoch: int) -> Digest:
    return Digest((1000 + epoch).to_bytes(32))


class Asked:
    """EAS, one authority, and the verifiers."""

    def __init__(self, chain: AnvilEas | Eas) -> None:
        self.chain = chain
        deploy = self.chain.deploy
        self.resolver: Bound = deploy("accreditation_resolver", self.chain.eas.address, AUTHORITY)
        self.groth16: Bound = deploy("groth16_verifier")
        self.verifier: Bound = deploy("presentation_verifier", self.groth16.address)
        self.chain.send(self.groth16.write("register", DOOR.circuit, DOOR.key), named(3))
        self.roots = {epoch: root_of(epoch) for epoch in range(TODAY - 3, TODAY + 1)}
        uid = self.chain.register(TRUST_ROOT, self.resolver.address)
        for epoch, root in self.roots.items():
            self.chain.attest(uid, AUTHORITY, trust_root(epoch, HOSPITAL, root))
        self.root_schema = uid
        self.accreditation = self.chain.register(ACCREDITATION, self.resolver.address)

    def accredit(self, who: Address) -> Digest:
        return self.chain.attest(self.accreditation, AUTHORITY, accreditation(), recipient=who)

    def question(self, **members: Any) -> OnChainQuestion:
        given = {
            "key_hash": DOOR.hash,
            "policy_hash": Digest((77).to_bytes(32)),
            "resolver": self.resolver.address,
            "role": HOSPITAL,
            "audience_hash": audience_hash("https://benefit.example"),
            "purpose": "dispense",
            "period": 0,
        }
        return OnChainQuestion(**{**given, **members})


@dataclass(frozen=True)
class Holder:
    """What a wallet puts into a presentation; `prove` makes one, of which anything can be changed afterwards."""

    contract: Address
    question: OnChainQuestion
    chain_id: int = AnvilEas.chain_id
    payee: Address = PAYEE
    epoch: int = TODAY
    expiry: int = START + 600
    verifier_nonce: Digest = field(default=Digest(b"\x0a" * 32))
    holder_nonce: Digest = field(default=Digest(b"\x0b" * 32))
    nullifier: int = 4242
    pseudonym: int = 99
    root: Digest = field(default_factory=lambda: root_of(TODAY))

    def but(self, **members: Any) -> Holder:
        return replace(self, **members)

    @property
    def context(self) -> int:
        """As the format specification has it, said again with eth_abi alone."""
        kinds = ["string", "bytes32", "bytes32", "bytes32", "uint64", "uint256", "address", "address"]
        nonces = (self.verifier_nonce, self.holder_nonce)
        ends = (self.expiry, self.chain_id, self.contract, self.payee)
        return field_element(kinds, ["chartseal/1/context", self.question.audience_hash, *nonces, *ends])

    @property
    def scope(self) -> int:
        asked = self.question
        if not asked.purpose:
            return self.context
        kinds = ["string", "string", "bytes32", "uint256", "address", "uint64"]
        where = (asked.audience_hash, self.chain_id, self.contract, asked.period)
        return field_element(kinds, ["chartseal/1/scope", asked.purpose, *where])

    def prove(self, door: Trapdoor = DOOR) -> OnChainPresentation:
        policy = int.from_bytes(self.question.policy_hash)
        ends = [policy, self.scope, self.context, self.nullifier, self.pseudonym]
        proof = door.prove([int.from_bytes(self.root), self.epoch * DAY, *ends])
        numbers = (Digest(self.nullifier.to_bytes(32)), Digest(self.pseudonym.to_bytes(32)))
        nonces = (self.verifier_nonce, self.holder_nonce)
        return OnChainPresentation(*nonces, self.expiry, self.payee, self.epoch, *numbers, proof)


def field_element(kinds: list[str], values: list[Any]) -> int:
    return int.from_bytes(_core.keccak256(encode(kinds, values))) >> 8


def check(verifier: Bound, question: OnChainQuestion, shown: OnChainPresentation) -> Read[bool]:
    return verifier.read("check", question.as_argument(), shown.as_argument())
