//! Bundles, outlines and references as Python sees them.

use crate::error::to_py;
use chartseal_core::error::{Error, Kind};
use chartseal_core::fhir::{bundle, entry, outline, references};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Resource type and Bundle type, as far as they are known.
type PyKind = (Option<String>, Option<String>);

#[pyclass]
struct BundleSplitter {
    splitter: Option<bundle::Splitter>,
}

impl BundleSplitter {
    fn splitter(&mut self) -> PyResult<&mut bundle::Splitter> {
        self.splitter.as_mut().ok_or_else(spent)
    }
}

fn spent() -> PyErr {
    to_py(Error::new(Kind::Fhir, "bundle_ended", "", "the Bundle has ended"))
}

#[pymethods]
impl BundleSplitter {
    #[new]
    fn new() -> Self {
        Self {
            splitter: Some(bundle::Splitter::new()),
        }
    }

    #[getter]
    fn kind(&mut self) -> PyResult<PyKind> {
        let (resource_type, bundle_type) = self.splitter()?.kind();
        Ok((resource_type.map(str::to_owned), bundle_type.map(str::to_owned)))
    }

    #[getter]
    fn is_kind_known(&mut self) -> PyResult<bool> {
        Ok(self.splitter()?.is_kind_known())
    }

    fn feed<'py>(&mut self, py: Python<'py>, chunk: &[u8]) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let splitter = self.splitter()?;
        let entries = py.detach(|| splitter.feed(chunk)).map_err(to_py)?;
        Ok(entries.iter().map(|entry| PyBytes::new(py, entry)).collect())
    }

    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<(PyKind, Bound<'py, PyBytes>)> {
        let splitter = self.splitter.take().ok_or_else(spent)?;
        let head = py.detach(|| splitter.finish()).map_err(to_py)?;
        Ok(((head.resource_type, head.bundle_type), PyBytes::new(py, &head.text)))
    }
}

#[pyfunction]
fn resource_kind(py: Python<'_>, text: &[u8]) -> PyResult<PyKind> {
    py.detach(|| bundle::kind(text)).map_err(to_py)
}

/// fullUrl, resource, request method, search mode, whether there is a response.
type PyEntry<'py> = (
    String,
    Option<Bound<'py, PyBytes>>,
    Option<String>,
    Option<String>,
    bool,
);

#[pyfunction]
fn bundle_entry<'py>(py: Python<'py>, text: &[u8]) -> PyResult<PyEntry<'py>> {
    let entry = py.detach(|| entry::read(text)).map_err(to_py)?;
    let resource = entry.resource.map(|resource| PyBytes::new(py, resource.as_bytes()));
    Ok((entry.full_url, resource, entry.method, entry.mode, entry.has_response))
}

#[pyfunction]
fn bundle_document<'py>(py: Python<'py>, head: &[u8], full_urls: Vec<String>) -> PyResult<Bound<'py, PyBytes>> {
    let text = entry::document(head, &full_urls).map_err(to_py)?;
    Ok(PyBytes::new(py, &text))
}

/// Resource type, id, subject, compartment references, all references.
type PyOutline = (String, Option<String>, Option<String>, Vec<String>, Vec<String>);

#[pyfunction]
#[pyo3(name = "outline")]
fn outline_(py: Python<'_>, text: &[u8]) -> PyResult<PyOutline> {
    let outline = py.detach(|| outline::outline(text)).map_err(to_py)?;
    Ok((
        outline.resource_type,
        outline.id,
        outline.subject,
        outline.compartment,
        outline.references,
    ))
}

#[pyclass]
pub struct References {
    pub(crate) index: references::Index,
}

#[pymethods]
impl References {
    #[new]
    fn new() -> Self {
        Self {
            index: references::Index::new(),
        }
    }

    #[pyo3(signature = (full_url, resource_type, id = None))]
    fn add(&mut self, full_url: &str, resource_type: &str, id: Option<&str>) {
        self.index.add(full_url, resource_type, id);
    }

    fn resolve(&self, reference: &str, from_url: &str, base: &str) -> Option<(String, String)> {
        let target = self.index.resolve(reference, from_url, base)?;
        Some((target.resource_type, target.url))
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BundleSplitter>()?;
    module.add_class::<References>()?;
    module.add_function(wrap_pyfunction!(resource_kind, module)?)?;
    module.add_function(wrap_pyfunction!(bundle_entry, module)?)?;
    module.add_function(wrap_pyfunction!(bundle_document, module)?)?;
    module.add_function(wrap_pyfunction!(outline_, module)?)
}
