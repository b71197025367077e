//! Groth16: setup, keys, prover and verifier, with circom's reduction, so that keys come from either side.
