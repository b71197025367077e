"""The prover: a key out of the cache, loaded once a process, and the proofs it makes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chartseal import _core
from chartseal.circuits import cache
from chartseal.circuits.entries import KeyEntry
from chartseal.circuits.manifest import DEVELOPMENT, manifest
from chartseal.errors import CircuitKeyError


@dataclass(frozen=True, slots=True)
class Proof:
    """A zero-knowledge proof beside what it is about.

    Its bytes identify nothing: anybody can make other bytes that prove the same of the same inputs.
    """

    circuit: str
    key_hash: bytes
    """The verification key's hash, 32 bytes."""
    inputs: tuple[bytes, ...]
    """Public inputs in the circuit's order, 32 bytes each, big-endian."""
    proof: bytes = field(repr=False)
    """256 bytes, as the EVM's precompiles take its points."""


class Prover:
    """A circuit's proving key, ready to prove; `load_prover` gives it."""

    __slots__ = ("_prover", "key")

    def __init__(self, key: KeyEntry, data: bytes) -> None:
        """Take the bytes of a proving key whose hash was checked.

        Raises:
            CircuitKeyError: malformed, altered, or another circuit's.
        """
        self.key = key
        self._prover = _core.CircuitProver(key.circuit, data)

    def prove(
        self,
        inputs: Mapping[str, Any],
        wallet: _core.Wallet | None = None,
        *,
        progress: Callable[[str], None] | None = None,
        cancellation: _core.Cancellation | None = None,
    ) -> Proof:
        """Prove the circuit's statement for these inputs; one about the holder's secret takes the wallet that has it.

        `progress` is told the name of each stage as it begins; `cancellation` ends the run from another thread.

        Raises:
            ProvingError: `inputs_malformed`, `secret_missing`, `secret_needless`, `statement_unsatisfied`, `cancelled`.
        """
        proof, publics = self._prover.prove(json.dumps(inputs).encode(), wallet, progress, cancellation)
        return Proof(self.key.circuit, self.key.verification_key, tuple(publics), proof)


_loaded: dict[bytes, Prover] = {}
_loading = threading.Lock()


def load_prover(circuit: str, key_name: str = DEVELOPMENT) -> Prover:
    """The prover of a circuit, its key read from the cache when it is first asked for.

    Raises:
        CircuitKeyError: `circuit_unknown`, `key_unknown`, `proving_key_missing`, `key_altered`, `manifest_stale`.
    """
    key = manifest().key(circuit, key_name)
    with _loading:
        if key.proving_key not in _loaded:
            require_current(circuit)
            _loaded[key.proving_key] = Prover(key, cache.read(key))
        return _loaded[key.proving_key]


def require_current(circuit: str) -> None:
    """Refuse a manifest that is not of the circuits that were built beside it: a half-done change of the code.

    Raises:
        CircuitKeyError: `manifest_stale`.
    """
    entry = manifest().circuit(circuit)
    constraints, wires, _ = _core.circuit_counts(circuit)
    if (constraints, wires) != (entry.constraints, entry.wires):
        raise CircuitKeyError(
            "the manifest is of other circuits than those built: run `make generated`", "manifest_stale", circuit
        )
