"""A real circuit's whole ceremony. Its phase 1, of power 12, takes snarkjs minutes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from chartseal import _core
from chartseal.circuits.ceremony import Ceremony, Phase1, Snarkjs, export
from chartseal.errors import CeremonyError, CircuitKeyError
from tests import toy_ceremony
from tests.circuit_inputs import linked_1

TOOLS = Path(__file__).resolve().parents[2] / "tools/ceremony"
CIRCUIT = "linked-1"


@pytest.mark.long
def test_a_real_circuits_whole_ceremony(tmp_path: Path, drill_scale: float) -> None:
    if drill_scale < 1:
        pytest.skip("a phase 1 of power 12 takes minutes: run under `make drills`")
    try:
        tool = Snarkjs.find(TOOLS)
    except CeremonyError as missing:
        pytest.skip(str(missing))
    ptau = toy_ceremony.phase1(tool, tmp_path, 12)
    phase1 = Phase1.open(ptau, hashlib.sha256(ptau.read_bytes()).digest())
    ceremony = Ceremony.begin(tmp_path / "c", CIRCUIT, phase1, tool)
    ceremony.contribute("Ada", tool)
    ceremony.finish(b"a beacon", 10, tool)
    key = export(ceremony, phase1, "drill", tmp_path / "out", tool)

    proving_key = (tmp_path / "out" / key.file).read_bytes()
    prover = _core.CircuitProver(CIRCUIT, proving_key)
    verifier = _core.CircuitVerifier(CIRCUIT, (tmp_path / "out" / key.verification_key_file).read_bytes())
    proof, inputs = prover.prove(json.dumps(linked_1()).encode())
    verifier.verify(inputs, proof)

    # Out again it is what came in, the contributions apart; and it is no other circuit's.
    exported, zkey = _core.export_zkey(CIRCUIT, proving_key), ceremony.zkey()
    for number in range(1, 10):
        assert toy_ceremony.section(exported, number) == toy_ceremony.section(zkey, number)
    with pytest.raises(CircuitKeyError) as refused:
        _core.import_zkey("linked-4", zkey)
    assert refused.value.code == "key_other_circuit"
