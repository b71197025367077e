//! Control fields: what every record says of itself (formats 1).

use crate::error::{Error, Kind, Result};
use crate::field::{Field, Value};
use crate::hash::keccak256;
use crate::schema;
use crate::slots;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;

pub const FORMAT: &str = "chartseal/1";
/// Format of a record marked HTEST, sealed under `--test`.
pub const TEST_FORMAT: &str = "chartseal/1-test";
pub const FHIR_VERSION: &str = "4.0.1";
/// Control fields that every disclosure opens.
pub const ALWAYS: [&str; 7] = [
    "chartseal.format",
    "chartseal.fhirVersion",
    "chartseal.resourceType",
    "chartseal.about",
    "chartseal.labels",
    "chartseal.subject",
    "chartseal.claims",
];
/// Prefix of the names of pads.
pub const PAD: &str = "chartseal.pad[";
const NAMES: &str = "chartseal.names";
const ENTRY: &str = "chartseal.entry[";
const ABOUTS: [&str; 4] = ["relative", "patient+focus", "patient", "other"];
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
/// Leaves come in whole multiples of this.
const LEAVES: usize = 16;

/// What a reference resolves to, as whoever read its Bundle knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub resource_type: String,
    /// Absolute URL without `_history`; empty where there is none.
    pub url: String,
}

/// What a record's control fields are made of.
pub struct Inputs<'a> {
    pub resource_type: &'a str,
    /// [`about`]'s word.
    pub about: &'a str,
    /// One-time holder key, packed.
    pub subject: [u8; 32],
    /// Root of the record's claims.
    pub claims: [u8; 32],
    /// Bundle.entry.fullUrl, or base/type/id; empty if unknown.
    pub full_url: &'a str,
    /// [`person`]'s bytes, or zeros.
    pub person: [u8; 32],
    /// Uid of the seal that this one replaces, or zeros.
    pub amends: [u8; 32],
    /// Roots of the records of a document Bundle's entries, in their order; empty for every other record.
    pub entries: &'a [[u8; 32]],
    pub test: bool,
}

/// All control fields of a record with the resource fields `fields`, slots, names and pads included.
///
/// # Errors
/// Those of [`slots::compute`].
pub fn compute(inputs: &Inputs, fields: &[Field]) -> Result<Vec<Field>> {
    let text = |name: &str, value: &str| Field::new(format!("chartseal.{name}"), Value::String(value.to_owned()));
    let word = |name: &str, value: [u8; 32]| Field::new(format!("chartseal.{name}"), Value::Bytes32(value));
    let mut control = vec![
        text("format", if inputs.test { TEST_FORMAT } else { FORMAT }),
        text("fhirVersion", FHIR_VERSION),
        text("resourceType", inputs.resource_type),
        text("about", inputs.about),
        text("labels", &labels(inputs.resource_type, fields)),
        word("subject", inputs.subject),
        word("claims", inputs.claims),
    ];
    control.extend(slots::compute(inputs.resource_type, fields)?);
    control.push(text("fullUrl", inputs.full_url));
    control.push(word("person", inputs.person));
    control.push(word("amends", inputs.amends));
    control.extend(
        (0..)
            .zip(inputs.entries)
            .map(|(i, root)| word(&format!("entry[{i}]"), *root)),
    );
    let names = names(fields.iter().chain(&control).map(|field| field.name.as_str()));
    control.push(Field::new(NAMES, Value::Bytes32(names)));
    let leaves = fields.len() + control.len();
    control.extend(pads(leaves));
    Ok(control)
}

/// Zero fields that fill `leaves` up to a multiple of 16.
pub fn pads(leaves: usize) -> impl Iterator<Item = Field> {
    let missing = leaves.next_multiple_of(LEAVES) - leaves;
    (0..missing).map(|i| Field::new(format!("{PAD}{i}]"), Value::Bytes32([0; 32])))
}

/// keccak256 of all names but `chartseal.names` and pads, sorted, joined by newlines.
pub fn names<'a>(names: impl Iterator<Item = &'a str>) -> [u8; 32] {
    let mut names: Vec<&str> = names.filter(|name| *name != NAMES && !name.starts_with(PAD)).collect();
    names.sort_unstable();
    keccak256(names.join("\n").as_bytes())
}

fn text_of<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    fields.iter().find_map(|field| match &field.value {
        Value::String(text) if field.name.split('+').next() == Some(name) => Some(text.as_str()),
        _ => None,
    })
}

/// The record's Confidentiality codes, sorted, joined by commas.
pub fn labels(resource_type: &str, fields: &[Field]) -> String {
    let prefix = format!("{resource_type}.meta.security[");
    let systems = fields.iter().filter(|field| field.name.starts_with(&prefix));
    let confidential = systems.filter(|field| field.value == Value::String(CONFIDENTIALITY.to_owned()));
    let codes: BTreeSet<&str> = confidential
        .filter_map(|field| {
            let name = field
                .name
                .split('+')
                .next()
                .and_then(|name| name.strip_suffix(".system"))?;
            text_of(fields, &format!("{name}.code"))
        })
        .collect();
    codes.into_iter().collect::<Vec<_>>().join(",")
}

/// Whom the record is about. `resolve` knows what other references resolve to.
pub fn about(resource_type: &str, fields: &[Field], resolve: &dyn Fn(&str) -> Option<Target>) -> &'static str {
    let focus = format!("{resource_type}.focus[");
    match resource_type {
        "FamilyMemberHistory" | "RelatedPerson" => "relative",
        "Observation" if fields.iter().any(|field| field.name.starts_with(&focus)) => "patient+focus",
        "Patient" => "patient",
        _ if patient_reference(resource_type, fields, resolve).is_some() => "patient",
        _ => "other",
    }
}

/// The reference to the Patient that the record is about: its path and its text, which may be empty.
fn patient_reference(
    resource_type: &str,
    fields: &[Field],
    resolve: &dyn Fn(&str) -> Option<Target>,
) -> Option<String> {
    ["subject", "patient", "beneficiary"].iter().find_map(|element| {
        let path = only_entry(resource_type, element, fields)?;
        let reference = text_of(fields, &format!("{path}.reference")).unwrap_or_default();
        let typed = text_of(fields, &format!("{path}.type"));
        let says_patient = matches!(
            typed,
            Some("Patient" | "http://hl7.org/fhir/StructureDefinition/Patient")
        );
        let contained = contained_type(resource_type, fields, reference);
        let names_another = contained
            .or(named_type(reference))
            .is_some_and(|named| named != "Patient");
        let is_patient = patient_path(reference).is_some()
            || (says_patient && !names_another)
            || contained == Some("Patient")
            || resolve(reference).is_some_and(|target| target.resource_type == "Patient");
        is_patient.then(|| reference.to_owned())
    })
}

/// The path of the record's one Reference of that name.
fn only_entry(resource_type: &str, element: &str, fields: &[Field]) -> Option<String> {
    let list = schema::resource(resource_type)?.child(element)?.list;
    let path = format!("{resource_type}.{element}{}", if list { "[0]" } else { "" });
    let second = format!("{resource_type}.{element}[1]");
    let has = |path: &str| {
        fields
            .iter()
            .any(|f| f.name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    };
    (has(&path) && !has(&second)).then_some(path)
}

fn contained_type<'a>(resource_type: &str, fields: &'a [Field], reference: &str) -> Option<&'a str> {
    let id = reference.strip_prefix('#')?;
    let prefix = format!("{resource_type}.contained[");
    let mut ids = fields
        .iter()
        .filter(|field| field.name.starts_with(&prefix) && field.value == Value::String(id.to_owned()));
    let path = ids.find_map(|field| {
        field
            .name
            .split('+')
            .next()?
            .strip_suffix(".id")
            .filter(|path| path.ends_with(']'))
    })?;
    text_of(fields, &format!("{path}.resourceType"))
}

/// The resource type that a literal reference names, relative or by http.
fn named_type(reference: &str) -> Option<&str> {
    let whole = reference.split("/_history/").next()?;
    let (before, _) = whole.rsplit_once('/')?;
    let named = before.rsplit('/').next()?;
    schema::resource(named).map(|_| named)
}

/// `Patient/id` at the end of a relative or absolute literal reference, and what stands before it.
fn patient_path(reference: &str) -> Option<(&str, &str)> {
    let whole = reference.split("/_history/").next()?;
    let start = match whole.rfind("/Patient/") {
        Some(slash) if whole.starts_with("http://") || whole.starts_with("https://") => slash + 1,
        _ if whole.starts_with("Patient/") => 0,
        _ => return None,
    };
    let id = &whole[start + "Patient/".len()..];
    let valid = !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    valid.then_some((&whole[..start], &whole[start..]))
}

/// Absolute URL of the Patient that the record is or is about; None where there is none, or it is contained, conditional or
/// unresolved. `base` is the issuer's and ends with a slash.
pub fn patient_url(
    resource_type: &str,
    fields: &[Field],
    full_url: &str,
    base: &str,
    resolve: &dyn Fn(&str) -> Option<Target>,
) -> Option<String> {
    if resource_type == "Patient" {
        return match patient_path(full_url) {
            Some((before, _)) if !before.is_empty() => Some(without_history(full_url)),
            _ => Some(format!("{base}Patient/{}", text_of(fields, "Patient.id")?)),
        };
    }
    let reference = patient_reference(resource_type, fields, resolve)?;
    match resolve(&reference) {
        Some(target) => (target.resource_type == "Patient" && !target.url.is_empty()).then_some(target.url),
        None => match patient_path(&reference)? {
            ("", path) => Some(format!("{base}{path}")),
            _ => Some(without_history(&reference)),
        },
    }
}

fn without_history(url: &str) -> String {
    url.split("/_history/").next().unwrap_or(url).to_owned()
}

/// HMAC-SHA256 of the patient's URL under the issuer's secret: tells that records are one person's, to those who are shown.
pub fn person(secret: &[u8; 32], patient_url: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes any key");
    mac.update(patient_url.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Checks the opened control fields of one record and returns its resource type. Slots are [`slots::check`]'s.
///
/// # Errors
/// `control_missing`, `control_unknown`, `control_type`, `pad_opened`, `format_unknown`, `format_test`,
/// `fhir_version_unknown`, `resource_type_unknown`, `about_mismatch`, `claims_zero`.
pub fn check(opened: &[Field], allow_test: bool) -> Result<&str> {
    let wrong = |code, name: &str, detail: &str| Err(Error::new(Kind::Record, code, name, detail));
    for field in opened.iter().filter(|field| field.name.starts_with(slots::CONTROL)) {
        check_known(field)?;
    }
    let text = |name: &str| {
        let missing = || Error::new(Kind::Record, "control_missing", name, "must be opened");
        text_of(opened, name).ok_or_else(missing)
    };
    match text("chartseal.format")? {
        FORMAT => {}
        TEST_FORMAT if allow_test => {}
        TEST_FORMAT => return wrong("format_test", "chartseal.format", "a test record"),
        _ => {
            return wrong(
                "format_unknown",
                "chartseal.format",
                "not a format that this verifier reads",
            );
        }
    }
    if text("chartseal.fhirVersion")? != FHIR_VERSION {
        return wrong("fhir_version_unknown", "chartseal.fhirVersion", "not FHIR R4");
    }
    let resource_type = text("chartseal.resourceType")?;
    if schema::resource(resource_type).is_none() {
        return wrong(
            "resource_type_unknown",
            "chartseal.resourceType",
            "R4 has no such resource type",
        );
    }
    text("chartseal.labels")?;
    check_about(resource_type, text("chartseal.about")?, opened)?;
    for name in ["chartseal.subject", "chartseal.claims"] {
        match opened.iter().find(|field| field.name == name) {
            None => return wrong("control_missing", name, "must be opened"),
            Some(field) if field.value == Value::Bytes32([0; 32]) => return wrong("control_zero", name, "never zero"),
            Some(_) => {}
        }
    }
    Ok(resource_type)
}

fn check_known(field: &Field) -> Result<()> {
    let name = field.name.as_str();
    let wrong = |code, detail: &str| Err(Error::new(Kind::Record, code, name, detail));
    if name.starts_with(PAD) {
        return wrong("pad_opened", "pads never open");
    }
    let expected = match name.strip_prefix(slots::CONTROL).unwrap_or_default() {
        "format" | "fhirVersion" | "resourceType" | "about" | "labels" | "fullUrl" => "string",
        "subject" | "claims" | "person" | "amends" | "names" => "bytes32",
        _ if name.starts_with(slots::PREFIX) => "string",
        _ if is_entry(name) => "bytes32",
        _ => return wrong("control_unknown", "the format has no such control field"),
    };
    if field.value.abi_type() == expected {
        Ok(())
    } else {
        wrong("control_type", "has another type in the format")
    }
}

/// `chartseal.entry[i]` with an index as the format writes it: a line feed in a name could hide others in
/// `chartseal.names`.
fn is_entry(name: &str) -> bool {
    let index = name.strip_prefix(ENTRY).and_then(|rest| rest.strip_suffix(']'));
    index.and_then(slots::path::number).is_some()
}

/// `about` fits the type, and an Observation's `focus`.
fn check_about(resource_type: &str, about: &str, opened: &[Field]) -> Result<()> {
    let relative = matches!(resource_type, "FamilyMemberHistory" | "RelatedPerson");
    let slots = text_of(opened, "chartseal.slots.Observation").unwrap_or_default();
    let focus = slots
        .split(',')
        .find_map(|slot| slot.strip_prefix("focus="))
        .map(|count| count != "0");
    let fits = ABOUTS.contains(&about)
        && (about == "relative") == relative
        && (resource_type != "Patient" || about == "patient")
        && (about != "patient+focus" || resource_type == "Observation")
        && focus.is_none_or(|focus| resource_type != "Observation" || focus == (about == "patient+focus"));
    if fits {
        return Ok(());
    }
    Err(Error::new(
        Kind::Record,
        "about_mismatch",
        "chartseal.about",
        "contradicts the resource type or its focus",
    ))
}
