//! Constraints, keys and witnesses in the forms of snarkjs: what a ceremony takes, and what it gives.
//!
//! Source: iden3's r1cs binary format; `.zkey` and `.wtns` as snarkjs 0.7 writes them, which nobody specified.

pub mod points;
pub mod r1cs;
pub mod sections;
pub mod wtns;
pub mod zkey;
