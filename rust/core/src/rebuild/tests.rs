//! Whole and partial resources out of fields, and fields that no record has.

use super::{Rebuilt, rebuild};
use crate::fhir::{Detached, Resource, Rules, read};
use crate::field::{Field, Value};
use serde_json::{Value as Tree, json};

const WHOLE: &str = r##"{"resourceType":"Observation","status":"final","meta":{"tag":[{"code":"t"}]},
    "contained":[{"resourceType":"Patient","id":"p","name":[{"given":["A",null,"C"],"_given":[null,
    {"extension":[{"url":"u","valueBase64Binary":"AAAA","_valueBase64Binary":{"id":"b"}}]},{"id":"c"}]}]}],
    "code":{"text":"x\n\"é"},"subject":{"reference":"#p"},"component":[{"code":{"text":"a"},"valueInteger":-7},
    {"code":{"text":"b"},"valueBoolean":false},{"code":{"text":"c"},"valueQuantity":{"value":1.00}}]}"##;

fn whole() -> Resource {
    read(WHOLE.as_bytes(), &Rules::default()).unwrap()
}

fn string(name: &str, text: &str) -> Field {
    Field::new(name, Value::String(text.to_owned()))
}

fn code(fields: &[Field], partial: bool) -> &'static str {
    rebuild("Observation", fields, &[], partial).map_or_else(|error| error.code, |_| "")
}

fn partial(fields: &[Field]) -> (Tree, Vec<String>) {
    let Rebuilt { text, unopened } = rebuild("Observation", fields, &[], true).unwrap();
    (serde_json::from_str(&text).unwrap(), unopened)
}

#[test]
fn a_whole_resource_comes_back_lexeme_for_lexeme() {
    let resource = whole();
    let rebuilt = rebuild("Observation", &resource.fields, &resource.detached, false).unwrap();
    assert!(rebuilt.text.contains("\"value\":1.00}"));
    assert!(rebuilt.unopened.is_empty());
    let original: Tree = serde_json::from_str(WHOLE).unwrap();
    assert_eq!(serde_json::from_str::<Tree>(&rebuilt.text).unwrap(), original);
    assert_eq!(
        read(rebuilt.text.as_bytes(), &Rules::default()).unwrap().fields.len(),
        resource.fields.len()
    );
}

#[test]
fn control_fields_are_no_part_of_the_resource() {
    let mut fields = whole().fields;
    let before = rebuild("Observation", &fields, &[], false).unwrap();
    fields.push(string("chartseal.format", "chartseal/1"));
    assert_eq!(rebuild("Observation", &fields, &[], false).unwrap(), before);
}

#[test]
fn any_field_left_out_is_noticed_or_gives_another_resource() {
    let fields = whole().fields;
    let before = rebuild("Observation", &fields, &[], false).unwrap();
    for left_out in 0..fields.len() {
        let mut rest = fields.clone();
        rest.remove(left_out);
        if let Ok(rebuilt) = rebuild("Observation", &rest, &[], false) {
            assert_ne!(rebuilt, before, "{}", fields[left_out].name);
        }
        let again: Vec<Field> = fields.iter().chain([&fields[left_out]]).cloned().collect();
        assert_eq!(code(&again, false), "name_repeated");
    }
}

#[test]
fn a_subset_says_so_and_masks_what_is_required() {
    let (tree, unopened) = partial(&[string("Observation.component[2].valueQuantity.value", "1.00")]);
    let masked = json!({"extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"
    }]});
    let subset = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"});
    let expected = json!({
        "resourceType": "Observation",
        "component": [{"valueQuantity": {"value": 1.0}, "code": masked}],
        "meta": {"tag": [subset]},
        "_status": masked,
        "code": masked,
    });
    assert_eq!(tree, expected);
    assert_eq!(unopened, ["Observation.component[0-1]"]);
}

#[test]
fn what_is_shown_is_not_masked_and_tags_that_are_shown_stay() {
    let fields = [
        string("Observation.status", "final"),
        string("Observation.meta.tag[1].code", "t"),
        string("Observation.code.text", "x"),
        string("Observation._value.id", "x"),
    ];
    let (tree, unopened) = partial(&fields[..3]);
    assert_eq!(
        (&tree["status"], &tree["code"]),
        (&json!("final"), &json!({"text": "x"}))
    );
    assert_eq!(tree.get("_status"), None);
    let tags = tree["meta"]["tag"].as_array().unwrap();
    assert_eq!(
        (tags.len(), &tags[0]["code"], &tags[1]["code"]),
        (2, &json!("t"), &json!("SUBSETTED"))
    );
    assert_eq!(unopened, ["Observation.meta.tag[0]"]);
    assert_eq!(code(&fields, true), "element_unknown");
}

#[test]
fn required_lists_and_choices_are_masked_in_their_own_form() {
    let masked = |resource_type: &str| {
        let rebuilt = rebuild(resource_type, &[], &[], true).unwrap();
        serde_json::from_str::<Tree>(&rebuilt.text).unwrap()
    };
    assert!(masked("AllergyIntolerance")["patient"]["extension"].is_array());
    assert!(masked("MedicationRequest")["medicationCodeableConcept"]["extension"].is_array());
    assert!(masked("Provenance")["target"][0]["extension"].is_array());
    assert!(masked("Provenance")["_recorded"]["extension"].is_array());
    assert_eq!(masked("Patient")["meta"]["tag"][0]["code"], "SUBSETTED");
}

#[test]
fn positions_close_up_in_part_and_are_missed_in_whole() {
    let name = |index: u32| string(&format!("Observation.category[{index}].text"), "x");
    assert_eq!(code(&[name(0), name(1)], false), "");
    assert_eq!(code(&[name(0), name(2)], false), "position_missing");
    let (tree, unopened) = partial(&[name(999_999_999), name(3), name(1)]);
    assert_eq!(tree["category"].as_array().unwrap().len(), 3);
    let expected = ["[0]", "[2]", "[4-999999998]"].map(|gap| format!("Observation.category{gap}"));
    assert_eq!(unopened, expected);
}

#[test]
fn contradictions_are_refused() {
    let deep = format!("Observation{}.valueCode", ".extension[0]".repeat(70));
    let contradictions: &[(&[Field], &str)] = &[
        (&[string("Observation.status.x", "a")], "element_unknown"),
        (&[string("Observation.code", "a")], "name_malformed"),
        (&[string("Patient.active", "a")], "element_unknown"),
        (&[string("", "a")], "element_unknown"),
        (&[string("Observation.status[0]", "a")], "index_unexpected"),
        (&[string("Observation.category.text", "a")], "index_unexpected"),
        (
            &[string("Observation.category[1000000000].text", "a")],
            "name_malformed",
        ),
        (&[string("Observation.category[00].text", "a")], "name_malformed"),
        (&[string(&deep, "a")], "name_too_deep"),
        (
            &[Field::new("Observation.status", Value::Bool(true))],
            "type_contradicts",
        ),
        (&[string("Observation.valueBoolean", "true")], "type_contradicts"),
        (
            &[string("Observation.valueQuantity.value", "1,\"x\":2")],
            "decimal_invalid",
        ),
        (
            &[
                string("Observation.valueString", "a"),
                string("Observation.valueCode", "a"),
            ],
            "element_unknown",
        ),
        (
            &[
                string("Observation.valueString", "a"),
                string("Observation.valueTime", "a"),
            ],
            "choice_repeated",
        ),
        (
            &[string("Observation.status", "a"), string("Observation.status", "a")],
            "name_repeated",
        ),
        (
            &[string("Observation.status", "a"), string("Observation.status+1", "a")],
            "name_repeated",
        ),
        (&[string("Observation.status+1", "a")], "twin_incomplete"),
        (
            &[string("Observation.status", "a"), string("Observation._status.id", "a")],
            "twin_incomplete",
        ),
        (
            &[string("Observation.contained[0].active", "a")],
            "contained_type_hidden",
        ),
        (
            &[
                string("Observation.contained[0].resourceType", "Foo"),
                string("Observation.contained[0].id", "a"),
            ],
            "element_unknown",
        ),
    ];
    for (fields, expected) in contradictions {
        assert_eq!(code(fields, true), *expected, "{}", fields[0].name);
        assert_eq!(code(fields, false), *expected, "{}", fields[0].name);
    }
    assert_eq!(
        rebuild("Foo", &[], &[], false).unwrap_err().code,
        "resource_type_unknown"
    );
    assert_eq!(
        code(
            &[
                string("Observation.status+1", "a"),
                string("Observation._status.id", "a")
            ],
            true
        ),
        ""
    );
}

#[test]
fn base64_is_held_against_hash_and_size() {
    let text = "AAAA".repeat(300);
    let source = format!(r#"{{"resourceType":"Binary","contentType":"x","data":"{text}"}}"#);
    let resource = read(source.as_bytes(), &Rules::default()).unwrap();
    let code = |fields: &[Field], texts: &[(&str, &str)]| {
        let texts: Vec<Detached> = texts
            .iter()
            .map(|(name, text)| Detached {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        rebuild("Binary", fields, &texts, false).map_or_else(|error| error.code, |_| "")
    };
    let data = ("Binary.data", text.as_str());
    assert_eq!(code(&resource.fields, &[data]), "");
    assert_eq!(code(&resource.fields, &[]), "base64_incomplete");
    assert_eq!(
        code(&resource.fields, &[("Binary.data", "AAAA")]),
        "detached_contradicts"
    );
    assert_eq!(code(&resource.fields, &[("Binary.data", "A")]), "detached_contradicts");
    assert_eq!(
        code(&resource.fields, &[data, ("Binary.more", "AAAA")]),
        "detached_unknown"
    );
    assert_eq!(code(&resource.fields, &[data, data]), "name_repeated");
    assert_eq!(code(&resource.fields[..2], &[data]), "base64_incomplete");
    let both = [&resource.fields[..], &[string("Binary.data.text", &text)]].concat();
    assert_eq!(code(&both, &[data]), "detached_contradicts");
    assert_eq!(code(&both, &[]), "");
}
