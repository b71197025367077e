"""An independent maker of Groth16 keys and proofs, on py_ecc: it knows its keys' secrets and so needs no circuit.

Groth16 (2016), section 3.2, the simulator: for any public inputs x and random a, b, the points A = a, B = b and
C = (a b - alpha beta - gamma IC(x)) / delta satisfy the verification equation. Whoever has a ceremony's secrets can do
this; a verifier cannot tell.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from eth_abi.abi import encode
from py_ecc.fields import optimized_bn128_FQ2 as Fq2
from py_ecc.optimized_bn128.optimized_curve import G1, G2, add, b2, curve_order, is_on_curve, multiply, normalize

from chartseal import _core
from chartseal.attestation import Digest

R: int = curve_order
"""Order of the scalar field."""
Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Of the coordinates' field."""

Words: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""A proof as contracts take it: a, b, c."""


@lru_cache(maxsize=256)
def g1(scalar: int) -> bytes:
    """The multiple of G1's generator: x, y, 64 bytes."""
    return point_bytes(multiply(G1, scalar % R))


@lru_cache(maxsize=256)
def g2(scalar: int) -> bytes:
    """The multiple of G2's generator: imaginary parts first, 128 bytes."""
    return twisted_bytes(multiply(G2, scalar % R))


def point_bytes(point: Any) -> bytes:
    if point[2] == type(point[2]).zero():
        return bytes(64)
    return b"".join(int(each).to_bytes(32) for each in normalize(point))


def twisted_bytes(point: Any) -> bytes:
    if point[2] == type(point[2]).zero():
        return bytes(128)
    return b"".join(int(part).to_bytes(32) for each in normalize(point) for part in reversed(each.coeffs))


def words(proof: bytes) -> Words:
    """The 256 bytes of a proof as a, b, c."""
    each = [int.from_bytes(proof[at : at + 32]) for at in range(0, 256, 32)]
    return tuple(each[:2]), tuple(each[2:6]), tuple(each[6:])


@dataclass(frozen=True)
class Trapdoor:
    """The secrets of one key."""

    circuit: str
    alpha: int
    beta: int
    gamma: int
    delta: int
    ic: tuple[int, ...]
    chance: random.Random = field(default_factory=lambda: random.Random(5), compare=False)

    @classmethod
    def of(cls, circuit: str, inputs: int, seed: int = 1) -> Trapdoor:
        chance = random.Random(seed)
        secrets = [chance.randrange(2, R) for _ in range(inputs + 5)]
        alpha, beta, gamma, delta, *ic = secrets
        return cls(circuit, alpha, beta, gamma, delta, tuple(ic))

    @property
    def key(self) -> bytes:
        head = g1(self.alpha) + g2(self.beta) + g2(self.gamma) + g2(self.delta)
        return head + b"".join(map(g1, self.ic))

    @property
    def hash(self) -> Digest:
        return key_hash(self.circuit, self.key)

    def prove(self, inputs: Sequence[int]) -> bytes:
        """A proof of 256 bytes that holds for these inputs, another each time."""
        a, b = self.chance.randrange(1, R), self.chance.randrange(1, R)
        sum_of_inputs = self.ic[0] + sum(x * y for x, y in zip(inputs, self.ic[1:], strict=True))
        c = (a * b - self.alpha * self.beta - self.gamma * sum_of_inputs) * pow(self.delta, -1, R)
        return g1(a) + g2(b) + g1(c)

    def but(self, **members: Any) -> Trapdoor:
        return replace(self, **members)


def key_hash(circuit: str, key: bytes) -> Digest:
    encoded = encode(["string", "string", "bytes"], ["chartseal/1/verification-key", circuit, key])
    return Digest(_core.keccak256(encoded))


def malleated(proof: bytes) -> bytes:
    """Another proof for the same inputs that needs no secret: (-A, -B, C)."""
    part = [int.from_bytes(proof[at : at + 32]) for at in range(0, 256, 32)]
    part[1], part[4], part[5] = Q - part[1], Q - part[4], Q - part[5]
    return b"".join(each.to_bytes(32) for each in part)


def outside_subgroup() -> bytes:
    """A point of G2's curve that is not in its subgroup, 128 bytes."""
    x = 1
    while True:
        root = _square_root(Fq2([x, 0]) ** 3 + b2)
        if root is not None:
            point = (Fq2([x, 0]), root, Fq2([1, 0]))
            assert is_on_curve(point, b2)
            assert add(multiply(point, R - 1), point)[2] != Fq2([0, 0]), "it would be in the subgroup"
            return twisted_bytes(point)
        x += 1


def _square_root(value: Any) -> Any | None:
    """By the complex method; q is 3 modulo 4."""
    real, imaginary = (int(each) for each in value.coeffs)
    norm = pow(real * real + imaginary * imaginary, (Q + 1) // 4, Q)
    for sign in (norm, Q - norm):
        half = (real + sign) * pow(2, -1, Q) % Q
        root = pow(half, (Q + 1) // 4, Q)
        if root and root * root % Q == half:
            found = Fq2([root, imaginary * pow(2 * root, -1, Q) % Q])
            if found * found == value:
                return found
    return None
