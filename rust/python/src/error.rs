//! The one place where the core's errors become Python's.

use chartseal_core::error::{Error, Kind};
use pyo3::{PyErr, import_exception};

import_exception!(chartseal.errors, CircuitKeyError);
import_exception!(chartseal.errors, FhirError);
import_exception!(chartseal.errors, FieldEncodingError);
import_exception!(chartseal.errors, KeyFormatError);
import_exception!(chartseal.errors, LimitError);
import_exception!(chartseal.errors, ProofError);
import_exception!(chartseal.errors, ProvingError);
import_exception!(chartseal.errors, RecordError);
import_exception!(chartseal.errors, SignatureError);

/// Every exception takes (detail, code, path), as `chartseal.errors.CoreError` does.
pub fn to_py(error: Error) -> PyErr {
    let arguments = (error.detail, error.code, error.path);
    match error.kind {
        Kind::Fhir => FhirError::new_err(arguments),
        Kind::Limit => LimitError::new_err(arguments),
        Kind::Record => RecordError::new_err(arguments),
        Kind::Encoding => FieldEncodingError::new_err(arguments),
        Kind::Signature => SignatureError::new_err(arguments),
        Kind::Key => KeyFormatError::new_err(arguments),
        Kind::Proof => ProofError::new_err(arguments),
        Kind::Proving => ProvingError::new_err(arguments),
        Kind::CircuitKey => CircuitKeyError::new_err(arguments),
    }
}
