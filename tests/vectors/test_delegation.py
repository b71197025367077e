"""What a holder signs to let a proxy act, against vectors of ethers (tests/conformance/delegation_vectors.cjs)."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import from_hex, to_hex
from chartseal.predicates.hashes import delegation_message

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("delegation.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["delegations"])
def test_delegations(vector: Any) -> None:
    given = vector["input"]
    subject, proxy = (from_hex(given[name], name, 32) for name in ("subject", "proxy"))
    times = {"not_before": given["notBefore"], "expiry": given["expiry"], "majority": given["majority"]}
    assert to_hex(delegation_message(subject, proxy, given["audience"], **times)) == vector["expected"]["message"]


def test_no_two_are_equal() -> None:
    messages = [vector["expected"]["message"] for vector in [*VECTORS["delegations"], *VECTORS["successions"]]]
    assert len(set(messages)) == len(messages)
