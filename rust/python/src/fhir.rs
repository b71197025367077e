//! Reading FHIR, and rebuilding it from fields, as Python sees it.

use crate::error::to_py;
use crate::record::{PyField, from_py};
use chartseal_core::error;
use chartseal_core::fhir::{self, Detached, Resource, Rules};
use chartseal_core::field::{Field, Value};
use chartseal_core::rebuild as core;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList, PyString, PyTuple};

fn rules(test: bool, modifier_extensions: Vec<String>, implicit_rules: Vec<String>) -> Rules {
    Rules {
        test,
        modifier_extensions: modifier_extensions.into_iter().collect(),
        implicit_rules: implicit_rules.into_iter().collect(),
    }
}

/// A field as a tuple, built without owned copies: reading makes more of them than anything else does.
fn field_to_python<'py>(py: Python<'py>, field: &Field) -> PyResult<Bound<'py, PyTuple>> {
    let (abi_type, value) = match &field.value {
        Value::String(text) => (intern!(py, "string"), PyString::new(py, text).into_any()),
        Value::Bool(flag) => (intern!(py, "bool"), PyBool::new(py, *flag).to_owned().into_any()),
        Value::Int(number) => (intern!(py, "int256"), number.into_pyobject(py)?.into_any()),
        Value::Uint(number) => (intern!(py, "uint256"), number.into_pyobject(py)?.into_any()),
        Value::Bytes32(word) => (intern!(py, "bytes32"), PyBytes::new(py, word).into_any()),
    };
    PyTuple::new(
        py,
        [
            PyString::new(py, &field.name).into_any(),
            abi_type.clone().into_any(),
            value,
        ],
    )
}

fn resource_to_python<'py>(py: Python<'py>, resource: &Resource) -> PyResult<Bound<'py, PyTuple>> {
    let fields = resource.fields.iter().map(|field| field_to_python(py, field));
    let fields = PyList::new(py, fields.collect::<PyResult<Vec<_>>>()?)?;
    let detached = resource.detached.iter().map(|text| (&text.name, &text.text));
    let detached: Vec<(&String, &String)> = detached.collect();
    (&resource.resource_type, fields, detached, resource.test).into_pyobject(py)
}

#[pyfunction]
#[pyo3(signature = (text, *, test = false, modifier_extensions = vec![], implicit_rules = vec![]))]
fn read_resource<'py>(
    py: Python<'py>,
    text: &[u8],
    test: bool,
    modifier_extensions: Vec<String>,
    implicit_rules: Vec<String>,
) -> PyResult<Bound<'py, PyTuple>> {
    let rules = rules(test, modifier_extensions, implicit_rules);
    let resource = py.detach(|| fhir::read(text, &rules)).map_err(to_py)?;
    resource_to_python(py, &resource)
}

#[pyfunction]
#[pyo3(signature = (texts, *, test = false, modifier_extensions = vec![], implicit_rules = vec![]))]
fn read_resources<'py>(
    py: Python<'py>,
    texts: Vec<Bound<'py, PyBytes>>,
    test: bool,
    modifier_extensions: Vec<String>,
    implicit_rules: Vec<String>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let rules = rules(test, modifier_extensions, implicit_rules);
    let slices: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let read = py.detach(|| fhir::read_all(&slices, &rules));
    let outcome = |resource: error::Result<Resource>| match resource {
        Ok(resource) => Ok(resource_to_python(py, &resource)?.into_any()),
        Err(error) => Ok(to_py(error).into_value(py).into_bound(py).into_any()),
    };
    read.into_iter().map(outcome).collect()
}

#[pyfunction]
#[pyo3(signature = (resource_type, fields, detached, *, partial = false))]
fn rebuild(
    py: Python<'_>,
    resource_type: &str,
    fields: Vec<PyField<'_>>,
    detached: Vec<(String, String)>,
    partial: bool,
) -> PyResult<(String, Vec<String>)> {
    let fields = fields.into_iter().map(from_py).collect::<PyResult<Vec<_>>>()?;
    let detached: Vec<Detached> = detached
        .into_iter()
        .map(|(name, text)| Detached { name, text })
        .collect();
    let rebuilt = py
        .detach(|| core::rebuild(resource_type, &fields, &detached, partial))
        .map_err(to_py)?;
    Ok((rebuilt.text, rebuilt.unopened))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_resource, module)?)?;
    module.add_function(wrap_pyfunction!(read_resources, module)?)?;
    module.add_function(wrap_pyfunction!(rebuild, module)?)
}
