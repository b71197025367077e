//! Adherence to medication over Arrow columns: a batch of events of whole patients in, a batch of results out.
//!
//! `cohort` reads the batch and walks it patient by patient on all cores; each measure is one module that turns a
//! patient's events into rows of its own columns. A measure is called by name, with its settings as JSON: one entry for
//! Python, DuckDB streams and Spark alike.

pub mod calendar;
pub mod cma;
pub mod cohort;
pub mod cover;
pub mod durations;
pub mod episodes;
pub mod error;
pub mod estimate;
pub mod gaps;
pub mod initiation;
pub mod intervals;
pub mod medication;
pub mod mpr;
pub mod output;
pub mod pdc;
pub mod per_episode;
pub mod persistence;
pub mod polypharmacy;
pub mod prescription;
pub mod quality;
pub mod sliding;
pub mod stretches;
pub mod taking;
pub mod timeline;
pub mod window;

use arrow_array::RecordBatch;
use cohort::Cohort;
use error::{Error, Result};

/// Compute the measure `name` over `events`, whole patients whose rows lie together (`cohort` says which columns).
///
/// # Errors
/// `measure_unknown`, `settings_invalid`, and what reading the batch refuses. A patient whose events cannot be measured
/// is a row with a reason, never an error.
pub fn measure(name: &str, events: &RecordBatch, settings: &str) -> Result<RecordBatch> {
    let cohort = Cohort::read(events)?;
    match name {
        "cma" => cma::run(&cohort, settings),
        "covered" => pdc::run_covered(&cohort, settings),
        "durations" => durations::run(&cohort, settings),
        "episodes" => episodes::run(&cohort, settings),
        "gaps" => gaps::run(&cohort, settings),
        "initiation" => initiation::run(&cohort, settings),
        "mpr" => mpr::run(&cohort, settings),
        "pdc" => pdc::run(&cohort, settings),
        "per_episode" => per_episode::run(&cohort, settings),
        "persistence" => persistence::run(&cohort, settings),
        "polypharmacy" => polypharmacy::run(&cohort, settings),
        "quality" => quality::run(&cohort, settings),
        "sliding" => sliding::run(&cohort, settings),
        _ => Err(Error::new("measure_unknown", name, "no such measure")),
    }
}

/// The settings of a measure out of JSON.
///
/// # Errors
/// `settings_invalid`, with what serde says of the place.
fn settings<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::new("settings_invalid", "settings", error.to_string()))
}
