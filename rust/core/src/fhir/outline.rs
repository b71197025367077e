//! A fast look at one resource: what it is, whom it may be about, what it refers to. Nothing is checked but its JSON.

use super::json::{self, Json, Object, member};
use crate::error::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::LazyLock;

const COMPARTMENT: &str = include_str!("../../../../src/chartseal/fhir/r4_patient_compartment.tsv");
/// Elements that name whom a record is about.
const SUBJECTS: [&str; 3] = ["subject", "patient", "beneficiary"];

/// Paths below the resource, by resource type; those of the subject stand first.
static PATHS: LazyLock<HashMap<&str, Vec<Vec<&str>>>> = LazyLock::new(|| {
    let mut paths: HashMap<&str, Vec<Vec<&str>>> = HashMap::new();
    for (name, path) in COMPARTMENT.lines().skip(1).filter_map(|line| line.split_once('\t')) {
        paths.entry(name).or_default().push(path.split('.').skip(1).collect());
    }
    for paths in paths.values_mut() {
        paths.sort_by_key(|path| !(path.len() == 1 && SUBJECTS.contains(&path[0])));
    }
    paths
});

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    pub resource_type: String,
    pub id: Option<String>,
    /// Texts of the references that may place the resource in a patient's compartment; the subject's stand first.
    pub compartment: Vec<String>,
    /// The one reference of `subject`, `patient` or `beneficiary`.
    pub subject: Option<String>,
    /// Texts of all references but those to contained resources, each once, in their order.
    pub references: Vec<String>,
}

/// Reads the outline of a resource.
///
/// # Errors
/// Those of [`json::parse`]; `resource_type_missing` where it is no object that names its type.
pub fn outline(text: &[u8]) -> Result<Outline> {
    let missing = || {
        Error::new(
            Kind::Fhir,
            "resource_type_missing",
            "",
            "no object that names its resourceType",
        )
    };
    let Json::Object(resource) = json::parse(text)? else {
        return Err(missing());
    };
    let resource_type = string(&resource, "resourceType").ok_or_else(missing)?;
    let mut compartment = Vec::new();
    for path in PATHS.get(resource_type).into_iter().flatten() {
        follow(&resource, path, &mut compartment);
    }
    let mut references = Vec::new();
    collect(&resource, &mut references);
    Ok(Outline {
        id: string(&resource, "id").map(str::to_owned),
        subject: SUBJECTS.iter().find_map(|name| only_reference(&resource, name)),
        compartment: unique(compartment),
        references: unique(references),
        resource_type: resource_type.to_owned(),
    })
}

fn string<'j>(object: &'j Object, key: &str) -> Option<&'j str> {
    match member(object, key)? {
        Json::String(text) => Some(text),
        _ => None,
    }
}

/// The objects at a member, which may be a list.
fn objects<'j, 'a>(value: Option<&'j Json<'a>>) -> impl Iterator<Item = &'j Object<'a>> {
    let values = match value {
        Some(Json::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    values.iter().filter_map(|value| match value {
        Json::Object(object) => Some(object),
        _ => None,
    })
}

fn follow<'j>(object: &'j Object, path: &[&str], found: &mut Vec<&'j str>) {
    match path {
        [] => found.extend(string(object, "reference")),
        [name, rest @ ..] => {
            for inner in objects(member(object, name)) {
                follow(inner, rest, found);
            }
        }
    }
}

fn only_reference(resource: &Object, name: &str) -> Option<String> {
    let mut references = objects(member(resource, name));
    let first = references.next()?;
    if references.next().is_some() {
        return None;
    }
    string(first, "reference").map(str::to_owned)
}

fn collect<'j>(object: &'j Object, found: &mut Vec<&'j str>) {
    for (key, value) in object {
        match value {
            Json::String(text) if key == "reference" && !text.starts_with('#') => found.push(text),
            value => objects(Some(value)).for_each(|inner| collect(inner, found)),
        }
    }
}

fn unique(texts: Vec<&str>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    texts
        .into_iter()
        .filter(|text| seen.insert(*text))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_whom_a_record_may_be_about() {
        let text = br##"{"resourceType":"Observation","id":"o","performer":[{"reference":"Practitioner/1"},{"reference":"Patient/2"}],
            "subject":{"reference":"Patient/1"},"contained":[{"resourceType":"Device","owner":{"reference":"Organization/1"}}],
            "device":{"reference":"#d"},"hasMember":[{"reference":"Observation/2"},{"reference":"Observation/2"}]}"##;
        let outline = outline(text).unwrap();
        assert_eq!(
            (outline.resource_type.as_str(), outline.id.as_deref()),
            ("Observation", Some("o"))
        );
        assert_eq!(outline.subject.as_deref(), Some("Patient/1"));
        assert_eq!(outline.compartment, ["Patient/1", "Practitioner/1", "Patient/2"]);
        let all = [
            "Practitioner/1",
            "Patient/2",
            "Patient/1",
            "Organization/1",
            "Observation/2",
        ];
        assert_eq!(outline.references, all);
    }

    #[test]
    fn nested_paths_and_lists_count() {
        let text =
            br#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/1"}},{"status":"x"}]}"#;
        assert_eq!(outline(text).unwrap().compartment, ["Patient/1"]);
        let text = br#"{"resourceType":"Account","subject":[{"reference":"Patient/1"},{"reference":"Patient/2"}]}"#;
        let account = outline(text).unwrap();
        assert_eq!((account.subject, account.compartment.len()), (None, 2));
        let text = br#"{"resourceType":"Coverage","beneficiary":{"reference":"Patient/1"}}"#;
        assert_eq!(outline(text).unwrap().subject.as_deref(), Some("Patient/1"));
        assert!(
            outline(br#"{"resourceType":"Organization"}"#)
                .unwrap()
                .compartment
                .is_empty()
        );
    }

    #[test]
    fn what_names_no_type_has_no_outline() {
        for text in [&b"[]"[..], b"{}", br#"{"resourceType":1}"#] {
            assert_eq!(outline(text).unwrap_err().code, "resource_type_missing");
        }
        assert_eq!(outline(b"{").unwrap_err().code, "json_malformed");
    }
}
