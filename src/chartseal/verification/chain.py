"""What verification asks of a chain, and the anchor's inclusion proof, which needs none.

A client of a node or an indexer implements `ChainView`; verification itself talks to no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from chartseal import _core
from chartseal.attestation import Address, Digest, Domain, VerifiedAttestation, abi, digest_from, to_hex
from chartseal.errors import PackageError

ROLES = ("hospital", "clinic", "pharmacy", "laboratory", "imaging", "device", "insurer", "public-health")
"""What an issuer can be accredited as; the position is the bit on chain."""

_DEEPEST = 64


class Accreditation(NamedTuple):
    """An authority's word that somebody holds roles, and under which name."""

    authority: Address
    roles: frozenset[str]
    name: str


class Revocation(NamedTuple):
    """That a seal was revoked: when (aware block time), by whom, and why where that is stated on chain."""

    at: datetime
    by: Address
    reason: str | None = None


class AttestedTrustRoot(NamedTuple):
    """An authority's word for the issuers that it stood for when a day (UTC) began, as one root."""

    authority: Address
    role: str
    begins_at: datetime
    """The start of the day, aware: what an anonymous proof has as its `now`."""
    root: Digest


class ChainView(Protocol):
    """State of the chains that a policy lists. Times are aware block times.

    What speaks for a seal is given only once it is final, what speaks against one at once. An implementation answers
    for the deployment of the domain given and no other, and raises a ChainError when it cannot answer: an unreachable
    node must never read as "not revoked". `authorities` are those that the policy names, so that no stranger's word
    accredits or revokes.
    """

    def timestamped_at(self, domain: Domain, root: Digest) -> datetime | None:
        """When EAS timestamped that anchor root, from any sender; None if it did not."""

    def accreditations(
        self, domain: Domain, attester: Address, at: datetime, authorities: frozenset[Address]
    ) -> Sequence[Accreditation]:
        """The accreditations by those authorities that the attester held at that time, as is known now: a withdrawal
        for cause may reach back.
        """

    def revocation(
        self, domain: Domain, attester: Address, uid: Digest, authorities: frozenset[Address]
    ) -> Revocation | None:
        """That the seal was revoked by its attester, by a successor of it that one of those authorities had accredited
        then, or by one of them that ever accredited the attester; None if it was not.
        """

    def is_valid_signature(self, domain: Domain, signer: Address, digest: Digest, signature: bytes) -> bool:
        """Whether the contract at `signer`, on that domain's chain, takes the signature for its own (EIP-1271)."""

    def trust_roots(
        self, domains: frozenset[Domain] | None, authority: Address, role: str, at: datetime
    ) -> Sequence[AttestedTrustRoot]:
        """The authority's roots for that role that count at a time: of the newest day that had begun then and of the
        day before, final and not revoked, from every deployment of these domains (None: of any) that is known here.
        """


@runtime_checkable
class BatchChainView(ChainView, Protocol):
    """A view that can learn of many seals at once, in few round trips."""

    def prefetch(self, questions: Sequence[Question], authorities: frozenset[Address]) -> None:
        """Get what will be asked of these seals. It may get nothing: later answers are the same, only slower."""


class Question(NamedTuple):
    """One seal that a view will be asked about, with the root of the anchor that was given for it."""

    domain: Domain
    attester: Address
    uid: Digest
    anchor_root: Digest | None = None


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
    """H("anchor-seal"; uid, keccak256(signature bytes)): a seal's value in an anchor's tree.

    Raises:
        ValueError: one of them has not 32 bytes.
    """
    if len(uid) != len(signature_hash) or len(uid) != _WORD:
        raise ValueError("a uid and a hash have 32 bytes")
    return Digest(_core.keccak256(_BEFORE + uid + signature_hash + _AFTER))


_WORD = 32
_KINDS = [abi.parse_type(kind) for kind in ("string", "bytes32", "bytes32")]
_ENCODED = abi.encode_all(_KINDS, ["chartseal/1/anchor-seal", bytes(_WORD), bytes(_WORD)])
_BEFORE, _AFTER = _ENCODED[:_WORD], _ENCODED[3 * _WORD :]
"""What stands around the two words: the text's place, and the text."""
