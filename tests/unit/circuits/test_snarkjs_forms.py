"""snarkjs' JSON: what we write is read back, and nothing of another form is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartseal.circuits import manifest, snarkjs
from chartseal.circuits.verifying import verification_key
from chartseal.errors import ChartsealError, CircuitKeyError, ProofError
from tests.circuit_inputs import development_prover, linked_1

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583


@pytest.fixture(scope="module")
def proof() -> bytes:
    return development_prover("linked-1").prove(linked_1()).proof


def test_proofs_come_back(proof: bytes) -> None:
    made = json.loads(json.dumps(snarkjs.proof_to_json(proof)))
    assert snarkjs.proof_from_json(made) == proof
    for length in (0, 255, 257):
        with pytest.raises(ProofError):
            snarkjs.proof_to_json(proof[:length].ljust(length))


def test_keys_come_back() -> None:
    for entry in manifest().all_keys():
        key = verification_key(entry)
        made = json.loads(json.dumps(snarkjs.key_to_json(key)))
        assert made["nPublic"] == len(manifest().circuit(entry.circuit).publics)
        assert snarkjs.key_from_json(made) == key
    with pytest.raises(CircuitKeyError):
        snarkjs.key_to_json(bytes(449))


def test_public_inputs_come_back() -> None:
    values = [0, 1, R - 1]
    assert snarkjs.publics_from_json(snarkjs.publics_to_json([each.to_bytes(32) for each in values])) == [
        each.to_bytes(32) for each in values
    ]


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ([str(R)], "input_out_of_range"),
        (["-1"], "proof_malformed"),
        (["01"], "proof_malformed"),
        (["1e3"], "proof_malformed"),
        (["٣"], "proof_malformed"),
        ([1], "proof_malformed"),
        ("1", "proof_malformed"),
        (["1"] * 65, "proof_malformed"),
        (["9" * 100_000], "proof_malformed"),
    ],
)
def test_other_public_inputs_are_refused(texts: Any, code: str) -> None:
    with pytest.raises(ProofError) as refused:
        snarkjs.publics_from_json(texts)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("protocol", "plonk"),
        ("curve", "bls12381"),
        ("pi_a", ["1", "2", "0"]),
        ("pi_a", ["1", "2"]),
        ("pi_a", [str(Q), "2", "1"]),
        ("pi_b", [["1", "2"], ["3", "4"], ["0", "1"]]),
        ("pi_b", [["1", "2"], ["3"], ["1", "0"]]),
        ("pi_c", None),
    ],
)
def test_other_proofs_are_refused(proof: bytes, member: str, value: Any) -> None:
    with pytest.raises(ProofError) as refused:
        snarkjs.proof_from_json({**snarkjs.proof_to_json(proof), member: value})
    assert refused.value.code == "proof_malformed"


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_MEMBERS = ["protocol", "curve", "pi_a", "pi_b", "pi_c", "IC", "nPublic", "vk_alpha_1", "vk_beta_2"]


@given(st.dictionaries(st.sampled_from(_MEMBERS), _anything) | _anything)
def test_anything_ends_in_a_typed_error(members: Any) -> None:
    if isinstance(members, dict):
        members = {"protocol": "groth16", "curve": "bn128", **members}
    for read in (snarkjs.proof_from_json, snarkjs.key_from_json, snarkjs.publics_from_json):
        try:
            read(members)
        except ChartsealError:
            continue
        assert isinstance(members, list)  # public inputs, or none at all
        assert all(each in {str(digit) for digit in range(10**5)} for each in members)
