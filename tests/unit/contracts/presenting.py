"""A chain with an authority's trust roots, both verifiers, and presentations that a simulator makes for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from chartseal.chain.presentations import OnChainPresentation, OnChainQuestion

from chartseal.attestation import Address, Digest
from chartseal.chain.calls import Read
from chartseal.chain.contract import Bound
from chartseal.chain.schemas import ACCREDITATION, ROLES, TRUST_ROOT
from tests.evm import START, Eas, accreditation, named, trust_root
from tests.groth16 import Trapdoor

DAY = 86_400
TODAY = START // DAY
AUTHORITY, ASKER, PAYEE, RELAYER = named(21), named(22), named(23), named(24)
HOSPITAL, PHARMACY = ROLES.index("hospital"), ROLES.index("pharmacy")
DOOR = Trapdoor.of("anonymous-1", 7)
CHAIN_ID = 1
"""Of an EVM of titanoboa's."""


class Asked:
    """EAS, one authority, and the verifiers, in one process."""

    def __init__(self) -> None:
        self.chain = Eas()
        deploy = self.chain.deploy
        self.resolver: Bound = deploy("accreditation_resolver", self.chain.eas.address, AUTHORITY)
        self.groth16: Bound = deploy("groth16_verifier")
        self.verifier: Bound = deploy("presentation_verifier", self.groth16.address)
        self.chain.send(self.groth16.write("register", DOOR.circuit, DOOR.key), named(3))
        self.roots = {epoch: Digest((1000 + epoch).to_bytes(32)) for epoch in range(TODAY - 3, TODAY + 1)}
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
            "audience": "https://benefit.example",
            "purpose": "dispense",
            "period": 0,
        }
        return OnChainQuestion(**{**given, **members})


@dataclass(frozen=True)
class Holder:
    """What a wallet puts into a presentation; `prove` makes one, of which anything can be changed afterwards."""

    asked: Asked
    contract: Address
    question: OnChainQuestion
    chain_id: int = CHAIN_ID
    payee: Address = PAYEE
    epoch: int = TODAY
    expiry: int = START + 600
    verifier_nonce: Digest = field(default=Digest(b"\x0a" * 32))
    holder_nonce: Digest = field(default=Digest(b"\x0b" * 32))
    nullifier: int = 4242
    pseudonym: int = 99
    root: Digest | None = None

    def but(self, **members: Any) -> Holder:
        return replace(self, **members)

    def prove(self, door: Trapdoor = DOOR) -> OnChainPresentation:
        nonces = (self.verifier_nonce, self.holder_nonce)
        context = self.question.context(self.chain_id, self.contract, self.payee, *nonces, self.expiry)
        scope = self.question.scope(self.chain_id, self.contract, context)
        root = self.root or self.asked.roots.get(self.epoch, Digest((1).to_bytes(32)))
        numbers = [int.from_bytes(each) for each in (root, self.question.policy_hash, scope, context)]
        inputs = [numbers[0], self.epoch * DAY, *numbers[1:], self.nullifier, self.pseudonym]
        word = [each.to_bytes(32) for each in (self.nullifier, self.pseudonym)]
        members = (self.expiry, self.payee, self.epoch, Digest(word[0]), Digest(word[1]), door.prove(inputs))
        return OnChainPresentation(*nonces, *members)


def check(verifier: Bound, question: OnChainQuestion, shown: OnChainPresentation) -> Read[bool]:
    return verifier.read("check", question.as_argument(), shown.as_argument())
