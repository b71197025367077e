//! Invariants of a whole resource: what it contains, and whether it says that it is not whole.

use super::{as_object, has, objects, require, text};
use crate::fhir::Refusal;
use crate::fhir::json::{Json, Object, member};
use std::collections::HashSet;

/// Codes of meta that say that the resource is not whole.
const INCOMPLETE: [&str; 3] = ["SUBSETTED", "MASKED", "REDACTED"];

/// Checks what only a whole resource shows: its contained resources, references to them, and marks of incompleteness.
/// Called for the resource and, with `contained`, for each resource inside it.
///
/// # Errors
/// `dom_2`, `dom_3`, `dom_4`, `dom_5`, `ref_1`, `contained_id`, `resource_incomplete`.
pub fn check_resource(object: &Object, contained: bool) -> Result<(), Refusal> {
    for list in ["tag", "security"] {
        let incomplete = meta_codes(object, list).any(|code| INCOMPLETE.contains(&code));
        require(!incomplete, "resource_incomplete", "says that parts of it are left out")?;
    }
    if contained {
        return check_contained(object);
    }
    let ids = contained_ids(object)?;
    let mut targets = HashSet::new();
    collect_targets(object, false, &mut targets)?;
    let dangling = targets
        .iter()
        .any(|target| target.reference && !ids.contains(target.id));
    require(
        !dangling,
        "ref_1",
        "a reference to a contained resource that is not there",
    )?;
    let resources = contained_resources(object);
    let unused = resources.filter(|resource| !is_used(resource, &targets)).count();
    require(unused == 0, "dom_3", "a contained resource that nothing refers to")
}

fn meta<'j, 'a>(object: &'j Object<'a>) -> Option<&'j Object<'a>> {
    as_object(member(object, "meta")?)
}

fn meta_codes<'j>(object: &'j Object, list: &str) -> impl Iterator<Item = &'j str> {
    let codings = objects(meta(object).and_then(|meta| member(meta, list)));
    codings.filter_map(|coding| text(coding, "code"))
}

fn check_contained(object: &Object) -> Result<(), Refusal> {
    let meta_has = |name: &str| meta(object).is_some_and(|meta| has(meta, name));
    require(
        text(object, "id").is_some(),
        "contained_id",
        "a contained resource needs an id",
    )?;
    require(
        !has(object, "contained"),
        "dom_2",
        "a contained resource contains no other",
    )?;
    let versioned = meta_has("versionId") || meta_has("lastUpdated");
    require(
        !versioned,
        "dom_4",
        "a contained resource has no version and no time of update",
    )?;
    require(
        !meta_has("security"),
        "dom_5",
        "a contained resource has no security labels of its own",
    )
}

fn contained_resources<'j, 'a>(object: &'j Object<'a>) -> impl Iterator<Item = &'j Object<'a>> {
    objects(member(object, "contained"))
}

fn contained_ids<'j>(object: &'j Object) -> Result<HashSet<&'j str>, Refusal> {
    let mut ids = HashSet::new();
    for id in contained_resources(object).filter_map(|resource| text(resource, "id")) {
        require(ids.insert(id), "contained_id", "two contained resources have one id")?;
    }
    Ok(ids)
}

/// A `#id` somewhere in a resource.
#[derive(PartialEq, Eq, Hash)]
struct Target<'j> {
    id: &'j str,
    /// In a Reference; else in another text, a canonical say, which may mean the same (dom-3).
    reference: bool,
}

/// All `#id`s of a resource, those of its contained resources among them. A resource that is neither has its own.
fn collect_targets<'j>(object: &'j Object, contained: bool, targets: &mut HashSet<Target<'j>>) -> Result<(), Refusal> {
    for (key, value) in object {
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            match value {
                Json::Object(inner) if key == "contained" => collect_targets(inner, true, targets)?,
                Json::Object(inner) if !has(inner, "resourceType") => collect_targets(inner, contained, targets)?,
                Json::String(text) => {
                    let Some(id) = text.strip_prefix('#') else { continue };
                    let reference = key == "reference";
                    require(
                        !reference || contained || !id.is_empty(),
                        "ref_1",
                        "only a contained resource refers to #",
                    )?;
                    let reference = reference && !id.is_empty();
                    targets.insert(Target { id, reference });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// dom-3: something refers to the contained resource, or it refers to its container.
fn is_used(resource: &Object, targets: &HashSet<Target>) -> bool {
    let id = text(resource, "id").unwrap_or_default();
    let named = [true, false]
        .iter()
        .any(|&reference| targets.contains(&Target { id, reference }));
    let mut own = HashSet::new();
    named || collect_targets(resource, true, &mut own).is_ok_and(|()| own.iter().any(|target| target.id.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::object;
    use super::*;
    use serde_json::{Value, json};

    fn whole(source: Value) -> &'static str {
        check_resource(&object(source), false).map_or_else(|refusal| refusal.code, |()| "")
    }

    fn inner(source: Value) -> &'static str {
        check_resource(&object(source), true).map_or_else(|refusal| refusal.code, |()| "")
    }

    #[test]
    fn contained_resources_are_used_and_bare() {
        let with = |reference: &str| {
            json!({"resourceType": "Observation", "contained": [{"resourceType": "Device", "id": "d"}],
            "device": {"reference": reference}})
        };
        assert_eq!(whole(with("#d")), "");
        assert_eq!(whole(with("#e")), "ref_1");
        assert_eq!(whole(with("Device/d")), "dom_3");
        assert_eq!(whole(with("#")), "ref_1");
        assert_eq!(
            whole(json!({"contained": [{"id": "a"}, {"id": "a"}], "x": [{"reference": "#a"}]})),
            "contained_id"
        );
        assert_eq!(
            whole(json!({"contained": [{"resourceType": "B", "id": "a", "x": {"reference": "#"}}]})),
            ""
        );
        assert_eq!(whole(json!({"contained": [{"id": "q"}], "questionnaire": "#q"})), "");
        assert_eq!(whole(json!({"questionnaire": "#q"})), "");
        assert_eq!(
            inner(json!({"resourceType": "Device", "id": "d", "meta": {"profile": ["p"]}})),
            ""
        );
        assert_eq!(inner(json!({"resourceType": "Device"})), "contained_id");
        assert_eq!(inner(json!({"id": "d", "contained": [{"id": "e"}]})), "dom_2");
        assert_eq!(inner(json!({"id": "d", "meta": {"versionId": "1"}})), "dom_4");
        assert_eq!(inner(json!({"id": "d", "meta": {"_lastUpdated": {}}})), "dom_4");
        assert_eq!(
            inner(json!({"id": "d", "meta": {"security": [{"code": "R"}]}})),
            "dom_5"
        );
    }

    #[test]
    fn what_is_left_out_is_not_sealed_as_whole() {
        assert_eq!(
            whole(json!({"meta": {"tag": [{"code": "SUBSETTED"}]}})),
            "resource_incomplete"
        );
        assert_eq!(
            whole(json!({"meta": {"security": [{"code": "R"}, {"code": "MASKED"}]}})),
            "resource_incomplete"
        );
        assert_eq!(
            inner(json!({"id": "a", "meta": {"security": [{"code": "REDACTED"}]}})),
            "resource_incomplete"
        );
        assert_eq!(
            whole(json!({"meta": {"security": [{"code": "R"}], "tag": [{"code": "HTEST"}]}})),
            ""
        );
    }
}
