//! Parts that statements are made of. Each says what it proves, what it takes for granted, and what it costs.

pub mod bits;
pub mod curve;
pub mod eddsa;
pub mod merkle;
pub mod multiples;
pub mod poseidon;
pub mod predicate;
pub mod scalar;
pub mod secret;
pub mod set;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod trial;
