//! Treatment episodes: stretches of supply without a gap longer than the permissible one (Gardarsdottir et al. 2010,
//! Journal of Clinical Epidemiology 63:422; Dima & Dediu 2017).
//!
//! Supplies of the follow-up are walked in order. A supply lasts its days and what is carried over to it; the gap after it
//! is what then is missing up to the next supply, or up to the end of follow-up. An episode ends
//! - at the end of supply, where the gap after it is **longer than** the permissible gap: midstream and at the end of
//!   follow-up alike (one rule);
//! - at the end of supply, or where the next supply begins if that is sooner, where the class (or dose) changes and such
//!   changes are set to begin an episode;
//! - at the end of follow-up otherwise.
//!
//! Where a gap ended it, `append` of the permissible gap is added: 1 says that treatment lasted the whole of it.

use crate::calendar::{Span, Unit};
use crate::cohort::{Cohort, Group, NONE};
use crate::error::{Error, Reasoned, Result};
use crate::intervals::{Carry, Interval, Rules, intervals};
use crate::output::{batch, counts, dates, numbers, texts};
use crate::window::{Days, Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

/// The longest gap that leaves an episode whole.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permissible {
    /// So long after the end of supply; months and years by the calendar.
    Span(Span),
    /// Per cent of the days supply of the last supply.
    Percent(f64),
}

/// When an episode ends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub permissible_gap: Permissible,
    pub class_change: bool,
    pub dose_change: bool,
    /// How much of the permissible gap belongs to an episode that a gap ended: 0 to 1.
    pub append: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    window: Window,
    rule: Rule,
    carry_over: bool,
    carry_only_for_same_medication: bool,
    consider_dosage_change: bool,
}

impl Settings {
    fn carry(&self) -> Carry {
        Carry {
            within: self.carry_over,
            into: true,
            rules: Rules {
                same_medication: self.carry_only_for_same_medication,
                dosage_change: self.consider_dosage_change,
            },
        }
    }
}

/// What ended an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Gap,
    ClassChange,
    DoseChange,
    FollowUpEnd,
}

impl Ended {
    pub fn word(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::ClassChange => "class_change",
            Self::DoseChange => "dose_change",
            Self::FollowUpEnd => "follow_up_end",
        }
    }
}

/// One episode of a group; `days` and `gap` hold parts of days where doses change what is carried over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// From 1.
    pub number: i32,
    pub start: i32,
    pub days: f64,
    /// Days without supply after its last supply.
    pub gap: f64,
    pub supplies: i32,
    pub ended: Ended,
}

impl Episode {
    /// The first day after it.
    pub fn end(self) -> i32 {
        self.start + self.days.floor() as i32
    }
}

impl Rule {
    /// # Errors
    /// `settings_invalid`: a negative or absurd gap, `append` out of range.
    pub fn check(&self) -> Result<()> {
        let gap = match self.permissible_gap {
            Permissible::Span(span) => f64::from(span.count),
            Permissible::Percent(percent) => percent,
        };
        if !(0.0..=100_000.0).contains(&gap) {
            return Err(Error::new("settings_invalid", "permissible_gap", "from 0 to 100000"));
        }
        if !(0.0..=1.0).contains(&self.append) {
            return Err(Error::new("settings_invalid", "append", "from 0 to 1"));
        }
        Ok(())
    }

    /// Why a group has no episodes by this rule: what `carry` or a change needs is unknown.
    pub fn fault(&self, group: &Group, carry: Carry) -> Option<&'static str> {
        let classes = self.class_change && group.class.iter().any(|&class| class != NONE);
        let needed = Rules {
            same_medication: classes || (carry.within && carry.rules.same_medication),
            dosage_change: self.dose_change || (carry.within && carry.rules.dosage_change),
        };
        group.fault.or_else(|| needed.fault(group))
    }

    /// The episodes of `group` within `follow_up`, in order.
    pub fn episodes(&self, group: &Group, follow_up: Days, carry: Carry, mut each: impl FnMut(Episode)) {
        let group = group.between(follow_up.start, follow_up.end);
        let (mut number, mut first) = (1, 0);
        for supply in intervals(group, follow_up, carry) {
            let limit = self.limit(&supply);
            let next = (supply.at + 1 < group.day.len()).then_some(supply.at + 1);
            let Some(ended) = self.ended(&group, supply.at, next, supply.gap > limit) else {
                continue;
            };
            let tail = match ended {
                Ended::Gap => self.append * limit - supply.gap,
                Ended::FollowUpEnd => 0.0,
                Ended::ClassChange | Ended::DoseChange => -supply.gap,
            };
            let start = group.day[first];
            each(Episode {
                number,
                start,
                days: f64::from(supply.end() - start) + tail,
                gap: supply.gap,
                supplies: (supply.at + 1 - first) as i32,
                ended,
            });
            (number, first) = (number + 1, supply.at + 1);
        }
    }

    /// The permissible gap in days; calendar months begin on the first day without supply.
    fn limit(&self, supply: &Interval) -> f64 {
        match self.permissible_gap {
            Permissible::Percent(percent) => percent / 100.0 * supply.days_supply,
            Permissible::Span(Span {
                count,
                unit: Unit::Days,
            }) => f64::from(count),
            Permissible::Span(span) => {
                let from = supply.end() - supply.gap.floor() as i32;
                span.after(from).map_or(f64::INFINITY, |day| f64::from(day - from))
            }
        }
    }

    fn ended(&self, group: &Group, at: usize, next: Option<usize>, too_long: bool) -> Option<Ended> {
        let Some(next) = next else {
            return Some(if too_long { Ended::Gap } else { Ended::FollowUpEnd });
        };
        if too_long {
            Some(Ended::Gap)
        } else if self.class_change && group.class[at] != group.class[next] {
            Some(Ended::ClassChange)
        } else if self.dose_change && group.daily_dose[at] != group.daily_dose[next] {
            Some(Ended::DoseChange)
        } else {
            None
        }
    }
}

rows! {
    pub struct Found {
        row: u32, episode: Option<i32>, start: Option<i32>, end: Option<i32>, days: Option<f64>, gap_days: Option<f64>,
        supplies: Option<i32>, ended: Option<&'static str>, reason: Option<&'static str>,
    }
}

impl Found {
    fn push(&mut self, row: u32, found: Reasoned<Episode>) {
        self.row.push(row);
        self.reason.push(found.as_ref().err().copied());
        let episode = found.ok();
        self.episode.push(episode.map(|each| each.number));
        self.start.push(episode.map(|each| each.start));
        self.end.push(episode.map(Episode::end));
        self.days.push(episode.map(|each| each.days));
        self.gap_days.push(episode.map(|each| each.gap));
        self.supplies.push(episode.map(|each| each.supplies));
        self.ended.push(episode.map(|each| each.ended.word()));
    }
}

/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    chosen.rule.check()?;
    let carry = chosen.carry();
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Found| {
        let before = rows.row.len();
        let reason = match (chosen.rule.fault(group, carry), windows) {
            (Some(reason), _) | (None, Err(reason)) => reason,
            (None, Ok(Windows { follow_up, .. })) => {
                let push = |episode| rows.push(group.row, Ok(episode));
                chosen.rule.episodes(group, follow_up, carry, push);
                "no_event_in_follow_up"
            }
        };
        if rows.row.len() == before {
            rows.push(group.row, Err(reason));
        }
    })?;
    let columns = vec![
        ("episode", counts(found.episode)),
        ("start", dates(found.start)),
        ("end", dates(found.end)),
        ("days", numbers(found.days)),
        ("gap_days", numbers(found.gap_days)),
        ("supplies", counts(found.supplies)),
        ("ended", texts(&found.ended)),
        ("reason", texts(&found.reason)),
    ];
    batch(cohort, found.row, columns)
}
