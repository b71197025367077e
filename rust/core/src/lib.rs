//! Chartseal's core: bytes in, bytes out.
//!
//! `lexical → elements → resource → fields → slots, claims → leaves → tree → seal`; every step is a plain function over
//! owned values, knows no Python, and reports failures as [`error::Error`].

pub mod abi;
pub mod claims;
pub mod control;
pub mod credential;
pub mod delivery;
pub mod eip712;
pub mod facts;
pub mod fhir;
pub mod field;
pub mod hash;
pub mod messages;
pub mod rebuild;
pub mod schema;
pub mod seal;
pub mod sealed;
pub mod secp;
pub mod slots;
pub mod suite;
pub mod tree;
pub mod vault;
pub mod view;
pub mod wallet;

pub use chartseal_algebra::{babyjub, eddsa, error, poseidon, tags};
