//! Sealing for Python: orders go in by the batch, unsigned records come out, and signatures make lines of JSON of them.

use crate::attestation::fixed;
use crate::bundle::References;
use crate::error::to_py;
use crate::keys::ProvingKey;
use crate::record::{PyField, from_py, to_python};
use chartseal_core::credential::{self, ClaimId, Place};
use chartseal_core::fhir::references::Index;
use chartseal_core::fhir::{self, Rules, outline};
use chartseal_core::field::Field;
use chartseal_core::hash::SeedSalts;
use chartseal_core::seal::{self, Issuer, Order, Recipient};
use chartseal_core::sealed::{self, Envelope};
use chartseal_core::{claims, error};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use rayon::prelude::*;
use std::collections::HashMap;

/// What is the same in all seals of one issuer.
#[pyclass(frozen, module = "chartseal._core")]
struct SealIssuer {
    issuer: Issuer,
    envelope: Envelope,
}

#[pymethods]
impl SealIssuer {
    #[new]
    #[pyo3(signature = (*, separator, attester, person_secret, base, domain_json, types_json, signer))]
    fn new(
        separator: &[u8],
        attester: [u8; 20],
        person_secret: &[u8],
        base: String,
        domain_json: String,
        types_json: String,
        signer: String,
    ) -> PyResult<Self> {
        let raw = |text: String| {
            serde_json::value::RawValue::from_string(text).map_err(|_| PyValueError::new_err("a template is not JSON"))
        };
        Ok(Self {
            issuer: Issuer::new(fixed(separator)?, attester, fixed(person_secret)?, base),
            envelope: Envelope {
                domain: raw(domain_json)?,
                types: raw(types_json)?,
                signer,
            },
        })
    }
}

/// For whom records are sealed: an address read once.
#[pyclass(frozen, module = "chartseal._core")]
struct SealRecipient {
    recipient: Recipient,
    address: [u8; 64],
    text: String,
}

#[pymethods]
impl SealRecipient {
    #[new]
    fn new(address: &[u8]) -> PyResult<Self> {
        let address = fixed(address)?;
        let recipient = Recipient::new(&address).map_err(to_py)?;
        let text = recipient.address.to_string();
        Ok(Self {
            recipient,
            address,
            text,
        })
    }
}

/// A record that lacks nothing but its signature.
#[pyclass(frozen, module = "chartseal._core")]
struct UnsignedRecord {
    inner: seal::Unsigned,
    detached: Vec<(String, String)>,
    address: [u8; 64],
    address_text: String,
}

#[pymethods]
impl UnsignedRecord {
    #[getter]
    fn resource_type(&self) -> &str {
        &self.inner.resource_type
    }

    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.digest)
    }

    #[getter]
    fn uid<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.uid)
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.root)
    }

    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.address)
    }

    #[getter]
    fn ikm<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &*self.inner.ikm)
    }

    #[getter]
    fn takes_credential(&self) -> bool {
        self.inner.terms.is_some()
    }
}

#[pyfunction]
#[pyo3(signature = (resource_type, fields, recipient, issuer, *, detached, test, full_url, time, expiration, amends, entries, claim_id=None, seed=None, ikm=None))]
#[allow(clippy::too_many_arguments)] // one keyword for each part of the order
fn prepare_fields(
    py: Python<'_>,
    resource_type: &str,
    fields: Vec<PyField<'_>>,
    recipient: &SealRecipient,
    issuer: &SealIssuer,
    detached: Vec<(String, String)>,
    test: bool,
    full_url: &str,
    time: u64,
    expiration: u64,
    amends: [u8; 32],
    entries: Vec<[u8; 32]>,
    claim_id: Option<ClaimId>,
    seed: Option<[u8; 32]>,
    ikm: Option<[u8; 32]>,
) -> PyResult<UnsignedRecord> {
    let fields: Vec<Field> = fields.into_iter().map(from_py).collect::<PyResult<_>>()?;
    let order = Order {
        full_url,
        time,
        expiration,
        amends,
        claim_id,
        entries: &entries,
        seed,
        ikm,
    };
    let prepare = || {
        let nothing = |_: &str| None;
        seal::prepare(
            resource_type,
            fields,
            test,
            &order,
            &recipient.recipient,
            &issuer.issuer,
            &nothing,
        )
    };
    let inner = py.detach(prepare).map_err(to_py)?;
    Ok(UnsignedRecord {
        inner,
        detached,
        address: recipient.address,
        address_text: recipient.text.clone(),
    })
}

/// What the issuer's configuration lets through.
#[pyclass(frozen, module = "chartseal._core")]
struct ReadingRules(Rules);

#[pymethods]
impl ReadingRules {
    #[new]
    #[pyo3(signature = (*, test, modifier_extensions, implicit_rules))]
    fn new(test: bool, modifier_extensions: Vec<String>, implicit_rules: Vec<String>) -> Self {
        Self(Rules {
            test,
            modifier_extensions: modifier_extensions.into_iter().collect(),
            implicit_rules: implicit_rules.into_iter().collect(),
        })
    }
}

/// Resource type, id, subject, compartment references, all references.
type PyOutline = (String, Option<String>, Option<String>, Vec<String>, Vec<String>);

/// Outlines of many texts, over all cores; nothing where a text has none.
#[pyfunction]
fn outlines(py: Python<'_>, texts: Vec<PyBackedBytes>) -> Vec<Option<PyOutline>> {
    let outline = |text: &PyBackedBytes| {
        let found = outline::outline(text).ok()?;
        Some((
            found.resource_type,
            found.id,
            found.subject,
            found.compartment,
            found.references,
        ))
    };
    py.detach(|| texts.par_iter().map(outline).collect())
}

/// One resource for one recipient; `entries` are the roots of a document's entries.
#[pyclass(frozen, module = "chartseal._core")]
struct SealOrder {
    text: PyBackedBytes,
    recipient: Py<SealRecipient>,
    full_url: String,
    entries: Vec<[u8; 32]>,
}

#[pymethods]
impl SealOrder {
    #[new]
    fn new(text: PyBackedBytes, recipient: Py<SealRecipient>, full_url: String, entries: Vec<[u8; 32]>) -> Self {
        Self {
            text,
            recipient,
            full_url,
            entries,
        }
    }
}

/// What the orders of one batch share.
struct Shared<'a> {
    issuer: &'a SealIssuer,
    references: &'a Index,
    rules: &'a Rules,
    time: u64,
    expirations: HashMap<String, u64>,
}

impl Shared<'_> {
    fn prepare(&self, order: &SealOrder) -> error::Result<UnsignedRecord> {
        let resource = fhir::read(&order.text, self.rules)?;
        let recipient = order.recipient.get();
        let wanted = Order {
            full_url: &order.full_url,
            time: self.time,
            expiration: self.expirations.get(&resource.resource_type).copied().unwrap_or(0),
            amends: [0; 32],
            claim_id: None,
            entries: &order.entries,
            seed: None,
            ikm: None,
        };
        let issuer = &self.issuer.issuer;
        let resolve = |reference: &str| self.references.resolve(reference, &order.full_url, &issuer.base);
        let (kind, fields) = (&resource.resource_type, resource.fields);
        let inner = seal::prepare(
            kind,
            fields,
            resource.test,
            &wanted,
            &recipient.recipient,
            issuer,
            &resolve,
        )?;
        Ok(UnsignedRecord {
            inner,
            detached: resource.detached.into_iter().map(|one| (one.name, one.text)).collect(),
            address: recipient.address,
            address_text: recipient.text.clone(),
        })
    }
}

#[pyfunction]
#[pyo3(signature = (orders, issuer, references, rules, *, time, expirations))]
fn prepare_records<'py>(
    py: Python<'py>,
    orders: Vec<PyRef<'py, SealOrder>>,
    issuer: &SealIssuer,
    references: &References,
    rules: &ReadingRules,
    time: u64,
    expirations: HashMap<String, u64>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let orders: Vec<&SealOrder> = orders.iter().map(|order| &**order).collect();
    let shared = Shared {
        issuer,
        references: &references.index,
        rules: &rules.0,
        time,
        expirations,
    };
    let prepared: Vec<_> = py.detach(|| orders.par_iter().map(|order| shared.prepare(order)).collect());
    prepared
        .into_iter()
        .map(|one| match one {
            Ok(record) => Ok(Bound::new(py, record)?.into_any()),
            Err(error) => Ok(to_py(error).into_value(py).into_bound(py).into_any()),
        })
        .collect()
}

/// Lines of JSON of signed records, over all cores; those with a place get a credential by `proving`.
#[pyfunction]
#[pyo3(signature = (records, signatures, issuer, proving=None, places=Vec::new()))]
fn finish_records<'py>(
    py: Python<'py>,
    records: Vec<PyRef<'py, UnsignedRecord>>,
    signatures: Vec<[u8; 65]>,
    issuer: &SealIssuer,
    proving: Option<&ProvingKey>,
    places: Vec<Option<(u32, u32)>>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let expected = if proving.is_some() { records.len() } else { 0 };
    if records.len() != signatures.len() || places.len() != expected {
        return Err(PyValueError::new_err(
            "one signature for each record, and one place under a proving key",
        ));
    }
    let records: Vec<&UnsignedRecord> = records.iter().map(|record| &**record).collect();
    let line = |at: usize| -> error::Result<Vec<u8>> {
        let record = records[at];
        let place = places
            .get(at)
            .copied()
            .flatten()
            .map(|(list, index)| Place { list, index });
        let credential = match (proving, place, &record.inner.terms) {
            (Some(key), Some(place), Some(terms)) => {
                Some(credential::issue(&key.0, &issuer.issuer.attester, place, terms)?)
            }
            _ => None,
        };
        Ok(sealed::to_json(
            &record.inner,
            &record.address_text,
            &record.detached,
            &signatures[at],
            credential.as_ref(),
            &issuer.envelope,
        ))
    };
    let lines: error::Result<Vec<Vec<u8>>> = py.detach(|| (0..records.len()).into_par_iter().map(line).collect());
    Ok(lines
        .map_err(to_py)?
        .iter()
        .map(|line| PyBytes::new(py, line))
        .collect())
}

#[pyfunction]
#[pyo3(signature = (fields, seed, holder, *, salts_sound=true))]
fn check_record<'py>(
    py: Python<'py>,
    fields: Vec<PyField<'py>>,
    seed: [u8; 32],
    holder: [u8; 32],
    salts_sound: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let fields: Vec<Field> = fields.into_iter().map(from_py).collect::<PyResult<_>>()?;
    let check = || seal::check(&fields, &seed, claims::from_bytes(&holder)?, salts_sound);
    let root: error::Result<[u8; 32]> = py.detach(check);
    Ok(PyBytes::new(py, &root.map_err(to_py)?))
}

#[pyfunction]
fn pad_fields(py: Python<'_>, leaves: usize) -> PyResult<Vec<PyField<'_>>> {
    chartseal_core::control::pads(leaves)
        .map(|field| to_python(py, field))
        .collect()
}

#[pyfunction]
fn field_salts(seed: [u8; 32], names: Vec<String>) -> Vec<[u8; 32]> {
    let salts = SeedSalts::new(&seed);
    names.iter().map(|name| salts.field(name)).collect()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SealIssuer>()?;
    module.add_class::<SealRecipient>()?;
    module.add_class::<UnsignedRecord>()?;
    module.add_class::<ReadingRules>()?;
    module.add_class::<SealOrder>()?;
    module.add_function(wrap_pyfunction!(outlines, module)?)?;
    module.add_function(wrap_pyfunction!(prepare_records, module)?)?;
    module.add_function(wrap_pyfunction!(finish_records, module)?)?;
    module.add_function(wrap_pyfunction!(prepare_fields, module)?)?;
    module.add_function(wrap_pyfunction!(check_record, module)?)?;
    module.add_function(wrap_pyfunction!(pad_fields, module)?)?;
    module.add_function(wrap_pyfunction!(field_salts, module)?)
}
