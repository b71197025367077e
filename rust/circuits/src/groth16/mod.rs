//! Groth16: setup, keys, prover and verifier, with circom's reduction, so that keys come from either side.
//!
//! Proof bytes are not unique and identify nothing: from a proof (A, B, C) anyone makes others of the same statement, (−A, −B, C)
//! the simplest. What is spent or remembered is a public input (nullifier, pseudonym), never a hash of the bytes.

pub mod batch;
pub mod control;
pub mod key;
pub mod msm;
mod parallel;
pub mod points;
pub mod prover;
pub mod reduction;
pub mod setup;
pub mod verification_key;
pub mod verifier;

pub use control::Control;
pub use prover::Prover;
pub use verifier::Verifier;

/// A proof in arkworks' form.
pub type Proof = ark_groth16::Proof<ark_bn254::Bn254>;
/// A proving key in arkworks' form.
pub type ProvingKey = ark_groth16::ProvingKey<ark_bn254::Bn254>;
/// A verification key in arkworks' form.
pub type VerifyingKey = ark_groth16::VerifyingKey<ark_bn254::Bn254>;
