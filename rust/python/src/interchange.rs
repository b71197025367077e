//! What snarkjs takes and gives, for ceremonies and for tests beside it.

use crate::error::to_py;
use crate::keys::fixed;
use chartseal_algebra::babyjub::SecretScalar;
use chartseal_circuits::Circuit;
use chartseal_circuits::groth16::{key, verification_key};
use chartseal_circuits::interchange::{r1cs, wtns, zkey};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

#[pyfunction]
fn circuit_r1cs<'py>(py: Python<'py>, circuit: &str) -> PyResult<Bound<'py, PyBytes>> {
    let circuit = Circuit::from_name(circuit).map_err(to_py)?;
    let file = py.detach(|| r1cs::write(circuit.shape()));
    Ok(PyBytes::new(py, &file))
}

/// A proving key's file, and the verification key.
type PyKeys<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pyfunction]
fn import_zkey<'py>(py: Python<'py>, circuit: &str, zkey: &[u8]) -> PyResult<PyKeys<'py>> {
    let circuit = Circuit::from_name(circuit).map_err(to_py)?;
    let read = || {
        let key = zkey::read(circuit.shape(), zkey)?;
        let file = key::write(circuit.name(), circuit.shape(), &key);
        Ok((file, verification_key::write(&key.vk)))
    };
    let (proving, verification) = py.detach(read).map_err(to_py)?;
    Ok((PyBytes::new(py, &proving), PyBytes::new(py, &verification)))
}

#[pyfunction]
fn export_zkey<'py>(py: Python<'py>, circuit: &str, proving_key: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let circuit = Circuit::from_name(circuit).map_err(to_py)?;
    let write = || {
        zkey::write(
            circuit.shape(),
            &key::read(circuit.name(), circuit.shape(), proving_key)?,
        )
    };
    let file = py.detach(write).map_err(to_py)?;
    Ok(PyBytes::new(py, &file))
}

#[pyfunction]
#[pyo3(signature = (circuit, inputs, secret=None))]
fn witness_in_clear<'py>(
    py: Python<'py>,
    circuit: &str,
    inputs: &[u8],
    secret: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let circuit = Circuit::from_name(circuit).map_err(to_py)?;
    let secret = secret.map(|bytes| fixed("a spend secret", bytes).map(Zeroizing::new));
    let secret = secret.transpose()?.map(|bytes| SecretScalar::from_le_bytes(&bytes));
    let secret = secret.transpose().map_err(to_py)?;
    let write = || Ok(Zeroizing::new(wtns::write(&circuit.assign(inputs, secret.as_ref())?)));
    let file = py.detach(write).map_err(to_py)?;
    Ok(PyBytes::new(py, &file))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(circuit_r1cs, module)?)?;
    module.add_function(wrap_pyfunction!(export_zkey, module)?)?;
    module.add_function(wrap_pyfunction!(import_zkey, module)?)?;
    module.add_function(wrap_pyfunction!(witness_in_clear, module)?)?;
    Ok(())
}
