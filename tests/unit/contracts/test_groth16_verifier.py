"""Keys and proofs against anvil's precompiles, a few against py-evm's; an independent simulator makes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Digest, to_hex
from chartseal.chain.contract import Bound, Contract
from chartseal.chain.deploy import deploy
from chartseal.chain.local.devnet import accounts
from chartseal.chain.rpc.node import Node
from chartseal.chain.sending.sender import Sender
from chartseal.errors import ChainError, CircuitKeyError, ProofError, RevertError
from tests.chain import started
from tests.evm import Evm, RevertedError, named
from tests.groth16 import Q, R, Trapdoor, g1, g2, key_hash, malleated, outside_subgroup, words
from tests.unit.contracts.test_sources import CONTRACTS

LINKED, ANONYMOUS = Trapdoor.of("linked-1", 3), Trapdoor.of("anonymous-1", 7)
INPUTS = {3: [1, R - 1, 0], 7: [5, 86_400, R - 1, 2**253, 7, 0, 1]}
MOST_GAS = {3: 205_000, 7: 232_000}
FLOOR = {3: 199_450, 7: 224_050}
"""What the precompiles alone take (EIP-1108)."""
BOTH = pytest.mark.parametrize("door", [LINKED, ANONYMOUS], ids=["3 inputs", "7 inputs"])


class Registry:
    """The verifier on a chain of its own, with two keys in it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.sender = Sender(node, accounts()[0])
        self.verifier: Bound = Contract.load("groth16_verifier").at(deploy(self.sender, "groth16_verifier").address)
        for each in (LINKED, ANONYMOUS):
            self.register(each.circuit, each.key)

    def register(self, circuit: str, key: bytes) -> list[dict[str, Any]]:
        """The events of it."""
        receipt = self.sender.send(self.verifier.write("register", circuit, key))
        return self.verifier.events_in(receipt, "KeyRegistered")

    def ask(self, name: str, *arguments: Any) -> Any:
        return self.node.read(self.verifier.read(name, *arguments))

    def check(self, key: Digest, inputs: list[int], proof: bytes) -> bool:
        return bool(self.ask(f"verify{len(inputs)}", key, inputs, words(proof)))

    def refuses(self, reason: str, key: Digest, inputs: list[int], proof: bytes) -> None:
        with reverts(reason):
            self.check(key, inputs, proof)

    def refuses_key(self, reason: str, key: bytes, circuit: str = "linked-1") -> None:
        with reverts(reason):
            self.ask("register", circuit, key)


class reverts:  # noqa: N801 (used as a function)
    """The call inside reverts with that reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, at: Any) -> bool:
        assert isinstance(error, RevertError), f"expected {self.reason}, got {error!r}"
        assert error.name == self.reason
        return True


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with started(deploy=False) as running:
        yield Registry(running.node)


def inputs_of(door: Trapdoor) -> list[int]:
    return list(INPUTS[len(door.ic) - 1])


def with_word(proof: bytes, at: int, value: int) -> bytes:
    return proof[: 32 * at] + value.to_bytes(32) + proof[32 * at + 32 :]


def word(proof: bytes, at: int) -> int:
    return int.from_bytes(proof[32 * at : 32 * at + 32])


# proofs


@BOTH
def test_a_proof_holds_for_its_inputs_alone(registry: Registry, door: Trapdoor) -> None:
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    assert registry.check(door.hash, inputs, proof)
    for at, value in enumerate(inputs):
        other = [*inputs[:at], (value + 1) % R, *inputs[at + 1 :]]
        registry.refuses("ProofInvalid", door.hash, other, proof)
        assert registry.check(door.hash, other, door.prove(other))


@BOTH
def test_no_input_is_r_or_more(registry: Registry, door: Trapdoor) -> None:
    """Among them the nullifier: n + r would be a second one of the same use."""
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    for at, value in enumerate(inputs):
        for same in range(value + R, 2**256, R):
            registry.refuses("InputOutOfRange", door.hash, [*inputs[:at], same, *inputs[at + 1 :]], proof)
        registry.refuses("InputOutOfRange", door.hash, [*inputs[:at], R, *inputs[at + 1 :]], proof)


@BOTH
def test_no_coordinate_is_q_or_more(registry: Registry, door: Trapdoor) -> None:
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    for at in range(8):
        for same in range(word(proof, at) + Q, 2**256, Q):
            registry.refuses("PointInvalid", door.hash, inputs, with_word(proof, at, same))


@BOTH
def test_points_off_their_curve_or_subgroup_are_refused(registry: Registry, door: Trapdoor) -> None:
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    for at in range(8):
        registry.refuses("PointInvalid", door.hash, inputs, with_word(proof, at, word(proof, at) ^ 1))
    registry.refuses("PointInvalid", door.hash, inputs, proof[:64] + outside_subgroup() + proof[192:])


@BOTH
def test_the_identity_proves_nothing(registry: Registry, door: Trapdoor) -> None:
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    registry.refuses("PointInvalid", door.hash, inputs, bytes(64) + proof[64:])
    registry.refuses("ProofInvalid", door.hash, inputs, proof[:64] + bytes(128) + proof[192:])
    registry.refuses("ProofInvalid", door.hash, inputs, proof[:192] + bytes(64))
    registry.refuses("PointInvalid", door.hash, inputs, bytes(256))


@BOTH
def test_coordinates_out_of_their_places_are_refused(registry: Registry, door: Trapdoor) -> None:
    """Real parts first, as some libraries write G2; A and C exchanged; y negated."""
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    real_first = with_word(with_word(proof, 2, word(proof, 3)), 3, word(proof, 2))
    registry.refuses("PointInvalid", door.hash, inputs, real_first)
    registry.refuses("ProofInvalid", door.hash, inputs, proof[192:] + proof[64:192] + proof[:64])
    registry.refuses("ProofInvalid", door.hash, inputs, with_word(proof, 1, Q - word(proof, 1)))


@BOTH
def test_proofs_are_malleable_and_say_so(registry: Registry, door: Trapdoor) -> None:
    """Whence only nullifiers are kept."""
    inputs = inputs_of(door)
    proof = door.prove(inputs)
    assert malleated(proof) != proof
    assert registry.check(door.hash, inputs, malleated(proof))
    security = (CONTRACTS / "interfaces/IGroth16Verifier.vyi").read_text()
    assert re.search(r"A proof's bytes are not unique", security)


@BOTH
def test_the_native_verifier_agrees(door: Trapdoor) -> None:
    """Off chain the same key, hash and verdicts as above; the simulator's proofs are proofs there too."""
    inputs = inputs_of(door)
    native, proof = _core.CircuitVerifier(door.circuit, door.key), door.prove(inputs)
    assert native.hash == door.hash

    def check(numbers: list[int], shown: bytes) -> None:
        native.verify([each.to_bytes(32) for each in numbers], shown)

    check(inputs, proof)
    check(inputs, malleated(proof))
    wrong = [proof[:at] + bytes(size) + proof[at + size :] for at, size in ((0, 64), (64, 128), (192, 64))]
    wrong += [with_word(proof, at, word(proof, at) ^ 1) for at in range(8)]
    wrong += [with_word(proof, at, word(proof, at) + Q) for at in range(8) if word(proof, at) + Q < 2**256]
    wrong += [proof[:64] + outside_subgroup() + proof[192:], proof[:-1], proof + b"\0"]
    for each in wrong:
        with pytest.raises(ProofError):
            check(inputs, each)
    for numbers in ([*inputs[:-1], inputs[-1] + R], [*inputs[:-1], inputs[-1] ^ 2], inputs[:-1]):
        with pytest.raises(ProofError):
            check(numbers, proof)


@BOTH
def test_the_native_verifier_refuses_the_same_keys(door: Trapdoor) -> None:
    key = door.key
    for at in (0, 64, 192, 320, 448, len(key) - 64):
        wrong = with_word(key, at // 32, word(key, at // 32) ^ 1)
        with pytest.raises(CircuitKeyError):
            _core.CircuitVerifier(door.circuit, wrong)
    for wrong in (key[:-1], key[:-64], key + g1(9), key[:64] + outside_subgroup() + key[192:]):
        with pytest.raises(CircuitKeyError):
            _core.CircuitVerifier(door.circuit, wrong)


# keys


def test_a_key_that_is_not_registered_is_unknown(registry: Registry) -> None:
    other = Trapdoor.of("linked-1", 3, seed=2)
    registry.refuses("KeyUnknown", other.hash, INPUTS[3], other.prove(INPUTS[3]))
    registry.refuses("KeyUnknown", Digest(bytes(32)), INPUTS[7], ANONYMOUS.prove(INPUTS[7]))
    with reverts("KeyUnknown"):
        registry.ask("keyOf", other.hash)
    assert not registry.ask("isRegistered", other.hash)


def test_a_proof_of_another_key_is_refused(registry: Registry) -> None:
    other = Trapdoor.of("linked-1", 3, seed=3)
    registry.register(other.circuit, other.key)
    proof = LINKED.prove(INPUTS[3])
    assert registry.check(LINKED.hash, INPUTS[3], proof)
    registry.refuses("ProofInvalid", other.hash, INPUTS[3], proof)
    assert registry.check(other.hash, INPUTS[3], other.prove(INPUTS[3]))


def test_the_circuit_is_part_of_the_key(registry: Registry) -> None:
    """One key under two names has two hashes: whoever pins one does not take the other."""
    renamed = LINKED.but(circuit="linked-4")
    assert renamed.hash != LINKED.hash
    registry.refuses("KeyUnknown", renamed.hash, INPUTS[3], LINKED.prove(INPUTS[3]))


def test_a_key_is_of_one_number_of_inputs(registry: Registry) -> None:
    registry.refuses("InputsWrongNumber", LINKED.hash, INPUTS[7], ANONYMOUS.prove(INPUTS[7]))
    registry.refuses("InputsWrongNumber", ANONYMOUS.hash, INPUTS[3], LINKED.prove(INPUTS[3]))


@BOTH
def test_the_hash_is_the_formats_and_the_key_is_kept(registry: Registry, door: Trapdoor) -> None:
    assert registry.ask("register", door.circuit, door.key) == key_hash(door.circuit, door.key)
    assert registry.ask("keyOf", door.hash) == door.key
    assert registry.ask("isRegistered", door.hash)


def test_registering_twice_changes_nothing(registry: Registry) -> None:
    fresh = Trapdoor.of("holder", 3, seed=4)
    assert registry.register("holder", fresh.key) == [{"keyHash": fresh.hash, "circuit": "holder", "inputs": 3}]
    assert registry.register("holder", fresh.key) == []
    assert registry.check(fresh.hash, INPUTS[3], fresh.prove(INPUTS[3]))


def test_keys_of_another_size_are_malformed(registry: Registry) -> None:
    key = LINKED.key
    for wrong in (b"", key[:-1], key + b"\0", key[:-64], key + g1(9), key[:64], ANONYMOUS.key[:-64]):
        registry.refuses_key("KeyMalformed", wrong)
    with pytest.raises(ChainError):
        registry.ask("register", "anonymous-1", ANONYMOUS.key + g1(9))
    registry.refuses_key("CircuitMissing", key, "")
    with pytest.raises(ChainError):
        registry.ask("register", "x" * 33, key)


def test_every_point_of_a_key_is_checked(registry: Registry) -> None:
    """A bit of each coordinate flipped, and q added to it."""
    for key in (LINKED.key, ANONYMOUS.key):
        for at in range(len(key) // 32):
            registry.refuses_key("KeyMalformed", with_word(key, at, word(key, at) ^ 1))
            if word(key, at) + Q < 2**256:
                registry.refuses_key("KeyMalformed", with_word(key, at, word(key, at) + Q))


@pytest.mark.parametrize("at", [64, 192, 320], ids=["beta", "gamma", "delta"])
def test_a_key_stays_in_the_subgroup(registry: Registry, at: int) -> None:
    key = LINKED.key
    registry.refuses_key("KeyMalformed", key[:at] + outside_subgroup() + key[at + 128 :])


def test_the_identity_makes_a_key_unsafe(registry: Registry) -> None:
    """As IC of an input it would leave that input out: the proof would hold for any value of it."""
    for key in (LINKED.key, ANONYMOUS.key):
        for at in [0, *range(448, len(key), 64)]:
            registry.refuses_key("KeyUnsafe", key[:at] + bytes(64) + key[at + 64 :])
        for at in (64, 192, 320):
            registry.refuses_key("KeyUnsafe", key[:at] + bytes(128) + key[at + 128 :])


@pytest.mark.parametrize("sign", [1, -1])
def test_a_key_before_its_first_contribution_is_unsafe(registry: Registry, sign: int) -> None:
    """gamma = delta (or its negative) lets anyone prove anything: A = alpha, B = beta, C = -IC(x) (or IC(x))."""
    registry.refuses_key("KeyUnsafe", LINKED.but(gamma=1, delta=sign % R).key)
    registry.refuses_key("KeyUnsafe", LINKED.but(delta=sign * LINKED.gamma % R).key)
    assert g2(1) == LINKED.but(gamma=1).key[192:320]


def test_codes_of_keys_are_answered_to_nobody_else(registry: Registry) -> None:
    read = registry.verifier.read("codeBeingMade")
    answer = registry.node.request("eth_call", [{"to": to_hex(registry.verifier.address), "data": to_hex(read.data)}])
    assert answer == "0x"


def test_a_key_cannot_be_run_but_for_its_words(registry: Registry) -> None:
    """Whatever it is called with, and whoever calls: its bytes, and no word of storage."""
    place = bytes.fromhex("ff") + registry.verifier.address + LINKED.hash + _core.keccak256(creating())
    home = to_hex(_core.keccak256(place)[12:])
    code = bytes.fromhex(registry.node.request("eth_getCode", [home, "latest"])[2:])
    stored = (3).to_bytes(32) + LINKED.key + bytes(256)
    assert code == answering() + stored
    for data in ("0x", "0x00", "0x" + "ff" * 64):
        assert registry.node.request("eth_call", [{"to": home, "data": data}, "latest"]) == to_hex(stored)


def answering() -> bytes:
    """PUSH2 992, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN."""
    return bytes([0x61, *(992).to_bytes(2), 0x80, 0x60, 10, 0x5F, 0x39, 0x5F, 0xF3])


def creating() -> bytes:
    """PUSH4 selector, PUSH1 224, SHL, PUSH0, MSTORE; PUSH0, PUSH0, PUSH1 4, PUSH0, CALLER, GAS, STATICCALL;
    RETURNDATASIZE, PUSH0, PUSH0, RETURNDATACOPY; PUSH2 1002, PUSH0, RETURN.
    """
    selector = _core.keccak256(b"codeBeingMade()")[:4]
    asking = [0x63, *selector, 0x60, 224, 0x1B, 0x5F, 0x52, 0x5F, 0x5F, 0x60, 4, 0x5F, 0x33, 0x5A, 0xFA]
    return bytes([*asking, 0x3D, 0x5F, 0x5F, 0x3E, 0x61, *(1002).to_bytes(2), 0x5F, 0xF3])


def test_the_two_programs_in_the_source_are_these() -> None:
    source = (CONTRACTS / "Groth16Verifier.vy").read_text()
    literals = set(re.findall(r'x"([0-9a-f]+)"', source))
    assert literals == {answering().hex(), creating().hex()}


# gas


def outcome(registry: Registry, data: bytes, gas: int) -> str:
    """`true`, the reason of a revert, or empty where there is none."""
    call = {"to": to_hex(registry.verifier.address), "data": to_hex(data), "gas": hex(gas)}
    try:
        answer = registry.node.request("eth_call", [call, "latest"])
    except ChainError as error:
        return getattr(error, "name", "")
    assert int(answer, 16) == 1
    return "true"


@BOTH
def test_low_gas_reads_neither_as_a_true_nor_as_a_false_proof(registry: Registry, door: Trapdoor) -> None:
    """EIP-150: a precompile that is given too little fails like one that was given bad points."""
    inputs = inputs_of(door)
    good, bad, broken = door.prove(inputs), door.prove([*inputs[:-1], 9]), door.prove(inputs)
    broken = with_word(broken, 4, word(broken, 4) ^ 1)
    name = f"verify{len(inputs)}"
    calls = [registry.verifier.read(name, door.hash, inputs, words(each)).data for each in (good, bad, broken)]
    seen: list[set[str]] = [set(), set(), set()]
    for gas in [*range(21_000, 290_000, 1_999), *range(200_000, 260_000, 487)]:
        for data, found in zip(calls, seen, strict=True):
            found.add(outcome(registry, data, gas))
    assert seen[0] == {"", "GasTooLow", "true"}
    assert seen[1] == {"", "GasTooLow", "ProofInvalid"}
    assert seen[2] == {"", "GasTooLow", "PointInvalid"}


def test_one_gas_more_or_less(registry: Registry) -> None:
    """At the very edge, gas by gas: first refused for gas, then true, nothing between."""
    data = registry.verifier.read("verify3", LINKED.hash, INPUTS[3], words(LINKED.prove(INPUTS[3]))).data
    low, high = 21_000, 400_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if outcome(registry, data, middle) == "true" else (middle, high)
    assert {outcome(registry, data, low - each) for each in range(40)} == {"GasTooLow"}
    assert {outcome(registry, data, high + each) for each in range(5)} == {"true"}


@BOTH
def test_gas_of_the_check(registry: Registry, door: Trapdoor) -> None:
    inputs = inputs_of(door)
    write = registry.verifier.write(f"verify{len(inputs)}", door.hash, inputs, words(door.prove(inputs)))
    receipt = registry.sender.send(write)
    above_base = receipt.gas_used - 21_000 - sum(16 if byte else 4 for byte in write.data)
    assert FLOOR[len(inputs)] < above_base <= MOST_GAS[len(inputs)]


# another EVM


@pytest.fixture(scope="module")
def evm() -> Evm:
    return Evm()


@BOTH
def test_py_evm_agrees(evm: Evm, door: Trapdoor) -> None:
    verifier = evm.deploy("groth16_verifier")
    evm.send(verifier.write("register", door.circuit, door.key), named(3))
    inputs = inputs_of(door)
    proof, name = door.prove(inputs), f"verify{len(inputs)}"

    def ask(inputs: list[int], proof: bytes) -> Callable[[], Any]:
        return lambda: evm.read(verifier.read(name, door.hash, inputs, words(proof)))

    assert ask(inputs, proof)() is True
    for wrong, reason in [
        (ask([*inputs[:-1], 2], proof), "ProofInvalid"),
        (ask([*inputs[:-1], R], proof), "InputOutOfRange"),
        (ask(inputs, with_word(proof, 0, word(proof, 0) ^ 1)), "PointInvalid"),
        (ask(inputs, proof[:64] + outside_subgroup() + proof[192:]), "PointInvalid"),
    ]:
        with pytest.raises(RevertedError) as caught:
            wrong()
        assert caught.value.reason == reason
