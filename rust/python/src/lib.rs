//! `chartseal._core`: the core's batch functions as Python sees them.

pub mod attestation;
pub mod error;
pub mod fhir;
pub mod keys;
pub mod record;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    keys::register(module)?;
    attestation::register(module)?;
    record::register(module)?;
    fhir::register(module)?;
    // PyO3 lists every name; the stub, which has no such list, is held to the module by stubtest.
    module.delattr("__all__")
}
