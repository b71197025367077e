//! The one error of the Rust crates: a stable code and a place, never a value.

use std::fmt;

/// Which exception of the Python error tree the error becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes are not a FHIR R4 resource that may be sealed.
    Fhir,
    /// A size, nesting or count limit is exceeded.
    Limit,
    /// The fields of a record contradict each other or the format.
    Record,
    /// A value does not fit its ABI type, or a leaf or proof is malformed.
    Encoding,
    /// A signature or its key is malformed or does not verify.
    Signature,
    /// A key, address or point is malformed.
    Key,
    /// A proof or its public inputs are malformed, or it does not verify.
    Proof,
    /// The inputs of a statement are malformed or do not satisfy it, or the run was cancelled.
    Proving,
    /// A file of a circuit's key or constraints is cut, altered, or another circuit's.
    CircuitKey,
}

/// `code` is stable; `path` names an element or position; `detail` says what a caller can do. None carries a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    pub code: &'static str,
    pub path: String,
    pub detail: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, code: &'static str, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            path: path.into(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}", self.detail),
            path => write!(f, "{path}: {}", self.detail),
        }
    }
}

impl std::error::Error for Error {}
