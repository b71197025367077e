//! `chartseal._core`: the core's batch functions as Python sees them.

pub mod error;

use pyo3::prelude::*;

#[pymodule]
fn _core(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
