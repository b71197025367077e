"""Inputs of circuits for tests, from the format's definitions alone, and the development keys that prove them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode

from chartseal import _core
from chartseal.circuits import Prover, cache, development, load_prover, manifest
from chartseal.circuits.manifest import DEVELOPMENT
from chartseal.errors import CircuitKeyError

CONTEXT = "0x" + (7).to_bytes(32).hex()


def field(name: str, *values: str) -> bytes:
    """F(name; strings)."""
    types = ["string"] * (1 + len(values))
    digest = int.from_bytes(_core.keccak256(encode(types, [f"chartseal/1/{name}", *values])))
    return (digest >> 8).to_bytes(32)


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def tree(leaf: bytes) -> tuple[bytes, list[list[str]]]:
    """Root and path of a leaf at index 1 of a tree of claims."""
    leaves = [bytes(32), leaf]
    path = [[hexed(each) for each in level] for level in _core.poseidon_path(leaves, 3, 1)]
    return _core.poseidon_root(leaves, 3), path


def linked_1(value: int = 69, low: int = 0, high: int = 70) -> dict[str, Any]:
    """A claim's value is in a range."""
    key, salt, number = (17).to_bytes(32), (23).to_bytes(32), value.to_bytes(32)
    _, path = tree(_core.poseidon_hash([field("tag/claim"), key, number, salt]))
    claim = {"index": 1, "key": hexed(key), "value": hexed(number), "salt": hexed(salt), "path": path}
    slot = {
        "op": 3,
        "key": hexed(key),
        "lo": hexed(low.to_bytes(32)),
        "hi": hexed(high.to_bytes(32)),
        "setRoot": hexed(bytes(32)),
        "claim": claim,
        "set": None,
    }
    return {"context": CONTEXT, "predicates": [slot]}


def development_prover(circuit: str) -> Prover:
    """The prover under the development key, which is made where the cache does not have it."""
    key = manifest().key(circuit, DEVELOPMENT)
    try:
        if not cache.is_there(key):
            development.make(circuit)
    except CircuitKeyError as exc:
        if exc.code != "manifest_stale":
            raise
        pytest.fail("the committed manifest is of other circuits than those built: run tools/circuit_keys.py")
    return load_prover(circuit)
