"""What binds proofs to a request, against vectors of ethers (tests/conformance/binding_vectors.cjs)."""

import json
from pathlib import Path
from typing import Any

import pytest

from chartseal.attestation import from_hex, to_hex
from chartseal.disclosure.binding import Binding
from chartseal.predicates.hashes import tag, to_bytes

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("binding.json").read_text())
MEMBERS = ("holderNonce", "chain", "contract", "payee", "purpose", "period")


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: str(vector["input"]["audience"]))
def test_context_and_scope(vector: Any) -> None:
    given, expected = vector["input"], vector["expected"]
    binding = Binding.from_json({name: given[name] for name in MEMBERS})
    assert binding.to_json() == {name: given[name] for name in MEMBERS}
    context = binding.context(given["audience"], from_hex(given["nonce"], "nonce", 32), given["expiry"])
    assert to_hex(context) == expected["context"]
    assert to_hex(binding.scope(given["audience"], context)) == expected["scope"]
    assert (expected["scope"] == expected["context"]) != binding.terms.spends


@pytest.mark.parametrize("name", VECTORS["tags"])
def test_tags(name: str) -> None:
    assert to_hex(to_bytes(tag(name))) == VECTORS["tags"][name]
