//! Claims opened for proving, and the message of a credential.

use crate::error::to_py;
use crate::record::{PyClaim, PyField, all_from_py, claim_to_python, lifted};
use chartseal_core::babyjub::field_to_be_bytes;
use chartseal_core::credential::{self, Place, Terms};
use chartseal_core::hash::SeedSalts;
use chartseal_core::{claims, error};
use pyo3::prelude::*;

/// A claim, its salt and its leaf.
type PyOpenClaim = (PyClaim, [u8; 32], [u8; 32]);

#[pyfunction]
fn open_claims(
    py: Python<'_>,
    fields: Vec<PyField<'_>>,
    holder: [u8; 32],
    seed: [u8; 32],
) -> PyResult<Vec<PyOpenClaim>> {
    let fields = all_from_py(fields)?;
    let open = || -> error::Result<Vec<PyOpenClaim>> {
        let salts = SeedSalts::new(&seed);
        let lifted = lifted(&fields, &holder)?.claims;
        let leaves = claims::leaves(&lifted, &salts);
        let rows = (0u16..).zip(lifted).zip(leaves);
        Ok(rows
            .map(|((index, claim), leaf)| {
                let salt = field_to_be_bytes(&salts.claim(index));
                (claim_to_python(claim), salt, field_to_be_bytes(&leaf))
            })
            .collect())
    };
    py.detach(open).map_err(to_py)
}

#[pyfunction]
#[pyo3(signature = (attester, *, list_number, index, claims_root, holder, claim_id, uses, sealed_at, expiry))]
#[allow(clippy::too_many_arguments)] // one keyword for each part of the message
fn credential_message(
    attester: [u8; 20],
    list_number: u32,
    index: u32,
    claims_root: [u8; 32],
    holder: [u8; 32],
    claim_id: [u8; 31],
    uses: u16,
    sealed_at: u64,
    expiry: u64,
) -> PyResult<[u8; 32]> {
    let holder = claims::from_bytes(&holder).map_err(to_py)?;
    let terms = Terms {
        claims_root,
        holder,
        claim_id,
        uses,
        sealed_at,
        expiry,
    };
    let place = Place {
        list: list_number,
        index,
    };
    let message = credential::message(&attester, place, &terms).map_err(to_py)?;
    Ok(field_to_be_bytes(&message))
}

#[pyfunction]
fn credential_uses(resource_type: &str, fields: Vec<PyField<'_>>) -> PyResult<u16> {
    Ok(credential::uses(resource_type, &all_from_py(fields)?))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(open_claims, module)?)?;
    module.add_function(wrap_pyfunction!(credential_message, module)?)?;
    module.add_function(wrap_pyfunction!(credential_uses, module)?)
}
