//! EAS for Python: leaves, trees, digests and signatures. Rows cross in lists; long work runs without the GIL.

use chartseal_core::abi::{self, AbiType, AbiValue, Digest};
use chartseal_core::eip712::{self, Attestation, Domain, Form};
use chartseal_core::error::{Error, Kind};
use chartseal_core::secp::{self, Secret};
use chartseal_core::tree;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBool, PyBytes, PyInt, PyList, PyString};

use crate::error::to_py;

type Fixed32<'py> = Bound<'py, PyBytes>;

/// (schema, recipient, time, expiration, revocable, ref_uid, data, salt).
type Message = (
    PyBackedBytes,
    PyBackedBytes,
    u64,
    u64,
    bool,
    PyBackedBytes,
    PyBackedBytes,
    PyBackedBytes,
);

fn refused(detail: &str) -> PyErr {
    to_py(Error::new(Kind::Encoding, "field_encoding", "", detail))
}

pub(crate) fn fixed<const N: usize>(bytes: &[u8]) -> PyResult<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| refused(&format!("expected {N} bytes, not {}", bytes.len())))
}

fn digests(items: &[PyBackedBytes]) -> PyResult<Vec<Digest>> {
    items.iter().map(|item| fixed(item)).collect()
}

fn byte_lists<'py, const N: usize>(py: Python<'py>, items: &[[u8; N]]) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, items.iter().map(|item| PyBytes::new(py, item)))
}

#[pyfunction]
fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &abi::keccak256(&[data]))
}

enum Held {
    Text(PyBackedStr),
    Bytes(PyBackedBytes),
    Bool(bool),
    Integer { word: Digest, negative: bool },
}

impl Held {
    fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if value.is_exact_instance_of::<PyString>() {
            Ok(Self::Text(
                value.extract().map_err(|_| refused("a text is not Unicode"))?,
            ))
        } else if value.is_exact_instance_of::<PyBytes>() {
            Ok(Self::Bytes(value.extract()?))
        } else if value.is_exact_instance_of::<PyBool>() {
            Ok(Self::Bool(value.extract()?))
        } else if value.is_exact_instance_of::<PyInt>() {
            Self::integer(value)
        } else {
            Err(refused("a value is a str, bytes, bool or int"))
        }
    }

    fn integer(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let negative = value.lt(0)?;
        let options = pyo3::types::PyDict::new(value.py());
        options.set_item("signed", negative)?;
        let word = value
            .call_method("to_bytes", (32, "big"), Some(&options))
            .map_err(|_| refused("the value does not fit its ABI type"))?;
        Ok(Self::Integer {
            word: word.extract()?,
            negative,
        })
    }

    fn encode(&self, abi_type: &str) -> chartseal_core::error::Result<Vec<u8>> {
        let value = match self {
            Self::Text(text) => AbiValue::Text(text),
            Self::Bytes(bytes) => AbiValue::Bytes(bytes),
            Self::Bool(flag) => AbiValue::Bool(*flag),
            Self::Integer { word, negative } => AbiValue::Integer {
                word: *word,
                negative: *negative,
            },
        };
        match (AbiType::parse(abi_type), value) {
            (Some(kind), value) => kind.encode(&value),
            (None, AbiValue::Bytes(encoded)) => Ok(encoded.to_vec()),
            (None, _) => Err(Error::new(
                Kind::Encoding,
                "field_encoding",
                "",
                "this ABI type wants its encoded bytes",
            )),
        }
    }
}

struct Row {
    abi_type: PyBackedStr,
    name: PyBackedStr,
    value: Held,
    salt: Digest,
}

fn rows(given: &Bound<'_, PyList>) -> PyResult<Vec<Row>> {
    given
        .iter()
        .map(|row| {
            let (abi_type, name, value, salt): (_, Bound<'_, PyAny>, Bound<'_, PyAny>, PyBackedBytes) =
                row.extract()?;
            let name = name.extract().map_err(|_| refused("a name is not Unicode"))?;
            Ok(Row {
                abi_type,
                name,
                value: Held::of(&value)?,
                salt: fixed(&salt)?,
            })
        })
        .collect()
}

#[pyfunction]
fn encode_value<'py>(py: Python<'py>, abi_type: &str, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let encoded = Held::of(value)?.encode(abi_type).map_err(to_py)?;
    Ok(PyBytes::new(py, &encoded))
}

fn hash_rows(rows: &[Row]) -> chartseal_core::error::Result<Vec<Digest>> {
    rows.iter()
        .map(|row| {
            let encoded = row.value.encode(&row.abi_type).map_err(|error| Error {
                path: row.name.to_string(),
                ..error
            })?;
            Ok(abi::leaf_hash_encoded(&row.abi_type, &row.name, &encoded, &row.salt))
        })
        .collect()
}

#[pyfunction(name = "leaf_hashes")]
fn leaf_hashes<'py>(py: Python<'py>, values: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
    let rows = rows(values)?;
    byte_lists(py, &py.detach(|| hash_rows(&rows)).map_err(to_py)?)
}

/// A StandardMerkleTree over given leaf hashes.
#[pyclass(frozen, module = "chartseal._core")]
struct MerkleTree(tree::Tree);

#[pymethods]
impl MerkleTree {
    #[new]
    fn new(py: Python<'_>, leaves: Vec<PyBackedBytes>) -> PyResult<Self> {
        let leaves = digests(&leaves)?;
        py.detach(|| tree::Tree::new(&leaves)).map(Self).map_err(to_py)
    }

    #[staticmethod]
    fn of_values(py: Python<'_>, values: &Bound<'_, PyList>) -> PyResult<Self> {
        let rows = rows(values)?;
        py.detach(|| hash_rows(&rows).and_then(|leaves| tree::Tree::new(&leaves)))
            .map(Self)
            .map_err(to_py)
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Fixed32<'py> {
        PyBytes::new(py, &self.0.root())
    }

    #[getter]
    fn nodes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        byte_lists(py, self.0.nodes())
    }

    #[allow(clippy::type_complexity)]
    fn multiproof<'py>(
        &self,
        py: Python<'py>,
        indices: Vec<usize>,
    ) -> PyResult<(Vec<usize>, Bound<'py, PyList>, Vec<bool>)> {
        let proof = self.0.multiproof(&indices).map_err(to_py)?;
        Ok((proof.order, byte_lists(py, &proof.siblings)?, proof.flags))
    }
}

#[pyfunction]
fn implied_root<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyList>,
    siblings: Vec<PyBackedBytes>,
    flags: Vec<bool>,
) -> PyResult<Fixed32<'py>> {
    let (rows, siblings) = (rows(values)?, digests(&siblings)?);
    let root = py
        .detach(|| tree::implied_root(&hash_rows(&rows)?, &siblings, &flags))
        .map_err(to_py)?;
    Ok(PyBytes::new(py, &root))
}

#[pyfunction]
fn domain_separator<'py>(
    py: Python<'py>,
    name: String,
    version: String,
    chain_id: u64,
    contract: &[u8],
) -> PyResult<Fixed32<'py>> {
    let domain = Domain {
        name,
        version,
        chain_id,
        contract: fixed(contract)?,
    };
    Ok(PyBytes::new(py, &domain.separator()))
}

#[pyfunction]
fn typed_data_digest<'py>(
    py: Python<'py>,
    separator: &[u8],
    encode_type: &str,
    members: Vec<PyBackedBytes>,
) -> PyResult<Fixed32<'py>> {
    let hash = eip712::struct_hash(encode_type, &digests(&members)?);
    Ok(PyBytes::new(py, &eip712::digest(&fixed(separator)?, &hash)))
}

fn form(name: &str) -> PyResult<Form> {
    match name {
        "legacy" => Ok(Form::Legacy),
        "legacy-attest" => Ok(Form::LegacyAttest),
        "version1" => Ok(Form::Version1),
        "version2" => Ok(Form::Version2),
        _ => Err(refused("no such form of attestation")),
    }
}

fn attestation(message: Message) -> PyResult<Attestation> {
    let (schema, recipient, time, expiration, revocable, ref_uid, data, salt) = message;
    Ok(Attestation {
        schema: fixed(&schema)?,
        recipient: fixed(&recipient)?,
        time,
        expiration,
        revocable,
        ref_uid: fixed(&ref_uid)?,
        data: data.to_vec(),
        salt: fixed(&salt)?,
    })
}

#[pyfunction]
fn offchain_hashes<'py>(
    py: Python<'py>,
    separator: &[u8],
    form_name: &str,
    message: Message,
) -> PyResult<(Fixed32<'py>, Fixed32<'py>)> {
    let (form, attestation) = (form(form_name)?, attestation(message)?);
    let digest = eip712::digest(&fixed(separator)?, &attestation.struct_hash(form));
    Ok((PyBytes::new(py, &attestation.uid(form)), PyBytes::new(py, &digest)))
}

#[pyfunction]
fn offchain_sign_many<'py>(
    py: Python<'py>,
    separator: &[u8],
    form_name: &str,
    messages: Vec<Message>,
    key: &SigningKey,
) -> PyResult<Vec<(Fixed32<'py>, Bound<'py, PyBytes>)>> {
    let (separator, form) = (fixed(separator)?, form(form_name)?);
    let attestations: Vec<_> = messages.into_iter().map(attestation).collect::<PyResult<_>>()?;
    let signed = py.detach(|| eip712::sign_many(&separator, &attestations, form, &key.secret));
    Ok(signed
        .iter()
        .map(|one| (PyBytes::new(py, &one.uid), PyBytes::new(py, &one.signature)))
        .collect())
}

#[pyfunction]
fn offchain_recover<'py>(
    py: Python<'py>,
    separator: &[u8],
    form_name: &str,
    message: Message,
    uid: &[u8],
    signature: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (separator, form, attestation, uid) = (fixed(separator)?, form(form_name)?, attestation(message)?, fixed(uid)?);
    let signer = py
        .detach(|| eip712::recover(&separator, &attestation, form, &uid, signature))
        .map_err(to_py)?;
    Ok(PyBytes::new(py, &signer))
}

/// A secp256k1 key that signs and never shows itself.
#[pyclass(frozen, module = "chartseal._core")]
pub struct SigningKey {
    pub(crate) secret: Secret,
}

#[pymethods]
impl SigningKey {
    #[new]
    fn new(secret: &[u8]) -> PyResult<Self> {
        Ok(Self {
            secret: Secret::new(secret).map_err(to_py)?,
        })
    }

    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.secret.address())
    }

    fn sign_digest<'py>(&self, py: Python<'py>, digest: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.secret.sign(&fixed(digest)?)))
    }

    fn sign_digests<'py>(&self, py: Python<'py>, digests: Vec<PyBackedBytes>) -> PyResult<Bound<'py, PyList>> {
        let digests = self::digests(&digests)?;
        byte_lists(py, &py.detach(|| self.secret.sign_many(&digests)))
    }
}

#[pyfunction]
fn recover_address<'py>(py: Python<'py>, digest: &[u8], signature: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(
        py,
        &secp::recover(&fixed(digest)?, signature).map_err(to_py)?,
    ))
}

#[pyfunction]
fn recover_addresses(
    py: Python<'_>,
    pairs: Vec<(PyBackedBytes, PyBackedBytes)>,
) -> PyResult<Vec<Option<Bound<'_, PyBytes>>>> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(digest, signature)| Ok((fixed(digest)?, fixed(signature)?)))
        .collect::<PyResult<_>>()?;
    let signers = py.detach(|| secp::recover_many(&pairs));
    Ok(signers
        .into_iter()
        .map(|signer| signer.ok().map(|address| PyBytes::new(py, &address)))
        .collect())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MerkleTree>()?;
    module.add_class::<SigningKey>()?;
    module.add_function(wrap_pyfunction!(keccak256, module)?)?;
    module.add_function(wrap_pyfunction!(encode_value, module)?)?;
    module.add_function(wrap_pyfunction!(leaf_hashes, module)?)?;
    module.add_function(wrap_pyfunction!(implied_root, module)?)?;
    module.add_function(wrap_pyfunction!(domain_separator, module)?)?;
    module.add_function(wrap_pyfunction!(typed_data_digest, module)?)?;
    module.add_function(wrap_pyfunction!(offchain_hashes, module)?)?;
    module.add_function(wrap_pyfunction!(offchain_sign_many, module)?)?;
    module.add_function(wrap_pyfunction!(offchain_recover, module)?)?;
    module.add_function(wrap_pyfunction!(recover_address, module)?)?;
    module.add_function(wrap_pyfunction!(recover_addresses, module)?)
}
