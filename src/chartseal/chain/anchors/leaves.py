"""Values of an anchor's tree, and the tree: StandardMerkleTree of bytes32. Source: format specification, "Anchor"."""

from __future__ import annotations

from collections.abc import Sequence

from chartseal import _core
from chartseal.attestation import Digest, abi
from chartseal.verification.chain import AnchorProof, anchor_leaf

ENTRY = 34
"""Bytes of one announcement: enc ‖ tag."""


def seal_leaf(uid: bytes, signature_hash: bytes) -> Digest:
    """H("anchor-seal"; uid, keccak256(signature bytes))."""
    return anchor_leaf(uid, signature_hash)


def announcements_leaf(page: bytes) -> Digest:
    """H("anchor-announcements"; keccak256(page))."""
    return _hashed("anchor-announcements", _core.keccak256(page))


def statement_leaf(statement: bytes, signature: bytes) -> Digest:
    """H("anchor-audit"; keccak256(statement bytes), keccak256(signature bytes))."""
    return _hashed("anchor-audit", _core.keccak256(statement), _core.keccak256(signature))


def _hashed(name: str, *words: bytes) -> Digest:
    kinds = [abi.parse_type(kind) for kind in ("string", *["bytes32"] * len(words))]
    return Digest(_core.keccak256(abi.encode_all(kinds, [f"chartseal/1/{name}", *words])))


def _node(value: bytes) -> bytes:
    return _core.keccak256(_core.keccak256(value))


def implied_root(value: bytes, proof: AnchorProof) -> Digest:
    """The root that a value gives with its siblings; it proves nothing until a chain has timestamped it."""
    node = _node(value)
    for sibling in proof.siblings:
        node = _core.keccak256(min(node, sibling) + max(node, sibling))
    return Digest(node)


class AnchorTree:
    """The tree over an anchor's values (at least one, none twice), in whatever order they come."""

    def __init__(self, values: Sequence[bytes]) -> None:
        """Hash them all."""
        tree = _core.MerkleTree([_node(value) for value in values])
        self._nodes = tree.nodes
        self._places = {node: at for at, node in enumerate(self._nodes) if at >= len(values) - 1}
        self.root = Digest(tree.root)

    def proof(self, value: bytes) -> AnchorProof:
        """Siblings from the value up.

        Raises:
            KeyError: it is none of them.
        """
        at, siblings = self._places[_node(value)], []
        while at:
            siblings.append(Digest(self._nodes[at + 1 if at % 2 else at - 1]))
            at = (at - 1) // 2
        return AnchorProof(tuple(siblings))
