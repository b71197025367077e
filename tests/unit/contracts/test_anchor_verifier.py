"""Since when a seal exists: a path to a root that EAS timestamped."""

from __future__ import annotations

import secrets

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from chartseal import _core
from chartseal.attestation import Digest
from tests.evm import START, Eas, named, refused

UID, SIGNATURE = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
SENDER = named(5)
DIGESTS = st.binary(min_size=32, max_size=32)


def keccak(data: bytes) -> bytes:
    return bytes(_core.keccak256(data))


def leaf(uid: bytes, signature_hash: bytes) -> Digest:
    value = keccak(encode(["string", "bytes32", "bytes32"], ["chartseal/1/anchor-seal", uid, signature_hash]))
    return Digest(keccak(keccak(value)))


def above(leaf: bytes, path: list[bytes]) -> Digest:
    """OpenZeppelin's processProof, said again."""
    for sibling in path:
        leaf = keccak(min(leaf, sibling) + max(leaf, sibling))
    return Digest(leaf)


class World:
    def __init__(self) -> None:
        self.chain = Eas()
        self.verifier = self.chain.deploy("anchor_verifier", self.chain.eas.address)

    def timestamp(self, root: bytes) -> None:
        self.chain.send(self.chain.eas.write("timestamp", root), SENDER)

    def existed_by(self, uid: bytes, signature_hash: bytes, path: list[bytes]) -> int:
        return int(self.chain.read(self.verifier.read("existedBy", uid, signature_hash, path)))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


@settings(max_examples=25, deadline=None)
@given(st.lists(DIGESTS, max_size=32), st.integers(0, 255), st.data())
def test_a_path_holds_and_no_other(world: World, path: list[bytes], bit: int, data: st.DataObject) -> None:
    with world.chain.undone():
        world.timestamp(above(leaf(UID, SIGNATURE), path))
        world.chain.now = START + 1_000
        assert world.existed_by(UID, SIGNATURE, path) == START
        with refused("RootUnknown"):
            world.existed_by(flipped(UID, bit), SIGNATURE, path)
        with refused("RootUnknown"):
            world.existed_by(UID, flipped(SIGNATURE, bit), path)
        if path:
            at = data.draw(st.integers(0, len(path) - 1))
            with refused("RootUnknown"):
                world.existed_by(UID, SIGNATURE, [*path[:at], flipped(path[at], bit), *path[at + 1 :]])
            with refused("RootUnknown"):
                world.existed_by(UID, SIGNATURE, path[:-1])
        if len(path) < 32:
            with refused("RootUnknown"):
                world.existed_by(UID, SIGNATURE, [*path, flipped(UID, bit)])
    world.chain.now = START


def test_a_tree_of_values(world: World) -> None:
    """As the anchor's tree is built from the same leaves."""
    seals = [(secrets.token_bytes(32), secrets.token_bytes(32)) for _ in range(5)]
    tree = _core.MerkleTree([leaf(*seal) for seal in seals])
    with world.chain.undone():
        world.timestamp(tree.root)
        for at, seal in enumerate(seals):
            _, siblings, flags = tree.multiproof([at])
            assert not any(flags)
            assert world.existed_by(*seal, siblings) == START
            with refused("RootUnknown"):
                world.existed_by(*seals[at - 1], siblings)


def test_neither_uid_nor_value_passes_for_a_leaf(world: World) -> None:
    """Only leaves are hashed twice: what EAS timestamped under a bare value is no anchor."""
    value = keccak(encode(["string", "bytes32", "bytes32"], ["chartseal/1/anchor-seal", UID, SIGNATURE]))
    with world.chain.undone():
        for root in (UID, SIGNATURE, value, keccak(value)):
            world.timestamp(root)
        with refused("RootUnknown"):
            world.existed_by(UID, SIGNATURE, [])
        world.timestamp(keccak(keccak(value)))
        assert world.existed_by(UID, SIGNATURE, []) == START


def test_uid_and_signature_do_not_change_places(world: World) -> None:
    with world.chain.undone():
        world.timestamp(leaf(UID, SIGNATURE))
        with refused("RootUnknown"):
            world.existed_by(SIGNATURE, UID, [])


def test_a_path_has_at_most_32_nodes(world: World) -> None:
    with refused("RootUnknown"):
        world.existed_by(UID, SIGNATURE, [UID] * 32)
    with refused(""):
        world.existed_by(UID, SIGNATURE, [UID] * 33)


def test_is_deployed_with_an_eas_and_takes_no_ether(world: World) -> None:
    assert world.chain.read(world.verifier.read("eas")) == world.chain.eas.address
    with refused("EasMissing"):
        world.chain.deploy("anchor_verifier", SENDER)
    with refused(""):
        world.chain.call(world.verifier.address, b"", SENDER, 1)
