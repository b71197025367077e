//! Records at rest for Python: encrypted, opened, wrapped anew and delivered again by the batch, over all cores.

use crate::error::to_py;
use crate::keys::fixed;
use chartseal_core::error::Result;
use chartseal_core::suite::{Decapsulator, Encapsulator};
use chartseal_core::wallet::SealingAddress;
use chartseal_core::{delivery, facts, suite, vault};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Records are kept beside the sealing of others, which fills the common pool: there they would wait for its end.
static POOL: LazyLock<ThreadPool> = LazyLock::new(|| ThreadPoolBuilder::new().build().expect("threads can be started"));

/// Work over all cores, outside the interpreter lock.
fn beside<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| POOL.install(work))
}

fn secret(bytes: &[u8]) -> PyResult<Zeroizing<[u8; 32]>> {
    fixed("a secret", bytes).map(Zeroizing::new)
}

/// (address, announcement, attester, uid, time, seal, texts).
type PyFacts<'py> = (
    String,
    Option<Bound<'py, PyBytes>>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    u64,
    String,
    Vec<(String, String)>,
);

#[pyfunction]
fn record_facts<'py>(py: Python<'py>, lines: Vec<PyBackedBytes>, wanted: HashSet<String>) -> Vec<Option<PyFacts<'py>>> {
    let read: Vec<_> = beside(py, || lines.par_iter().map(|line| facts::read(line, &wanted)).collect());
    let one = |found: facts::Facts| {
        let announcement = found.announcement.map(|bytes| PyBytes::new(py, &bytes));
        let (attester, uid) = (PyBytes::new(py, &found.attester), PyBytes::new(py, &found.uid));
        (
            found.address,
            announcement,
            attester,
            uid,
            found.time,
            found.seal,
            found.texts,
        )
    };
    read.into_iter().map(|found| found.map(one)).collect()
}

#[pyfunction]
fn index_terms<'py>(py: Python<'py>, key: &[u8], words: Vec<PyBackedBytes>) -> Vec<Bound<'py, PyBytes>> {
    let key = facts::IndexKey::new(key);
    let terms: Vec<_> = beside(py, || words.par_iter().map(|word| key.term(word)).collect());
    terms.iter().map(|term| PyBytes::new(py, term)).collect()
}

/// Bytes of each item, or its error.
fn each<'py, T: AsRef<[u8]>>(py: Python<'py>, found: Vec<Result<T>>) -> Vec<Bound<'py, PyAny>> {
    let one = |found: Result<T>| match found {
        Ok(bytes) => PyBytes::new(py, bytes.as_ref()).into_any(),
        Err(error) => to_py(error).into_value(py).into_bound(py).into_any(),
    };
    found.into_iter().map(one).collect()
}

#[pyfunction]
fn encrypt_records<'py>(
    py: Python<'py>,
    payloads: Vec<PyBackedBytes>,
    associated: Vec<PyBackedBytes>,
    infos: Vec<PyBackedBytes>,
    reader: &[u8],
) -> PyResult<Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
    if payloads.len() != associated.len() || payloads.len() != infos.len() {
        return Err(PyValueError::new_err("associated data and an info for each record"));
    }
    let reader = Encapsulator::new(fixed("a public key", reader)?);
    let encrypt = |at: usize| vault::encrypt(&payloads[at], &associated[at], &infos[at], &reader);
    let encrypted: Result<Vec<_>> = beside(py, || (0..payloads.len()).into_par_iter().map(encrypt).collect());
    Ok(encrypted
        .map_err(to_py)?
        .iter()
        .map(|(ciphertext, wrapped)| (PyBytes::new(py, ciphertext), PyBytes::new(py, wrapped)))
        .collect())
}

/// (wrapped, info, ciphertext, associated).
type PyEncrypted = (PyBackedBytes, PyBackedBytes, PyBackedBytes, PyBackedBytes);

#[pyfunction]
fn decrypt_records<'py>(py: Python<'py>, secret: &[u8], items: Vec<PyEncrypted>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let secret = Decapsulator::new(&*self::secret(secret)?);
    let decrypt = |(wrapped, info, ciphertext, associated): &PyEncrypted| {
        vault::decrypt(&secret, wrapped, info, ciphertext, associated).map(Plain)
    };
    Ok(each(py, beside(py, || items.par_iter().map(decrypt).collect())))
}

/// A record in the clear, erased when Python has its copy.
struct Plain(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Plain {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// (wrapped, old info, new info).
type PyWrapped = (PyBackedBytes, PyBackedBytes, PyBackedBytes);

#[pyfunction]
fn rewrap_keys<'py>(
    py: Python<'py>,
    secret: &[u8],
    reader: &[u8],
    items: Vec<PyWrapped>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let secret = Decapsulator::new(&*self::secret(secret)?);
    let reader = Encapsulator::new(fixed("a public key", reader)?);
    let rewrap = |(wrapped, info, new_info): &PyWrapped| vault::rewrap(&secret, wrapped, info, &reader, new_info);
    Ok(each(py, beside(py, || items.par_iter().map(rewrap).collect())))
}

#[pyfunction]
fn reader_public(secret: &[u8]) -> PyResult<[u8; 32]> {
    Ok(suite::public(&*self::secret(secret)?))
}

/// Sealing address, keying material, and the record.
struct Order {
    address: [u8; 64],
    ikm: Zeroizing<[u8; 32]>,
    record: PyBackedBytes,
}

/// Each address once: reading one costs as much as a delivery.
fn addresses(orders: &[Order]) -> Result<HashMap<[u8; 64], SealingAddress>> {
    let mut found = HashMap::new();
    for order in orders {
        if let Entry::Vacant(place) = found.entry(order.address) {
            place.insert(SealingAddress::from_bytes(&order.address)?);
        }
    }
    Ok(found)
}

fn deliver(orders: &[Order]) -> Result<Vec<([u8; 32], Vec<u8>)>> {
    let addresses = addresses(orders)?;
    let one = |order: &Order| {
        let delivery = delivery::deliver_with(&addresses[&order.address], &order.ikm)?;
        Ok((delivery.locator, delivery.seal(&order.record)?))
    };
    orders.par_iter().map(one).collect()
}

#[pyfunction]
fn seal_deliveries<'py>(
    py: Python<'py>,
    items: Vec<(PyBackedBytes, PyBackedBytes, PyBackedBytes)>,
) -> PyResult<Vec<([u8; 32], Bound<'py, PyBytes>)>> {
    let order = |(address, ikm, record): (PyBackedBytes, PyBackedBytes, PyBackedBytes)| {
        Ok(Order {
            address: fixed("a sealing address", &address)?,
            ikm: Zeroizing::new(fixed("keying material", &ikm)?),
            record,
        })
    };
    let orders: Vec<Order> = items.into_iter().map(order).collect::<PyResult<_>>()?;
    let sealed = beside(py, || deliver(&orders)).map_err(to_py)?;
    Ok(sealed
        .into_iter()
        .map(|(locator, ciphertext)| (locator, PyBytes::new(py, &ciphertext)))
        .collect())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(record_facts, module)?)?;
    module.add_function(wrap_pyfunction!(index_terms, module)?)?;
    module.add_function(wrap_pyfunction!(encrypt_records, module)?)?;
    module.add_function(wrap_pyfunction!(decrypt_records, module)?)?;
    module.add_function(wrap_pyfunction!(rewrap_keys, module)?)?;
    module.add_function(wrap_pyfunction!(reader_public, module)?)?;
    module.add_function(wrap_pyfunction!(seal_deliveries, module)?)
}
