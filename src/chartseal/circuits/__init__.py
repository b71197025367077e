"""Prove: the circuits' keys, their manifest, the prover and the verifier."""
