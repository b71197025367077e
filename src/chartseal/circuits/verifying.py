"""The verifier: verification keys, small and public, which come with the code and are known by their hash."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from chartseal import _core
from chartseal.circuits.entries import KeyEntry
from chartseal.circuits.manifest import KEY_FOLDER, manifest
from chartseal.errors import CircuitKeyError

_LARGEST = 65_536


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A verification key of the manifest, loaded."""

    circuit: str
    key_name: str
    is_development: bool
    """Whoever made it can prove anything: only a policy that lists the circuit takes it."""
    verifier: _core.CircuitVerifier


@lru_cache(maxsize=64)
def verifier_of(key_hash: bytes) -> KnownKey | None:
    """The key with that hash (32 bytes), None where the manifest has none.

    Raises:
        CircuitKeyError: `key_altered`, `key_malformed`: the installation is damaged.
    """
    key = manifest().by_verification_key(key_hash)
    if key is None:
        return None
    verifier = _core.CircuitVerifier(key.circuit, verification_key(key))
    if verifier.hash != key_hash:
        raise CircuitKeyError(
            "the verification key is not the one of the manifest", "key_altered", key.verification_key_file
        )
    return KnownKey(key.circuit, key.name, key.is_unsafe, verifier)


def verification_key(key: KeyEntry) -> bytes:
    """The bytes of a verification key of this installation; who uses them compares the hash.

    Raises:
        CircuitKeyError: `key_altered`.
    """
    file = resources.files(__package__).joinpath(KEY_FOLDER, key.verification_key_file)
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST)
    except OSError as exc:
        raise CircuitKeyError(
            "the verification key is missing from this installation", "key_altered", key.verification_key_file
        ) from exc
