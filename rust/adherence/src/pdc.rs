//! Proportion of days covered: days of the period with supply on hand by days of the period.
//!
//! PDC = |{days of the period covered by at least one supply}| / |{days of the period}|, whole days, never above 1
//! (Nau 2012, Proportion of Days Covered as a Preferred Method of Measuring Medication Adherence, PQA; forward shift:
//! Choudhry et al. 2009). `cover` says which days a supply covers.

use crate::calendar::DAYS;
use crate::cohort::{Cohort, Group};
use crate::cover::{Ingredients, Shift, clipped, cover, days_within, spans, supplies};
use crate::error::{Reasoned, Result};
use crate::output::{batch, counts, dates, flags, numbers, texts};
use crate::window::{Days, Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Start {
    /// The whole window; supplies from before it count as far as they reach into it.
    #[default]
    Window,
    /// From the first fill in the window, which is the first that counts.
    FromFirstFill,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    window: Window,
    #[serde(default)]
    period: Start,
    #[serde(default)]
    shift: Shift,
    #[serde(default)]
    threshold: Threshold,
    /// The last day that is known, if the period is not over.
    as_of: Option<i32>,
}

/// A proportion n / d that days are compared with as whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "(u32, u32)")]
pub struct Threshold {
    numerator: i64,
    denominator: i64,
}

impl TryFrom<(u32, u32)> for Threshold {
    type Error = &'static str;

    fn try_from((numerator, denominator): (u32, u32)) -> std::result::Result<Self, Self::Error> {
        if numerator == 0 || numerator > denominator {
            return Err("a threshold is a proportion above 0, at most 1");
        }
        Ok(Self {
            numerator: i64::from(numerator),
            denominator: i64::from(denominator),
        })
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self {
            numerator: 4,
            denominator: 5,
        }
    }
}

impl Threshold {
    pub fn met(self, covered: i32, period: i32) -> bool {
        i64::from(covered) * self.denominator >= i64::from(period) * self.numerator
    }

    /// The most days of `period` that may be without supply.
    pub fn gap_days_allowed(self, period: i32) -> i32 {
        (i64::from(period) * (self.denominator - self.numerator) / self.denominator) as i32
    }
}

/// What covers the period of one group.
struct Found {
    fills: Fills,
    spans: Vec<Days>,
    /// Up to the last day that is known.
    period: Days,
    whole_period: Days,
}

/// How many fills there are in a period, on which first and last day; no day where there is none.
#[derive(Default)]
struct Fills {
    count: i32,
    first: Option<i32>,
    last: Option<i32>,
}

impl Fills {
    /// Of days in order.
    fn of(days: impl Iterator<Item = i32>) -> Self {
        days.fold(Self::default(), |fills, day| Self {
            count: fills.count + 1,
            first: fills.first.or(Some(day)),
            last: Some(day),
        })
    }
}

rows! {
    pub struct Proportions {
        row: u32, fills: Option<i32>, first_fill: Option<i32>, last_fill: Option<i32>, period_start: Option<i32>,
        period_days: Option<i32>, covered_days: Option<i32>, pdc: Option<f64>, adherent: Option<bool>,
        gap_days: Option<i32>, gap_days_allowed: Option<i32>, gap_days_left: Option<i32>, supply_end: Option<i32>,
        reason: Option<&'static str>,
    }
}

/// One row a group.
///
/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let ingredients = Ingredients::of(cohort);
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Proportions| {
        let found = windows.and_then(|windows| chosen.measure(group, windows, &ingredients));
        rows.push(group, found, chosen.threshold);
    })?;
    found.batch(cohort)
}

impl Settings {
    fn measure(&self, group: &Group, windows: Windows, known: &Ingredients) -> Reasoned<Found> {
        if let Some(fault) = group.fault {
            return Err(fault);
        }
        let window = checked(windows, group.day[0])?;
        let until = self
            .as_of
            .map_or(window.end, |day| window.end.min(day.saturating_add(1)));
        let begins = match self.period {
            Start::Window => windows.follow_up.start,
            Start::FromFirstFill => windows.follow_up.start.max(window.start),
        };
        let counts = Days {
            start: begins,
            end: until,
        };
        let counted = group.day.iter().copied().filter(|&day| counts.contains(day));
        let first = counted.clone().next().ok_or("no_event_in_window")?;
        let start = if self.period == Start::Window {
            window.start
        } else {
            first
        };
        if until <= start {
            return Err("period_not_begun");
        }
        Ok(Found {
            fills: Fills::of(counted.filter(|&day| day >= start)),
            spans: cover(supplies(group, self.shift, known, |_, day| counts.contains(day)), &[]),
            period: Days { start, end: until },
            whole_period: Days { start, end: window.end },
        })
    }
}

/// The observation window, if every supply of a group that could cover its days is in the follow-up; `first_day` is the
/// group's.
pub(crate) fn checked(windows: Windows, first_day: i32) -> Reasoned<Days> {
    let (window, follow_up) = (windows.observation, windows.follow_up);
    if window.length() == 0 {
        Err("window_empty")
    } else if !DAYS.contains(&window.start) || !DAYS.contains(&window.end) {
        Err("window_outside_calendar")
    } else if window.end > follow_up.end || window.start < follow_up.start && first_day < follow_up.start {
        Err("window_outside_follow_up")
    } else {
        Ok(window)
    }
}

impl Proportions {
    fn push(&mut self, group: &Group, found: Reasoned<Found>, threshold: Threshold) {
        let reason = found.as_ref().err().copied();
        let found = found.ok();
        let found = found.as_ref();
        let length = found.map(|each| each.period.length());
        let covered = found.map(|each| days_within(&each.spans, each.period));
        let both = length.zip(covered);
        let gap = both.map(|(length, covered)| length - covered);
        let allowed = found.map(|each| threshold.gap_days_allowed(each.whole_period.length()));
        self.row.push(group.row);
        self.fills.push(found.map(|each| each.fills.count));
        self.first_fill.push(found.and_then(|each| each.fills.first));
        self.last_fill.push(found.and_then(|each| each.fills.last));
        self.period_start.push(found.map(|each| each.period.start));
        self.period_days.push(length);
        self.covered_days.push(covered);
        self.pdc
            .push(both.map(|(length, covered)| f64::from(covered) / f64::from(length)));
        self.adherent
            .push(both.map(|(length, covered)| threshold.met(covered, length)));
        self.gap_days.push(gap);
        self.gap_days_allowed.push(allowed);
        self.gap_days_left
            .push(allowed.zip(gap).map(|(allowed, gap)| allowed - gap));
        self.supply_end.push(found.and_then(|each| supply_end(&each.spans)));
        self.reason.push(reason);
    }

    fn batch(self, cohort: &Cohort) -> Result<RecordBatch> {
        let columns = vec![
            ("fills", counts(self.fills)),
            ("first_fill", dates(self.first_fill)),
            ("last_fill", dates(self.last_fill)),
            ("period_start", dates(self.period_start)),
            ("period_days", counts(self.period_days)),
            ("covered_days", counts(self.covered_days)),
            ("pdc", numbers(self.pdc)),
            ("adherent", flags(self.adherent)),
            ("gap_days", counts(self.gap_days)),
            ("gap_days_allowed", counts(self.gap_days_allowed)),
            ("gap_days_left", counts(self.gap_days_left)),
            ("supply_end", dates(self.supply_end)),
            ("reason", texts(&self.reason)),
        ];
        batch(cohort, self.row, columns)
    }
}

/// The first day without supply after the last fill; none after the year 9999, where calendars of many tools end.
fn supply_end(spans: &[Days]) -> Option<i32> {
    const YEAR_10000: i32 = 2_932_897;
    spans.last().map(|span| span.end).filter(|&end| end < YEAR_10000)
}

rows! {
    pub struct Spans {
        row: u32, start: Option<i32>, end: Option<i32>, kind: Option<&'static str>, reason: Option<&'static str>,
    }
}

/// The days that count, span by span: `covered`, `gap`, and beside them each `stay`.
///
/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run_covered(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let ingredients = Ingredients::of(cohort);
    let found = chosen.window.map(cohort, |patient, group, windows, rows: &mut Spans| {
        let found = windows.and_then(|windows| {
            let found = chosen.measure(group, windows, &ingredients)?;
            Ok((found, spans(patient.periods("stay")?)))
        });
        match found {
            Ok((found, stays)) => {
                rows.push_days(group.row, &found);
                rows.push_spans(group.row, &stays, found.period, "stay");
            }
            Err(reason) => rows.push(group.row, None, None, Some(reason)),
        }
    })?;
    let columns = vec![
        ("start", dates(found.start)),
        ("end", dates(found.end)),
        ("kind", texts(&found.kind)),
        ("reason", texts(&found.reason)),
    ];
    batch(cohort, found.row, columns)
}

impl Spans {
    fn push(&mut self, row: u32, days: Option<Days>, kind: Option<&'static str>, reason: Option<&'static str>) {
        self.row.push(row);
        self.start.push(days.map(|days| days.start));
        self.end.push(days.map(|days| days.end));
        self.kind.push(kind);
        self.reason.push(reason);
    }

    fn push_spans(&mut self, row: u32, spans: &[Days], period: Days, kind: &'static str) {
        for span in spans
            .iter()
            .map(|&span| clipped(span, period))
            .filter(|span| span.length() > 0)
        {
            self.push(row, Some(span), Some(kind), None);
        }
    }

    /// Covered spans and the gaps between them, in order.
    fn push_days(&mut self, row: u32, found: &Found) {
        let mut free = found.period.start;
        for &span in &found.spans {
            let span = clipped(span, found.period);
            if span.length() == 0 {
                continue;
            }
            self.push_spans(
                row,
                &[Days {
                    start: free,
                    end: span.start,
                }],
                found.period,
                "gap",
            );
            self.push(row, Some(span), Some("covered"), None);
            free = span.end;
        }
        self.push_spans(
            row,
            &[Days {
                start: free,
                end: found.period.end,
            }],
            found.period,
            "gap",
        );
    }
}
