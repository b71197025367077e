"""Facts of a chain that is a table in memory, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chartseal import _core
from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest, Schema
from chartseal.chain.authority import Grant
from chartseal.chain.authority.accreditation import encode_unchecked
from chartseal.chain.authority.withdrawal import encode_withdrawal
from chartseal.chain.calls import Block
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ACCREDITATION, REVOCATION_REASON, WITHDRAWAL, ChainSchema
from chartseal.errors import NodeError
from tests.charts import DOMAIN

DEPLOYMENT = Deployment(DOMAIN.chain_id, DOMAIN.version, DOMAIN.contract, Address(b"\x0e" * 20), finality=10)


def block(number: int, timestamp: int) -> Block:
    return Block(number, Digest(_core.keccak256(bytes([1]) + number.to_bytes(8))), ZERO_DIGEST, timestamp)


@dataclass
class MemoryFacts:
    """`ChainFacts` with what a test puts in; times are Unix seconds. `broken` names what cannot be answered."""

    head: Block
    final: Block
    deployment: Deployment = DEPLOYMENT
    made: list[tuple[ChainSchema, Attestation]] = field(default_factory=list)
    timestamps: dict[bytes, int] = field(default_factory=dict)
    revoked: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    contracts: set[tuple[bytes, bytes, bytes]] = field(default_factory=set)
    broken: str = ""

    def _answer(self, name: str) -> None:
        if name == self.broken:
            raise NodeError("the node cannot be reached", "node_unreachable", "node.example")

    def attestation(self, uid: Digest) -> Attestation | None:
        self._answer("attestation")
        return next((each for _, each in self.made if each.uid == uid), None)

    def attestations(
        self, schema: ChainSchema, *, attester: Address | None = None, recipient: Address | None = None
    ) -> Sequence[Attestation]:
        self._answer("attestations")
        return [
            each
            for under, each in self.made
            if under == schema and attester in (None, each.attester) and recipient in (None, each.recipient)
        ]

    def timestamp(self, data: Digest) -> int:
        self._answer("timestamp")
        return self.timestamps.get(data, 0)

    def revoked_offchain(self, revoker: Address, data: Digest) -> int:
        self._answer("revoked_offchain")
        return self.revoked.get((revoker, data), 0)

    def is_valid_signature(self, signer: Address, digest: Digest, signature: bytes) -> bool:
        self._answer("is_valid_signature")
        return (signer, digest, signature) in self.contracts

    def attest(
        self,
        schema: ChainSchema,
        attester: Address,
        data: bytes,
        at: int,
        *,
        recipient: Address = ZERO_ADDRESS,
        expires_at: int = 0,
    ) -> Attestation:
        uid = Digest(_core.keccak256(b"%d" % len(self.made)))
        made = Attestation(
            uid, schema.uid(), at, expires_at, 0, ZERO_DIGEST, recipient, attester, schema.revocable, data
        )
        self.made.append((schema, made))
        return made

    def accredit(self, authority: Address, grant: Grant, at: int) -> Attestation:
        data = encode_unchecked(grant)
        return self.attest(ACCREDITATION, authority, data, at, recipient=grant.issuer, expires_at=grant.expires_at)

    def withdraw(self, accreditation: Attestation, from_: int, cause: str, at: int) -> Attestation:
        data = encode_withdrawal(accreditation.uid, from_, cause)
        return self.attest(WITHDRAWAL, accreditation.attester, data, at, recipient=accreditation.recipient)

    def revoke(self, attestation: Attestation, at: int) -> None:
        self.made = [
            (schema, replace(each, revocation_time=at) if each.uid == attestation.uid else each)
            for schema, each in self.made
        ]

    def state_reason(self, by: Address, uid: Digest, code: int, at: int) -> None:
        self.attest(REVOCATION_REASON, by, Schema.parse(REVOCATION_REASON.text).encode([uid, code]), at)
