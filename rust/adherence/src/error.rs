//! One error of the kernel; Python's face makes it `chartseal.errors.AdherenceError`.

/// `code` is stable; `path` names a column or setting; `detail` says what a caller can do. None carries a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: &'static str,
    pub path: String,
    pub detail: String,
}

pub type Result<T> = std::result::Result<T, Error>;

/// A value, or the code of the reason why a patient or group has none: a row of the result, never an error.
pub type Reasoned<T> = std::result::Result<T, &'static str>;

impl Error {
    pub fn new(code: &'static str, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            detail: detail.into(),
        }
    }
}
