"""Attesting and revoking through EAS under our schemas, which are registered where they are missing."""

from __future__ import annotations

from functools import cached_property

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.chain.deployment import Deployment
from chartseal.chain.eas import EAS, AttestationRequest, RevocationRequest
from chartseal.chain.facts import Attestation
from chartseal.chain.registry import register
from chartseal.chain.schemas import ChainSchema
from chartseal.chain.sending.sender import Sender
from chartseal.errors import AuthorityError


class Attesting:
    """One key's attestations on one deployment, under schemas with one resolver."""

    def __init__(self, sender: Sender, deployment: Deployment, resolver: Address = ZERO_ADDRESS) -> None:
        """Take who attests, and where; the contract is checked at the first use."""
        self.sender, self.deployment, self.resolver = sender, deployment, resolver

    @cached_property
    def _eas(self) -> EAS:
        return EAS.connect(self.sender.node, self.deployment, sender=self.sender)

    @property
    def address(self) -> Address:
        """Who attests."""
        return self.sender.address

    def registered(self, schema: ChainSchema, resolver: Address | None = None) -> Digest:
        """The schema's uid, after registering it where it is not yet; with another resolver if one is given.

        Raises:
            DeploymentError: it is another contract or chain.
            NodeError, SendError, RevertError: it could not be registered.
        """
        _ = self._eas
        behind = self.resolver if resolver is None else resolver
        register(self.sender, self.deployment, [schema], resolver=behind)
        return schema.uid(behind)

    def attest(
        self,
        schema: ChainSchema,
        data: bytes,
        *,
        recipient: Address = ZERO_ADDRESS,
        expires_at: int = 0,
        ref_uid: Digest = ZERO_DIGEST,
        resolver: Address | None = None,
    ) -> Digest:
        """Attest, and give the new attestation's uid once it is mined; under another resolver if one is given.

        Raises:
            DeploymentError: it is another contract or chain.
            RequestError, NodeError, SendError, RevertError: it could not be attested.
        """
        uid = self.registered(schema, resolver)
        return self._eas.attest(AttestationRequest(uid, data, recipient, expires_at, schema.revocable, ref_uid))

    def revoke(self, attestation: Attestation) -> None:
        """Revoke an attestation of ours.

        Raises:
            DeploymentError: it is another contract or chain.
            RequestError, NodeError, SendError, RevertError: it could not be revoked.
        """
        self._eas.revoke(RevocationRequest(attestation.schema, attestation.uid))

    def find(self, uid: Digest, schema: ChainSchema) -> Attestation:
        """An attestation of ours under the schema, whatever its resolver.

        Raises:
            AuthorityError: `attestation_unknown`, or `not_ours`: another attested it, or under another schema.
            DeploymentError: it is another contract or chain.
            NodeError: the node does not say.
        """
        found = self._eas.get_attestation(uid)
        if found is None:
            raise AuthorityError("no attestation on this chain has that uid", "attestation_unknown")
        registered = self._eas.schemas.get_schema(found.schema)
        is_of_schema = registered and (registered.text, registered.revocable) == (schema.text, schema.revocable)
        if found.attester != self.address or not is_of_schema:
            raise AuthorityError(f"no {schema.name} of this key has that uid", "not_ours")
        return found

    def resolver_of(self, attestation: Attestation) -> Address:
        """The resolver of the schema that an attestation stands under.

        Raises:
            AuthorityError: `attestation_unknown`: the registry does not have its schema.
            DeploymentError: it is another contract or chain.
            NodeError: the node does not say.
        """
        registered = self._eas.schemas.get_schema(attestation.schema)
        if registered is None:
            raise AuthorityError("no schema of an attestation is registered on this chain", "attestation_unknown")
        return registered.resolver

    def now(self) -> int:
        """The newest block's time, Unix seconds: what EAS compares with."""
        return self.sender.node.block().timestamp
