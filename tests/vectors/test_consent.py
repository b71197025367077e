"""Roots and messages of consents, by ethers and OpenZeppelin (tests/conformance/consent_vectors.cjs)."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal import _core
from chartseal.attestation import Digest, PrivateData, PrivateValue, from_hex, to_hex
from chartseal.consent import Terms
from chartseal.consent.terms import FIELDS
from chartseal.predicates.hashes import consent_message, withdrawal_message

VECTORS: list[Any] = json.loads(Path(__file__).with_name("consent.json").read_text())["consents"]


def salted(values: dict[str, Any]) -> PrivateData:
    return PrivateData(
        PrivateValue(kind, name, values[name], Digest(_core.keccak256(name.encode()))) for kind, name in FIELDS
    )


@pytest.mark.parametrize("vector", VECTORS)
def test_roots_and_messages(vector: Any) -> None:
    given, expected = vector["input"], vector["expected"]
    assert [name for _, name in FIELDS] == list(given)
    data = PrivateData.from_json(salted(given).to_json())
    terms = Terms.from_values({each.name: each.value for each in data.values})
    root = salted({name: value for _, name, value in terms.values()}).root
    assert to_hex(root) == expected["root"]
    custodian = from_hex(given["custodian"], "custodian", 20)
    assert to_hex(consent_message(root, custodian)) == expected["consent"]
    assert to_hex(withdrawal_message(root)) == expected["withdrawal"]


def test_no_two_are_equal() -> None:
    messages = [vector["expected"][name] for vector in VECTORS for name in ("root", "consent", "withdrawal")]
    assert len(set(messages)) == len(messages) == 6
