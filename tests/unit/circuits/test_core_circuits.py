"""The circuits as Python has them: keys, proofs, cancellation, batches; what is altered ends in a typed error."""

from __future__ import annotations

import json

import pytest
from eth_abi.abi import encode

from chartseal import _core
from chartseal.errors import CircuitKeyError, KeyFormatError, ProofError, ProvingError
from tests.circuit_inputs import linked_1

CIRCUIT = "linked-1"
INPUTS = json.dumps(linked_1()).encode()
OTHER = json.dumps(linked_1(value=50)).encode()


@pytest.fixture(scope="module")
def key() -> tuple[bytes, bytes]:
    return _core.development_key(CIRCUIT, b"a seed of this test")


@pytest.fixture(scope="module")
def prover(key: tuple[bytes, bytes]) -> _core.CircuitProver:
    return _core.CircuitProver(CIRCUIT, key[0])


@pytest.fixture(scope="module")
def verifier(key: tuple[bytes, bytes]) -> _core.CircuitVerifier:
    return _core.CircuitVerifier(CIRCUIT, key[1])


def test_circuits_have_names_publics_and_counts() -> None:
    assert _core.circuit_names() == ["holder", "linked-1", "linked-4", "anonymous-1", "anonymous-4"]
    assert _core.circuit_publics(CIRCUIT) == ["claimsRoot", "policyHash", "context"]
    constraints, wires, publics = _core.circuit_counts(CIRCUIT)
    assert publics == 3
    assert 3_000 < constraints <= 4_090
    assert wires > publics
    for refused in ("", "linked-2", "Holder"):
        with pytest.raises(CircuitKeyError) as refusal:
            _core.circuit_counts(refused)
        assert refusal.value.code == "circuit_unknown"


def test_a_statement_that_holds_is_proved(prover: _core.CircuitProver, verifier: _core.CircuitVerifier) -> None:
    proof, publics = prover.prove(INPUTS)
    assert len(proof) == 256
    assert publics[2] == (7).to_bytes(32)
    verifier.verify(publics, proof)
    assert prover.prove(INPUTS)[0] != proof


def test_one_that_does_not_hold_is_not(prover: _core.CircuitProver) -> None:
    with pytest.raises(ProvingError) as refusal:
        prover.prove(json.dumps(linked_1(value=71)).encode())
    assert refusal.value.code == "statement_unsatisfied"


@pytest.mark.parametrize("inputs", [b"", b"{}", b"[]", b"\xff", INPUTS + b"x", b"9" * 70_000])
def test_malformed_inputs_are_refused(prover: _core.CircuitProver, inputs: bytes) -> None:
    with pytest.raises(ProvingError) as refusal:
        prover.prove(inputs)
    assert refusal.value.code == "inputs_malformed"


def test_a_linked_statement_takes_no_wallet(prover: _core.CircuitProver) -> None:
    with pytest.raises(ProvingError) as refusal:
        prover.prove(INPUTS, _core.Wallet(bytes(64)))
    assert refusal.value.code == "secret_needless"


def test_stages_are_told_and_what_a_listener_raises_ends_the_run(prover: _core.CircuitProver) -> None:
    stages: list[str] = []
    prover.prove(INPUTS, None, stages.append)
    assert stages[0] == "witness"
    assert stages[-1] == "check"
    assert {"quotient", "h", "l", "a", "b"} < set(stages)

    def stop(stage: str) -> None:
        raise KeyboardInterrupt(stage)

    with pytest.raises(KeyboardInterrupt):
        prover.prove(INPUTS, None, stop)


def test_a_run_is_cancelled(prover: _core.CircuitProver) -> None:
    cancellation = _core.Cancellation()

    def cancel(stage: str) -> None:
        if stage == "quotient":
            cancellation.cancel()

    with pytest.raises(ProvingError) as refusal:
        prover.prove(INPUTS, None, cancel, cancellation)
    assert refusal.value.code == "cancelled"


def test_a_batch_names_its_first_bad_member(prover: _core.CircuitProver, verifier: _core.CircuitVerifier) -> None:
    first, second = prover.prove(INPUTS), prover.prove(OTHER)
    good = [(verifier, publics, proof) for proof, publics in (first, second)]
    _core.verify_proofs([])
    _core.verify_proofs(good)
    swapped = (verifier, second[1], first[0])
    with pytest.raises(ProofError) as refusal:
        _core.verify_proofs([*good, swapped, *good, swapped])
    assert (refusal.value.code, refusal.value.path) == ("proof_invalid", "proofs[2]")
    malformed = (verifier, [b"\xff" * 32, *first[1][1:]], first[0])
    with pytest.raises(ProofError) as refusal:
        _core.verify_proofs([*good, malformed, swapped])
    assert (refusal.value.code, refusal.value.path) == ("input_out_of_range", "proofs[2].inputs[0]")


def test_a_key_of_another_circuit_is_refused(key: tuple[bytes, bytes]) -> None:
    for circuit in ("linked-4", "holder"):
        with pytest.raises(CircuitKeyError) as refusal:
            _core.CircuitProver(circuit, key[0])
        assert refusal.value.code == "key_other_circuit"
    with pytest.raises(CircuitKeyError) as refusal:
        _core.CircuitVerifier("anonymous-1", key[1])
    assert refusal.value.code == "key_other_circuit"


def test_the_hash_names_circuit_and_key(key: tuple[bytes, bytes], verifier: _core.CircuitVerifier) -> None:
    parts = ["chartseal/1/verification-key", CIRCUIT, key[1]]
    assert verifier.hash == _core.keccak256(encode(["string", "string", "bytes"], parts))
    assert verifier.circuit == CIRCUIT
    assert _core.CircuitVerifier("linked-4", key[1]).hash != verifier.hash


def test_a_seed_makes_one_key(key: tuple[bytes, bytes]) -> None:
    assert _core.development_key(CIRCUIT, b"a seed of this test") == key
    assert _core.development_key(CIRCUIT, b"")[1] != key[1]


def test_paths_are_those_of_the_root() -> None:
    leaves = [value.to_bytes(32) for value in range(1, 8)]
    path = _core.poseidon_path(leaves, 3, 5)
    digits = (5 % 4, 5 // 4 % 4, 5 // 16)
    node = leaves[5]
    for digit, siblings in zip(digits, path, strict=True):
        node = _core.poseidon_hash([*siblings[:digit], node, *siblings[digit:]])
    assert node == _core.poseidon_root(leaves, 3)
    for depth, index in ((3, 64), (7, 0), (1, 0)):
        with pytest.raises(KeyFormatError):
            _core.poseidon_path(leaves, depth, index)
