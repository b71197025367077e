//! How a caller follows and stops long work.

use chartseal_algebra::error::{Error, Kind, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// Told the name of each stage as it begins, perhaps from another thread; false stops the work.
pub type Progress<'a> = &'a (dyn Fn(&'static str) -> bool + Sync);

/// A flag that stops the work, and who is told of its stages.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    pub cancelled: Option<&'a AtomicBool>,
    pub progress: Option<Progress<'a>>,
}

impl Control<'_> {
    /// Begins a stage.
    ///
    /// # Errors
    /// As [`Control::check`].
    pub fn stage(&self, name: &'static str) -> Result<()> {
        self.check()?;
        match self.progress {
            Some(progress) if !progress(name) => Err(cancelled()),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// Kind `Proving`, `cancelled`.
    pub fn check(&self) -> Result<()> {
        match self.cancelled {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(cancelled()),
            _ => Ok(()),
        }
    }
}

fn cancelled() -> Error {
    Error::new(
        Kind::Proving,
        "cancelled",
        "",
        "proving was cancelled; nothing came of it",
    )
}
