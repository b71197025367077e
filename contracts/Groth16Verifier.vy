# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title Groth16Verifier
@notice See IGroth16Verifier, which says what each function promises.
@dev A key is the code of an account of its own, which answers every call with the key's words: one cold account costs
    2,600 gas, the 23 words of a key of 3 inputs would cost 48,300 as storage. The account's address follows from the
    key's hash and this contract alone (CREATE2, the hash as salt, one creation code for all keys, which asks this
    contract for the code), so that not even the address is a word of storage.
"""

from .interfaces import IGroth16Verifier

implements: IGroth16Verifier

# EIP-196: coordinates are below q, scalars below r.
BASE_FIELD: constant(uint256) = 21888242871839275222246405745257275088696311157297823662689037894645226208583
SCALAR_FIELD: constant(uint256) = 21888242871839275222246405745257275088548364400416034343698204186575808495617

ADD: constant(address) = 0x0000000000000000000000000000000000000006
PAIRING: constant(address) = 0x0000000000000000000000000000000000000008
GAS_OF_PAIRING: constant(uint256) = 45_000 + 4 * 34_000  # EIP-1108

# Where the parts of a key's bytes begin.
BETA: constant(uint256) = 64
GAMMA: constant(uint256) = 192
DELTA: constant(uint256) = 320
IC: constant(uint256) = 448
SMALL_KEY: constant(uint256) = IC + 4 * 64
LARGE_KEY: constant(uint256) = IC + 8 * 64

# What a key's code begins with: it returns the 992 bytes behind these ten. PUSH2 992, DUP1, PUSH1 10, PUSH0, CODECOPY,
# PUSH0, RETURN.
ANSWERING: constant(Bytes[10]) = x"6103e080600a5f395ff3"
CODE_SIZE: constant(uint256) = 10 + 32 + LARGE_KEY

# What creates that code: it returns, as code, what its creator answers to codeBeingMade(), filled with zeros to 1,002
# bytes. PUSH4 selector, PUSH1 224, SHL, PUSH0, MSTORE; PUSH0, PUSH0, PUSH1 4, PUSH0, CALLER, GAS, STATICCALL;
# RETURNDATASIZE, PUSH0, PUSH0, RETURNDATACOPY; PUSH2 1002, PUSH0, RETURN. A test assembles both.
CREATING: constant(Bytes[27]) = x"631de5f21560e01b5f525f5f60045f335afa3d5f5f3e6103ea5ff3"
CREATING_HASH: constant(bytes32) = keccak256(x"631de5f21560e01b5f525f5f60045f335afa3d5f5f3e6103ea5ff3")

# Words of a key's answer, as many as are asked for: a large key's are behind a small one's.
struct SmallKey:
    inputs: uint256
    alpha_beta: uint256[6]
    gamma: uint256[4]
    delta: uint256[4]
    ic: uint256[2][4]

struct LargeKey:
    inputs: uint256
    alpha_beta: uint256[6]
    gamma: uint256[4]
    delta: uint256[4]
    ic: uint256[2][8]

interface ISmallKey:
    def words() -> SmallKey: pure

interface ILargeKey:
    def words() -> LargeKey: pure

# 0xff and this contract's address: what the preimage of every CREATE2 address begins with.
CREATOR: immutable(bytes21)

code_being_made: transient(Bytes[CODE_SIZE])


@deploy
def __init__():
    CREATOR = convert(concat(0xff, convert(self, bytes20)), bytes21)


@external
def register(circuit: String[32], key: Bytes[LARGE_KEY]) -> bytes32:
    assert len(circuit) != 0, "CircuitMissing"
    assert len(key) == SMALL_KEY or len(key) == LARGE_KEY, "KeyMalformed"
    key_hash: bytes32 = keccak256(abi_encode("chartseal/1/verification-key", circuit, key))
    if self._home(key_hash).codesize == 0:
        self._check_points(key)
        inputs: uint256 = (len(key) - IC) // 64 - 1
        self.code_being_made = concat(ANSWERING, convert(inputs, bytes32), key)
        home: address = raw_create(CREATING, salt=key_hash)
        self.code_being_made = b""
        assert home == self._home(key_hash) and home.codesize == CODE_SIZE, "KeyNotKept"
        log IGroth16Verifier.KeyRegistered(keyHash=key_hash, circuit=circuit, inputs=inputs)
    return key_hash


# verify3 and verify7 do the same. One function over a list of inputs would cost 600 gas more, for decoding, bounds, and
# the copies of the key that a shared part would be given.


@view
@external
def verify3(keyHash: bytes32, inputs: uint256[3], proof: IGroth16Verifier.Proof) -> bool:
    key: SmallKey = staticcall ISmallKey(self._home(keyHash)).words(
        skip_contract_check=True, default_return_value=empty(SmallKey)
    )
    if key.inputs != 3:
        self._refuse_key(key.inputs)
    assert proof.a[1] < BASE_FIELD, "PointInvalid"
    for each: uint256 in inputs:
        assert each < SCALAR_FIELD, "InputOutOfRange"
    total: uint256[2] = ecadd(
        ecadd(key.ic[0], ecmul(key.ic[1], inputs[0])), ecadd(ecmul(key.ic[2], inputs[1]), ecmul(key.ic[3], inputs[2]))
    )
    # e(-A, B) e(alpha, beta) e(IC of the inputs, gamma) e(C, delta) = 1. For A.y = 0, which no point but the identity
    # has, q is handed on, and the precompile refuses it.
    succeeded: bool = False
    answer: Bytes[32] = b""
    succeeded, answer = raw_call(
        PAIRING,
        abi_encode(
            proof.a[0], unsafe_sub(BASE_FIELD, proof.a[1]), proof.b, key.alpha_beta, total, key.gamma, proof.c, key.delta
        ),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not succeeded:
        self._refuse_points()
    assert len(answer) == 32 and convert(answer, uint256) == 1, "ProofInvalid"
    return True


@view
@external
def verify7(keyHash: bytes32, inputs: uint256[7], proof: IGroth16Verifier.Proof) -> bool:
    key: LargeKey = staticcall ILargeKey(self._home(keyHash)).words(
        skip_contract_check=True, default_return_value=empty(LargeKey)
    )
    if key.inputs != 7:
        self._refuse_key(key.inputs)
    assert proof.a[1] < BASE_FIELD, "PointInvalid"
    total: uint256[2] = key.ic[0]
    at: uint256 = 0
    for each: uint256 in inputs:
        assert each < SCALAR_FIELD, "InputOutOfRange"
        at = unsafe_add(at, 1)
        total = ecadd(total, ecmul(key.ic[at], each))
    succeeded: bool = False
    answer: Bytes[32] = b""
    succeeded, answer = raw_call(
        PAIRING,
        abi_encode(
            proof.a[0], unsafe_sub(BASE_FIELD, proof.a[1]), proof.b, key.alpha_beta, total, key.gamma, proof.c, key.delta
        ),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not succeeded:
        self._refuse_points()
    assert len(answer) == 32 and convert(answer, uint256) == 1, "ProofInvalid"
    return True


@view
@external
def isRegistered(keyHash: bytes32) -> bool:
    return self._home(keyHash).codesize != 0


@view
@external
def keyOf(keyHash: bytes32) -> Bytes[LARGE_KEY]:
    key: LargeKey = staticcall ILargeKey(self._home(keyHash)).words(
        skip_contract_check=True, default_return_value=empty(LargeKey)
    )
    assert key.inputs != 0, "KeyUnknown"
    return slice(abi_encode(key.alpha_beta, key.gamma, key.delta, key.ic), 0, IC + 64 * (key.inputs + 1))


@view
@external
@raw_return
def codeBeingMade() -> Bytes[CODE_SIZE]:
    return self.code_being_made


@view
@internal
def _home(key_hash: bytes32) -> address:
    preimage_hash: bytes32 = keccak256(concat(CREATOR, key_hash, CREATING_HASH))
    return convert(convert(preimage_hash, uint256) & (2**160 - 1), address)


@pure
@internal
def _refuse_key(inputs: uint256):
    assert inputs != 0, "KeyUnknown"
    raise "InputsWrongNumber"


@view
@internal
def _refuse_points():
    # A failed precompile has taken all it was given, and it was given 63 times what is left now (EIP-150): so little gas
    # is told from bad points. Too little for what goes before the pairing ends without a reason.
    assert msg.gas * 63 >= GAS_OF_PAIRING, "GasTooLow"
    raise "PointInvalid"


@view
@internal
def _check_points(key: Bytes[LARGE_KEY]):
    self._check_point(key, 0)
    at: uint256 = IC
    for index: uint256 in range(8):
        if at < len(key):
            self._check_point(key, at)
        at += 64
    for each: uint256 in [BETA, GAMMA, DELTA]:
        x: uint256 = self._word(key, each) | self._word(key, each + 32)
        y: uint256 = self._word(key, each + 64) | self._word(key, each + 96)
        assert x | y != 0, "KeyUnsafe"
    # With delta = gamma or -gamma anyone makes proofs of anything; so it is before the first contribution to a key.
    assert slice(key, GAMMA, 64) != slice(key, DELTA, 64), "KeyUnsafe"
    # That the precompile takes them is all that is asked: it checks that points are on their curve and in the subgroup.
    one: Bytes[64] = abi_encode(convert(1, uint256), convert(2, uint256))
    succeeded: bool = False
    answer: Bytes[32] = b""
    succeeded, answer = raw_call(
        PAIRING,
        concat(one, slice(key, BETA, 128), one, slice(key, GAMMA, 128), one, slice(key, DELTA, 128)),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    assert succeeded and len(answer) == 32, "KeyMalformed"


@view
@internal
def _check_point(key: Bytes[LARGE_KEY], at: uint256):
    # The identity, as IC of an input, would leave that input out of every proof.
    point: Bytes[64] = slice(key, at, 64)
    assert self._word(key, at) | self._word(key, at + 32) != 0, "KeyUnsafe"
    succeeded: bool = False
    answer: Bytes[64] = b""
    # The missing half of the input reads as zeros: the identity is added.
    succeeded, answer = raw_call(ADD, point, max_outsize=64, is_static_call=True, revert_on_failure=False)
    assert succeeded and answer == point, "KeyMalformed"


@pure
@internal
def _word(key: Bytes[LARGE_KEY], at: uint256) -> uint256:
    return convert(extract32(key, at), uint256)
