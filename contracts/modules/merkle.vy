# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title OpenZeppelin's Merkle trees: StandardMerkleTree's leaves, MerkleProof's path.
@dev Sources: OpenZeppelin merkle-tree 1.0.8, contracts 5 utils/cryptography/MerkleProof.sol.
"""


@pure
@internal
def _leaf(encoded_hash: bytes32) -> bytes32:
    # Hashed twice: 64 bytes of an inner node can then never be read as a leaf's encoding.
    return keccak256(encoded_hash)


@pure
@internal
def _pair(one: bytes32, other: bytes32) -> bytes32:
    if convert(one, uint256) < convert(other, uint256):
        return keccak256(abi_encode(one, other))
    return keccak256(abi_encode(other, one))


@pure
@internal
def _root(leaf: bytes32, path: DynArray[bytes32, 32]) -> bytes32:
    node: bytes32 = leaf
    for sibling: bytes32 in path:
        node = self._pair(node, sibling)
    return node
