//! What is proved, one module a statement: its public inputs, its witness, and what it takes for granted.

pub mod anonymous;
pub mod holder;
pub mod linked;
