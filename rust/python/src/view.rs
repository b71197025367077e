//! View keys for Python: what finds and reads the records of one address.

use crate::error::to_py;
use crate::keys::{self, fixed};
use chartseal_core::view;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

/// The view secret of one address; it stays in here.
#[pyclass(frozen, module = "chartseal._core")]
pub(crate) struct ViewKey(pub view::ViewKey);

#[pymethods]
impl ViewKey {
    #[new]
    fn new(secret: &[u8], address: &[u8]) -> PyResult<Self> {
        let secret = Zeroizing::new(fixed::<32>("a view secret", secret)?);
        view::ViewKey::new(&secret, keys::address(address)?)
            .map(Self)
            .map_err(to_py)
    }

    fn receive(&self, enc: &[u8]) -> PyResult<([u8; 32], [u8; 2], [u8; 32])> {
        let enc = fixed("an encapsulated key", enc)?;
        let received = self.0.receive(&enc).map_err(to_py)?;
        Ok((received.subject, received.tag, received.locator))
    }

    fn open<'py>(&self, py: Python<'py>, enc: &[u8], ciphertext: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let enc = fixed("an encapsulated key", enc)?;
        let open = || self.0.receive(&enc)?.open(ciphertext).map(Zeroizing::new);
        Ok(PyBytes::new(py, &py.detach(open).map_err(to_py)?))
    }

    pub(crate) fn scan(&self, py: Python<'_>, announcements: &[u8]) -> PyResult<Vec<usize>> {
        py.detach(|| self.0.scan(announcements)).map_err(to_py)
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ViewKey>()
}
