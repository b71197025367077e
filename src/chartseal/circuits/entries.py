"""A manifest of circuits and their keys, as Python has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chartseal.errors import CircuitKeyError


@dataclass(frozen=True, slots=True)
class Contribution:
    """One step of a ceremony: what its contributor, or the beacon, put into the key."""

    name: str
    hash: bytes
    """64 bytes, BLAKE2b, as snarkjs shows it to the contributor."""


@dataclass(frozen=True, slots=True)
class Ceremony:
    """Where a production key comes from."""

    contributions: tuple[Contribution, ...]
    """In their order, the beacon's last."""
    beacon: bytes
    """The public value that nobody could know while contributions were made."""
    beacon_iterations: int
    """As a power of two: how often SHA-256 was applied to it."""
    phase1: Mapping[str, bytes]
    """Hashes of the phase-1 file: `sha256` (32 bytes) and `blake2b` (64 bytes)."""
    tool: str
    """The program that ran it, with its version."""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key of one circuit."""

    circuit: str
    name: str
    """`development`, or the ceremony's."""
    is_unsafe: bool
    """Made by one machine alone, so that whoever made it can prove anything: for development."""
    verification_key: bytes
    """Its hash, 32 bytes."""
    proving_key: bytes = field(repr=False)
    """SHA-256 of the file, 32 bytes."""
    proving_key_size: int
    """Bytes of the file."""
    ceremony: Ceremony | None

    @property
    def file(self) -> str:
        """The proving key's file name where it is handed on."""
        return f"{self.circuit}.{self.name}.key"

    @property
    def verification_key_file(self) -> str:
        """The verification key's file name."""
        return f"{self.circuit}.{self.name}.vk"


@dataclass(frozen=True, slots=True)
class CircuitEntry:
    """A circuit and its keys."""

    name: str
    publics: tuple[str, ...]
    constraints: int
    wires: int
    r1cs: bytes
    """SHA-256 of the `.r1cs`, 32 bytes."""
    keys: tuple[KeyEntry, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All circuits, by name."""

    circuits: Mapping[str, CircuitEntry]

    def circuit(self, name: str) -> CircuitEntry:
        """One circuit.

        Raises:
            CircuitKeyError: `circuit_unknown`.
        """
        if name not in self.circuits:
            raise CircuitKeyError("there is no such circuit", "circuit_unknown")
        return self.circuits[name]

    def key(self, circuit: str, name: str) -> KeyEntry:
        """One key.

        Raises:
            CircuitKeyError: `circuit_unknown`, `key_unknown`.
        """
        for each in self.circuit(circuit).keys:
            if each.name == name:
                return each
        raise CircuitKeyError("the manifest has no key of that name for the circuit", "key_unknown", circuit)

    def all_keys(self) -> tuple[KeyEntry, ...]:
        """All keys, circuit by circuit."""
        return tuple(key for circuit in self.circuits.values() for key in circuit.keys)

    def by_verification_key(self, key_hash: bytes) -> KeyEntry | None:
        """The key with that hash."""
        return next((key for key in self.all_keys() if key.verification_key == key_hash), None)
