# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title PrivateDataVerifier
@notice See IPrivateDataVerifier, which says what each function promises.
"""

from .interfaces import IPrivateDataVerifier
from .modules import merkle

implements: IPrivateDataVerifier

MOST_LEAVES: constant(uint256) = 16
MOST_SIBLINGS: constant(uint256) = 128
MOST_FLAGS: constant(uint256) = MOST_LEAVES + MOST_SIBLINGS - 1  # under 256: they travel inside as bits of one word
# keccak256("bytes32 privateData" ‖ no resolver ‖ revocable), which needs no look into the registry.
PRIVATE_DATA: constant(bytes32) = 0x20351f973fdec1478924c89dfa533d8f872defa108d9c3c6512267d7e7e5dbc2
# Words of getAttestation's answer after its leading offset: ten of the struct, then the length and one word of data.
ANSWER_SIZE: constant(uint256) = 13 * 32

EAS: immutable(address)
REGISTRY: immutable(address)

interface IEAS:
    def getSchemaRegistry() -> address: view
    def getRevokeOffchain(revoker: address, data: bytes32) -> uint64: view

struct Seal:
    root: bytes32
    attester: address
    time: uint64


@deploy
def __init__(eas: address):
    assert eas.is_contract, "EasMissing"
    EAS = eas
    REGISTRY = staticcall IEAS(eas).getSchemaRegistry()


@view
@external
def verify(
    uid: bytes32,
    leaves: DynArray[IPrivateDataVerifier.Leaf, MOST_LEAVES],
    proof: DynArray[bytes32, MOST_SIBLINGS],
    flags: DynArray[bool, MOST_FLAGS],
) -> bytes32:
    hashes: DynArray[bytes32, MOST_LEAVES] = []
    for leaf: IPrivateDataVerifier.Leaf in leaves:
        hashes.append(self._leaf_hash(leaf))
    return self._open(uid, hashes, proof, self._bits(flags), len(flags)).root


@view
@external
def verifyAttested(
    uid: bytes32,
    leaves: DynArray[IPrivateDataVerifier.Leaf, MOST_LEAVES],
    proof: DynArray[bytes32, MOST_SIBLINGS],
    flags: DynArray[bool, MOST_FLAGS],
) -> (address, uint64):
    hashes: DynArray[bytes32, MOST_LEAVES] = []
    for leaf: IPrivateDataVerifier.Leaf in leaves:
        hashes.append(self._leaf_hash(leaf))
    seal: Seal = self._open(uid, hashes, proof, self._bits(flags), len(flags))
    return seal.attester, seal.time


@pure
@external
def leafHash(leaf: IPrivateDataVerifier.Leaf) -> bytes32:
    return self._leaf_hash(leaf)


@view
@external
def eas() -> address:
    return EAS


@pure
@internal
def _leaf_hash(leaf: IPrivateDataVerifier.Leaf) -> bytes32:
    return merkle._leaf(keccak256(abi_encode(leaf.abiType, leaf.name, leaf.value, leaf.salt)))


@pure
@internal
def _bits(flags: DynArray[bool, MOST_FLAGS]) -> uint256:
    bits: uint256 = 0
    at: uint256 = 0
    for flag: bool in flags:
        bits |= convert(flag, uint256) << at
        at += 1
    return bits


@view
@internal
def _open(
    uid: bytes32,
    hashes: DynArray[bytes32, MOST_LEAVES],
    proof: DynArray[bytes32, MOST_SIBLINGS],
    bits: uint256,
    steps: uint256,
) -> Seal:
    # OpenZeppelin's processMultiProof. Its queue of nodes never holds more than the leaves it began with, so a ring does.
    # Without a leaf it would give the one sibling: an empty proof of the root, which eas-sdk takes, opens nothing.
    assert len(hashes) != 0, "LeavesEmpty"
    assert len(hashes) + len(proof) == steps + 1, "ProofMalformed"
    ring: bytes32[MOST_LEAVES] = empty(bytes32[MOST_LEAVES])
    before: bytes32 = empty(bytes32)
    last: uint256 = 0
    for each: bytes32 in hashes:
        assert convert(each, uint256) > convert(before, uint256), "LeavesUnordered"
        before = each
        ring[last] = each
        last += 1
    first: uint256 = 0
    used: uint256 = 0
    for step: uint256 in range(steps, bound=MOST_FLAGS):
        one: bytes32 = ring[first % MOST_LEAVES]
        other: bytes32 = empty(bytes32)
        first += 1
        if (bits >> step) & 1 == 1:
            other = ring[first % MOST_LEAVES]
            first += 1
        else:
            assert used < len(proof), "ProofMalformed"
            other = proof[used]
            used += 1
        ring[last % MOST_LEAVES] = merkle._pair(one, other)
        last += 1
    # With both counts right, all leaves but one were joined by flags that say so, hence one node is left and none was taken
    # from a place that nothing was put in; siblings left over once let anything through (CVE-2023-34459).
    assert used == len(proof), "ProofMalformed"
    seal: Seal = self._live(uid)
    assert ring[first % MOST_LEAVES] == seal.root, "RootMismatch"
    return seal


@view
@internal
def _live(uid: bytes32) -> Seal:
    # Read as words: declared as a struct, an attestation with longer data would revert without a reason.
    answer: Bytes[ANSWER_SIZE] = raw_call(
        EAS,
        abi_encode(uid, method_id=method_id("getAttestation(bytes32)")),
        max_outsize=ANSWER_SIZE,
        is_static_call=True,
    )
    assert uid != empty(bytes32) and self._word(answer, 1) == convert(uid, uint256), "AttestationUnknown"
    self._check_schema(convert(self._word(answer, 2), bytes32))
    assert self._word(answer, 11) == 32 and len(answer) == ANSWER_SIZE, "DataMalformed"
    attester: address = convert(self._word(answer, 8), address)
    expires: uint256 = self._word(answer, 4)
    assert expires == 0 or block.timestamp < expires, "AttestationExpired"
    assert self._word(answer, 5) == 0, "AttestationRevoked"
    assert staticcall IEAS(EAS).getRevokeOffchain(attester, uid) == 0, "AttestationRevoked"
    return Seal(root=convert(self._word(answer, 12), bytes32), attester=attester, time=convert(self._word(answer, 3), uint64))


@view
@internal
def _check_schema(schema: bytes32):
    # Under a resolver the same schema has another uid, which the registry's resolver makes again.
    if schema != PRIVATE_DATA:
        answer: Bytes[96] = raw_call(
            REGISTRY,
            abi_encode(schema, method_id=method_id("getSchema(bytes32)")),
            max_outsize=96,
            is_static_call=True,
        )
        with_resolver: bytes20 = convert(extract32(answer, 64, output_type=address), bytes20)
        assert schema == keccak256(concat(b"bytes32 privateData", with_resolver, b"\x01")), "SchemaMismatch"


@pure
@internal
def _word(answer: Bytes[ANSWER_SIZE], index: uint256) -> uint256:
    return convert(extract32(answer, index * 32), uint256)
