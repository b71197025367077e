//! `chartseal._core`: the core's batch functions as Python sees them.

pub mod attestation;
pub mod error;
pub mod keys;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    keys::register(module)?;
    attestation::register(module)?;
    Ok(())
}
