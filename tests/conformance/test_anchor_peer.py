"""Anchors' trees beside OpenZeppelin's StandardMerkleTree, which the format names."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from chartseal.attestation import from_hex, to_hex
from chartseal.chain.anchors import AnchorTree, implied_root
from chartseal.verification.chain import AnchorProof

FOLDER = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    not (FOLDER / "node_modules/@openzeppelin/merkle-tree").is_dir(),
    reason="OpenZeppelin's merkle-tree is not installed: `npm ci --ignore-scripts` here",
)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 333])
def test_roots_and_proofs_are_those_of_the_standard_tree(count: int) -> None:
    values = [random.Random(f"{count}/{at}").randbytes(32) for at in range(count)]
    request = json.dumps({"values": list(map(to_hex, values))})
    run = subprocess.run(["node", "merkle.cjs"], cwd=FOLDER, input=request, capture_output=True, text=True, check=True)
    theirs, ours = json.loads(run.stdout), AnchorTree(values)
    assert to_hex(ours.root) == theirs["root"]
    assert [ours.proof(value).to_json() for value in values] == theirs["proofs"]
    for value, proof in zip(values, theirs["proofs"], strict=True):
        assert implied_root(value, AnchorProof.from_json(proof)) == from_hex(theirs["root"], "root")
