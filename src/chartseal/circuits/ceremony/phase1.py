"""The file of a public phase 1 (`.ptau`): a ceremony over powers that any circuit may use, known by its hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chartseal.circuits.ceremony.sections import malformed, read_section, unreadable
from chartseal.errors import CeremonyError

_CHUNK = 1 << 20
_HEADER = 1
_LONGEST_HEADER = 1_024


@dataclass(frozen=True, slots=True)
class Phase1:
    """A phase-1 file whose hash was compared."""

    path: Path
    sha256: bytes
    """32 bytes."""
    blake2b: bytes
    """64 bytes: what is published of the well-known files."""
    power: int
    """Circuits of up to 2^power rows."""

    @classmethod
    def open(cls, path: Path, expected: bytes) -> Phase1:
        """Read the whole file once and compare its hash: SHA-256 (32 bytes) or BLAKE2b (64 bytes).

        Raises:
            CeremonyError: `phase1_other`, `file_malformed`, `file_unreadable`.
        """
        sha256, blake2b = _hashes(path)
        if expected not in (sha256, blake2b):
            raise CeremonyError("the phase-1 file has another hash than the one that was given", "phase1_other")
        return cls(path, sha256, blake2b, _power(path))


def _hashes(path: Path) -> tuple[bytes, bytes]:
    sha256, blake2b = hashlib.sha256(), hashlib.blake2b()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                sha256.update(chunk)
                blake2b.update(chunk)
    except OSError as exc:
        raise unreadable(path, exc) from exc
    return sha256.digest(), blake2b.digest()


def _power(path: Path) -> int:
    """Its header: the length of an element, the field's order, then the power."""
    header = read_section(path, b"ptau", _HEADER, _LONGEST_HEADER)
    if len(header) != 44 or header[:4] != (32).to_bytes(4, "little"):
        raise malformed(path)
    return int.from_bytes(header[36:40], "little")
