//! Microseconds a resource: JSON, reading with every check, rebuilding. Arguments are NDJSON files to read besides.

use chartseal_core::fhir::{Rules, json, read};
use chartseal_core::rebuild::rebuild;
use std::hint::black_box;
use std::time::Instant;

/// About 1 KB, of the shape that most records of a chart have.
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"000d39bd-2222-4e75-80ff-919060c2b6c3","status":"final",
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory",
"display":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"4548-4",
"display":"Hemoglobin A1c/Hemoglobin.total in Blood"}],"text":"Hemoglobin A1c/Hemoglobin.total in Blood"},
"subject":{"reference":"Patient/7b9146b3-8b1b-4cf9-af36-530d8c4fcf05"},
"encounter":{"reference":"Encounter/0b82374f-47b6-4d2d-b4d2-60e384890797"},
"effectiveDateTime":"2012-05-03T09:24:12-04:00","issued":"2012-05-03T09:24:12.120-04:00",
"valueQuantity":{"value":6.1100,"unit":"%","system":"http://unitsofmeasure.org","code":"%"},
"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
"code":"N","display":"Normal"}]}],"referenceRange":[{"low":{"value":4.0,"unit":"%"},"high":{"value":6.5,"unit":"%"}}]}"#;

/// Prints the best of five means, since other work on the machine only ever adds.
fn time<T>(name: &str, resources: usize, rounds: u32, mut run: impl FnMut() -> T) {
    run();
    let mean = |_| {
        let begun = Instant::now();
        for _ in 0..rounds {
            black_box(run());
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(rounds) / resources as f64
    };
    let best = (0..5).map(mean).fold(f64::INFINITY, f64::min);
    println!("{name} {best:.2}");
}

fn main() {
    let rules = Rules::default();
    let text = OBSERVATION.as_bytes();
    let resource = read(text, &rules).expect("a resource");
    println!("bytes {} fields {}", text.len(), resource.fields.len());
    time("parse_json", 1, 20_000, || json::parse(black_box(text)));
    time("read", 1, 20_000, || read(black_box(text), &rules));
    time("rebuild", 1, 5_000, || {
        rebuild("Observation", &resource.fields, &[], false)
    });
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let lines = std::fs::read(&path).expect("a file");
        let lines: Vec<&[u8]> = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .collect();
        println!("{path} {} resources", lines.len());
        time("read_file", lines.len(), 5, || {
            lines.iter().filter_map(|line| read(line, &rules).ok()).count()
        });
    }
}
