//! Fields, slots and claims as Python sees them.

use crate::error::to_py;
use chartseal_core::error::{Error, Kind};
use chartseal_core::field::{Field, Value};
use chartseal_core::hash::SeedSalts;
use chartseal_core::{claims, control, slots};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};
use std::collections::HashMap;

/// A field in Python: (name, ABI type, value); the value is str, bool, int or 32 bytes.
pub type PyField<'py> = (String, String, Bound<'py, PyAny>);

/// # Errors
/// `FieldEncodingError` where a value does not fit its ABI type.
pub fn from_py((name, abi_type, value): PyField<'_>) -> PyResult<Field> {
    let wrong = |_: PyErr| {
        to_py(Error::new(
            Kind::Encoding,
            "value_unfit",
            &name,
            format!("not a value of {abi_type}"),
        ))
    };
    let is_bool = value.is_instance_of::<PyBool>();
    let value = match abi_type.as_str() {
        "string" => value.extract().map(Value::String),
        "bool" => value.extract().map(Value::Bool),
        "int256" if !is_bool => value.extract().map(Value::Int),
        "uint256" if !is_bool => value.extract().map(Value::Uint),
        "bytes32" => value.extract().map(Value::Bytes32),
        _ => Err(PyTypeError::new_err("")),
    };
    Ok(Field {
        value: value.map_err(wrong)?,
        name,
    })
}

pub fn to_python<'py>(py: Python<'py>, field: Field) -> PyResult<PyField<'py>> {
    let abi_type = field.value.abi_type().to_owned();
    let value = match field.value {
        Value::String(text) => text.into_pyobject(py)?.into_any(),
        Value::Bool(flag) => flag.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Uint(number) => number.into_pyobject(py)?.into_any(),
        Value::Bytes32(word) => PyBytes::new(py, &word).into_any(),
    };
    Ok((field.name, abi_type, value))
}

pub fn all_from_py(fields: Vec<PyField<'_>>) -> PyResult<Vec<Field>> {
    fields.into_iter().map(from_py).collect()
}

#[pyfunction]
fn compute_slots<'py>(py: Python<'py>, resource_type: &str, fields: Vec<PyField<'py>>) -> PyResult<Vec<PyField<'py>>> {
    let fields = all_from_py(fields)?;
    let slots = py.detach(|| slots::compute(resource_type, &fields)).map_err(to_py)?;
    slots.into_iter().map(|field| to_python(py, field)).collect()
}

#[pyfunction]
fn close_over(
    py: Python<'_>,
    resource_type: &str,
    fields: Vec<PyField<'_>>,
    chosen: Vec<String>,
) -> PyResult<Vec<(String, String)>> {
    let fields = all_from_py(fields)?;
    let opened = py
        .detach(|| slots::closure(resource_type, &fields, &chosen))
        .map_err(to_py)?;
    Ok(opened.into_iter().map(|field| (field.name, field.reason)).collect())
}

/// One slot: name, whether it travels, fields in the record, fields shown, state.
type PySlot = (&'static str, bool, u32, u32, &'static str);

#[pyfunction]
fn recount_slots(
    py: Python<'_>,
    resource_type: &str,
    opened: Vec<PyField<'_>>,
) -> PyResult<Vec<(String, Vec<PySlot>)>> {
    let opened = all_from_py(opened)?;
    let report = py.detach(|| slots::check(resource_type, &opened)).map_err(to_py)?;
    let slot = |slot: slots::SlotReport| (slot.name, slot.travel, slot.fields, slot.shown, state(slot.state));
    let containers = report.containers.into_iter();
    Ok(containers
        .map(|shown| (shown.path, shown.slots.into_iter().map(slot).collect()))
        .collect())
}

fn state(state: slots::State) -> &'static str {
    match state {
        slots::State::Absent => "absent",
        slots::State::Withheld => "withheld",
        slots::State::Partly => "partly",
        slots::State::Shown => "shown",
    }
}

/// One claim: path, sense, qualifier system and code, kind, unit, scale, key, value.
pub type PyClaim = (
    String,
    String,
    String,
    String,
    &'static str,
    String,
    u8,
    [u8; 32],
    [u8; 32],
);

pub fn lifted(fields: &[Field], holder: &[u8; 32]) -> chartseal_core::error::Result<claims::Lifted> {
    let holder = claims::from_bytes(holder)?;
    let text = |name: &str| {
        fields
            .iter()
            .find(|field| field.name == name)
            .and_then(|field| match &field.value {
                Value::String(text) => Some(text.as_str()),
                _ => None,
            })
    };
    let control = ["chartseal.resourceType", "chartseal.about", "chartseal.format"].map(text);
    let [Some(resource_type), Some(about), Some(format)] = control else {
        return Err(Error::new(
            Kind::Record,
            "control_missing",
            "chartseal.about",
            "claims need the control fields",
        ));
    };
    Ok(claims::lift(
        resource_type,
        about,
        fields,
        holder,
        format == control::TEST_FORMAT,
    ))
}

pub fn claim_to_python(claim: claims::Claim) -> PyClaim {
    let (key, value) = (claims::to_bytes(&claim.key), claims::to_bytes(&claim.value));
    let qualifier = (claim.qualifier_system, claim.qualifier_code);
    (
        claim.path,
        claim.sense,
        qualifier.0,
        qualifier.1,
        claim.kind,
        claim.unit,
        claim.scale,
        key,
        value,
    )
}

#[pyfunction]
fn lift_claims(py: Python<'_>, fields: Vec<PyField<'_>>, holder: [u8; 32]) -> PyResult<(Vec<PyClaim>, Vec<String>)> {
    let fields = all_from_py(fields)?;
    let lifted = py.detach(|| lifted(&fields, &holder)).map_err(to_py)?;
    Ok((lifted.claims.into_iter().map(claim_to_python).collect(), lifted.dropped))
}

#[pyfunction]
fn claims_root(py: Python<'_>, fields: Vec<PyField<'_>>, holder: [u8; 32], seed: [u8; 32]) -> PyResult<[u8; 32]> {
    let fields = all_from_py(fields)?;
    let root = py.detach(|| Ok(claims::root(&lifted(&fields, &holder)?.claims, &SeedSalts::new(&seed))));
    root.map_err(to_py)
}

/// (reference, resource type, absolute URL or nothing) of what a Bundle's references resolve to.
type PyTarget = (String, String, String);

fn resolver(targets: Vec<PyTarget>) -> impl Fn(&str) -> Option<control::Target> {
    let known: HashMap<String, control::Target> = targets
        .into_iter()
        .map(|(reference, resource_type, url)| (reference, control::Target { resource_type, url }))
        .collect();
    move |reference| known.get(reference).cloned()
}

#[pyfunction]
fn record_about(resource_type: &str, fields: Vec<PyField<'_>>, targets: Vec<PyTarget>) -> PyResult<&'static str> {
    Ok(control::about(resource_type, &all_from_py(fields)?, &resolver(targets)))
}

#[pyfunction]
fn patient_url(
    resource_type: &str,
    fields: Vec<PyField<'_>>,
    full_url: &str,
    base: &str,
    targets: Vec<PyTarget>,
) -> PyResult<Option<String>> {
    Ok(control::patient_url(
        resource_type,
        &all_from_py(fields)?,
        full_url,
        base,
        &resolver(targets),
    ))
}

#[pyfunction]
fn person_mark(secret: [u8; 32], patient_url: &str) -> [u8; 32] {
    control::person(&secret, patient_url)
}

#[pyfunction]
#[pyo3(signature = (resource_type, fields, *, about, subject, claims, full_url, person, amends, test))]
#[allow(clippy::too_many_arguments)] // one keyword for each control field that is not derived
fn compute_control<'py>(
    py: Python<'py>,
    resource_type: &str,
    fields: Vec<PyField<'py>>,
    about: &str,
    subject: [u8; 32],
    claims: [u8; 32],
    full_url: &str,
    person: [u8; 32],
    amends: [u8; 32],
    test: bool,
) -> PyResult<Vec<PyField<'py>>> {
    let inputs = control::Inputs {
        resource_type,
        about,
        subject,
        claims,
        full_url,
        person,
        amends,
        entries: &[],
        test,
    };
    let control = control::compute(&inputs, &all_from_py(fields)?).map_err(to_py)?;
    control.into_iter().map(|field| to_python(py, field)).collect()
}

#[pyfunction]
#[pyo3(signature = (opened, *, allow_test))]
fn check_control(opened: Vec<PyField<'_>>, allow_test: bool) -> PyResult<String> {
    let opened = all_from_py(opened)?;
    control::check(&opened, allow_test).map(str::to_owned).map_err(to_py)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(compute_slots, module)?)?;
    module.add_function(wrap_pyfunction!(close_over, module)?)?;
    module.add_function(wrap_pyfunction!(recount_slots, module)?)?;
    module.add_function(wrap_pyfunction!(lift_claims, module)?)?;
    module.add_function(wrap_pyfunction!(claims_root, module)?)?;
    module.add_function(wrap_pyfunction!(record_about, module)?)?;
    module.add_function(wrap_pyfunction!(patient_url, module)?)?;
    module.add_function(wrap_pyfunction!(person_mark, module)?)?;
    module.add_function(wrap_pyfunction!(compute_control, module)?)?;
    module.add_function(wrap_pyfunction!(check_control, module)?)
}
