"""Proofs, public inputs and verification keys as snarkjs has them in JSON, both ways.

Numbers are decimal text, points have a third coordinate that is one, and of G2 the real part comes first. What is read
here is only of the right form: whether points are points, `CircuitVerifier` tells.
Source: snarkjs 0.7, groth16_prove.js and zkey_export_verificationkey.js.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from chartseal.errors import CircuitKeyError, ProofError

_DECIMAL = re.compile("0|[1-9][0-9]{0,77}", re.ASCII)
_R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
_Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583
_PROOF, _KEY = 256, 448
"""Bytes of a proof; of a verification key before the points of its inputs."""
_MOST_INPUTS = 64


def proof_to_json(proof: bytes) -> dict[str, Any]:
    """A proof of 256 bytes as `snarkjs groth16 verify` takes it.

    Raises:
        ProofError: `proof_malformed`.
    """
    if len(proof) != _PROOF:
        raise _proof_malformed()
    return {
        "pi_a": _g1_to_json(proof[:64]),
        "pi_b": _g2_to_json(proof[64:192]),
        "pi_c": _g1_to_json(proof[192:]),
        "protocol": "groth16",
        "curve": "bn128",
    }


def proof_from_json(members: Any) -> bytes:
    """A proof of snarkjs in 256 bytes.

    Raises:
        ProofError: `proof_malformed`.
    """
    try:
        _require_kind(members)
        return _g1_from_json(members["pi_a"]) + _g2_from_json(members["pi_b"]) + _g1_from_json(members["pi_c"])
    except (ValueError, KeyError, TypeError, IndexError) as exc:
        raise _proof_malformed() from exc


def publics_to_json(inputs: Sequence[bytes]) -> list[str]:
    """Public inputs as decimal text."""
    return [str(int.from_bytes(each)) for each in inputs]


def publics_from_json(texts: Any) -> list[bytes]:
    """Public inputs of snarkjs, 32 bytes each.

    Raises:
        ProofError: `proof_malformed`; `input_out_of_range`: not below r.
    """
    if not isinstance(texts, list) or len(texts) > _MOST_INPUTS:
        raise _proof_malformed()
    try:
        values = [_number(each) for each in texts]
    except ValueError as exc:
        raise _proof_malformed() from exc
    if any(value >= _R for value in values):
        raise ProofError("a public input is not below the field's order", "input_out_of_range")
    return [value.to_bytes(32) for value in values]


def key_to_json(key: bytes) -> dict[str, Any]:
    """A verification key as `snarkjs groth16 verify` takes it.

    Raises:
        CircuitKeyError: `key_malformed`.
    """
    if len(key) < _KEY + 64 or (len(key) - _KEY) % 64:
        raise _key_malformed()
    beta, gamma, delta = (key[at : at + 128] for at in (64, 192, 320))
    points = [_g1_to_json(key[at : at + 64]) for at in range(_KEY, len(key), 64)]
    return {
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": len(points) - 1,
        "vk_alpha_1": _g1_to_json(key[:64]),
        "vk_beta_2": _g2_to_json(beta),
        "vk_gamma_2": _g2_to_json(gamma),
        "vk_delta_2": _g2_to_json(delta),
        "IC": points,
    }


def key_from_json(members: Any) -> bytes:
    """A verification key of snarkjs as bytes.

    Raises:
        CircuitKeyError: `key_malformed`.
    """
    try:
        _require_kind(members)
        points, count = members["IC"], members["nPublic"]
        if type(count) is not int or not 1 <= len(points) == count + 1 <= _MOST_INPUTS:
            raise _key_malformed()
        twisted = [_g2_from_json(members[name]) for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2")]
        inputs = [_g1_from_json(point) for point in points]
        return b"".join([_g1_from_json(members["vk_alpha_1"]), *twisted, *inputs])
    except (ValueError, KeyError, TypeError, IndexError) as exc:
        raise _key_malformed() from exc


def _require_kind(members: Any) -> None:
    if (members["protocol"], members["curve"]) != ("groth16", "bn128"):
        raise ValueError


def _proof_malformed() -> ProofError:
    return ProofError("the proof does not have snarkjs' form", "proof_malformed")


def _key_malformed() -> CircuitKeyError:
    return CircuitKeyError("the verification key does not have snarkjs' form", "key_malformed")


def _number(text: Any) -> int:
    if not isinstance(text, str) or _DECIMAL.fullmatch(text) is None:
        raise ValueError
    return int(text)


def _coordinate(text: Any) -> bytes:
    value = _number(text)
    if value >= _Q:
        raise ValueError
    return value.to_bytes(32)


def _decimals(data: bytes) -> list[str]:
    return [str(int.from_bytes(data[at : at + 32])) for at in range(0, len(data), 32)]


def _g1_to_json(point: bytes) -> list[str]:
    return [*_decimals(point), "1"]


def _g2_to_json(point: bytes) -> list[list[str]]:
    x1, x0, y1, y0 = _decimals(point)
    return [[x0, x1], [y0, y1], ["1", "0"]]


def _g1_from_json(point: Any) -> bytes:
    x, y, one = point
    if one != "1":
        raise ValueError
    return _coordinate(x) + _coordinate(y)


def _g2_from_json(point: Any) -> bytes:
    (x0, x1), (y0, y1), one = point
    if one != ["1", "0"]:
        raise ValueError
    return b"".join(map(_coordinate, (x1, x0, y1, y0)))
