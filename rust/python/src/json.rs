//! A guard before Python's own JSON parser, which some libraries let recurse until the stack ends.

use jiter::Jiter;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// jiter stops at 200 levels; the message names no value.
#[pyfunction]
fn check_json(py: Python<'_>, text: &[u8]) -> PyResult<()> {
    py.detach(|| {
        let mut reader = Jiter::new(text);
        reader.next_skip().and_then(|()| reader.finish()).is_ok()
    })
    .then_some(())
    .ok_or_else(|| PyValueError::new_err("not JSON, or nested too deep"))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_json, module)?)
}
