//! Statements about sealed records, proved without opening them: Groth16 over BN254.
//!
//! `inputs → statement → system (constraints or witness) → groth16 (keys, prover, verifier)`; `interchange` writes and reads
//! what snarkjs does. The crate knows no Python and builds for a browser. What each statement proves stands in
//! [`statements`].

// Tests in here share the world that tests/common makes, which names the crate.
#[cfg(test)]
extern crate self as chartseal_circuits;

pub mod circuit;
pub mod gadgets;
pub mod groth16;
pub mod inputs;
pub mod interchange;
pub mod statements;
pub mod system;

pub use ark_bn254::Fr;
pub use chartseal_algebra::error;
pub use circuit::Circuit;
