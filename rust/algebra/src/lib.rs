//! The algebra that seals, circuits and browsers share: Poseidon, Baby Jubjub and its signatures, as circomlib has them.
//!
//! It has no hash with a C or assembly library behind it, so that it builds for a browser.

pub mod babyjub;
pub mod eddsa;
pub mod error;
pub mod poseidon;
pub mod tags;
