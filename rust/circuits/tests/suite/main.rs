//! Statements, proofs and keys from outside: one program, because linking takes longer than most of its tests.

mod anonymous;
#[path = "../common/mod.rs"]
mod common;
mod counts;
mod determinism;
mod groth16;
mod linked;
mod mutation;
mod proofs;
mod vectors;
