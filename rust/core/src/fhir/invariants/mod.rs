//! Invariants of R4 that a seal relies on, whatever else is validated.
//!
//! Source: the constraints of hl7.org/fhir/R4's StructureDefinitions, by their keys; FHIRPath's `exists()` counts an element
//! whose primitive has only extensions, so a `_` twin counts here too.

mod contained;
mod period;

pub use contained::check_resource;

use super::json::{Json, Object, member};
use super::{Refusal, primitives};

const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const ALLERGY_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
/// System and codes of the statuses whose meaning decides what a record claims.
const STATUSES: &[(&str, &str, &str, &[&str])] = &[
    (
        "Condition",
        "clinicalStatus",
        "http://terminology.hl7.org/CodeSystem/condition-clinical",
        &["active", "recurrence", "relapse", "inactive", "remission", "resolved"],
    ),
    (
        "Condition",
        "verificationStatus",
        CONDITION_VERIFICATION,
        &[
            "unconfirmed",
            "provisional",
            "differential",
            "confirmed",
            "refuted",
            "entered-in-error",
        ],
    ),
    (
        "AllergyIntolerance",
        "clinicalStatus",
        "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
        &["active", "inactive", "resolved"],
    ),
    (
        "AllergyIntolerance",
        "verificationStatus",
        ALLERGY_VERIFICATION,
        &["unconfirmed", "confirmed", "refuted", "entered-in-error"],
    ),
];
/// Checks one object against the invariants of the R4 type that stands there: a datatype's name, a backbone element's
/// path or a resource type.
///
/// # Errors
/// `ele_1`, `ext_1`, `ref_1`, `qty_3`, `per_1`, `obs_6`, `con_5`, `ait_1`, `ait_2`, `status_code`.
pub fn check(type_name: &str, object: &Object) -> Result<(), Refusal> {
    check_content(type_name, object)?;
    match type_name {
        "Extension" => require(
            has(object, "extension") != has_choice(object, "value"),
            "ext_1",
            "an extension has either a value or extensions",
        ),
        "Reference" => check_reference(object),
        "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" | "MoneyQuantity" => require(
            !has(object, "code") || has(object, "system"),
            "qty_3",
            "a unit's code needs its system",
        ),
        "Period" => require(
            !period::ends_before_start(text(object, "start"), text(object, "end")),
            "per_1",
            "ends before it starts",
        ),
        "Observation" => require(
            !(has(object, "dataAbsentReason") && has_choice(object, "value")),
            "obs_6",
            "has a value and a reason why there is none",
        ),
        "Condition" => check_condition(object),
        "AllergyIntolerance" => check_allergy(object),
        _ => Ok(()),
    }
}

fn require(holds: bool, code: &'static str, detail: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::new(code, detail)) }
}

fn text<'j>(object: &'j Object, key: &str) -> Option<&'j str> {
    as_text(member(object, key)?)
}

fn as_text<'j>(value: &'j Json) -> Option<&'j str> {
    match value {
        Json::String(text) => Some(text),
        _ => None,
    }
}

fn as_object<'j, 'a>(value: &'j Json<'a>) -> Option<&'j Object<'a>> {
    match value {
        Json::Object(object) => Some(object),
        _ => None,
    }
}

/// The objects of a list.
fn objects<'j, 'a>(value: Option<&'j Json<'a>>) -> impl Iterator<Item = &'j Object<'a>> {
    let items = match value {
        Some(Json::Array(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(as_object)
}

/// The name of an element, whether its value or its `_` twin is written.
fn element(key: &str) -> &str {
    key.strip_prefix('_').unwrap_or(key)
}

fn has(object: &Object, name: &str) -> bool {
    object.iter().any(|(key, _)| element(key) == name)
}

/// Whether one of the types of the choice `name`[x] is there.
fn has_choice(object: &Object, name: &str) -> bool {
    let typed = |key: &str| {
        element(key)
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    object.iter().any(|(key, _)| typed(key))
}

fn is_id_only(value: &Json) -> bool {
    as_object(value).is_some_and(|object| object.iter().all(|(key, _)| key == "id"))
}

/// ele-1: an element has a value or children. A primitive's twin is judged where its value would stand.
fn check_content(type_name: &str, object: &Object) -> Result<(), Refusal> {
    let bare = type_name != "Element" && object.iter().all(|(key, _)| key == "id") && !object.is_empty();
    let twins = object.iter().filter(|(key, _)| key.starts_with('_'));
    let mut valueless = twins.filter(|(key, twin)| match (twin, member(object, element(key))) {
        (Json::Array(twins), Some(Json::Array(values))) => twins
            .iter()
            .zip(values)
            .any(|(twin, value)| is_id_only(twin) && *value == Json::Null),
        (Json::Array(twins), None) => twins.iter().any(is_id_only),
        (twin, value) => is_id_only(twin) && value.is_none_or(|value| *value == Json::Null),
    });
    require(
        !bare && valueless.next().is_none(),
        "ele_1",
        "an element has neither a value nor children",
    )
}

/// The form of ref-1: what follows `#` is an id, or nothing where the container itself is meant.
fn check_reference(object: &Object) -> Result<(), Refusal> {
    let target = text(object, "reference").and_then(|reference| reference.strip_prefix('#'));
    let formed = target.is_none_or(|id| id.is_empty() || primitives::is_id(id));
    require(
        formed,
        "ref_1",
        "a reference to a contained resource without an id's form",
    )
}

/// The codes of a CodeableConcept in one system; a coding without a code gives "".
fn codes<'j>(object: &'j Object, name: &str, system: &str) -> Vec<&'j str> {
    let concept = member(object, name).and_then(as_object);
    objects(concept.and_then(|concept| member(concept, "coding")))
        .filter(|coding| text(coding, "system") == Some(system))
        .map(|coding| text(coding, "code").unwrap_or_default())
        .collect()
}

fn check_statuses(type_name: &str, object: &Object) -> Result<(), Refusal> {
    for (owner, name, system, known) in STATUSES {
        if *owner != type_name || !has(object, name) {
            continue;
        }
        let codes = codes(object, name, system);
        let one_known = codes.len() == 1 && known.contains(&codes[0]);
        require(
            one_known,
            "status_code",
            &format!("{name} needs one known code of its system"),
        )?;
    }
    Ok(())
}

fn is_in_error(object: &Object, system: &str) -> bool {
    codes(object, "verificationStatus", system).contains(&"entered-in-error")
}

fn check_condition(object: &Object) -> Result<(), Refusal> {
    let clinical = has(object, "clinicalStatus");
    let in_error = is_in_error(object, CONDITION_VERIFICATION);
    require(
        !(in_error && clinical),
        "con_5",
        "entered in error, yet it has a clinicalStatus",
    )?;
    check_statuses("Condition", object)
}

fn check_allergy(object: &Object) -> Result<(), Refusal> {
    let clinical = has(object, "clinicalStatus");
    let in_error = is_in_error(object, ALLERGY_VERIFICATION);
    require(
        in_error || clinical,
        "ait_1",
        "needs a clinicalStatus unless entered in error",
    )?;
    require(
        !(in_error && clinical),
        "ait_2",
        "entered in error, yet it has a clinicalStatus",
    )?;
    check_statuses("AllergyIntolerance", object)
}

/// serde_json's values as the reader gives them, for tests.
#[cfg(test)]
mod fixtures {
    use crate::fhir::json::{Json, Object};
    use serde_json::Value;
    use std::borrow::Cow;

    fn read(value: Value) -> Json<'static> {
        match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(flag),
            Value::Number(_) => Json::Number("1"),
            Value::String(text) => Json::String(Cow::Owned(text)),
            Value::Array(items) => Json::Array(items.into_iter().map(read).collect()),
            Value::Object(_) => Json::Object(object(value)),
        }
    }

    pub(super) fn object(source: Value) -> Object<'static> {
        let Value::Object(members) = source else {
            panic!("a fixture is an object")
        };
        members
            .into_iter()
            .map(|(key, item)| (Cow::Owned(key), read(item)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::object;
    use super::*;
    use serde_json::{Value, json};

    fn code(type_name: &str, source: Value) -> &'static str {
        check(type_name, &object(source)).map_or_else(|refusal| refusal.code, |()| "")
    }

    #[test]
    fn ele_1_wants_more_than_an_id() {
        assert_eq!(code("Coding", json!({"id": "a"})), "ele_1");
        assert_eq!(code("Coding", json!({"id": "a", "code": "b"})), "");
        assert_eq!(code("Element", json!({"id": "a"})), "");
        assert_eq!(code("Coding", json!({"_code": {"id": "a"}})), "ele_1");
        assert_eq!(code("Coding", json!({"code": "b", "_code": {"id": "a"}})), "");
        assert_eq!(code("Coding", json!({"_code": {"id": "a", "extension": []}})), "");
        assert_eq!(
            code(
                "HumanName",
                json!({"given": ["a", null], "_given": [null, {"id": "b"}]})
            ),
            "ele_1"
        );
        assert_eq!(
            code("HumanName", json!({"given": ["a", "b"], "_given": [null, {"id": "b"}]})),
            ""
        );
        assert_eq!(code("HumanName", json!({"_given": [{"id": "b"}]})), "ele_1");
    }

    #[test]
    fn ext_1_wants_a_value_or_extensions() {
        assert_eq!(code("Extension", json!({"url": "u", "valueCode": "a"})), "");
        assert_eq!(
            code("Extension", json!({"url": "u", "_valueCode": {"extension": []}})),
            ""
        );
        assert_eq!(code("Extension", json!({"url": "u", "extension": [{}]})), "");
        assert_eq!(code("Extension", json!({"url": "u"})), "ext_1");
        assert_eq!(
            code("Extension", json!({"url": "u", "valueCode": "a", "extension": [{}]})),
            "ext_1"
        );
        assert_eq!(code("Extension", json!({"url": "u", "values": "a"})), "ext_1");
    }

    #[test]
    fn references_units_and_values_fit() {
        assert_eq!(code("Reference", json!({"reference": "#a"})), "");
        assert_eq!(code("Reference", json!({"reference": "#"})), "");
        assert_eq!(code("Reference", json!({"reference": "#a b"})), "ref_1");
        assert_eq!(code("Quantity", json!({"code": "mg", "system": "s"})), "");
        for kind in ["Quantity", "Age", "Duration", "Count", "Distance"] {
            assert_eq!(code(kind, json!({"code": "mg"})), "qty_3", "{kind}");
        }
        assert_eq!(code("Period", json!({"start": "2024-01-02", "end": "2024-01-02"})), "");
        assert_eq!(
            code("Period", json!({"start": "2024-01-02", "end": "2024-01-01"})),
            "per_1"
        );
        assert_eq!(code("Observation", json!({"valueString": "a"})), "");
        assert_eq!(code("Observation", json!({"dataAbsentReason": {}})), "");
        assert_eq!(
            code("Observation", json!({"dataAbsentReason": {}, "valueString": "a"})),
            "obs_6"
        );
        assert_eq!(
            code(
                "Observation",
                json!({"dataAbsentReason": {}, "_valueString": {"extension": []}})
            ),
            "obs_6"
        );
    }

    fn concept(system: &str, codes: &[&str]) -> Value {
        let coding: Vec<Value> = codes
            .iter()
            .map(|code| json!({"system": system, "code": code}))
            .collect();
        json!({ "coding": coding })
    }

    #[test]
    fn statuses_say_one_thing() {
        let clinical = |codes: &[&str]| concept("http://terminology.hl7.org/CodeSystem/condition-clinical", codes);
        let verified = |codes: &[&str]| concept(CONDITION_VERIFICATION, codes);
        assert_eq!(code("Condition", json!({"id": "a", "code": {}})), "");
        assert_eq!(code("Condition", json!({"clinicalStatus": clinical(&["active"])})), "");
        assert_eq!(
            code(
                "Condition",
                json!({"clinicalStatus": clinical(&["active", "resolved"])})
            ),
            "status_code"
        );
        assert_eq!(
            code("Condition", json!({"clinicalStatus": clinical(&["confirmed"])})),
            "status_code"
        );
        assert_eq!(
            code(
                "Condition",
                json!({"clinicalStatus": concept("http://example.org", &["active"])})
            ),
            "status_code"
        );
        assert_eq!(
            code("Condition", json!({"verificationStatus": {"text": "confirmed"}})),
            "status_code"
        );
        assert_eq!(
            code(
                "Condition",
                json!({"verificationStatus": verified(&["entered-in-error"])})
            ),
            ""
        );
        let both =
            json!({"verificationStatus": verified(&["entered-in-error"]), "clinicalStatus": clinical(&["active"])});
        assert_eq!(code("Condition", both), "con_5");
    }

    #[test]
    fn allergies_have_a_clinical_status_unless_in_error() {
        let clinical = concept(
            "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
            &["active"],
        );
        let verified = |codes: &[&str]| concept(ALLERGY_VERIFICATION, codes);
        assert_eq!(code("AllergyIntolerance", json!({"clinicalStatus": clinical})), "");
        assert_eq!(
            code(
                "AllergyIntolerance",
                json!({"verificationStatus": verified(&["confirmed"])})
            ),
            "ait_1"
        );
        assert_eq!(
            code(
                "AllergyIntolerance",
                json!({"verificationStatus": verified(&["entered-in-error"])})
            ),
            ""
        );
        let both = json!({"verificationStatus": verified(&["entered-in-error"]), "clinicalStatus": clinical});
        assert_eq!(code("AllergyIntolerance", both), "ait_2");
    }

    #[test]
    fn the_codes_are_those_of_the_table() {
        let table = include_str!("../../../../../src/chartseal/fhir/r4_elements.tsv");
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
        for (owner, name, system, known) in STATUSES {
            let row = rows
                .iter()
                .find(|row| row.len() > 9 && row[1] == *owner && row[2] == *name)
                .unwrap();
            assert_eq!((row[8], row[9]), (*system, known.join("|").as_str()));
        }
    }
}
