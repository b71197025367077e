//! A CMA of windows that slide over the observation window (Dima & Dediu 2017).
//!
//! The first window begins `start` after the observation window does, or on a day; each next one a `step` later; the last
//! is the last that does not reach beyond the observation window. With a number of windows instead of a step they are
//! spread evenly: the first and the last touch the ends, those between begin on whole days, rounded down. A patient's odd
//! window is a row with a reason.

use crate::calendar::Span;
use crate::cohort::Cohort;
use crate::error::{Error, Reasoned, Result};
use crate::estimate::{Cma, Estimator, measurable};
use crate::intervals::Rules;
use crate::output::{batch, counts, dates, numbers, texts};
use crate::window::{Days, Window};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

/// The most windows of one patient: one a day for 27 years.
const MOST: i32 = 10_000;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Start {
    After(Span),
    On(i32),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Span(Span),
    Count(i32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cma: Cma,
    window: Window,
    start: Start,
    length: Span,
    step: Step,
    carry_only_for_same_medication: bool,
    consider_dosage_change: bool,
}

impl Settings {
    fn rules(&self) -> Rules {
        Rules {
            same_medication: self.carry_only_for_same_medication,
            dosage_change: self.consider_dosage_change,
        }
    }

    fn check(&self) -> Result<()> {
        let invalid = |path, detail| Err(Error::new("settings_invalid", path, detail));
        let step = match self.step {
            Step::Span(span) => span.count,
            Step::Count(count) => count,
        };
        if self.length.count < 1 {
            return invalid("length", "at least 1");
        }
        if !(1..=MOST).contains(&step) {
            return invalid("step", "from 1 to 10000");
        }
        if matches!(self.start, Start::After(span) if span.count < 0) {
            return invalid("start", "not before the observation window");
        }
        Ok(())
    }

    /// The windows within `observation`, in order.
    fn windows(&self, observation: Days) -> Reasoned<Vec<Days>> {
        let start = match self.start {
            Start::After(span) => span.after(observation.start).ok_or("window_unknown")?,
            Start::On(day) if day < observation.start => return Err("window_outside_observation"),
            Start::On(day) => day,
        };
        let fits = |start: i32| {
            let end = self.length.after(start).filter(|&end| end <= observation.end)?;
            Some(Days { start, end })
        };
        let first = fits(start).ok_or("window_outside_observation")?;
        let found: Vec<Days> = match self.step {
            Step::Span(step) => (0..=MOST)
                .map_while(|at| times(step, at)?.after(start))
                .map_while(fits)
                .collect(),
            Step::Count(count) => (0..count)
                .map_while(|at| fits(start + spread(observation.end - first.end, at, count)))
                .collect(),
        };
        if found.len() > MOST as usize {
            Err("too_many_windows")
        } else {
            Ok(found)
        }
    }
}

fn times(span: Span, factor: i32) -> Option<Span> {
    let count = span.count.checked_mul(factor)?;
    Some(Span { count, ..span })
}

/// The shift of window `at` of `count`, of which the last is shifted by `most`.
fn spread(most: i32, at: i32, count: i32) -> i32 {
    (i64::from(most) * i64::from(at) / i64::from(count - 1).max(1)) as i32
}

rows! {
    pub struct Found {
        row: u32, window: Option<i32>, start: Option<i32>, end: Option<i32>, cma: Option<f64>,
        reason: Option<&'static str>,
    }
}

impl Found {
    fn push(&mut self, row: u32, window: Option<(i32, Days)>, cma: Reasoned<f64>) {
        self.row.push(row);
        self.window.push(window.map(|(number, _)| number));
        self.start.push(window.map(|(_, days)| days.start));
        self.end.push(window.map(|(_, days)| days.end));
        self.cma.push(cma.ok().filter(|value| !value.is_nan()));
        self.reason.push(cma.err());
    }
}

/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    chosen.check()?;
    let rules = chosen.rules();
    rules.need(cohort)?;
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Found| {
        let sliding = measurable(group, windows, rules)
            .and_then(|windows| Ok((windows.follow_up, chosen.windows(windows.observation)?)));
        match sliding {
            Err(reason) => rows.push(group.row, None, Err(reason)),
            Ok((follow_up, sliding)) => {
                let estimator = Estimator::for_many(chosen.cma, group, follow_up, rules);
                for (number, observation) in (1..).zip(sliding) {
                    rows.push(group.row, Some((number, observation)), estimator.of(observation));
                }
            }
        }
    })?;
    let columns = vec![
        ("window", counts(found.window)),
        ("window_start", dates(found.start)),
        ("window_end", dates(found.end)),
        ("cma", numbers(found.cma)),
        ("reason", texts(&found.reason)),
    ];
    batch(cohort, found.row, columns)
}
