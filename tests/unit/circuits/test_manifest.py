"""The committed manifest and verification keys are those of the circuits that are built."""

import hashlib
import json
from typing import Any

import pytest

from chartseal import _core, circuits
from chartseal.circuits import manifest, verifier_of
from chartseal.circuits.development import SEED
from chartseal.circuits.manifest import loads, to_json
from chartseal.errors import CircuitKeyError

STALE = "the committed manifest is of other circuits than those built: run tools/circuit_keys.py"


def test_it_lists_the_circuits_that_are_built() -> None:
    found = {name: (entry.publics, entry.constraints, entry.wires) for name, entry in manifest().circuits.items()}
    built = {}
    for name in _core.circuit_names():
        constraints, wires, publics = _core.circuit_counts(name)
        built[name] = (tuple(_core.circuit_publics(name)), constraints, wires)
        assert publics == len(built[name][0])
    assert found == built, STALE


@pytest.mark.parametrize("name", _core.circuit_names())
def test_constraints_are_those_of_the_manifest(name: str) -> None:
    assert hashlib.sha256(_core.circuit_r1cs(name)).digest() == manifest().circuit(name).r1cs, STALE


@pytest.mark.parametrize("name", _core.circuit_names())
def test_development_keys_are_made_again_to_the_byte(name: str) -> None:
    key = manifest().key(name, "development")
    proving_key, verification_key = _core.development_key(name, SEED)
    assert hashlib.sha256(proving_key).digest() == key.proving_key, STALE
    assert len(proving_key) == key.proving_key_size
    assert verification_key == circuits.verifying.verification_key(key), STALE


def test_every_verification_key_is_known_by_its_hash() -> None:
    for key in manifest().all_keys():
        known = verifier_of(key.verification_key)
        assert known is not None
        assert (known.circuit, known.key_name, known.is_development) == (key.circuit, key.name, key.is_unsafe)
    assert verifier_of(bytes(32)) is None


def test_only_development_keys_are_unsafe_and_only_they_lack_a_ceremony() -> None:
    for key in manifest().all_keys():
        assert key.is_unsafe == (key.name == "development") == (key.ceremony is None)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(CircuitKeyError) as refused:
        manifest().key("linked-2", "development")
    assert refused.value.code == "circuit_unknown"
    with pytest.raises(CircuitKeyError) as refused:
        manifest().key("linked-1", "2099")
    assert refused.value.code == "key_unknown"


def production() -> dict[str, Any]:
    return {
        "name": "2027-01",
        "unsafe": False,
        "verificationKey": "0x" + "11" * 32,
        "provingKey": {"sha256": "0x" + "22" * 32, "size": 5},
        "ceremony": {
            "contributions": [{"name": "Ada", "hash": "0x" + "33" * 64}],
            "beacon": {"value": "0xab", "iterations": 10},
            "phase1": {"sha256": "0x" + "44" * 32, "blake2b": "0x" + "55" * 64},
            "tool": "snarkjs 0.7.6",
        },
    }


def whole() -> dict[str, Any]:
    made = to_json(manifest())
    made["circuits"]["linked-1"]["keys"].append(production())
    return made


def test_a_production_key_comes_back() -> None:
    assert to_json(loads(json.dumps(whole()).encode())) == whole()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "chartseal/2"),
        (("circuits",), []),
        (("circuits", "linked-1", "constraints"), -1),
        (("circuits", "linked-1", "constraints"), True),
        (("circuits", "linked-1", "r1cs"), "0x00"),
        (("circuits", "linked-1", "keys", 1, "name"), "../key"),
        (("circuits", "linked-1", "keys", 1, "name"), "development"),
        (("circuits", "linked-1", "keys", 1, "unsafe"), True),
        (("circuits", "linked-1", "keys", 1, "unsafe"), 0),
        (("circuits", "linked-1", "keys", 1, "ceremony"), None),
        (("circuits", "linked-1", "keys", 1, "provingKey", "size"), 2**40),
        (("circuits", "linked-1", "keys", 1, "provingKey", "sha256"), 5),
        (("circuits", "linked-1", "keys", 1, "ceremony", "beacon"), 5),
        (("circuits", "linked-1", "keys", 1, "ceremony", "contributions", 0, "hash"), "0x11"),
    ],
)
def test_what_has_not_its_form_is_refused(path: tuple[Any, ...], value: Any) -> None:
    made = whole()
    place = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(CircuitKeyError) as refused:
        loads(json.dumps(made).encode())
    assert refused.value.code == "manifest_malformed"
