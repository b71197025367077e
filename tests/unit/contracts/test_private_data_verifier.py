"""Opened values under a live attestation: our proofs and eas-sdk's pass, everything one step away does not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

from chartseal.attestation import (
    ZERO_DIGEST,
    Digest,
    Multiproof,
    PrivateData,
    PrivateValue,
    abi,
    from_hex,
)
from chartseal.chain.calls import Read
from chartseal.chain.schemas import ACCREDITATION, PRIVATE_DATA, SAMPLE
from tests.evm import START, Eas, RevertedError, accreditation, named, refused

ISSUER, STRANGER = named(13), named(12)
METFORMIN = "0xef88bdefe7730462bab4f4501729c00e1f179186eb61e33f26355e225a71ac31"

Leaf = tuple[str, str, bytes, bytes]
Arguments = tuple[list[Leaf], list[bytes], list[bool]]


def leaf(value: PrivateValue) -> Leaf:
    kind = abi.parse_type(value.type)
    return value.type, value.name, abi.encode(kind, abi.normalise(kind, value.value)), value.salt


def arguments(proof: Multiproof) -> Arguments:
    return [leaf(each) for each in proof.leaves], list(proof.siblings), list(proof.flags)


def salted(count: int) -> PrivateData:
    return PrivateData(
        PrivateValue("string", f"field[{at}]", f"value {at}", Digest(hashlib.sha256(bytes([at])).digest()))
        for at in range(count)
    )


class World:
    """EAS, the verifier, and one attestation of a tree of ten."""

    def __init__(self) -> None:
        self.chain = Eas()
        self.verifier = self.chain.deploy("private_data_verifier", self.chain.eas.address)
        self.schema = self.chain.register(PRIVATE_DATA)
        self.data = salted(10)
        self.uid = self.attest(self.data.root)

    def attest(self, data: bytes, **members: Any) -> Digest:
        return self.chain.attest(self.schema, ISSUER, data, **members)

    def call(self, name: str, uid: Digest, given: Arguments) -> Any:
        read: Read[Any] = self.verifier.read(name, uid, *given)
        return self.chain.read(read, STRANGER)

    def verify(self, given: Arguments, uid: Digest | None = None) -> Digest:
        """The root; the other form answers or reverts alike."""
        uid = uid or self.uid
        try:
            root = Digest(self.call("verify", uid, given))
        except RevertedError as error:
            with refused(error.reason):
                self.call("verifyAttested", uid, given)
            raise
        assert self.call("verifyAttested", uid, given)[0] == ISSUER
        return root


@pytest.fixture(scope="module")
def built() -> World:
    return World()


@pytest.fixture
def world(built: World) -> Iterator[World]:
    with built.chain.undone():
        yield built


GOOD = arguments(salted(10).multiproof([1, 4, 7]))


def test_knows_the_schema(world: World) -> None:
    assert world.schema.hex() == "20351f973fdec1478924c89dfa533d8f872defa108d9c3c6512267d7e7e5dbc2"
    assert world.chain.read(world.verifier.read("eas")) == world.chain.eas.address


def test_hashes_a_leaf_as_the_format_says(world: World) -> None:
    value = PrivateValue("string", "medication", "metformin 500 mg", Digest(b"\x11" * 32))
    found = world.chain.read(world.verifier.read("leafHash", leaf(value)))
    assert found == from_hex(METFORMIN, "leaf") == value.leaf_hash()


def test_gives_root_attester_and_time(world: World) -> None:
    assert world.verify(GOOD) == world.data.root
    assert world.call("verifyAttested", world.uid, GOOD) == (ISSUER, START)
    world.chain.now = START + 50
    other = world.chain.attest(world.schema, STRANGER, world.data.root)
    assert world.call("verifyAttested", other, GOOD) == (STRANGER, START + 50)


@settings(max_examples=15, deadline=None)
@given_by(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1))))
def test_agrees_with_our_own_proofs(built: World, case: tuple[int, set[int]]) -> None:
    count, opened = case
    data = salted(count)
    proof = data.multiproof(sorted(opened)[:16])
    with built.chain.undone():
        uid = built.attest(data.root)
        assert built.verify(arguments(proof), uid) == proof.implied_root() == data.root
        if count != 10:
            with refused("RootMismatch"):
                built.verify(arguments(proof))


MUTATIONS = st.sampled_from(["leaf", "sibling", "flag", "drop", "add", "swap", "twice", "salt", "name", "type"])


@settings(max_examples=40, deadline=None)
@given_by(st.sets(st.integers(0, 9), min_size=1), MUTATIONS, st.data())
def test_nothing_one_step_away_passes(built: World, opened: set[int], how: str, draw: st.DataObject) -> None:
    leaves, siblings, flags = arguments(built.data.multiproof(sorted(opened)))
    proof = (list(leaves), list(siblings), list(flags))
    mutate(proof, how, draw)
    if proof == (leaves, siblings, flags):
        assert built.verify(proof) == built.data.root
        return
    with pytest.raises(RevertedError) as caught:
        built.verify(proof)
    assert caught.value.reason in {"RootMismatch", "ProofMalformed", "LeavesUnordered", "LeavesEmpty"}


def mutate(proof: Arguments, how: str, draw: st.DataObject) -> None:
    """Change a proof in place by one step of that kind, where it has something to change."""
    leaves, siblings, flags = proof
    at = draw.draw(st.integers(0, len(leaves) - 1))
    kind, name, value, salt = leaves[at]
    other: dict[str, Leaf] = {
        "leaf": (kind, name, value[:-1] + b"\x01", salt),
        "salt": (kind, name, value, bytes(31) + b"\x01"),
        "name": (kind, name + " ", value, salt),
        "type": ("bytes", name, value, salt),
    }
    if how in other:
        leaves[at] = other[how]
    elif how == "drop":
        leaves.pop(at)
    elif how == "twice":
        leaves.insert(at, leaves[at])
    elif how == "swap":
        leaves.append(leaves.pop(at))
    elif how == "add":
        siblings.append(ZERO_DIGEST)
        flags.append(False)
    elif how == "sibling" and siblings:
        siblings[0] = bytes(31) + b"\x01"
    elif how == "flag" and flags:
        place = draw.draw(st.integers(0, len(flags) - 1))
        flags[place] = not flags[place]


def test_an_empty_proof_of_the_root_opens_nothing(world: World) -> None:
    """eas-sdk 2.10 and OpenZeppelin's processMultiProof take it."""
    with refused("LeavesEmpty"):
        world.verify(([], [world.data.root], []))
    with refused("LeavesEmpty"):
        world.verify(([], [], []))


def test_a_proof_that_wants_zero_nodes_is_refused(world: World) -> None:
    """CVE-2023-34459: flags that take nodes which nothing put there."""
    leaves, siblings, _ = GOOD
    for flags in ([True] * 8, [True, True, True, False, False, False, False, False]):
        given = (leaves, siblings, flags[: len(leaves) + len(siblings) - 1])
        with pytest.raises(RevertedError) as caught:
            world.verify(given)
        assert caught.value.reason == "ProofMalformed"


def test_flags_must_take_every_sibling_and_no_more(world: World) -> None:
    leaves, siblings, flags = GOOD
    for at, taken in enumerate(flags):
        changed = [*flags[:at], not taken, *flags[at + 1 :]]
        with refused("ProofMalformed"):
            world.verify((leaves, siblings, changed))
    assert set(flags) == {True, False}


def test_every_order_of_flags_but_one_gives_another_root(world: World) -> None:
    leaves, siblings, flags = GOOD
    passed = 0
    for ours in combinations(range(len(flags)), flags.count(True)):
        given = [at in ours for at in range(len(flags))]
        if given == flags:
            passed += world.verify((leaves, siblings, given)) == world.data.root
        else:
            with refused("RootMismatch"):
                world.verify((leaves, siblings, given))
    assert passed == 1


def test_counts_must_fit(world: World) -> None:
    leaves, siblings, flags = GOOD
    for given in (
        (leaves, siblings[:-1], flags),
        (leaves, siblings, flags[:-1]),
        (leaves, [*siblings, ZERO_DIGEST], flags),
        (leaves, siblings, [*flags, True]),
        (leaves, siblings, []),
        (leaves[:1], [], [True]),
    ):
        with refused("ProofMalformed"):
            world.verify(given)


def test_a_leaf_twice_or_out_of_order_is_refused(world: World) -> None:
    leaves, siblings, flags = GOOD
    for given in ([leaves[0], leaves[0], leaves[2]], [leaves[1], leaves[0], leaves[2]], leaves[::-1]):
        with refused("LeavesUnordered"):
            world.verify((given, siblings, flags))


def test_an_inner_node_is_no_leaf(world: World) -> None:
    """A value whose encoding is an inner node's preimage hashes to another node: leaves are hashed twice."""
    one, other = (Digest(each) for each in world.data.nodes[1:3])
    given: list[Leaf] = [("", "", one + other, bytes(32))]
    with refused("RootMismatch"):
        world.verify((given, [], []))


def test_a_type_is_hashed_as_spelled(world: World) -> None:
    data = PrivateData([PrivateValue("uint", "days", 30, Digest(b"\x01" * 32))])
    uid = world.attest(data.root)
    given = arguments(data.multiproof([0]))
    assert world.verify(given, uid) == data.root
    with refused("RootMismatch"):
        world.verify(([("uint256", *given[0][0][1:])], [], []), uid)


def test_one_leaf_is_a_tree(world: World) -> None:
    data = salted(1)
    uid = world.attest(data.root)
    given = arguments(data.multiproof([0]))
    assert world.verify(given, uid) == data.root
    with refused("RootMismatch"):
        world.verify(arguments(replace(data.multiproof([0]), leaves=salted(2).values[1:])), uid)


def test_only_what_is_attested(world: World) -> None:
    for uid in (ZERO_DIGEST, Digest(b"\x07" * 32), Digest(world.data.root)):
        with refused("AttestationUnknown"):
            world.call("verify", uid, GOOD)
    other = world.attest(salted(11).root)
    with refused("RootMismatch"):
        world.verify(GOOD, other)


def test_a_revoked_attestation_is_refused(world: World) -> None:
    world.chain.revoke(world.schema, ISSUER, world.uid)
    with refused("AttestationRevoked"):
        world.verify(GOOD)


def test_the_attesters_offchain_revocation_counts_and_a_strangers_does_not(world: World) -> None:
    revoke = world.chain.eas.write("revokeOffchain", world.uid)
    world.chain.send(revoke, STRANGER)
    assert world.verify(GOOD) == world.data.root
    world.chain.send(revoke, ISSUER)
    with refused("AttestationRevoked"):
        world.verify(GOOD)


def test_an_expired_attestation_is_refused(world: World) -> None:
    uid = world.attest(world.data.root, expiration=START + 10)
    world.chain.now = START + 9
    assert world.verify(GOOD, uid) == world.data.root
    world.chain.now = START + 10
    with refused("AttestationExpired"):
        world.verify(GOOD, uid)
    assert world.verify(GOOD) == world.data.root


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 65, 4_096])
def test_data_is_one_word(world: World, size: int) -> None:
    uid = world.attest((world.data.root + bytes(4_096))[:size])
    with refused("DataMalformed"):
        world.verify(GOOD, uid)


def test_other_schemas_are_refused(world: World) -> None:
    for text, revocable in (
        (SAMPLE.text, True),
        ("bytes32 privateDatum", True),
        ("bytes32  privateData", True),
        (PRIVATE_DATA.text, False),
    ):
        schema = Digest(
            world.chain.send(world.chain.registry.write("register", text, ZERO_DIGEST[:20], revocable), ISSUER).output
        )
        uid = world.chain.attest(schema, ISSUER, world.data.root, revocable=revocable)
        with refused("SchemaMismatch"):
            world.verify(GOOD, uid)


def test_the_same_schema_under_a_resolver_passes(world: World) -> None:
    authority = named(11)
    accreditations = world.chain.deploy("accreditation_resolver", world.chain.eas.address, authority)
    resolver = world.chain.deploy("record_resolver", world.chain.eas.address, accreditations.address, 4)
    schema = world.chain.register(ACCREDITATION, accreditations.address)
    world.chain.attest(schema, authority, accreditation(), recipient=ISSUER)
    records = world.chain.register(PRIVATE_DATA, resolver.address)
    attested = world.chain.attest(records, ISSUER, world.data.root)
    assert world.verify(GOOD, attested) == world.data.root
    under = world.chain.register(SAMPLE, resolver.address)
    with refused("SchemaMismatch"):
        world.verify(GOOD, world.chain.attest(under, ISSUER, world.data.root))


def test_bounds(world: World) -> None:
    salt = Digest(b"\x01" * 32)
    longest = PrivateData([PrivateValue("string", "n" * 256, "v" * 1_024, salt)])
    uid = world.attest(longest.root)
    assert world.verify(arguments(longest.multiproof([0])), uid) == longest.root
    for value in (("n" * 257, "v"), ("n", "v" * 1_025)):
        data = PrivateData([PrivateValue("string", *value, salt)])
        with refused(""):
            world.verify(arguments(data.multiproof([0])), world.attest(data.root))
    many = salted(17)
    uid = world.attest(many.root)
    assert world.verify(arguments(many.multiproof(range(16))), uid) == many.root
    with refused(""):
        world.verify(arguments(many.multiproof(range(17))), uid)


def test_three_leaves_cost_at_most_60000_gas_above_base() -> None:
    world, data = World(), salted(30)
    uid = world.attest(data.root)
    write = world.verifier.write("verify", uid, *arguments(data.multiproof([1, 11, 21])))
    warm = world.chain.send(write, STRANGER).gas
    world.chain.cool()
    assert warm + 10_000 < world.chain.send(write, STRANGER).gas <= 60_000


def test_is_deployed_with_an_eas_and_takes_no_ether(world: World) -> None:
    with refused("EasMissing"):
        world.chain.deploy("private_data_verifier", STRANGER)
    with refused(""):
        world.chain.call(world.verifier.address, b"", STRANGER, 1)


def trees(shared: Path) -> list[dict[str, Any]]:
    vectors = json.loads((shared / "vectors/eas_sdk_2.10.json").read_bytes())
    found: list[dict[str, Any]] = vectors["privateData"]
    assert found
    return found


def test_eas_sdk_trees(world: World, shared: Path) -> None:
    """Every proof that the SDK made of trees that fit the bounds, and its leaf hashes; its empty proofs are refused."""
    seen = 0
    for tree in trees(shared):
        root = Digest(from_hex(tree["root"], "root"))
        uid = world.attest(root)
        for item, hashed in zip(tree["values"], tree["leafHashes"], strict=True):
            value = PrivateValue.from_json(item)
            if len(leaf(value)[2]) <= 1_088:
                assert world.chain.read(world.verifier.read("leafHash", leaf(value))) == from_hex(hashed, "leaf")
        for proof in tree["multiProofs"]:
            given = arguments(Multiproof.from_json({name: proof[name] for name in ("leaves", "proof", "proofFlags")}))
            if not given[0]:
                with refused("LeavesEmpty"):
                    world.verify(given, uid)
            elif len(given[0]) <= 16 and all(len(each[2]) <= 1_088 for each in given[0]):
                assert world.verify(given, uid) == root
                seen += 1
    assert seen >= 10


def test_a_real_proof(world: World, shared: Path) -> None:
    vectors = json.loads((shared / "vectors/eas_sdk_2.10.json").read_bytes())
    assert vectors["realPrivateDataProofs"]
    for real in vectors["realPrivateDataProofs"]:
        given = arguments(Multiproof.from_json(real["proof"]))
        root = Digest(from_hex(real["impliedRoot"], "root"))
        assert world.verify(given, world.attest(root)) == root
        [(kind, name, value, salt)] = given[0]
        no = bytes(32) if value != bytes(32) else bytes(31) + b"\x01"
        with refused("RootMismatch"):
            world.verify(([(kind, name, no, salt)], *given[1:]), world.attest(root))
