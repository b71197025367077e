//! Medication possession ratio: days supplied in the observation window by its days, however supplies overlap.
//!
//! MPR = Σ days supply of supplies that begin in the window / days of the window; above 1 where supplies overlap
//! (Andrade et al. 2006, Pharmacoepidemiology and Drug Safety 15:565).

use crate::cohort::{Cohort, Group};
use crate::error::{Reasoned, Result};
use crate::output::{batch, numbers, texts};
use crate::window::{Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    window: Window,
}

rows! {
    pub struct Ratios { row: u32, ratio: Option<f64>, reason: Option<&'static str> }
}

/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Ratios| {
        let ratio = windows.and_then(|windows| ratio(group, windows));
        rows.row.push(group.row);
        rows.ratio.push(ratio.ok());
        rows.reason.push(ratio.err());
    })?;
    let columns = vec![("mpr", numbers(found.ratio)), ("reason", texts(&found.reason))];
    batch(cohort, found.row, columns)
}

fn ratio(group: &Group, windows: Windows) -> Reasoned<f64> {
    if let Some(fault) = group.fault {
        return Err(fault);
    }
    let length = windows.observation.length();
    if length == 0 {
        return Err("window_empty");
    }
    let supplied: f64 = group
        .day
        .iter()
        .zip(group.days_supply)
        .filter(|&(&day, _)| windows.observation.contains(day))
        .map(|(_, days)| days)
        .sum();
    Ok(supplied / f64::from(length))
}
