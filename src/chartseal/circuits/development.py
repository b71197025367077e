"""Development keys: made in seconds from a public seed, the same on every machine, and worth nothing as proof.

Whoever knows the seed knows what a ceremony destroys, and so everybody can prove anything under such a key.
"""

from __future__ import annotations

from chartseal import _core
from chartseal.circuits import cache
from chartseal.circuits.entries import KeyEntry
from chartseal.circuits.manifest import DEVELOPMENT, manifest
from chartseal.errors import CircuitKeyError

SEED = b"chartseal/1 development key"


def make(circuit: str) -> KeyEntry:
    """Make a circuit's development key and install it into the cache.

    Raises:
        CircuitKeyError: `circuit_unknown`, `key_unknown`, `manifest_stale`, `file_unwritable`.
    """
    key = manifest().key(circuit, DEVELOPMENT)
    proving_key, _ = _core.development_key(circuit, SEED)

    def choose(digest: bytes) -> KeyEntry:
        if digest != key.proving_key:
            raise CircuitKeyError(
                "the manifest is of other circuits than those built: run `make generated`", "manifest_stale", circuit
            )
        return key

    return cache.install([proving_key], choose, len(proving_key))
