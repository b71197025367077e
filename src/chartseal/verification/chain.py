"""What verification asks of a chain, and the anchor's inclusion proof, which needs none.

A client of a node or an indexer implements `ChainView`; verification itself talks to no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from chartseal import _core
from chartseal.attestation import Address, Digest, Domain, VerifiedAttestation, abi, digest_from, to_hex
from chartseal.errors import PackageError

ROLE = "issuer"
"""The accredited role that sealing records needs."""

_DEEPEST = 64


class Accreditation(NamedTuple):
    """An authority's word that somebody holds a role, and under which name."""

    authority: Address
    role: str
    name: str


class ChainView(Protocol):
    """Finalised state of the chains that a policy lists. Times are aware block times.

    An implementation answers for the chain of the domain given, and raises when it cannot answer: an unreachable node
    must never read as "not revoked".
    """

    def timestamped_at(self, domain: Domain, root: Digest) -> datetime | None:
        """When EAS timestamped that anchor root, from any sender; None if it did not."""

    def accreditations(self, attester: Address, at: datetime) -> Sequence[Accreditation]:
        """The accreditations that the attester held at that time, by any authority."""

    def revoked_at(self, domain: Domain, attester: Address, uid: Digest) -> datetime | None:
        """When the seal was revoked by its attester, its accredited successor or the authority; None if it was not."""


@dataclass(frozen=True, slots=True)
class AnchorProof:
    """What leads from one seal to the root of an anchor: sibling hashes, from the leaf up."""

    siblings: tuple[Digest, ...]

    def root(self, seal: VerifiedAttestation) -> Digest:
        """The anchor's root that the seal gives: StandardMerkleTree of bytes32, leaf value H("anchor-seal"; uid,
        keccak256(signature bytes)). It proves nothing until a chain has timestamped it.
        """
        node = Digest(_core.keccak256(_core.keccak256(anchor_leaf(seal.uid, _core.keccak256(seal.signature)))))
        for sibling in self.siblings:
            node = Digest(_core.keccak256(min(node, sibling) + max(node, sibling)))
        return node

    def to_json(self) -> list[str]:
        """The siblings as hex."""
        return [to_hex(sibling) for sibling in self.siblings]

    @classmethod
    def from_json(cls, data: Any) -> AnchorProof:
        """Read siblings.

        Raises:
            PackageError: malformed, or more than a tree has levels.
        """
        if not isinstance(data, list) or len(data) > _DEEPEST:
            raise PackageError("expected a list of hashes", path="anchor")
        return cls(tuple(digest_from(item, f"anchor[{at}]") for at, item in enumerate(data)))


def anchor_leaf(uid: bytes, signature_hash: bytes) -> Digest:
    """H("anchor-seal"; uid, keccak256(signature bytes)): a seal's value in an anchor's tree."""
    kinds = [abi.parse_type(kind) for kind in ("string", "bytes32", "bytes32")]
    return Digest(_core.keccak256(abi.encode_all(kinds, ["chartseal/1/anchor-seal", uid, signature_hash])))
