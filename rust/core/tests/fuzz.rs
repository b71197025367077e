//! Hostile input: whatever comes in, reading and rebuilding answer or refuse, and what is read comes back whole.
//!
//! A plain `cargo test` runs a short round; `BOLERO_RANDOM_ITERATIONS=1000000` or `BOLERO_RANDOM_TEST_TIME_MS=600000`
//! a long one, and `cargo bolero test --test fuzz bytes` one that follows coverage.

use chartseal_core::fhir::json::{self, Json};
use chartseal_core::fhir::{Detached, Rules, read};
use chartseal_core::field::{Field, Value};
use chartseal_core::rebuild::rebuild;

const SEEDS: [&str; 4] = [
    r##"{"resourceType":"Observation","status":"final","contained":[{"resourceType":"Patient","id":"p","birthDate":"2000",
"_birthDate":{"extension":[{"url":"u","valueDecimal":1.00}]}}],"code":{"coding":[{"system":"http://loinc.org",
"code":"4548-4"}]},"subject":{"reference":"#p"},"valueQuantity":{"value":-6.10e2,"system":"http://x","code":"%"}}"##,
    r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"use":"old","given":["A",null,"C"],"_given":[null,
{"id":"b","extension":[{"url":"u","valueCode":"y"}]},null]}],"multipleBirthInteger":2,"photo":[{"data":"AAAA"}],
"_gender":{"extension":[{"url":"u","valueString":"\u00e9\n"}]}}"#,
    r#"{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},
"subject":{"display":"x"},"dosageInstruction":[{"timing":{"repeat":{"boundsPeriod":{"start":"2020-01-01T00:00:00Z"},
"frequency":1,"period":1.0,"periodUnit":"d","timeOfDay":["08:00:00"]}},"asNeededBoolean":false}]}"#,
    r#"{"resourceType":"Questionnaire","status":"draft","text":{"status":"generated",
"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</p></div>"},"item":[{"linkId":"1","type":"group",
"item":[{"linkId":"1.1","type":"decimal","enableWhen":[{"question":"1","operator":"=","answerDecimal":1}]}]}]}"#,
];
/// What mutations put in, besides single bytes.
const PIECES: [&str; 16] = [
    "null",
    "[]",
    "{}",
    "\"\"",
    "[null]",
    "\"a\"",
    "-0",
    "1e400",
    "\"id\":\"a\",",
    "\"_id\":{},",
    "\\ud800",
    "[[",
    "{\"extension\":",
    "\u{202E}",
    ",",
    "\"valueString\":\"x\",",
];
const NAMES: [&str; 10] = [
    "Observation.",
    "[0]",
    "[999999999]",
    "extension",
    "value",
    ".",
    "_",
    "+1",
    "valueBase64Binary",
    ".size",
];

/// Reads, and where that is possible rebuilds: the same values, lexeme for lexeme.
fn check(text: &[u8]) {
    let Ok(resource) = read(text, &Rules::default()) else {
        return;
    };
    let rebuilt = rebuild(&resource.resource_type, &resource.fields, &resource.detached, false).expect("it rebuilds");
    assert!(rebuilt.unopened.is_empty());
    let (before, after) = (
        json::parse(text).unwrap(),
        json::parse(rebuilt.text.as_bytes()).unwrap(),
    );
    assert!(same(&before, &after), "{}", rebuilt.text);
    let part = rebuild(
        &resource.resource_type,
        &resource.fields[..resource.fields.len() / 2],
        &[],
        true,
    );
    if let Ok(part) = part {
        json::parse(part.text.as_bytes()).expect("a subset is JSON");
    }
}

/// Equal but for the order of members.
fn same(one: &Json<'_>, other: &Json<'_>) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => {
            let found = |key: &str, value| json::member(other, key).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(|(key, value)| found(key, value))
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

/// Where, how and with what a text is changed.
type Mutation = (u16, u8, u8);

fn mutate(seed: &str, mutations: &[Mutation]) -> Vec<u8> {
    let mut text = seed.as_bytes().to_vec();
    for (at, how, what) in mutations.iter().take(4) {
        let at = usize::from(*at) % (text.len() + 1);
        let end = (at + usize::from(*what) % 24).min(text.len());
        match how % 5 {
            0 => drop(text.splice(at..at, [*what])),
            1 => drop(text.splice(at..at, PIECES[usize::from(*what) % PIECES.len()].bytes())),
            2 => drop(text.drain(at..end)),
            3 => drop(text.splice(at..at, text[at..end].to_vec())),
            _ => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = *what),
        }
    }
    text
}

#[test]
fn seeds() {
    for seed in SEEDS {
        read(seed.as_bytes(), &Rules::default()).expect("a resource");
        check(seed.as_bytes());
    }
}

#[test]
fn bytes() {
    bolero::check!().for_each(check);
}

#[test]
fn mutated_resources() {
    bolero::check!()
        .with_type::<(u8, Vec<Mutation>)>()
        .for_each(|(seed, mutations)| check(&mutate(SEEDS[usize::from(*seed) % SEEDS.len()], mutations)));
}

#[test]
fn strange_fields() {
    bolero::check!().with_type::<Vec<(Vec<u8>, u8)>>().for_each(|parts| {
        let name = |pieces: &[u8]| -> String {
            pieces
                .iter()
                .map(|piece| NAMES[usize::from(*piece) % NAMES.len()])
                .collect()
        };
        let value = |kind: u8| match kind % 4 {
            0 => Value::String("AAAA".to_owned()),
            1 => Value::Bytes32([kind; 32]),
            2 => Value::Uint(u64::from(kind)),
            _ => Value::Bool(true),
        };
        let fields: Vec<Field> = parts
            .iter()
            .map(|(pieces, kind)| Field::new(name(pieces), value(*kind)))
            .collect();
        let detached = [Detached {
            name: "Observation.extension[0].valueBase64Binary".to_owned(),
            text: "AAAA".to_owned(),
        }];
        for partial in [false, true] {
            if let Ok(rebuilt) = rebuild("Observation", &fields, &detached[..parts.len() % 2], partial) {
                json::parse(rebuilt.text.as_bytes()).expect("it is JSON");
            }
        }
    });
}
