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

use crate::cohort::Group;
use crate::error::Reasoned;
use crate::intervals::{Carry, Interval, Rules, carried, intervals_from};
use crate::window::{Days, Windows};
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

/// `windows`, unless the group has a fault or lacks what the rules need.
pub fn measurable(group: &Group, windows: Reasoned<Windows>, rules: Rules) -> Reasoned<Windows> {
    if let Some(fault) = group.fault {
        return Err(fault);
    }
    let windows = windows?;
    rules
        .fault(&followed(group, windows.follow_up))
        .map_or(Ok(windows), Err)
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

/// Supplies that count: those of follow-up, its last day too.
pub fn followed<'a>(group: &Group<'a>, follow_up: Days) -> Group<'a> {
    group.between(follow_up.start, follow_up.end)
}

/// The value of `cma` for a group that is `measurable` (NaN for CMA0, which has none), or why there is none.
///
/// # Errors
/// The reason, as `Estimator::of`.
pub fn estimate(cma: Cma, group: &Group, windows: Windows, rules: Rules) -> Reasoned<f64> {
    Estimator::new(cma, group, windows.follow_up, rules).of(windows.observation)
}

/// Estimates one CMA of one group in observation windows of one follow-up.
pub struct Estimator<'a> {
    cma: Cma,
    follow_up: Days,
    supplies: Group<'a>,
    carry: Carry,
    /// To each supply, where known; else windows are walked to from the start of follow-up.
    carried: Vec<f64>,
}

impl<'a> Estimator<'a> {
    pub fn new(cma: Cma, group: &Group<'a>, follow_up: Days, rules: Rules) -> Self {
        Self {
            cma,
            follow_up,
            supplies: followed(group, follow_up),
            carry: cma.carry(rules),
            carried: Vec::new(),
        }
    }

    /// The same for many windows: each then costs its own supplies, not those before it.
    pub fn for_many(cma: Cma, group: &Group<'a>, follow_up: Days, rules: Rules) -> Self {
        let one = Self::new(cma, group, follow_up, rules);
        let carried = carried(one.supplies, one.carry);
        Self { carried, ..one }
    }

    /// The value in `observation`, or why there is none:
    ///
    /// - `window_empty`, `window_outside_follow_up`;
    /// - `no_event_in_window`: no supply begins in it; for CMA 7 to 9, nor before it in follow-up;
    /// - `one_event`: CMA 1, 3, 5 are between supplies;
    /// - `interval_empty`: all supplies begin on one day, or on the window's last, so that there is no day to cover;
    /// - `supplied_throughout`: supplies before the window outlast it, so that nothing is left of CMA8's.
    ///
    /// # Errors
    /// The reason.
    pub fn of(&self, observation: Days) -> Reasoned<f64> {
        let follow_up = self.follow_up;
        if let Some(fault) = (Windows { follow_up, observation }).fault() {
            return Err(fault);
        }
        match self.cma {
            Cma::Cma0 => Ok(f64::NAN),
            Cma::Cma1 | Cma::Cma2 => self.supplied(observation),
            Cma::Cma3 | Cma::Cma4 => self.supplied(observation).map(|ratio| ratio.min(1.0)),
            Cma::Cma5 | Cma::Cma6 => self.between(observation),
            Cma::Cma7 | Cma::Cma8 => self.covered(observation),
            Cma::Cma9 => self.weighted(observation),
        }
    }

    /// How many supplies of follow-up there are.
    pub fn count(&self) -> usize {
        self.supplies.day.len()
    }

    /// Those that begin in `window`, or on the day it ends.
    pub fn observed(&self, window: Days) -> Group<'a> {
        self.supplies.between(window.start, window.end)
    }

    /// The day, perhaps within it, from which `window` counts: CMA8's is when supplies from before it have run out.
    pub fn start(&self, window: Days) -> f64 {
        let start = f64::from(window.start);
        if self.cma != Cma::Cma8 {
            return start;
        }
        self.intervals(window)
            .take_while(|each| each.day < window.start)
            .last()
            .map_or(start, |each| f64::from(each.day) + each.carried + each.days_supply)
            .max(start)
    }

    /// The intervals of supplies in `window`, and of at least the last before it if what they leave is carried into it.
    fn intervals(&self, window: Days) -> impl Iterator<Item = Interval> {
        let within = self.supplies.day.partition_point(|&day| day < window.start);
        let (first, carried) = if self.carry.into {
            let last = within.saturating_sub(1);
            self.carried.get(last).map_or((0, 0.0), |&carried| (last, carried))
        } else {
            (within, 0.0)
        };
        intervals_from(self.supplies, window, self.carry, first, carried)
    }

    /// How many supplies CMA 1 to 6 count, and the days from the first of them to where they end.
    fn stretch(&self, window: Days) -> Reasoned<(usize, f64)> {
        let days = self.observed(window).day;
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Err("no_event_in_window");
        };
        let (count, end) = if self.cma.ends_with_last_supply() {
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
    fn supplied(&self, window: Days) -> Reasoned<f64> {
        let (count, length) = self.stretch(window)?;
        let supplied: f64 = self.observed(window).days_supply[..count].iter().sum();
        Ok(supplied / length)
    }

    /// CMA 5 and 6.
    fn between(&self, window: Days) -> Reasoned<f64> {
        let (count, length) = self.stretch(window)?;
        let gaps: f64 = self.intervals(window).take(count).map(|each| each.gap).sum();
        Ok(1.0 - gaps / length)
    }

    /// CMA 7 and 8.
    fn covered(&self, window: Days) -> Reasoned<f64> {
        let start = self.start(window);
        let length = f64::from(window.end) - start;
        let mut each = self.intervals(window).peekable();
        let first = each.peek().ok_or("no_event_in_window")?.day;
        if length <= 0.0 {
            return Err("supplied_throughout");
        }
        let before_any = (f64::from(first) - start).max(0.0);
        let gaps: f64 = each.map(|each| each.gap_from(start)).sum();
        Ok(1.0 - (before_any + gaps) / length)
    }

    /// CMA 9.
    fn weighted(&self, window: Days) -> Reasoned<f64> {
        if self.supplies.day.first().is_none_or(|&first| first > window.end) {
            return Err("no_event_in_window");
        }
        let to_the_end = Days {
            start: window.start,
            end: self.follow_up.end,
        };
        let days: f64 = self
            .intervals(to_the_end)
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
}
