"""Attesting and revoking through EAS under our schemas, which are registered where they are missing."""

from __future__ import annotations

from dataclasses import dataclass

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.calls import Receipt, Write
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.deployment import Deployment
from chartseal.chain.facts import Attestation
from chartseal.chain.schemas import ChainSchema
from chartseal.chain.sender import Sender
from chartseal.errors import AuthorityError, NodeError, RevertError


@dataclass(frozen=True, slots=True)
class Attesting:
    """One key's attestations on one deployment, under schemas with one resolver."""

    sender: Sender
    deployment: Deployment
    resolver: Address = ZERO_ADDRESS

    @property
    def address(self) -> Address:
        """Who attests."""
        return self.sender.address

    @property
    def eas(self) -> Bound:
        """The EAS contract."""
        return Contract.load("eas").at(self.deployment.eas)

    @property
    def registry(self) -> Bound:
        """The SchemaRegistry contract."""
        return Contract.load("schema_registry").at(self.deployment.schema_registry)

    def registered(self, schema: ChainSchema) -> Digest:
        """The schema's uid, after registering it where it is not yet.

        Raises:
            NodeError, SendError, RevertError: it could not be registered.
        """
        uid = schema.uid(self.resolver)
        if self._is_registered(uid):
            return uid
        try:
            self.sender.send(self.registry.write("register", schema.text, self.resolver, schema.revocable))
        except RevertError:
            if not self._is_registered(uid):  # else somebody was quicker
                raise
        return uid

    def _is_registered(self, uid: Digest) -> bool:
        return bool(self.sender.node.read(self.registry.read("getSchema", uid))[0] == uid)

    def attest(
        self,
        schema: ChainSchema,
        data: bytes,
        *,
        recipient: Address = ZERO_ADDRESS,
        expires_at: int = 0,
        ref_uid: Digest = ZERO_DIGEST,
    ) -> Digest:
        """Attest, and give the new attestation's uid once it is mined.

        Raises:
            NodeError, SendError, RevertError: it could not be attested.
        """
        uid = self.registered(schema)
        write = self.eas.write("attest", (uid, (recipient, expires_at, schema.revocable, ref_uid, data, 0)))
        return self.sender.send(Write(write.to, write.data, self._attested))

    def _attested(self, receipt: Receipt) -> Digest:
        events = self.eas.events_in(receipt, "Attested")
        if len(events) != 1:
            raise NodeError("a receipt of an attestation has not its event", "node_malformed", "receipt")
        return Digest(events[0]["uid"])

    def revoke(self, attestation: Attestation) -> None:
        """Revoke an attestation of ours.

        Raises:
            NodeError, SendError, RevertError: it could not be revoked.
        """
        self.sender.send(self.eas.write("revoke", (attestation.schema, (attestation.uid, 0))))

    def find(self, uid: Digest, schema: ChainSchema) -> Attestation:
        """An attestation of ours under the schema, whatever its resolver.

        Raises:
            AuthorityError: `attestation_unknown`, or `not_ours`: another attested it, or under another schema.
            NodeError: the node does not say.
        """
        found = Attestation.from_tuple(self.sender.node.read(self.eas.read("getAttestation", uid)))
        if found is None:
            raise AuthorityError("no attestation on this chain has that uid", "attestation_unknown")
        registered = self.sender.node.read(self.registry.read("getSchema", found.schema))
        if found.attester != self.address or registered[2:] != (schema.revocable, schema.text):
            raise AuthorityError(f"no {schema.name} of this key has that uid", "not_ours")
        return found

    def now(self) -> int:
        """The newest block's time, Unix seconds: what EAS compares with."""
        return self.sender.node.block().timestamp
