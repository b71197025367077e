//! Constraints, keys and proofs in the forms of snarkjs, written and read.
