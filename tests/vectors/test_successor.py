"""What a holder signs to leave an address, against vectors of ethers (tests/conformance/delegation_vectors.cjs)."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import from_hex, to_hex
from chartseal.keys.successor import succession_message

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("delegation.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["successions"])
def test_successions(vector: Any) -> None:
    given = vector["input"]
    old, new = (from_hex(given[name], name, 64) for name in ("from", "to"))
    assert to_hex(succession_message(old, new, given["at"])) == vector["expected"]["message"]
