//! Fields back to the resource: `rebuild(read(text)) == text`, lexeme for lexeme, member order and whitespace aside.
//!
//! The partial form makes verified facts out of opened fields: it says that it is a subset, and marks what R4 requires
//! but the holder withheld. Names and values may come from a hostile disclosure; none is trusted to be small or to fit.

#[cfg(test)]
mod tests;
mod tree;
mod write;

use crate::error::{Error, Kind, Result};
use crate::fhir::Detached;
use crate::field::{Field, Value};
use crate::slots::path::{Reader, number};
use crate::slots::{embedded_types, resource_fields};
use std::collections::HashMap;
use tree::Members;
use write::Writer;

/// A resource's JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    pub text: String,
    /// Array positions that are not opened, by the indices of the record: `Observation.component[0]`,
    /// `Observation.category[1-4]`. What lies beyond the last opened position is unknown.
    pub unopened: Vec<String>,
}

/// Builds the resource of `fields`, control fields skipped. With `partial`, lists close up over positions that are not
/// opened, `meta.tag` says SUBSETTED, and a required element that is not there carries data-absent-reason `masked`.
///
/// # Errors
/// `resource_type_unknown`, `name_malformed`, `name_too_deep`, `element_unknown`, `index_unexpected`,
/// `contained_type_hidden`, `type_contradicts`, `name_repeated`, `choice_repeated`, `twin_incomplete`,
/// `base64_incomplete`, `decimal_invalid`, `detached_contradicts`, `detached_unknown`; without `partial` also
/// `position_missing`.
pub fn rebuild(resource_type: &str, fields: &[Field], detached: &[Detached], partial: bool) -> Result<Rebuilt> {
    let tag = if partial {
        subset_tag(resource_type, fields)
    } else {
        Vec::new()
    };
    let mut fields = resource_fields(fields);
    fields.extend(&tag);
    let types = embedded_types(&fields);
    let reader = Reader::new(resource_type, |path: &str| types.get(path).copied())?;
    let mut root = Members::default();
    for field in fields {
        root.insert(field, &reader.read(&field.name, true)?)?;
    }
    let mut writer = Writer::new(partial, texts(detached)?);
    writer.resource(reader.root(), &root)?;
    writer.finish()
}

fn error(code: &'static str, name: &str, detail: &str) -> Error {
    Error::new(Kind::Record, code, name, detail)
}

/// Detached texts by name.
fn texts(detached: &[Detached]) -> Result<HashMap<&str, &str>> {
    let mut texts = HashMap::with_capacity(detached.len());
    for text in detached {
        if texts.insert(text.name.as_str(), text.text.as_str()).is_some() {
            return Err(error("name_repeated", &text.name, "two detached values have one name"));
        }
    }
    Ok(texts)
}

/// The tag SUBSETTED, behind the tags that are there (hl7.org/fhir/R4/resource.html#simple-tags).
fn subset_tag(resource_type: &str, fields: &[Field]) -> Vec<Field> {
    let list = format!("{resource_type}.meta.tag[");
    let indices = fields
        .iter()
        .filter_map(|field| number(field.name.strip_prefix(&list)?.split_once(']')?.0));
    let next = indices.max().map_or(0, |last| last + 1);
    let part = |key: &str, text: &str| Field::new(format!("{list}{next}].{key}"), Value::String(text.to_owned()));
    vec![
        part("system", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"),
        part("code", "SUBSETTED"),
    ]
}
