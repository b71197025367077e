//! Fields of what is read, and each refusal with its code and path.

mod structure;

use super::{Detached, Resource, Rules, read};
use crate::error::Error;
use crate::field::{Field, Value};

const OBSERVATION: &str = r#""resourceType":"Observation","status":"final","code":{"text":"x"}"#;

fn observation(members: &str) -> Result<Resource, Error> {
    read(format!("{{{OBSERVATION},{members}}}").as_bytes(), &Rules::default())
}

fn patient(members: &str) -> Result<Resource, Error> {
    read(
        format!("{{\"resourceType\":\"Patient\",{members}}}").as_bytes(),
        &Rules::default(),
    )
}

fn refused(read: Result<Resource, Error>) -> (&'static str, String) {
    let error = read.expect_err("it is refused");
    (error.code, error.path)
}

fn names(resource: &Resource) -> Vec<&str> {
    resource.fields.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn a_resource_says_what_it_is() {
    for (text, code, path) in [
        (r#"{"status":"final"}"#, "resource_type_missing", "resourceType"),
        (r#"{"resourceType":"patient"}"#, "resource_type_unknown", "resourceType"),
        (
            r#"{"resourceType":"DomainResource"}"#,
            "resource_type_unknown",
            "resourceType",
        ),
        (
            r#"{"resourceType":"MetadataResource"}"#,
            "resource_type_unknown",
            "resourceType",
        ),
        (
            r#"{"resourceType":"HumanName","family":"x"}"#,
            "resource_type_unknown",
            "resourceType",
        ),
        (r#"{"resourceType":["Patient"]}"#, "json_type", "resourceType"),
        (r#"[{"resourceType":"Patient"}]"#, "not_an_object", ""),
        (r#""Patient""#, "not_an_object", ""),
    ] {
        let found = refused(read(text.as_bytes(), &Rules::default()));
        assert_eq!(found, (code, path.to_owned()), "{text}");
    }
    let bare = read(br#"{"resourceType":"Patient"}"#, &Rules::default()).unwrap();
    assert_eq!((bare.resource_type.as_str(), bare.fields.len()), ("Patient", 0));
}

#[test]
fn fields_stand_in_document_order_with_twins_before_their_values() {
    let text = r#""name":[{"given":["A","B"],"_given":[null,{"extension":[{"url":"u","valueCode":"c"}]}]}],"active":true,
        "_birthDate":{"extension":[{"url":"u","_valueCode":{"id":"x"},"valueCode":"c"}]},"birthDate":"2000""#;
    let resource = patient(text).unwrap();
    let expected = [
        "Patient.name[0].given[0]",
        "Patient.name[0]._given[1].extension[0].url",
        "Patient.name[0]._given[1].extension[0].valueCode",
        "Patient.name[0].given[1]+2",
        "Patient.active",
        "Patient._birthDate.extension[0].url",
        "Patient._birthDate.extension[0]._valueCode.id",
        "Patient._birthDate.extension[0].valueCode+1",
        "Patient.birthDate+3",
    ];
    assert_eq!(names(&resource), expected);
    assert_eq!(resource.fields[4].value, Value::Bool(true));
}

#[test]
fn numbers_are_fields_as_received() {
    let resource =
        observation(r#""valueQuantity":{"value":0.010},"component":[{"code":{"text":"x"},"valueInteger":7}]"#);
    let resource = resource.unwrap();
    let field = |name: &str| {
        resource
            .fields
            .iter()
            .find(|field| field.name == name)
            .unwrap()
            .value
            .clone()
    };
    assert_eq!(
        field("Observation.valueQuantity.value"),
        Value::String("0.010".to_owned())
    );
    assert_eq!(field("Observation.component[0].valueInteger"), Value::Int(7));
}

#[test]
fn long_base64_travels_beside_its_hash_and_size() {
    let attachment = |groups: usize| {
        let data = "AAAA".repeat(groups);
        patient(&format!(r#""photo":[{{"data":"{data}","_data":{{"id":"a"}}}}]"#)).unwrap()
    };
    let short = attachment(256);
    let expected = [
        "Patient.photo[0]._data.id",
        "Patient.photo[0].data+1",
        "Patient.photo[0].data.size",
    ];
    assert_eq!(names(&short)[..3], expected);
    assert_eq!(names(&short)[3..], ["Patient.photo[0].data.text"]);
    assert_eq!(
        short.fields[2],
        Field::new("Patient.photo[0].data.size", Value::Uint(768))
    );
    let long = attachment(257);
    assert_eq!(names(&long), expected);
    let text = "AAAA".repeat(257);
    let name = "Patient.photo[0].data".to_owned();
    assert_eq!(long.detached, [Detached { name, text }]);
}

#[test]
fn contained_resources_are_fields_of_the_resource() {
    let with = |inner: &str| observation(&format!(r##""subject":{{"reference":"#p"}},"contained":[{inner}]"##));
    let resource = with(r#"{"resourceType":"Patient","id":"p","active":true}"#).unwrap();
    let expected = ["resourceType", "id", "active"].map(|key| format!("Observation.contained[0].{key}"));
    assert_eq!(names(&resource)[3..], expected);
    for (inner, code, path) in [
        (r#"{"id":"p"}"#, "resource_type_missing", "Observation.contained[0]"),
        (
            r#"{"resourceType":"Foo","id":"p"}"#,
            "resource_type_unknown",
            "Observation.contained[0]",
        ),
        (
            r#"{"resourceType":"Patient","active":true}"#,
            "contained_id",
            "Observation.contained[0]",
        ),
        (r#"{"resourceType":"Patient","id":"q"}"#, "ref_1", "Observation"),
        (
            r#"{"resourceType":"Patient","id":"p","contained":[{"resourceType":"Patient","id":"q"}]}"#,
            "contained_nested",
            "Observation.contained[0].contained[0]",
        ),
        (
            r#"{"resourceType":"Patient","id":"p","implicitRules":"http://x"}"#,
            "implicit_rules",
            "Observation.contained[0].implicitRules",
        ),
        (
            r#"{"resourceType":"Patient","id":"p"},{"resourceType":"Patient","id":"p"}"#,
            "contained_id",
            "Observation",
        ),
    ] {
        assert_eq!(refused(with(inner)), (code, path.to_owned()), "{inner}");
    }
}

#[test]
fn a_bundle_is_read_without_its_entries_only() {
    let bundle = |entry: &str| {
        let text = format!(r#"{{"resourceType":"Bundle","type":"document","entry":[{entry}]}}"#);
        read(text.as_bytes(), &Rules::default())
    };
    let reduced = bundle(r#"{"fullUrl":"urn:uuid:a"}"#).unwrap();
    assert_eq!(names(&reduced), ["Bundle.type", "Bundle.entry[0].fullUrl"]);
    let whole = bundle(r#"{"fullUrl":"urn:uuid:a","resource":{"resourceType":"Patient"}}"#);
    assert_eq!(refused(whole), ("bundle_whole", "Bundle.entry[0].resource".to_owned()));
    let parameters =
        r#"{"resourceType":"Parameters","parameter":[{"name":"x","resource":{"resourceType":"Patient"}}]}"#;
    let read = read(parameters.as_bytes(), &Rules::default()).unwrap();
    assert_eq!(names(&read)[1..], ["Parameters.parameter[0].resource.resourceType"]);
}

#[test]
fn statuses_have_one_code_of_their_system() {
    let condition = |codings: &str| {
        let text = format!(
            r#"{{"resourceType":"Condition","subject":{{"display":"x"}},"clinicalStatus":{{"coding":[{codings}]}}}}"#
        );
        read(text.as_bytes(), &Rules::default())
    };
    let own = |code: &str| {
        format!(r#"{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"{code}"}}"#)
    };
    let other = r#"{"system":"http://snomed.info/sct","code":"55561003"}"#;
    condition(&format!("{other},{}", own("active"))).unwrap();
    for codings in [
        other.to_owned(),
        own("Active"),
        format!("{},{}", own("active"), own("resolved")),
    ] {
        let found = refused(condition(&codings));
        assert_eq!(
            found,
            ("status_code", "Condition.clinicalStatus".to_owned()),
            "{codings}"
        );
    }
}

#[test]
fn what_the_issuer_lists_is_let_through() {
    let text = br#"{"resourceType":"Patient","meta":{"security":[{"code":"HTEST"}]},"implicitRules":"http://x",
        "modifierExtension":[{"url":"u","valueCode":"c"}]}"#;
    let mut rules = Rules::default();
    assert_eq!(refused(read(text, &rules)).0, "test_data");
    rules.test = true;
    assert_eq!(refused(read(text, &rules)).0, "implicit_rules");
    rules.implicit_rules.insert("http://x".to_owned());
    assert_eq!(refused(read(text, &rules)).0, "modifier_extension");
    rules.modifier_extensions.insert("u".to_owned());
    let resource = read(text, &rules).unwrap();
    assert!(resource.test);
    assert!(!patient(r#""active":true"#).unwrap().test);
}

#[test]
fn errors_name_places_and_never_values() {
    let secret = "Zebedee";
    for members in [
        format!(r#""{secret}":1"#),
        format!(r#""birthDate":"{secret}""#),
        format!(r#""name":[{{"use":"{secret}"}}]"#),
        format!(r#""active":"{secret}""#),
        format!(r#""active":true,"active":"{secret}""#),
        format!(r#""photo":[{{"data":"{secret}"}}]"#),
        format!(r#""text":{{"status":"generated","div":"<{secret}>"}}"#),
    ] {
        let error = patient(&members).expect_err("it is refused");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

/// Found by fuzzing: the name was cut inside a character.
#[test]
fn an_attribute_may_begin_with_any_character() {
    let text =
        "\"text\":{\"status\":\"generated\",\"div\":\"<div \u{202E}xmlns='http://www.w3.org/1999/xhtml'>x</div>\"}";
    assert_eq!(refused(patient(text)).1, "Patient.text.div");
}
