"""Trust roots and proofs of possession beside circomlibjs."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Address
from chartseal.chain.authority import Leaf, status_root_of
from chartseal.chain.authority.status_root import LIST_SIZE
from chartseal.chain.authority.trust_root import root_of
from chartseal.errors import SignatureError
from chartseal.keys.possession import possession_message, verify_possession

FOLDER = Path(__file__).parent
VECTORS = FOLDER.parent / "vectors" / "authority.json"
FULL_COUNT = 300

pytestmark = pytest.mark.skipif(
    not (FOLDER / "node_modules").is_dir(), reason="circomlibjs is not installed: `npm ci --ignore-scripts` here"
)


def ask(call: str, arguments: list[Any]) -> list[Any]:
    """circomlibjs's answer to each argument."""
    request = json.dumps({"call": call, "arguments": arguments})
    run = subprocess.run(
        ["node", "circomlib.cjs"], cwd=FOLDER, input=request, capture_output=True, text=True, check=True
    )
    answers: list[Any] = json.loads(run.stdout)["answers"]
    return answers


def their_roots(trees: list[list[int]]) -> list[int]:
    return [int(each) for each in ask("root", [{"leaves": [str(leaf) for leaf in tree], "depth": 6} for tree in trees])]


def test_the_vectors_are_what_the_peers_make() -> None:
    made = subprocess.run(["node", "authority_vectors.cjs"], cwd=FOLDER, capture_output=True, text=True, check=True)
    assert made.stdout == VECTORS.read_text()


@pytest.mark.long
def test_leaves_and_trees(drill_scale: float) -> None:
    chance, bits = random.Random(2026), (160, 253, 253, 32, 64, 253)
    leaves = [Leaf(*(chance.getrandbits(size) for size in bits)) for _ in range(max(20, int(4_096 * drill_scale)))]
    tag = _core.keccak256(bytes.fromhex(f"{32:064x}{22:064x}") + b"chartseal/1/tag/issuer".ljust(32, b"\0")).hex()
    parts = [[int(tag, 16) >> 8, *dataclasses.astuple(leaf)] for leaf in leaves]
    theirs = [int(each) for each in ask("poseidon", [[str(part) for part in each] for each in parts])]
    assert [int.from_bytes(leaf.hash()) for leaf in leaves] == theirs
    sizes = (0, 1, 4, 5, 17, len(leaves))
    ours = [int.from_bytes(root_of(leaves[:size])) for size in sizes]
    assert ours == their_roots([theirs[:size] for size in sizes])


@pytest.mark.long
def test_status_lists() -> None:
    chance = random.Random(2027)
    lists = [[chance.randrange(LIST_SIZE) for _ in range(size)] for size in (1, 40)]
    trees = [[0] * 4_096 for _ in lists]
    for revoked, words in zip(lists, trees, strict=True):
        for index in revoked:
            words[index // 250] |= 1 << index % 250
    assert [int.from_bytes(status_root_of(revoked)) for revoked in lists] == their_roots(trees)


@pytest.mark.long
def test_possession_both_ways(drill_scale: float) -> None:
    chance = random.Random(2028)
    count = max(10, int(FULL_COUNT * drill_scale))
    secrets = [chance.randbytes(32) for _ in range(count)]
    publics = [each["public"] for each in ask("sign", [{"key": each.hex(), "message": "1"} for each in secrets])]
    owners = [Address(chance.randbytes(20)) for _ in range(count)]
    messages = [
        int.from_bytes(possession_message(owner, bytes.fromhex(public)))
        for owner, public in zip(owners, publics, strict=True)
    ]
    asked = [{"key": key.hex(), "message": str(each)} for key, each in zip(secrets, messages, strict=True)]
    for owner, theirs in zip(owners, ask("sign", asked), strict=True):
        public, signature = bytes.fromhex(theirs["public"]), bytes.fromhex(theirs["signature"])
        verify_possession(owner, public, signature)
        with pytest.raises(SignatureError):
            verify_possession(Address(owner[:-1] + bytes([owner[-1] ^ 1])), public, signature)
    cases = []
    for owner in owners:
        key = _core.ProvingKey(_core.ProvingKey.generate_secret())
        message = possession_message(owner, key.public())
        signature = key.sign(message)
        cases.append(
            {"public": key.public().hex(), "message": str(int.from_bytes(message)), "signature": signature.hex()}
        )
    assert all(ask("verify", cases))
    assert not any(ask("verify", [{**each, "message": str(int(each["message"]) + 1)} for each in cases]))
