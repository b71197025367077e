"""snarkjs beside us: it reads what we export, proves with our keys and verifies our proofs; we verify its proofs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from _statements import SEED, spend_secret, statement

from chartseal import _core
from chartseal.circuits import Proof, cache, snarkjs, verifier_of
from chartseal.circuits.ceremony import Snarkjs
from chartseal.circuits.verifying import verification_key
from chartseal.errors import CeremonyError, ProofError
from tests.circuit_inputs import development_prover

TOOLS = Path(__file__).resolve().parents[2] / "tools/ceremony"
INPUTS = {circuit: statement(circuit) for circuit in _core.circuit_names()}


@pytest.fixture(scope="module")
def tool() -> Snarkjs:
    try:
        return Snarkjs.find(TOOLS)
    except CeremonyError as missing:
        pytest.skip(str(missing))


def _prove(circuit: str) -> Proof:
    inputs, wallet = INPUTS[circuit]
    return development_prover(circuit).prove(json.loads(inputs), wallet)


@pytest.fixture(scope="module", params=INPUTS)
def circuit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def proof(circuit: str) -> Proof:
    return _prove(circuit)


@pytest.fixture(scope="module")
def folder(circuit: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our constraints, witness, key and verification key, in its forms."""
    folder, key = tmp_path_factory.mktemp("snarkjs"), development_prover(circuit).key
    inputs, wallet = INPUTS[circuit]
    secret = None if wallet is None else spend_secret(SEED)
    (folder / "c.r1cs").write_bytes(_core.circuit_r1cs(circuit))
    (folder / "c.wtns").write_bytes(_core.witness_in_clear(circuit, inputs, secret))
    (folder / "c.zkey").write_bytes(_core.export_zkey(circuit, cache.read(key)))
    (folder / "vk.json").write_text(json.dumps(snarkjs.key_to_json(verification_key(key))))
    return folder


def ask(tool: Snarkjs, folder: Path, *arguments: str) -> str:
    """Run it on files of the folder: what has a dot is one."""
    return tool.run([str(folder / each) if "." in each else each for each in arguments])


def test_it_reads_our_constraints(tool: Snarkjs, folder: Path, circuit: str) -> None:
    constraints, wires, publics = _core.circuit_counts(circuit)
    shown = ask(tool, folder, "r1cs", "info", "c.r1cs")
    assert f"# of Wires: {wires}" in shown
    assert f"# of Constraints: {constraints}" in shown
    assert f"# of Public Inputs: {publics}" in shown


def test_it_finds_our_witness_right_and_an_altered_one_wrong(tool: Snarkjs, folder: Path) -> None:
    assert "WITNESS IS CORRECT" in ask(tool, folder, "wtns", "check", "c.r1cs", "c.wtns")
    altered = bytearray((folder / "c.wtns").read_bytes())
    altered[-32] ^= 1
    (folder / "altered.wtns").write_bytes(altered)
    with pytest.raises(CeremonyError):
        ask(tool, folder, "wtns", "check", "c.r1cs", "altered.wtns")


def test_it_verifies_our_proof_and_no_other_inputs(tool: Snarkjs, folder: Path, proof: Proof) -> None:
    (folder / "proof.json").write_text(json.dumps(snarkjs.proof_to_json(proof.proof)))
    (folder / "public.json").write_text(json.dumps(snarkjs.publics_to_json(proof.inputs)))
    assert "OK!" in ask(tool, folder, "groth16", "verify", "vk.json", "public.json", "proof.json")
    others = [*proof.inputs[:-1], bytes(32)]
    (folder / "public.json").write_text(json.dumps(snarkjs.publics_to_json(others)))
    with pytest.raises(CeremonyError):
        ask(tool, folder, "groth16", "verify", "vk.json", "public.json", "proof.json")


def test_it_proves_with_our_key_and_we_verify(tool: Snarkjs, folder: Path, proof: Proof) -> None:
    ask(tool, folder, "groth16", "prove", "c.zkey", "c.wtns", "theirs.json", "publics.json")
    theirs = snarkjs.proof_from_json(json.loads((folder / "theirs.json").read_text()))
    inputs = snarkjs.publics_from_json(json.loads((folder / "publics.json").read_text()))
    assert tuple(inputs) == proof.inputs
    known = verifier_of(proof.key_hash)
    assert known is not None
    known.verifier.verify(inputs, theirs)
    with pytest.raises(ProofError):
        known.verifier.verify([*inputs[:-1], bytes(32)], theirs)


def test_it_reads_the_verification_key_out_of_our_export(tool: Snarkjs, folder: Path, circuit: str) -> None:
    ask(tool, folder, "zkey", "export", "verificationkey", "c.zkey", "theirs-vk.json")
    theirs: dict[str, Any] = json.loads((folder / "theirs-vk.json").read_text())
    ours = verification_key(development_prover(circuit).key)
    assert snarkjs.key_from_json(theirs) == ours
