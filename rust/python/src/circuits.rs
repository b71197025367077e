//! Circuits for Python: development keys, provers and verifiers. A wallet's secret goes from `Wallet` into the witness in here.

use chartseal_circuits::circuit::Circuit;
use chartseal_circuits::groth16::batch::{self, Claimed};
use chartseal_circuits::groth16::verifier::write_proof;
use chartseal_circuits::groth16::{Control, Prover, Verifier, key, setup, verification_key};
use chartseal_core::babyjub::field_to_be_bytes;
use chartseal_core::error::Result;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::to_py;
use crate::keys::Wallet;

fn circuit(name: &str) -> PyResult<Circuit> {
    Circuit::from_name(name).map_err(to_py)
}

#[pyfunction]
fn circuit_names() -> Vec<&'static str> {
    Circuit::ALL.map(Circuit::name).to_vec()
}

#[pyfunction]
#[pyo3(name = "circuit_publics")]
fn publics(circuit: &str) -> PyResult<Vec<&'static str>> {
    Ok(self::circuit(circuit)?.publics().to_vec())
}

#[pyfunction]
#[pyo3(name = "circuit_counts")]
fn counts(py: Python<'_>, circuit: &str) -> PyResult<(usize, usize, usize)> {
    let circuit = self::circuit(circuit)?;
    let shape = py.detach(|| circuit.shape());
    Ok((shape.constraints.len(), shape.wires, shape.publics))
}

#[pyfunction]
fn development_key<'py>(
    py: Python<'py>,
    circuit: &str,
    seed: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let circuit = self::circuit(circuit)?;
    let (file, public) = py.detach(|| {
        let made = setup::development_key(circuit.name(), circuit.shape(), seed);
        let file = key::write(circuit.name(), circuit.shape(), &made);
        (file, verification_key::write(&made.vk))
    });
    Ok((PyBytes::new(py, &file), PyBytes::new(py, &public)))
}

/// Stops a run from another thread.
#[pyclass(frozen, module = "chartseal._core")]
struct Cancellation(Arc<AtomicBool>);

#[pymethods]
impl Cancellation {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A Python callable that is told of stages, and what it raised.
struct Listener {
    callable: Py<PyAny>,
    raised: Mutex<Option<PyErr>>,
}

impl Listener {
    fn new(callable: Py<PyAny>) -> Self {
        Self {
            callable,
            raised: Mutex::new(None),
        }
    }

    /// False, which stops the run, once it raised.
    fn tell(&self, stage: &'static str) -> bool {
        let told = Python::attach(|py| self.callable.call1(py, (stage,)).map(drop));
        match told {
            Ok(()) => true,
            Err(error) => {
                self.raised().get_or_insert(error);
                false
            }
        }
    }

    fn raised(&self) -> std::sync::MutexGuard<'_, Option<PyErr>> {
        self.raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[pyclass(frozen, module = "chartseal._core")]
struct CircuitProver {
    circuit: Circuit,
    prover: Prover<'static>,
}

impl CircuitProver {
    fn prove_inner(
        &self,
        inputs: &[u8],
        wallet: Option<&Wallet>,
        control: &Control<'_>,
    ) -> Result<(Vec<u8>, Vec<[u8; 32]>)> {
        control.stage("witness")?;
        let assignment = self.circuit.assign(inputs, wallet.map(Wallet::spend))?;
        let proof = self.prover.prove(&assignment, control)?;
        let publics = assignment.publics().iter().map(field_to_be_bytes).collect();
        Ok((write_proof(&proof), publics))
    }
}

#[pymethods]
impl CircuitProver {
    #[new]
    fn new(py: Python<'_>, circuit: &str, key: &[u8]) -> PyResult<Self> {
        let circuit = self::circuit(circuit)?;
        let prover = py.detach(|| Prover::new(circuit.name(), circuit.shape(), key));
        Ok(Self {
            circuit,
            prover: prover.map_err(to_py)?,
        })
    }

    #[pyo3(signature = (inputs, wallet=None, progress=None, cancellation=None))]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        inputs: &[u8],
        wallet: Option<&Bound<'py, Wallet>>,
        progress: Option<Py<PyAny>>,
        cancellation: Option<&Bound<'py, Cancellation>>,
    ) -> PyResult<(Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>)> {
        let (wallet, cancellation) = (wallet.map(Bound::get), cancellation.map(Bound::get));
        let listener = progress.map(Listener::new);
        let made = py.detach(|| {
            let tell = |stage: &'static str| listener.as_ref().is_none_or(|listener| listener.tell(stage));
            let control = Control {
                cancelled: cancellation.map(|cancellation| &*cancellation.0),
                progress: Some(&tell),
            };
            self.prove_inner(inputs, wallet, &control)
        });
        if let Some(error) = listener.and_then(|listener| listener.raised().take()) {
            return Err(error);
        }
        let (proof, publics) = made.map_err(to_py)?;
        let publics = publics.iter().map(|input| PyBytes::new(py, input)).collect();
        Ok((PyBytes::new(py, &proof), publics))
    }
}

#[pyclass(frozen, module = "chartseal._core")]
struct CircuitVerifier(Verifier);

#[pymethods]
impl CircuitVerifier {
    #[new]
    fn new(py: Python<'_>, circuit: &str, key: &[u8]) -> PyResult<Self> {
        let circuit = self::circuit(circuit)?;
        let verifier = py.detach(|| Verifier::new(circuit.name(), circuit.publics().len(), key));
        verifier.map(Self).map_err(to_py)
    }

    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.hash())
    }

    #[getter]
    fn circuit(&self) -> &str {
        self.0.circuit()
    }

    fn verify(&self, py: Python<'_>, inputs: Vec<Vec<u8>>, proof: &[u8]) -> PyResult<()> {
        py.detach(|| self.0.verify(&inputs, proof)).map_err(to_py)
    }
}

/// (verifier, public inputs, proof).
type PyClaimed<'py> = (Bound<'py, CircuitVerifier>, Vec<Vec<u8>>, Vec<u8>);

#[pyfunction]
fn verify_proofs(py: Python<'_>, proofs: Vec<PyClaimed<'_>>) -> PyResult<()> {
    let claimed: Vec<Claimed<'_>> = proofs
        .iter()
        .map(|(verifier, inputs, proof)| Claimed {
            verifier: &verifier.get().0,
            inputs,
            proof,
        })
        .collect();
    py.detach(|| batch::verify(&claimed)).map_err(to_py)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Cancellation>()?;
    module.add_class::<CircuitProver>()?;
    module.add_class::<CircuitVerifier>()?;
    module.add_function(wrap_pyfunction!(circuit_names, module)?)?;
    module.add_function(wrap_pyfunction!(counts, module)?)?;
    module.add_function(wrap_pyfunction!(publics, module)?)?;
    module.add_function(wrap_pyfunction!(development_key, module)?)?;
    module.add_function(wrap_pyfunction!(verify_proofs, module)?)?;
    Ok(())
}
