"""Inputs of every circuit over one made-up record, issuer and wallet, as the formats define them."""

from __future__ import annotations

import json
from typing import Any, cast

from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF
from eth_abi.abi import encode

from chartseal import _core

SEED = bytes(range(64))
"""The wallet's, as BIP-39 has seeds."""
_CLAIMS = 20
_SEALED_AT = 1_798_675_200
_FOREVER = 2**64 - 1
_ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041
"""The order of Baby Jubjub's subgroup. Source: EIP-2494."""


def spend_secret(seed: bytes) -> bytes:
    """A wallet's spend secret, 32 bytes little-endian: format specification, section "Holder keys"."""
    wide = cast("bytes", HKDF(seed, 64, b"", SHA256, context=b"chartseal/1/spend"))
    return (int.from_bytes(wide, "little") % _ORDER).to_bytes(32, "little")


def _field(name: str) -> bytes:
    """F(name), a field element."""
    return (int.from_bytes(_core.keccak256(encode(["string"], [f"chartseal/1/{name}"]))) >> 8).to_bytes(32)


def _word(value: int) -> bytes:
    return value.to_bytes(32)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _path(leaves: list[bytes], depth: int, index: int) -> list[list[str]]:
    return [[_hex(node) for node in level] for level in _core.poseidon_path(leaves, depth, index)]


def _claims(holder: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """(key, value, salt); the first is the holder's."""
    others = [(_word(1_000 + at), _word(at * 1_000), _word(77 + at)) for at in range(1, _CLAIMS)]
    return [(_field("claim-key/holder"), holder, _word(77)), *others]


def _leaves(claims: list[tuple[bytes, bytes, bytes]]) -> list[bytes]:
    return [_core.poseidon_hash([_field("tag/claim"), *claim]) for claim in claims]


def _predicate(claims: list[tuple[bytes, bytes, bytes]], at: int) -> dict[str, Any]:
    """The value of claim `at` is at least 1."""
    key, value, salt = (_hex(part) for part in claims[at])
    path = _path(_leaves(claims), 3, at)
    claim = {"index": at, "key": key, "value": value, "salt": salt, "path": path}
    bounds = {"lo": _hex(_word(1)), "hi": _hex(_word(_FOREVER)), "setRoot": _hex(bytes(32)), "set": None}
    return {"op": 3, "key": key, **bounds, "claim": claim}


def _credential(root: bytes, holder: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Credential, issuer and status, as an anonymous statement takes them."""
    key = _core.ProvingKey(_word(5)[::-1])
    attester, claim_id, words = _word(0xA77E), _word(99), [bytes(32)] * 5
    numbers = {"list": 0, "index": 42, "uses": 3, "sealedAt": _SEALED_AT, "expiry": _FOREVER}
    before = [_field("tag/cred"), attester, _word(numbers["list"]), _word(numbers["index"]), root, holder, claim_id]
    message = _core.poseidon_hash([*before, *(_word(numbers[name]) for name in ("uses", "sealedAt", "expiry"))])
    credential = {
        **numbers,
        "attester": _hex(attester),
        "claimId": _hex(claim_id),
        "key": _hex(key.public()),
        "signature": _hex(key.sign(message)),
    }
    status_root = _core.poseidon_root(words, 6)
    x, y = _core.check_point(key.public())
    leaf = _core.poseidon_hash([_field("tag/issuer"), attester, x, y, bytes(32), _word(_FOREVER), status_root])
    leaves = [_word(1), leaf, _word(2)]
    issuer = {"index": 1, "notAfter": _FOREVER, "path": _path(leaves, 6, 1)}
    return credential, issuer, {"word": _hex(words[0]), "path": _path(words, 6, 0)}


def statement(circuit: str) -> tuple[bytes, _core.Wallet | None]:
    """What `CircuitProver.prove` takes for a statement that holds: inputs, and the wallet where one is needed."""
    wallet = _core.Wallet(SEED)
    holder = _core.holder_commitment(wallet.spend_public())
    claims, context = _claims(holder), _hex(_word(1234))
    slots = range(1, 5) if circuit.endswith("-4") else range(1, 2)
    predicates = [_predicate(claims, at) for at in slots]
    if circuit == "holder":
        path = _path(_leaves(claims), 3, 0)
        inputs: dict[str, Any] = {"context": context, "salt": _hex(claims[0][2]), "path": path}
    elif circuit.startswith("linked"):
        inputs = {"context": context, "predicates": predicates}
    else:
        credential, issuer, status = _credential(_core.poseidon_root(_leaves(claims), 3), holder)
        inputs = {
            "now": _SEALED_AT + 1_000,
            "scope": _hex(_word(4321)),
            "context": context,
            "use": 1,
            "predicates": predicates,
            "credential": credential,
            "issuer": issuer,
            "status": status,
        }
    return json.dumps(inputs).encode(), None if circuit.startswith("linked") else wallet
