"""Both ways against circomlibjs: hashes, points, and signatures of each under the other."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.errors import KeyFormatError

FOLDER = Path(__file__).parent
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
FULL_COUNT = 1_000

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not (FOLDER / "node_modules").is_dir(), reason="circomlibjs is not installed: `npm ci --ignore-scripts` here"
    ),
]


def ask(call: str, arguments: list[Any]) -> list[Any]:
    """circomlibjs's answer to each argument."""
    request = json.dumps({"call": call, "arguments": arguments})
    run = subprocess.run(
        ["node", "circomlib.cjs"], cwd=FOLDER, input=request, capture_output=True, text=True, check=True
    )
    answers: list[Any] = json.loads(run.stdout)["answers"]
    return answers


@pytest.fixture(scope="module")
def count(drill_scale: float) -> int:
    return max(20, int(FULL_COUNT * drill_scale))


@pytest.fixture
def chance() -> random.Random:
    return random.Random(2026)


def test_poseidon(chance: random.Random, count: int) -> None:
    edges = [0, 1, R - 1]
    lists = [[chance.choice([*edges, chance.randrange(R)]) for _ in range(1 + i % 10)] for i in range(count)]
    theirs = ask("poseidon", [[str(value) for value in values] for values in lists])
    ours = [int.from_bytes(_core.poseidon_hash([value.to_bytes(32) for value in values])) for values in lists]
    assert ours == [int(answer) for answer in theirs]


def test_they_read_our_points(chance: random.Random, count: int) -> None:
    points = [_core.Wallet(chance.randbytes(64)).spend_public() for _ in range(count)]
    for packed, theirs in zip(points, ask("unpack", [packed.hex() for packed in points]), strict=True):
        assert theirs["subgroup"]
        assert theirs["packed"] == packed.hex()
        assert [int(c) for c in theirs["point"]] == [int.from_bytes(c) for c in _core.check_point(packed)]


def test_we_refuse_what_they_find_outside_the_subgroup(chance: random.Random, count: int) -> None:
    points = [chance.randrange(2, R).to_bytes(32, "little") for _ in range(count)]
    found = {True: 0, False: 0}
    for packed, theirs in zip(points, ask("unpack", [packed.hex() for packed in points]), strict=True):
        try:
            _core.check_point(packed)
            accepted = True
        except KeyFormatError:
            accepted = False
        assert accepted == bool(theirs["subgroup"])
        found[accepted] += 1
    assert found[False] > found[True]


def test_they_verify_our_signatures(chance: random.Random, count: int) -> None:
    cases, altered = [], []
    for _ in range(count):
        wallet = _core.Wallet(chance.randbytes(64))
        delivery = _core.Delivery(wallet.address())
        message = chance.randrange(R)
        signature = wallet.sign_as(delivery.enc, delivery.subject, message.to_bytes(32))
        case = {"public": delivery.subject.hex(), "message": str(message), "signature": signature.hex()}
        cases.append(case)
        altered.append({**case, "message": str((message + 1) % R)})
    assert all(ask("verify", cases))
    assert not any(ask("verify", altered))


def test_we_verify_their_signatures(chance: random.Random, count: int) -> None:
    cases = [{"key": chance.randbytes(32).hex(), "message": str(chance.randrange(R))} for _ in range(count)]
    for case, theirs in zip(cases, ask("sign", cases), strict=True):
        message = int(case["message"]).to_bytes(32)
        _core.verify_holder_signature(bytes.fromhex(theirs["public"]), message, bytes.fromhex(theirs["signature"]))
