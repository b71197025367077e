//! The measure `cma`: one row a group, with its CMA as `estimate` defines it.

use crate::cohort::{Cohort, Group};
use crate::error::{Reasoned, Result};
use crate::estimate::{Cma, Estimator, measurable};
use crate::intervals::Rules;
use crate::output::{batch, counts, dates, numbers, texts};
use crate::window::{Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cma: Cma,
    window: Window,
    carry_only_for_same_medication: bool,
    consider_dosage_change: bool,
}

rows! {
    pub struct Estimates {
        row: u32,
        value: Option<f64>,
        in_follow_up: Option<i32>,
        in_window: Option<i32>,
        start: Option<i32>,
        end: Option<i32>,
        reason: Option<&'static str>,
    }
}

/// Columns `cma` (none for CMA0), `follow_up_supplies` and `window_supplies` (how many begin there), `window_start` and
/// `window_end` (the observation window; of CMA8 the one that is left), `reason`.
///
/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let rules = Rules {
        same_medication: chosen.carry_only_for_same_medication,
        dosage_change: chosen.consider_dosage_change,
    };
    rules.need(cohort)?;
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Estimates| {
        rows.add(chosen.cma, group, windows, rules);
    })?;
    let mut columns = vec![
        ("cma", numbers(found.value)),
        ("follow_up_supplies", counts(found.in_follow_up)),
        ("window_supplies", counts(found.in_window)),
        ("window_start", dates(found.start)),
        ("window_end", dates(found.end)),
        ("reason", texts(&found.reason)),
    ];
    if chosen.cma == Cma::Cma0 {
        columns.remove(0);
    }
    batch(cohort, found.row, columns)
}

impl Estimates {
    fn add(&mut self, cma: Cma, group: &Group, windows: Reasoned<Windows>, rules: Rules) {
        let found = measurable(group, windows, rules).map(|windows| {
            let estimator = Estimator::new(cma, group, windows.follow_up, rules);
            (estimator, windows.observation)
        });
        let value = found
            .as_ref()
            .map_err(|&reason| reason)
            .and_then(|(each, window)| each.of(*window));
        let found = found.as_ref().ok();
        self.row.push(group.row);
        self.value.push(value.ok());
        self.in_follow_up.push(found.map(|(each, _)| each.count() as i32));
        self.in_window
            .push(found.map(|(each, window)| each.observed(*window).day.len() as i32));
        self.start
            .push(found.map(|(each, window)| each.start(*window).floor() as i32));
        self.end.push(found.map(|(_, window)| window.end));
        self.reason.push(value.err());
    }
}
