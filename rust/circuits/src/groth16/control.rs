//! How a caller follows and stops long work.

use chartseal_algebra::error::{Error, Kind, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// Told the name of each stage as it begins, perhaps from another thread.
pub type Progress<'a> = &'a (dyn Fn(&'static str) + Sync);

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
        if let Some(progress) = self.progress {
            progress(name);
        }
        Ok(())
    }

    /// # Errors
    /// Kind `Proving`, `cancelled`.
    pub fn check(&self) -> Result<()> {
        match self.cancelled {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(Error::new(
                Kind::Proving,
                "cancelled",
                "",
                "proving was cancelled; nothing came of it",
            )),
            _ => Ok(()),
        }
    }
}
