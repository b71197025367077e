//! Holder keys for Python. Secrets stay inside `Wallet`, but for the view secrets, which a scanner is given.

use chartseal_core::babyjub::{Point, SecretScalar, field_from_be_bytes, field_to_be_bytes};
use chartseal_core::eddsa::Signer;
use chartseal_core::error::{Error, Kind};
use chartseal_core::poseidon::{self, Fr};
use chartseal_core::wallet::{self, SealingAddress};
use chartseal_core::{delivery, eddsa, messages, view};
use pyo3::prelude::*;
use zeroize::Zeroizing;

use crate::error::to_py;
use crate::view::ViewKey;

fn refused(code: &'static str, detail: String) -> PyErr {
    to_py(Error::new(Kind::Key, code, "", detail))
}

/// A Python caller's bytes, of the one length that `what` has.
pub fn fixed<const N: usize>(what: &str, bytes: &[u8]) -> PyResult<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| refused("wrong_length", format!("{what} has {N} bytes, not {}", bytes.len())))
}

fn element(what: &str, bytes: &[u8]) -> PyResult<Fr> {
    field_from_be_bytes(&fixed(what, bytes)?).map_err(to_py)
}

fn point(what: &str, bytes: &[u8]) -> PyResult<Point> {
    Point::unpack(&fixed(what, bytes)?).map_err(to_py)
}

pub(crate) fn address(bytes: &[u8]) -> PyResult<SealingAddress> {
    SealingAddress::from_bytes(&fixed("a sealing address", bytes)?).map_err(to_py)
}

#[pyfunction]
fn poseidon_hash(inputs: Vec<Vec<u8>>) -> PyResult<[u8; 32]> {
    if !(1..=poseidon::MAX_INPUTS).contains(&inputs.len()) {
        let detail = format!(
            "Poseidon takes 1 to {} inputs, not {}",
            poseidon::MAX_INPUTS,
            inputs.len()
        );
        return Err(refused("wrong_length", detail));
    }
    let inputs: Vec<Fr> = inputs
        .iter()
        .map(|input| element("a field element", input))
        .collect::<PyResult<_>>()?;
    Ok(field_to_be_bytes(&poseidon::hash(&inputs)))
}

/// The leaves of a tree that holds so many.
fn tree_leaves(leaves: &[Vec<u8>], depth: usize) -> PyResult<Vec<Fr>> {
    if depth > poseidon::MAX_DEPTH || leaves.len() > 1 << (2 * depth) {
        let detail = format!("a tree of depth {depth} does not hold {} leaves", leaves.len());
        return Err(refused("tree_overfull", detail));
    }
    leaves.iter().map(|leaf| element("a field element", leaf)).collect()
}

#[pyfunction]
fn poseidon_root(leaves: Vec<Vec<u8>>, depth: usize) -> PyResult<[u8; 32]> {
    let leaves = tree_leaves(&leaves, depth)?;
    Ok(field_to_be_bytes(&poseidon::tree_root(&leaves, depth)))
}

#[pyfunction]
fn poseidon_path(leaves: Vec<Vec<u8>>, depth: usize, index: usize) -> PyResult<Vec<[[u8; 32]; 3]>> {
    let leaves = tree_leaves(&leaves, depth)?;
    if index >= 1 << (2 * depth) {
        let detail = format!("a tree of depth {depth} has no leaf {index}");
        return Err(refused("tree_overfull", detail));
    }
    let path = poseidon::tree_path(&leaves, depth, index);
    Ok(path
        .iter()
        .map(|siblings| siblings.map(|node| field_to_be_bytes(&node)))
        .collect())
}

#[pyfunction]
fn check_point(packed: &[u8]) -> PyResult<([u8; 32], [u8; 32])> {
    let (x, y) = point("a packed point", packed)?.coordinates();
    Ok((field_to_be_bytes(&x), field_to_be_bytes(&y)))
}

#[pyfunction]
fn verify_holder_signature(public: &[u8], message: &[u8], signature: &[u8]) -> PyResult<()> {
    let public = point("a packed point", public)?;
    eddsa::verify(
        &public,
        element("a message", message)?,
        &fixed("a signature", signature)?,
    )
    .map_err(to_py)
}

#[pyfunction]
fn holder_message(digest: &[u8], subject: &[u8], audience: &str, nonce: &[u8], expiry: u64) -> PyResult<[u8; 32]> {
    let (digest, subject) = (fixed("a digest", digest)?, fixed("a subject", subject)?);
    let message = messages::holder_message(&digest, &subject, audience, &fixed("a nonce", nonce)?, expiry);
    Ok(field_to_be_bytes(&message))
}

/// (attester, uid, hash of the seal's signature, leaf hashes).
type PyDisclosed = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<Vec<u8>>);

fn words(what: &str, all: &[Vec<u8>]) -> PyResult<Vec<[u8; 32]>> {
    all.iter().map(|word| fixed(what, word)).collect()
}

#[pyfunction]
fn disclosure_digest(records: Vec<PyDisclosed>, proofs: Vec<(Vec<u8>, Vec<Vec<u8>>)>) -> PyResult<[u8; 32]> {
    let record = |(attester, uid, signature_hash, leaf_hashes): &PyDisclosed| {
        Ok(messages::DisclosedRecord {
            attester: fixed("an attester", attester)?,
            uid: fixed("a uid", uid)?,
            signature_hash: fixed("a signature hash", signature_hash)?,
            leaf_hashes: words("a leaf hash", leaf_hashes)?,
        })
    };
    let proof =
        |(key, inputs): &(Vec<u8>, Vec<Vec<u8>>)| Ok((fixed("a key hash", key)?, words("a public input", inputs)?));
    let records: PyResult<Vec<_>> = records.iter().map(record).collect();
    let proofs: PyResult<Vec<_>> = proofs.iter().map(proof).collect();
    Ok(messages::disclosure_digest(records?, proofs?))
}

#[pyfunction]
fn registration_message(challenge: &[u8], address: &[u8], origin: &str, expiry: u64) -> PyResult<[u8; 32]> {
    let (challenge, address) = (fixed("a challenge", challenge)?, self::address(address)?);
    Ok(field_to_be_bytes(&messages::registration_message(
        &challenge, &address, origin, expiry,
    )))
}

#[pyfunction]
fn parse_address(text: &str) -> PyResult<[u8; 64]> {
    Ok(SealingAddress::parse(text).map_err(to_py)?.to_bytes())
}

#[pyfunction]
fn format_address(address: &[u8]) -> PyResult<String> {
    Ok(self::address(address)?.to_string())
}

#[pyfunction]
fn holder_commitment(spend: &[u8]) -> PyResult<[u8; 32]> {
    Ok(field_to_be_bytes(&wallet::holder_commitment(&point(
        "a spend key",
        spend,
    )?)))
}

/// The sender's side of one record.
#[pyclass(module = "chartseal._core")]
struct Delivery {
    #[pyo3(get)]
    enc: [u8; 32],
    #[pyo3(get)]
    subject: [u8; 32],
    #[pyo3(get)]
    tag: [u8; 2],
    #[pyo3(get)]
    locator: [u8; 32],
    #[pyo3(get)]
    announcement: [u8; 34],
    inner: Option<delivery::Delivery>,
}

#[pymethods]
impl Delivery {
    #[new]
    #[pyo3(signature = (address, ikm=None))]
    fn new(address: &[u8], ikm: Option<&[u8]>) -> PyResult<Self> {
        let address = self::address(address)?;
        let inner = match ikm {
            None => delivery::deliver(&address),
            Some(ikm) => delivery::deliver_with(&address, &Zeroizing::new(fixed("keying material", ikm)?)),
        };
        let inner = inner.map_err(to_py)?;
        let (enc, subject, tag, locator) = (inner.enc, inner.subject, inner.tag, inner.locator);
        Ok(Self {
            enc,
            subject,
            tag,
            locator,
            announcement: inner.announcement(),
            inner: Some(inner),
        })
    }

    fn seal(&mut self, py: Python<'_>, record: &[u8]) -> PyResult<Vec<u8>> {
        let inner = self.inner.take();
        let inner = inner.ok_or_else(|| refused("delivery_spent", "a delivery encrypts one record, once".into()))?;
        py.detach(|| inner.seal(record)).map_err(to_py)
    }
}

/// A holder's keys; each method names the address (0 general, 1 confidential, …) and epoch of the view key that it uses.
#[pyclass(frozen, module = "chartseal._core")]
pub(crate) struct Wallet(wallet::Wallet);

impl Wallet {
    /// The spend secret, for a prover: it does not reach Python.
    pub(crate) fn spend(&self) -> &SecretScalar {
        self.0.spend()
    }

    fn receive_inner(&self, enc: &[u8], address: u32, epoch: u32) -> PyResult<delivery::Received> {
        let sealing_address = self.0.address(address, epoch).map_err(to_py)?;
        let view_secret = self.0.view_secret(address, epoch);
        delivery::receive(&view_secret, &sealing_address, &fixed("an encapsulated key", enc)?).map_err(to_py)
    }
}

#[pymethods]
impl Wallet {
    #[new]
    fn new(seed: &[u8]) -> PyResult<Self> {
        let seed = Zeroizing::new(fixed::<64>("a BIP-39 seed", seed)?);
        wallet::Wallet::from_seed(&seed).map(Self).map_err(to_py)
    }

    fn spend_public(&self) -> [u8; 32] {
        self.0.spend().public().pack()
    }

    #[pyo3(signature = (address=0, epoch=0))]
    fn address(&self, address: u32, epoch: u32) -> PyResult<[u8; 64]> {
        Ok(self.0.address(address, epoch).map_err(to_py)?.to_bytes())
    }

    #[pyo3(signature = (address=0, epoch=0))]
    fn view_secret(&self, address: u32, epoch: u32) -> [u8; 32] {
        *self.0.view_secret(address, epoch)
    }

    #[pyo3(signature = (address=0, epoch=0))]
    fn view_key(&self, address: u32, epoch: u32) -> PyResult<ViewKey> {
        let sealing_address = self.0.address(address, epoch).map_err(to_py)?;
        view::ViewKey::new(&self.0.view_secret(address, epoch), sealing_address)
            .map(ViewKey)
            .map_err(to_py)
    }

    #[pyo3(signature = (announcements, address=0, epoch=0))]
    fn scan(&self, py: Python<'_>, announcements: &[u8], address: u32, epoch: u32) -> PyResult<Vec<usize>> {
        self.view_key(address, epoch)?.scan(py, announcements)
    }

    #[pyo3(signature = (enc, address=0, epoch=0))]
    fn receive(&self, enc: &[u8], address: u32, epoch: u32) -> PyResult<([u8; 32], [u8; 2], [u8; 32])> {
        let received = self.receive_inner(enc, address, epoch)?;
        Ok((received.subject, received.tag, received.locator))
    }

    #[pyo3(signature = (enc, ciphertext, address=0, epoch=0))]
    fn open(&self, py: Python<'_>, enc: &[u8], ciphertext: &[u8], address: u32, epoch: u32) -> PyResult<Vec<u8>> {
        let received = self.receive_inner(enc, address, epoch)?;
        py.detach(|| received.open(ciphertext)).map_err(to_py)
    }

    fn sign(&self, message: &[u8]) -> PyResult<[u8; 64]> {
        eddsa::sign(self.0.spend(), element("a message", message)?).map_err(to_py)
    }

    #[pyo3(signature = (enc, subject, message, address=0, epoch=0))]
    fn sign_as(&self, enc: &[u8], subject: &[u8], message: &[u8], address: u32, epoch: u32) -> PyResult<[u8; 64]> {
        let received = self.receive_inner(enc, address, epoch)?;
        if received.subject != fixed::<32>("a subject", subject)? {
            return Err(refused(
                "subject_not_ours",
                "the subject is not one that this wallet recomputes".into(),
            ));
        }
        let secret = received.subject_secret(self.0.spend()).map_err(to_py)?;
        eddsa::sign(&secret, element("a message", message)?).map_err(to_py)
    }
}

/// A key over Baby Jubjub that signs what an issuer proves: it stays in here.
#[pyclass(frozen, module = "chartseal._core")]
pub struct ProvingKey(pub Signer);

#[pymethods]
impl ProvingKey {
    #[new]
    fn new(secret: &[u8]) -> PyResult<Self> {
        let secret = Zeroizing::new(fixed::<32>("a proving secret", secret)?);
        SecretScalar::from_le_bytes(&secret)
            .map(|secret| Self(Signer::new(secret)))
            .map_err(to_py)
    }

    #[staticmethod]
    fn generate_secret() -> PyResult<[u8; 32]> {
        SecretScalar::generate()
            .map(|secret| secret.to_le_bytes())
            .map_err(to_py)
    }

    fn public(&self) -> [u8; 32] {
        self.0.public().pack()
    }

    fn sign(&self, message: &[u8]) -> PyResult<[u8; 64]> {
        self.0.sign(element("a message", message)?).map_err(to_py)
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Delivery>()?;
    module.add_class::<ProvingKey>()?;
    module.add_class::<Wallet>()?;
    module.add_function(wrap_pyfunction!(check_point, module)?)?;
    module.add_function(wrap_pyfunction!(format_address, module)?)?;
    module.add_function(wrap_pyfunction!(holder_commitment, module)?)?;
    module.add_function(wrap_pyfunction!(holder_message, module)?)?;
    module.add_function(wrap_pyfunction!(parse_address, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon_hash, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon_path, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon_root, module)?)?;
    module.add_function(wrap_pyfunction!(disclosure_digest, module)?)?;
    module.add_function(wrap_pyfunction!(registration_message, module)?)?;
    module.add_function(wrap_pyfunction!(verify_holder_signature, module)?)?;
    Ok(())
}
