//! One estimate of a patient's several medications, each a group (Dima & Dediu 2017; Choudhry et al. 2009,
//! Pharmacoepidemiology and Drug Safety 18:853).
//!
//! **Aggregate last**: the CMA of each group, then their mean, minimum or maximum.
//!
//! **Aggregate first**: time is cut where any group's supply begins or runs out. In each interval a group has a value
//! - the CMA of the stretch of unbroken supply that covers the interval, where there is one (`Stretch`);
//! - 0 where its observation window touches the interval and no supply covers it;
//! - none where its window does not touch the interval.
//!
//! With aᵢ the mean (minimum, maximum) of the groups' values in interval i, of which wᵢ days lie between the first start
//! s and the last end e of the observation windows of groups that have supply there: CMA = Σᵢ aᵢ wᵢ / (e - s).
//!
//! A group without a stretch in its window does not count. By CMA7 the mean says which share of the medications was at
//! hand on an average day, the minimum on how many days all of them were, the maximum on how many any was.

use crate::cma::{Cma, estimate, measurable};
use crate::cohort::{Cohort, Group, Patient};
use crate::error::{Error, Result};
use crate::intervals::{Carry, Rules, intervals};
use crate::output::{batch, keyed, texts};
use crate::window::{Days, Window, Windows};
use crate::{rows, settings};
use arrow_array::{ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Mean,
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
    /// Follow-up starts with the first supply of each group, not of the patient.
    window_per_group: bool,
    aggregate_first: bool,
    method: Method,
    /// Leave out values that are unknown; else one makes the aggregate unknown.
    skip_unknown: bool,
    carry_only_for_same_medication: bool,
    consider_dosage_change: bool,
    output: Output,
}

type Reasoned<T> = std::result::Result<T, &'static str>;

/// One group, its windows and its stretches in the observation window.
struct Medication<'a> {
    group: Group<'a>,
    windows: Windows,
    stretches: Vec<Stretch>,
}

/// Supply without a gap: supplies of which each begins before what was there has run out.
#[derive(Clone, Copy)]
struct Stretch {
    start: f64,
    /// Where supply runs out, or the window ends; by CMA9 the gap that follows belongs to the stretch.
    end: f64,
    value: Option<f64>,
}

/// Time in which no group's supply begins or runs out.
struct Interval {
    start: f64,
    end: f64,
    /// Of each medication: whether it counts, and its value.
    values: Vec<Option<Option<f64>>>,
    aggregate: Option<f64>,
}

impl Settings {
    fn rules(&self) -> Rules {
        Rules {
            same_medication: self.carry_only_for_same_medication,
            dosage_change: self.consider_dosage_change,
        }
    }

    /// The groups of a patient and their windows.
    fn medications<'a>(&self, patient: &Patient<'a>) -> Result<Reasoned<Vec<Medication<'a>>>> {
        let mut found = Vec::new();
        for group in patient.groups() {
            let first_day = if self.window_per_group {
                group.day[0]
            } else {
                patient.first_day
            };
            let windows = match measurable(&group, self.window.since(patient, first_day)?, self.rules()) {
                Ok(windows) => windows,
                Err(reason) => return Ok(Err(reason)),
            };
            if let Some(reason) = windows.fault() {
                return Ok(Err(reason));
            }
            let stretches = if self.aggregate_first {
                self.stretches(&group, windows)
            } else {
                Vec::new()
            };
            found.push(Medication {
                group,
                windows,
                stretches,
            });
        }
        Ok(if found.is_empty() {
            Err("no_event_in_follow_up")
        } else {
            Ok(found)
        })
    }

    fn stretches(&self, group: &Group, windows: Windows) -> Vec<Stretch> {
        let followed = group.between(windows.follow_up.start, windows.follow_up.end);
        let carry = Carry {
            into: true,
            ..self.cma.carry(self.rules())
        };
        let (mut found, mut first, mut supplied) = (Vec::new(), None, 0.0);
        for each in intervals(followed, windows.follow_up, carry) {
            let start = *first.get_or_insert(each.day);
            supplied += each.days_supply;
            if each.gap > 0.0 || each.at + 1 == followed.day.len() {
                found.extend(self.stretch(group, windows, (start, each.end()), each.gap, supplied));
                (first, supplied) = (None, 0.0);
            }
        }
        found
    }

    /// A stretch in the observation window, of supplies from `days.0` that lasted until `gap` days before `days.1`.
    fn stretch(&self, group: &Group, windows: Windows, days: (i32, i32), gap: f64, supplied: f64) -> Option<Stretch> {
        let window = windows.observation;
        let runs_out = f64::from(days.1) - gap;
        if runs_out <= f64::from(window.start) || days.0 >= window.end {
            return None;
        }
        let start = days.0.max(window.start);
        let covered_until = runs_out.min(f64::from(window.end));
        let (end, value) = if self.cma == Cma::Cma9 {
            let length = f64::from(days.1 - days.0);
            (covered_until + gap, Some((supplied / length).min(1.0)))
        } else {
            let observation = Days {
                start,
                end: covered_until.ceil() as i32,
            };
            let value = estimate(self.cma, group, Windows { observation, ..windows }, self.rules());
            (covered_until, value.ok())
        };
        Some(Stretch {
            start: f64::from(start),
            end,
            value,
        })
    }

    /// The intervals of medications that have a stretch.
    fn intervals(&self, medications: &[Medication]) -> Vec<Interval> {
        let stretches = medications.iter().flat_map(|each| &each.stretches);
        let mut cuts: Vec<f64> = stretches.flat_map(|each| [each.start, each.end]).collect();
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup();
        cuts.windows(2)
            .map(|cut| {
                let values: Vec<_> = medications.iter().map(|each| each.value(cut[0], cut[1])).collect();
                let aggregate = self.aggregate(values.iter().flatten().copied());
                Interval {
                    start: cut[0],
                    end: cut[1],
                    values,
                    aggregate,
                }
            })
            .collect()
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
        let count = known.len() as f64;
        match self.method {
            Method::Mean => (count > 0.0).then(|| known.iter().sum::<f64>() / count),
            Method::Min => known.into_iter().reduce(f64::min),
            Method::Max => known.into_iter().reduce(f64::max),
        }
    }

    /// A patient's estimate.
    fn value(&self, medications: &[Medication]) -> Reasoned<f64> {
        if !self.aggregate_first {
            let each = medications
                .iter()
                .map(|each| estimate(self.cma, &each.group, each.windows, self.rules()).ok());
            return self.aggregate(each).ok_or("no_estimate");
        }
        let counted = medications.iter().filter(|each| !each.stretches.is_empty());
        let windows = counted.map(|each| each.windows.observation);
        let whole = windows.reduce(|a, b| Days {
            start: a.start.min(b.start),
            end: a.end.max(b.end),
        });
        let whole = whole.ok_or("no_supply_in_window")?;
        let (start, end) = (f64::from(whole.start), f64::from(whole.end));
        let intervals = self.intervals(medications);
        let known = |each: &Interval| each.aggregate.is_some();
        let within = |each: &&Interval| each.start < end;
        let complete = self.skip_unknown || intervals.iter().filter(within).all(known);
        if !complete || !intervals.iter().any(known) {
            return Err("no_estimate");
        }
        let days = |each: &Interval| (each.end.min(end) - each.start.max(start)).max(0.0);
        let sum: f64 = intervals
            .iter()
            .map(|each| each.aggregate.unwrap_or(0.0) * days(each))
            .sum();
        Ok(sum / (end - start))
    }
}

impl Medication<'_> {
    /// Whether it counts between two cuts, and with what value.
    fn value(&self, start: f64, end: f64) -> Option<Option<f64>> {
        let window = self.windows.observation;
        if self.stretches.is_empty() || start >= f64::from(window.end) || end <= f64::from(window.start) {
            return None;
        }
        let covering = self.stretches.iter().find(|each| each.start < end && each.end > start);
        Some(covering.map_or(Some(0.0), |stretch| stretch.value))
    }
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
    chosen.rules().need(cohort)?;
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
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("cma", Arc::new(Float64Array::from(found.cma))),
        ("reason", texts(&found.reason)),
    ];
    keyed(cohort, &["patient"], found.row, columns)
}

fn all_intervals(cohort: &Cohort, chosen: &Settings) -> Result<RecordBatch> {
    let found = cohort.map(|patient, rows: &mut Intervals| {
        let medications = chosen.medications(patient)?;
        let before = rows.row.len();
        if let Ok(medications) = &medications {
            for (number, interval) in (1..).zip(chosen.intervals(medications)) {
                rows.add(number, &interval, medications);
            }
        }
        if rows.row.len() == before {
            rows.nothing(patient.first_row(), medications.err().unwrap_or("no_supply_in_window"));
        }
        Ok(())
    })?;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("interval", Arc::new(Int32Array::from(found.interval))),
        ("start", Arc::new(Date32Array::from(found.start))),
        ("end", Arc::new(Date32Array::from(found.end))),
        ("days", Arc::new(Float64Array::from(found.days))),
        ("aggregate", Arc::new(Float64Array::from(found.aggregate))),
        ("value", Arc::new(Float64Array::from(found.value))),
        ("reason", texts(&found.reason)),
    ];
    batch(cohort, found.row, columns)
}

impl Intervals {
    /// A row for each medication that counts.
    fn add(&mut self, number: i32, interval: &Interval, medications: &[Medication]) {
        for (medication, value) in medications.iter().zip(&interval.values) {
            let Some(value) = value else {
                continue;
            };
            self.row.push(medication.group.row);
            self.interval.push(Some(number));
            self.start.push(Some(interval.start.floor() as i32));
            self.end.push(Some(interval.end.floor() as i32));
            self.days.push(Some(interval.end - interval.start));
            self.aggregate.push(interval.aggregate);
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
