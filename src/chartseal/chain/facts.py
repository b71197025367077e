"""What is known of one deployment of EAS at one moment, from whatever source: a node's answers or an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from chartseal.attestation import ZERO_DIGEST, Address, Digest
from chartseal.chain.calls import Block
from chartseal.chain.deployment import Deployment
from chartseal.chain.schemas import ChainSchema

OLDEST_HEAD = timedelta(minutes=15)
"""How old the newest block of a public chain may be: behind an older one stands a node that has stopped."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """An attestation on chain, as EAS keeps it. Times are Unix seconds; 0 is never."""

    uid: Digest
    schema: Digest
    time: int
    """Of the block that it was made in."""
    expiration_time: int
    revocation_time: int
    """Of the block that it was revoked in."""
    ref_uid: Digest
    recipient: Address
    attester: Address
    revocable: bool
    data: bytes = field(repr=False)

    @classmethod
    def from_tuple(cls, values: tuple[Any, ...]) -> Attestation | None:
        """From what `getAttestation` returns; None where there is none (its uid is zero)."""
        uid, schema, time, expiration, revocation, ref_uid, recipient, attester, revocable, data = values
        if uid == ZERO_DIGEST:
            return None
        digests = (Digest(uid), Digest(schema))
        return cls(*digests, time, expiration, revocation, Digest(ref_uid), recipient, attester, revocable, data)

    @property
    def attested_at(self) -> datetime:
        """When it was made, aware."""
        return datetime.fromtimestamp(self.time, UTC)


class ChainFacts(Protocol):
    """One deployment's state at the block `head`; what lies at or before `final` can no longer be undone.

    What speaks for a seal (an anchor, an accreditation) counts only up to `final_until`; what speaks
    against one (a revocation, a withdrawal) counts at once. An implementation raises NodeError or IndexingError when it
    cannot answer: silence must never read as "not revoked".
    """

    @property
    def deployment(self) -> Deployment:
        """Whose state it is."""

    @property
    def head(self) -> Block:
        """The newest block that the answers hold for."""

    @property
    def final(self) -> Block:
        """The newest block that is final."""

    def attestation(self, uid: Digest) -> Attestation | None:
        """One attestation by its uid."""

    def attestations(
        self, schema: ChainSchema, *, attester: Address | None = None, recipient: Address | None = None
    ) -> Sequence[Attestation]:
        """All under a schema of that string and flag, whatever its resolver, in the order in which they were made."""

    def timestamp(self, data: Digest) -> int:
        """When EAS timestamped it (Unix seconds), from any sender; 0 if it did not."""

    def revoked_offchain(self, revoker: Address, data: Digest) -> int:
        """When that revoker revoked an off-chain attestation's uid by EAS's `revokeOffchain`; 0 if it did not."""

    def is_valid_signature(self, signer: Address, digest: Digest, signature: bytes) -> bool:
        """Whether the contract at `signer` accepts the signature (EIP-1271)."""


@runtime_checkable
class Prefetching(Protocol):
    """Facts that can get many answers at once, before they are asked one by one."""

    def prefetch(
        self,
        *,
        timestamps: Sequence[Digest] = (),
        revoked: Sequence[tuple[Address, Digest]] = (),
        attestations: Sequence[Digest] = (),
    ) -> None:
        """Get what `timestamp`, `revoked_offchain` and `attestation` will be asked, as of `head`.

        Raises:
            NodeError, IndexingError: as they do.
        """


def final_until(facts: ChainFacts) -> int:
    """The last second (Unix) of which everything is final.

    Blocks can share a second: where others stand above the final one, its own second may not be over.
    """
    over = facts.final.number == facts.head.number
    return facts.final.timestamp if over else facts.final.timestamp - 1
