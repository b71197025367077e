//! `chartseal._core`: the core's batch functions as Python sees them.

pub mod adherence;
pub mod attestation;
pub mod bundle;
pub mod circuits;
pub mod credential;
pub mod error;
pub mod fhir;
pub mod interchange;
pub mod json;
pub mod keys;
pub mod record;
pub mod seal;
pub mod vault;
pub mod view;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    adherence::register(module)?;
    json::register(module)?;
    keys::register(module)?;
    attestation::register(module)?;
    record::register(module)?;
    credential::register(module)?;
    seal::register(module)?;
    vault::register(module)?;
    view::register(module)?;
    fhir::register(module)?;
    bundle::register(module)?;
    circuits::register(module)?;
    interchange::register(module)?;
    // PyO3 lists every name; the stub, which has no such list, is held to the module by stubtest.
    module.delattr("__all__")
}
