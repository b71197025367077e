"""What EAS is asked to write, and what its registry keeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from chartseal.attestation import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from chartseal.attestation.delegated import DelegatedAttestation, DelegatedRevocation

NEVER = 0
"""As an expiration time or a deadline."""


@dataclass(frozen=True, slots=True)
class AttestationRequest:
    """An attestation to be made. `expiration_time` in Unix seconds, 0 is never; `value` in wei, for the resolver."""

    schema: Digest
    data: bytes = field(repr=False)
    recipient: Address = ZERO_ADDRESS
    expiration_time: int = NEVER
    revocable: bool = True
    ref_uid: Digest = ZERO_DIGEST
    value: int = 0

    def delegated(self, nonce: int = 0, deadline: int = NEVER) -> DelegatedAttestation:
        """The same, to be signed for another to send."""
        return DelegatedAttestation(
            self.schema,
            self.data,
            self.recipient,
            self.expiration_time,
            self.revocable,
            self.ref_uid,
            self.value,
            nonce,
            deadline,
        )

    @classmethod
    def of(cls, request: DelegatedAttestation) -> AttestationRequest:
        """What a delegated one asks for."""
        return cls(
            request.schema,
            request.data,
            request.recipient,
            request.expiration_time,
            request.revocable,
            request.ref_uid,
            request.value,
        )


@dataclass(frozen=True, slots=True)
class RevocationRequest:
    """The revocation of an attestation that stands on chain; `value` in wei, for the resolver."""

    schema: Digest
    uid: Digest
    value: int = 0

    def delegated(self, nonce: int = 0, deadline: int = NEVER) -> DelegatedRevocation:
        """The same, to be signed for another to send."""
        return DelegatedRevocation(self.schema, self.uid, self.value, nonce, deadline)

    @classmethod
    def of(cls, request: DelegatedRevocation) -> RevocationRequest:
        """What a delegated one asks for."""
        return cls(request.schema, request.uid, request.value)


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """A registered schema: its text, the contract that is asked about attestations under it, and the flag."""

    uid: Digest
    resolver: Address
    revocable: bool
    text: str
