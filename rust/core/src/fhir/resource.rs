//! One resource from its bytes to its fields.

use super::json::{self, Json, Object, member};
use super::walk::Walk;
use crate::error::{Error, Kind, Result};
use crate::field::Field;
use crate::schema;
use rayon::prelude::*;
use std::collections::HashSet;

/// What the issuer's configuration lets through; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Records marked HTEST.
    pub test: bool,
    /// URLs of modifier extensions that the issuer understands.
    pub modifier_extensions: HashSet<String>,
    /// Values of `implicitRules` that the issuer understands.
    pub implicit_rules: HashSet<String>,
}

/// The text of a base64Binary that is too long for a field; `name` is that of its hash, without `+n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    pub name: String,
    pub text: String,
}

/// A checked resource; control fields come later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub resource_type: String,
    /// In document order; a primitive's twin stands before it.
    pub fields: Vec<Field>,
    pub detached: Vec<Detached>,
    /// It, or a resource inside it, is marked HTEST.
    pub test: bool,
}

/// Reads one resource and checks everything that clinical rule 1 asks for.
///
/// # Errors
/// Limits and lexical refusals of [`json::parse`]; `not_an_object`, `resource_type_missing`, `resource_type_unknown`;
/// structure: `element_unknown`, `element_missing`, `object_expected`, `object_empty`, `list_expected`,
/// `list_unexpected`, `list_empty`, `nulls_only`, `null_unexpected`, `null_in_both`, `twin_length`, `choice_repeated`,
/// `json_type`, `code_unknown`, `status_code`, `contained_nested`, `bundle_whole`; rules: `implicit_rules`,
/// `modifier_extension`, `test_data`; and those of primitives, narrative and invariants.
pub fn read(text: &[u8], rules: &Rules) -> Result<Resource> {
    let Json::Object(object) = json::parse(text)? else {
        return Err(Error::new(
            Kind::Fhir,
            "not_an_object",
            "",
            "a resource is a JSON object",
        ));
    };
    let resource_type =
        resource_type(&object).map_err(|code| Error::new(Kind::Fhir, code.0, "resourceType", code.1))?;
    let mut walk = Walk::new(rules, resource_type.name);
    walk.resource(resource_type, &object)?;
    Ok(Resource {
        resource_type: resource_type.name.to_owned(),
        fields: walk.fields,
        detached: walk.detached,
        test: walk.test,
    })
}

/// [`read`] of each text, over all cores.
pub fn read_all(texts: &[&[u8]], rules: &Rules) -> Vec<Result<Resource>> {
    texts.par_iter().map(|text| read(text, rules)).collect()
}

/// The type that an object says it is, or a code and what is wrong.
pub(super) fn resource_type(
    object: &Object<'_>,
) -> std::result::Result<&'static schema::Type, (&'static str, &'static str)> {
    match member(object, "resourceType") {
        Some(Json::String(name)) => {
            schema::resource(name).ok_or(("resource_type_unknown", "R4 has no such resource type"))
        }
        Some(_) => Err(("json_type", "resourceType is a string")),
        None => Err(("resource_type_missing", "a resource says its type in resourceType")),
    }
}
