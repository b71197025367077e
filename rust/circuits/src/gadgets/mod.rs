//! Parts that statements are made of. Each says what it proves, what it takes for granted, and what it costs.

pub mod bits;
pub mod merkle;
pub mod poseidon;
#[cfg(test)]
pub(crate) mod testing;
