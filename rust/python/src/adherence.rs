//! Adherence as Python sees it: Arrow batches in and out by the C data interface, the lock released.

use chartseal_adherence::error::Error;
use pyo3::import_exception;
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatch;

import_exception!(chartseal.errors, AdherenceError);

fn to_py(error: Error) -> PyErr {
    AdherenceError::new_err((error.detail, error.code, error.path))
}

#[pyfunction]
fn adherence_measure(py: Python<'_>, name: &str, events: PyRecordBatch, settings: &str) -> PyResult<PyRecordBatch> {
    let events = events.into_inner();
    let found = py
        .detach(|| chartseal_adherence::measure(name, &events, settings))
        .map_err(to_py)?;
    Ok(PyRecordBatch::new(found))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(adherence_measure, module)?)
}
