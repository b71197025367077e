"""What people do on a test's chain: attest under Chartseal's schemas, accredit, withdraw, revoke, timestamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.authority import Grant
from chartseal.chain.authority.accreditation import encode_unchecked
from chartseal.chain.authority.withdrawal import encode_withdrawal
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.schemas import ACCREDITATION, SCHEMAS, WITHDRAWAL, ChainSchema
from chartseal.chain.sending.sender import Sender
from tests.chain import Local


def register_schemas(local: Local, resolver: Address = ZERO_ADDRESS) -> None:
    registry = Contract.load("schema_registry").at(local.deployment.schema_registry)
    for schema in SCHEMAS:
        if local.node.read(registry.read("getSchema", schema.uid(resolver)))[0] == ZERO_DIGEST:
            local.sender().send(registry.write("register", schema.text, resolver, schema.revocable))


@dataclass(frozen=True)
class Actor:
    """One key on one chain."""

    local: Local
    sender: Sender

    @classmethod
    def of(cls, local: Local, at: int) -> Actor:
        return cls(local, local.sender(at))

    @property
    def address(self) -> Address:
        return self.sender.address

    @property
    def eas(self) -> Bound:
        return Contract.load("eas").at(self.local.deployment.eas)

    def do(self, name: str, *arguments: Any) -> int:
        """Send one call of EAS; the time of its block."""
        receipt = self.sender.send(self.eas.write(name, *arguments))
        return self.local.node.block(receipt.block_number).timestamp

    def attest(
        self,
        schema: ChainSchema,
        data: bytes,
        *,
        recipient: Address = ZERO_ADDRESS,
        expires_at: int = 0,
        resolver: Address = ZERO_ADDRESS,
    ) -> Digest:
        request = (schema.uid(resolver), (recipient, expires_at, schema.revocable, ZERO_DIGEST, data, 0))
        receipt = self.sender.send(self.eas.write("attest", request))
        return Digest(self.eas.events_in(receipt, "Attested")[0]["uid"])

    def accredit(self, grant: Grant) -> Digest:
        data = encode_unchecked(grant)
        return self.attest(ACCREDITATION, data, recipient=grant.issuer, expires_at=grant.expires_at)

    def withdraw(self, accreditation: Digest, issuer: Address, from_: int, cause: str) -> Digest:
        return self.attest(WITHDRAWAL, encode_withdrawal(accreditation, from_, cause), recipient=issuer)

    def revoke(self, schema: ChainSchema, uid: Digest) -> int:
        return self.do("revoke", (schema.uid(), (uid, 0)))

    def revoke_offchain(self, uid: Digest) -> int:
        return self.do("revokeOffchain", uid)

    def timestamp(self, root: Digest) -> int:
        return self.do("timestamp", root)
