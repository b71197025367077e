"""Prove: the circuits' keys, their manifest, the prover and the verifier.

In: a circuit's inputs, and the wallet whose secret they are about. Out: a proof beside its public inputs.

    prover = load_prover("linked-1")
    shown = prover.prove(inputs)
    known = verifier_of(shown.key_hash)
    known.verifier.verify(list(shown.inputs), shown.proof)
"""

from chartseal.circuits.entries import CircuitEntry, KeyEntry, Manifest
from chartseal.circuits.manifest import manifest
from chartseal.circuits.proving import Proof, Prover, load_prover
from chartseal.circuits.verifying import KnownKey, verifier_of

__all__ = [
    "CircuitEntry",
    "KeyEntry",
    "KnownKey",
    "Manifest",
    "Proof",
    "Prover",
    "load_prover",
    "manifest",
    "verifier_of",
]
