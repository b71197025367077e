"""A chain made up in memory: attestations at given times, as ChainFacts gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chartseal import _core
from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.authority import Grant
from chartseal.chain.authority.accreditation import encode_unchecked
from chartseal.chain.authority.status_root import encode_status_root
from chartseal.chain.authority.trust_root import encode_trust_root
from chartseal.chain.authority.withdrawal import encode_withdrawal
from chartseal.chain.calls import Block
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ACCREDITATION, STATUS_ROOT, TRUST_ROOT, WITHDRAWAL, ChainSchema

DEPLOYMENT = Deployment(31_337, "1.4.0", Address(b"\xea" * 20), Address(b"\x5c" * 20), finality=0)


class MadeChain:
    """Attestations in the order in which they are made; nothing is checked, as little as EAS checks it."""

    def __init__(self, final_at: int = 2**63) -> None:
        self.deployment = DEPLOYMENT
        self.head = self.final = Block(1, Digest(b"\xb1" * 32), Digest(b"\xb0" * 32), final_at)
        self.made: dict[Digest, Attestation] = {}

    def attest(
        self,
        schema: ChainSchema,
        attester: Address,
        data: bytes,
        at: int,
        *,
        recipient: Address = ZERO_ADDRESS,
        expires_at: int = 0,
        ref_uid: Digest = ZERO_DIGEST,
    ) -> Digest:
        uid = Digest(_core.keccak256(len(self.made).to_bytes(8)))
        subject = (ref_uid, recipient, attester, schema.revocable, data)
        self.made[uid] = Attestation(uid, schema.uid(), at, expires_at, 0, *subject)
        return uid

    def accredit(self, authority: Address, grant: Grant, at: int) -> Digest:
        data = encode_unchecked(grant)
        return self.attest(ACCREDITATION, authority, data, at, recipient=grant.issuer, expires_at=grant.expires_at)

    def withdraw(self, authority: Address, uid: Digest, since: int, cause: str, at: int) -> Digest:
        return self.attest(WITHDRAWAL, authority, encode_withdrawal(uid, since, cause), at, ref_uid=uid)

    def revoke(self, uid: Digest, at: int) -> None:
        self.made[uid] = replace(self.made[uid], revocation_time=at)

    def status(self, issuer: Address, root: Digest, at: int, number: int = 0) -> Digest:
        return self.attest(STATUS_ROOT, issuer, encode_status_root(number, root), at)

    def publish(self, authority: Address, epoch: int, role: str, root: Digest, at: int) -> Digest:
        return self.attest(TRUST_ROOT, authority, encode_trust_root(epoch, role, root), at)

    def attestation(self, uid: Digest) -> Attestation | None:
        return self.made.get(uid)

    def attestations(
        self, schema: ChainSchema, *, attester: Address | None = None, recipient: Address | None = None
    ) -> Sequence[Attestation]:
        return [
            each
            for each in self.made.values()
            if each.schema == schema.uid() and attester in (None, each.attester) and recipient in (None, each.recipient)
        ]

    def timestamp(self, data: Digest) -> int:
        raise AssertionError

    def revoked_offchain(self, revoker: Address, data: Digest) -> int:
        raise AssertionError

    def is_valid_signature(self, signer: Address, digest: Digest, signature: bytes) -> bool:
        raise AssertionError
