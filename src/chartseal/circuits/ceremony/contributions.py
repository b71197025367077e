"""What a `.zkey` says of its own making: each contribution's name and hash, and the beacon's value.

The hash is the one that snarkjs shows to who contributes, so that it can be published and found again here. That a
contribution did what it says, `snarkjs zkey verify` checks.
Source: snarkjs 0.7, zkey_utils.js; ffjavascript's uncompressed points (big-endian, of G2 the imaginary part first).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chartseal.circuits.ceremony.sections import malformed, read_section

_SECTION = 10
_LONGEST = 1 << 20
_MOST = 1_000
_BEACON = 1
_NAME, _ITERATIONS, _VALUE = 1, 2, 3
_Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583
_UNMONTGOMERY = pow(2**256, -1, _Q)


@dataclass(frozen=True, slots=True)
class Made:
    """One contribution."""

    name: str
    hash: bytes
    """64 bytes."""
    beacon: bytes | None
    """The beacon's value; None where a person contributed."""
    iterations: int
    """Of the beacon, as a power of two; else 0."""


def read(path: Path) -> tuple[Made, ...]:
    """The contributions of a `.zkey`, in their order.

    Raises:
        CeremonyError: `file_malformed`, `file_unreadable`.
    """
    reader = _Reader(read_section(path, b"zkey", _SECTION, _LONGEST), path)
    reader.take(64)  # the circuit's hash
    count = reader.number()
    if count > _MOST:
        raise malformed(path)
    found = tuple(_one(reader) for _ in range(count))
    reader.end()
    return found


class _Reader:
    def __init__(self, data: bytes, path: Path) -> None:
        self._data = data
        self._at = 0
        self.path = path

    def take(self, length: int) -> bytes:
        part = self._data[self._at : self._at + length]
        if len(part) != length:
            raise malformed(self.path)
        self._at += length
        return part

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    @property
    def has_more(self) -> bool:
        return self._at < len(self._data)

    def end(self) -> None:
        if self.has_more:
            raise malformed(self.path)


def _one(reader: _Reader) -> Made:
    points = [_uncompressed(reader.take(64), 1) for _ in range(3)]
    points.append(_uncompressed(reader.take(128), 2))
    digest = hashlib.blake2b(b"".join(points) + reader.take(64)).digest()
    is_beacon = reader.number() == _BEACON
    parameters = _parameters(_Reader(reader.take(reader.number()), reader.path))
    value, iterations = parameters.get(_VALUE), parameters.get(_ITERATIONS, b"\0")[0]
    if is_beacon != (value is not None):
        raise malformed(reader.path)
    name = parameters.get(_NAME, b"").decode("utf-8", "replace")
    return Made(name, digest, value, iterations)


def _parameters(reader: _Reader) -> dict[int, bytes]:
    """Numbers, ascending, with their values; the iterations are one byte, the others have their length before them."""
    found: dict[int, bytes] = {}
    while reader.has_more:
        number = reader.take(1)[0]
        if number not in (_NAME, _ITERATIONS, _VALUE) or any(number <= known for known in found):
            raise malformed(reader.path)
        found[number] = reader.take(1 if number == _ITERATIONS else reader.take(1)[0])
    return found


def _uncompressed(point: bytes, degree: int) -> bytes:
    """Coordinates out of Montgomery's form, big-endian."""
    words = [point[at : at + 32] for at in range(0, len(point), 32)]
    plain = [(int.from_bytes(word, "little") * _UNMONTGOMERY % _Q).to_bytes(32) for word in words]
    pairs = [plain[at : at + degree] for at in range(0, len(plain), degree)]
    return b"".join(b"".join(reversed(pair)) for pair in pairs)
