//! One estimate of a patient's several medications, each a group (Dima & Dediu 2017; Choudhry et al. 2009,
//! Pharmacoepidemiology and Drug Safety 18:853).
//!
//! **Aggregate last**: the CMA of each group, then their mean, median, minimum or maximum.
//!
//! **Aggregate first**: time is cut where any group's supply begins or runs out. In each interval a group has a value
//! - the CMA of the stretch of unbroken supply that covers the interval, where there is one (`stretches`);
//! - 0 where its observation window touches the interval and no supply covers it;
//! - none where its window does not touch the interval.
//!
//! With aᵢ the mean (median, minimum, maximum) of the groups' values in interval i, of which wᵢ days lie between the first start
//! s and the last end e of the observation windows of groups that have supply there: CMA = Σᵢ aᵢ wᵢ / (e - s). With a
//! threshold aᵢ counts as 1 where it is that or more, and as 0 elsewhere.
//!
//! A group without a stretch in its window does not count. By CMA7 the mean says which share of the medications was at
//! hand on an average day, the minimum on how many days all of them were, the maximum on how many any was.

use crate::cohort::{Cohort, Patient};
use crate::error::{Error, Reasoned, Result};
use crate::estimate::{Cma, estimate, measurable};
use crate::intervals::Rules;
use crate::output::{batch, counts, dates, keyed, numbers, texts};
use crate::stretches::{Interval, Medication, Value, cut};
use crate::window::{Days, Window};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Mean,
    Median,
    Min,
    Max,
}

/// Which table is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Output {
    Patients,
    Intervals,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cma: Cma,
    window: Window,
    aggregate_first: bool,
    method: Method,
    /// Leave out values that are unknown; else one makes the aggregate unknown.
    skip_unknown: bool,
    /// An interval counts as 1 where its aggregate is this or more, else as 0.
    threshold: Option<f64>,
    carry_only_for_same_medication: bool,
    consider_dosage_change: bool,
    output: Output,
}

impl Settings {
    fn check(&self) -> Result<()> {
        let fits = self.threshold.is_none_or(|least| (0.0..=1.0).contains(&least));
        if fits && (self.aggregate_first || self.threshold.is_none()) {
            return Ok(());
        }
        let detail = "from 0 to 1, of the aggregates of intervals";
        Err(Error::new("settings_invalid", "threshold", detail))
    }

    fn worth(&self) -> Value {
        Value {
            cma: self.cma,
            rules: Rules {
                same_medication: self.carry_only_for_same_medication,
                dosage_change: self.consider_dosage_change,
            },
        }
    }

    /// The groups of a patient and their windows.
    fn medications<'a>(&self, patient: &Patient<'a>) -> Result<Reasoned<Vec<Medication<'a>>>> {
        let mut found = Vec::new();
        for group in patient.groups() {
            let windows = measurable(&group, self.window.of(patient, &group)?, self.worth().rules);
            match windows.and_then(|windows| windows.fault().map_or(Ok(windows), Err)) {
                Ok(windows) => found.push(Medication::new(group, windows, self.worth())),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(if found.is_empty() {
            Err("no_event_in_follow_up")
        } else {
            Ok(found)
        })
    }

    /// A patient's estimate.
    fn value(&self, medications: &[Medication]) -> Reasoned<f64> {
        if self.aggregate_first {
            self.of_intervals(medications)
        } else {
            let Value { cma, rules } = self.worth();
            let each = medications
                .iter()
                .map(|each| estimate(cma, &each.group, each.windows, rules).ok());
            self.aggregate(each).ok_or("no_estimate")
        }
    }

    /// The intervals' aggregates, weighted by their days.
    fn of_intervals(&self, medications: &[Medication]) -> Reasoned<f64> {
        let whole = whole(medications).ok_or("no_supply_in_window")?;
        let (start, end) = (f64::from(whole.start), f64::from(whole.end));
        let (mut sum, mut known) = (0.0, false);
        for interval in cut(medications) {
            match self.aggregate_of(&interval) {
                Some(aggregate) => {
                    sum += self.counted(aggregate) * (interval.end.min(end) - interval.start.max(start)).max(0.0);
                    known = true;
                }
                None if !self.skip_unknown && interval.start < end => return Err("no_estimate"),
                None => {}
            }
        }
        if known {
            Ok(sum / (end - start))
        } else {
            Err("no_estimate")
        }
    }

    fn counted(&self, aggregate: f64) -> f64 {
        self.threshold
            .map_or(aggregate, |least| f64::from(u8::from(aggregate >= least)))
    }

    fn aggregate_of(&self, interval: &Interval) -> Option<f64> {
        self.aggregate(interval.values.iter().flatten().copied())
    }

    /// None where there is no value, or one is unknown and they are not skipped.
    fn aggregate(&self, values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
        let mut known = Vec::new();
        for value in values {
            match value {
                Some(value) => known.push(value),
                None if self.skip_unknown => {}
                None => return None,
            }
        }
        match self.method {
            Method::Mean => mean(&known),
            Method::Median => {
                known.sort_unstable_by(f64::total_cmp);
                mean(&known[known.len().saturating_sub(1) / 2..known.len().min(known.len() / 2 + 1)])
            }
            Method::Min => known.into_iter().reduce(f64::min),
            Method::Max => known.into_iter().reduce(f64::max),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// From the first start to the last end of the windows of medications that have supply there.
fn whole(medications: &[Medication]) -> Option<Days> {
    let counted = medications.iter().filter(|each| !each.stretches.is_empty());
    let windows = counted.map(|each| each.windows.observation);
    windows.reduce(|a, b| Days {
        start: a.start.min(b.start),
        end: a.end.max(b.end),
    })
}

rows! {
    pub struct Patients { row: u32, cma: Option<f64>, reason: Option<&'static str> }
}

rows! {
    pub struct Intervals {
        row: u32, interval: Option<i32>, start: Option<i32>, end: Option<i32>, days: Option<f64>,
        aggregate: Option<f64>, value: Option<f64>, reason: Option<&'static str>,
    }
}

/// # Errors
/// `settings_invalid`, `column_missing` (`group` too), `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    chosen.check()?;
    chosen.worth().rules.need(cohort)?;
    if cohort.batch().num_rows() > 0 && !cohort.keys().contains(&"group") {
        return Err(Error::new(
            "column_missing",
            "group",
            "the medications to take together",
        ));
    }
    match chosen.output {
        Output::Patients => patients(cohort, &chosen),
        Output::Intervals => all_intervals(cohort, &chosen),
    }
}

fn patients(cohort: &Cohort, chosen: &Settings) -> Result<RecordBatch> {
    let found = cohort.map(|patient, rows: &mut Patients| {
        let value = chosen.medications(patient)?.and_then(|found| chosen.value(&found));
        rows.row.push(patient.first_row());
        rows.cma.push(value.ok().filter(|value| !value.is_nan()));
        rows.reason.push(value.err());
        Ok(())
    })?;
    let columns = vec![("cma", numbers(found.cma)), ("reason", texts(&found.reason))];
    keyed(cohort, &["patient"], found.row, columns)
}

fn all_intervals(cohort: &Cohort, chosen: &Settings) -> Result<RecordBatch> {
    let found = cohort.map(|patient, rows: &mut Intervals| {
        let medications = chosen.medications(patient)?;
        let before = rows.row.len();
        if let Ok(medications) = &medications {
            for (number, interval) in (1..).zip(cut(medications)) {
                rows.add(number, &interval, chosen.aggregate_of(&interval), medications);
            }
        }
        if rows.row.len() == before {
            rows.nothing(patient.first_row(), medications.err().unwrap_or("no_supply_in_window"));
        }
        Ok(())
    })?;
    let columns = vec![
        ("interval", counts(found.interval)),
        ("start", dates(found.start)),
        ("end", dates(found.end)),
        ("days", numbers(found.days)),
        ("aggregate", numbers(found.aggregate)),
        ("value", numbers(found.value)),
        ("reason", texts(&found.reason)),
    ];
    batch(cohort, found.row, columns)
}

impl Intervals {
    /// A row for each medication that counts.
    fn add(&mut self, number: i32, interval: &Interval, aggregate: Option<f64>, medications: &[Medication]) {
        for (medication, value) in medications.iter().zip(&interval.values) {
            let Some(value) = value else {
                continue;
            };
            self.row.push(medication.group.row);
            self.interval.push(Some(number));
            self.start.push(Some(interval.start.floor() as i32));
            self.end.push(Some(interval.end.floor() as i32));
            self.days.push(Some(interval.end - interval.start));
            self.aggregate.push(aggregate);
            self.value.push(*value);
            self.reason.push(None);
        }
    }

    fn nothing(&mut self, row: u32, reason: &'static str) {
        self.row.push(row);
        self.interval.push(None);
        self.start.push(None);
        self.end.push(None);
        self.days.push(None);
        self.aggregate.push(None);
        self.value.push(None);
        self.reason.push(Some(reason));
    }
}
