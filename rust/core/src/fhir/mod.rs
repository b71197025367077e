//! Stage 1, read: `bytes → JSON → checked R4 resource → fields`.

pub mod bundle;
pub mod entry;
pub mod invariants;
pub mod json;
pub mod narrative;
pub mod outline;
pub mod primitives;
pub mod references;
mod resource;
#[cfg(test)]
mod tests;
mod walk;

pub use resource::{Detached, Resource, Rules, read, read_all};

/// Why a value is refused: a stable code and what is wrong, never the value. Whoever walks the resource adds the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub detail: String,
}

impl Refusal {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}
