//! CMA 1 to 9: continuous multiple-interval measures of medication availability or gaps.
//!
//! Supplies i = 1…n that begin in the observation window [s, e), or on day e, at days tᵢ with dᵢ days of supply; intervals
//! and gaps as `intervals` defines them.
//!
//! | CMA | Value | Carry-over |
//! |---|---|---|
//! | 1 | Σᵢ₍ᵢ<ₙ₎ dᵢ / (tₙ - t₁) | |
//! | 2 | Σᵢ dᵢ / (e - t₁) | |
//! | 3, 4 | CMA1, CMA2, at most 1 | |
//! | 5 | 1 - Σᵢ₍ᵢ<ₙ₎ gapᵢ / (tₙ - t₁) | within |
//! | 6 | 1 - Σᵢ gapᵢ / (e - t₁) | within |
//! | 7 | 1 - days without supply in [s, e) / (e - s) | within and into |
//! | 8 | CMA7 in [s′, e): s′ is the end of what supplies before s leave | within and into |
//! | 9 | days of [s, e), each weighted by min(1, (dᵢ + carriedᵢ) / intervalᵢ) of the supply before it, / (e - s) | within and into |
//!
//! Intervals of CMA9 go on to the next supply wherever it is in follow-up, or to the end of follow-up: the rate at which
//! a supply is used up does not depend on where the window ends.
//!
//! Vollmer et al. 2012, BMC Health Services Research 12:155 (CMA 1 to 8); Hess et al. 2006, Annals of Pharmacotherapy
//! 40:1280 (1 to 4 as MPR and its kin); Choudhry et al. 2009, Pharmacoepidemiology and Drug Safety 18:853 (supply before
//! the window, several medications); Dima & Dediu 2017, PLoS ONE 12(4):e0174426 (the numbering, and CMA9).

use crate::cohort::{Cohort, Group};
use crate::error::{Reasoned, Result};
use crate::intervals::{Carry, Interval, Rules, intervals};
use crate::output::{batch, counts, dates, numbers, texts};
use crate::window::{Days, Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Cma {
    /// No value: the windows, and how many supplies are in them.
    Cma0,
    Cma1,
    Cma2,
    Cma3,
    Cma4,
    Cma5,
    Cma6,
    Cma7,
    Cma8,
    Cma9,
}

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
        let windows = measurable(group, windows, rules);
        let value = windows.and_then(|windows| estimate(cma, group, windows, rules));
        let followed = windows
            .map(|windows| (followed(group, windows), windows.observation))
            .ok();
        let count = |group: Group| group.day.len() as i32;
        self.row.push(group.row);
        self.value.push(value.ok());
        self.in_follow_up.push(followed.map(|(supplies, _)| count(supplies)));
        self.in_window
            .push(followed.map(|(supplies, window)| count(observed(&supplies, window))));
        self.start
            .push(followed.map(|(supplies, window)| start(cma, &supplies, window, rules).floor() as i32));
        self.end.push(followed.map(|(_, window)| window.end));
        self.reason.push(value.err());
    }
}

/// `windows`, unless the group has a fault or lacks what the rules need.
pub fn measurable(group: &Group, windows: Reasoned<Windows>, rules: Rules) -> Reasoned<Windows> {
    if let Some(fault) = group.fault {
        return Err(fault);
    }
    let windows = windows?;
    rules.fault(&followed(group, windows)).map_or(Ok(windows), Err)
}

impl Cma {
    /// What this CMA carries over.
    pub fn carry(self, rules: Rules) -> Carry {
        match self {
            Self::Cma0 | Self::Cma1 | Self::Cma2 | Self::Cma3 | Self::Cma4 => Carry::default(),
            Self::Cma5 | Self::Cma6 => Carry {
                within: true,
                into: false,
                rules,
            },
            Self::Cma7 | Self::Cma8 | Self::Cma9 => Carry {
                within: true,
                into: true,
                rules,
            },
        }
    }

    /// Whether it ends with the last supply, of which only the day counts.
    pub fn ends_with_last_supply(self) -> bool {
        matches!(self, Self::Cma1 | Self::Cma3 | Self::Cma5)
    }
}

/// The value of `cma` for a group that is `measurable` (NaN for CMA0, which has none), or why there is none:
///
/// - `window_empty`, `window_outside_follow_up`;
/// - `no_event_in_window`: no supply begins in it; for CMA 7 to 9, nor before it in follow-up;
/// - `one_event`: CMA 1, 3, 5 are between supplies;
/// - `interval_empty`: all supplies begin on one day, or on the window's last, so that there is no day to cover;
/// - `supplied_throughout`: supplies before the window outlast it, so that nothing is left of CMA8's.
///
/// # Errors
/// The reason.
pub fn estimate(cma: Cma, group: &Group, windows: Windows, rules: Rules) -> Reasoned<f64> {
    if let Some(fault) = windows.fault() {
        return Err(fault);
    }
    let (followed, window) = (followed(group, windows), windows.observation);
    match cma {
        Cma::Cma0 => Ok(f64::NAN),
        Cma::Cma1 | Cma::Cma2 => supplied(cma, &followed, window),
        Cma::Cma3 | Cma::Cma4 => supplied(cma, &followed, window).map(|ratio| ratio.min(1.0)),
        Cma::Cma5 | Cma::Cma6 => between(cma, &followed, window, rules),
        Cma::Cma7 | Cma::Cma8 => covered(cma, &followed, window, rules),
        Cma::Cma9 => weighted(&followed, windows, rules),
    }
}

/// The day, perhaps within it, from which `cma` counts: CMA8's is when supplies from before the window have run out.
pub fn start(cma: Cma, followed: &Group, window: Days, rules: Rules) -> f64 {
    let start = f64::from(window.start);
    if cma != Cma::Cma8 {
        return start;
    }
    intervals(*followed, window, cma.carry(rules))
        .take_while(|each| each.day < window.start)
        .last()
        .map_or(start, |each| f64::from(each.day) + each.carried + each.days_supply)
        .max(start)
}

/// Supplies that count: those of follow-up, its last day too.
pub fn followed<'a>(group: &Group<'a>, windows: Windows) -> Group<'a> {
    group.between(windows.follow_up.start, windows.follow_up.end)
}

fn observed<'a>(followed: &Group<'a>, window: Days) -> Group<'a> {
    followed.between(window.start, window.end)
}

/// How many supplies CMA 1 to 6 count, and the days from the first of them to where they end.
fn stretch(cma: Cma, followed: &Group, window: Days) -> Reasoned<(usize, f64)> {
    let days = observed(followed, window).day;
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Err("no_event_in_window");
    };
    let (count, end) = if cma.ends_with_last_supply() {
        (days.len() - 1, *last)
    } else {
        (days.len(), window.end)
    };
    match (count, end - first) {
        (0, _) => Err("one_event"),
        (_, 0) => Err("interval_empty"),
        (count, length) => Ok((count, f64::from(length))),
    }
}

/// CMA 1 and 2.
fn supplied(cma: Cma, followed: &Group, window: Days) -> Reasoned<f64> {
    let (count, length) = stretch(cma, followed, window)?;
    let supplied: f64 = observed(followed, window).days_supply[..count].iter().sum();
    Ok(supplied / length)
}

/// CMA 5 and 6.
fn between(cma: Cma, followed: &Group, window: Days, rules: Rules) -> Reasoned<f64> {
    let (count, length) = stretch(cma, followed, window)?;
    let gaps: f64 = intervals(*followed, window, cma.carry(rules))
        .take(count)
        .map(|each| each.gap)
        .sum();
    Ok(1.0 - gaps / length)
}

/// CMA 7 and 8.
fn covered(cma: Cma, followed: &Group, window: Days, rules: Rules) -> Reasoned<f64> {
    let start = start(cma, followed, window, rules);
    let length = f64::from(window.end) - start;
    let mut each = intervals(*followed, window, cma.carry(rules)).peekable();
    let first = each.peek().ok_or("no_event_in_window")?.day;
    if length <= 0.0 {
        return Err("supplied_throughout");
    }
    let before_any = (f64::from(first) - start).max(0.0);
    let gaps: f64 = each.map(|each: Interval| each.gap_from(start)).sum();
    Ok(1.0 - (before_any + gaps) / length)
}

/// CMA 9.
fn weighted(followed: &Group, windows: Windows, rules: Rules) -> Reasoned<f64> {
    let window = windows.observation;
    if followed.day.first().is_none_or(|&first| first > window.end) {
        return Err("no_event_in_window");
    }
    let to_the_end = Days {
        start: window.start,
        end: windows.follow_up.end,
    };
    let days: f64 = intervals(*followed, to_the_end, Cma::Cma9.carry(rules))
        .take_while(|each| each.day < window.end)
        .filter(|each| each.end() > window.start.max(each.day))
        .map(|each| {
            let within = each.end().min(window.end) - each.day.max(window.start);
            let rate = ((each.days_supply + each.carried) / f64::from(each.length)).min(1.0);
            rate * f64::from(within)
        })
        .sum();
    Ok(days / f64::from(window.length()))
}
