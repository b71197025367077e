//! A CMA of each treatment episode, within the observation window (Dima & Dediu 2017).
//!
//! Episodes are those of the whole follow-up, so that their numbers and days do not depend on the observation window; they
//! carry over if the CMA does. The CMA's observation window is the part of the episode that lies in the patient's, and
//! supplies of follow-up from before it count as they do for the CMA. CMA9's follow-up ends with that part too: a supply
//! is used up until the episode ends, not until follow-up does.

use crate::cohort::{Cohort, Group};
use crate::episodes::{Episode, Rule};
use crate::error::{Reasoned, Result};
use crate::estimate::{Cma, estimate, measurable};
use crate::intervals::Rules;
use crate::output::{batch, counts, dates, numbers, texts};
use crate::window::{Days, Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cma: Cma,
    window: Window,
    rule: Rule,
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

    /// The windows of a group, or why it cannot be measured.
    fn windows(&self, group: &Group, windows: Reasoned<Windows>) -> Reasoned<Windows> {
        let windows = measurable(group, windows, self.rules())?;
        self.rule
            .fault(group, self.cma.carry(self.rules()))
            .map_or(Ok(windows), Err)
    }

    /// The part of `episode` in the observation window, and its CMA.
    fn value(&self, group: &Group, windows: Windows, episode: Episode) -> Option<(Days, Reasoned<f64>)> {
        let observation = Days {
            start: episode.start.max(windows.observation.start),
            end: episode.end().min(windows.observation.end),
        };
        if observation.length() == 0 {
            return None;
        }
        let follow_up = Days {
            start: episode.start,
            end: observation.end,
        };
        Some((
            observation,
            estimate(self.cma, group, Windows { follow_up, observation }, self.rules()),
        ))
    }
}

rows! {
    pub struct Found {
        row: u32, episode: Option<i32>, start: Option<i32>, end: Option<i32>, days: Option<f64>, gap_days: Option<f64>,
        cma: Option<f64>, reason: Option<&'static str>,
    }
}

impl Found {
    fn push(&mut self, row: u32, found: Option<(Episode, Days)>, cma: Reasoned<f64>) {
        self.row.push(row);
        self.episode.push(found.map(|(episode, _)| episode.number));
        self.start.push(found.map(|(_, days)| days.start));
        self.end.push(found.map(|(_, days)| days.end));
        self.days.push(found.map(|(episode, _)| episode.days));
        self.gap_days.push(found.map(|(episode, _)| episode.gap));
        self.cma.push(cma.ok().filter(|value| !value.is_nan()));
        self.reason.push(cma.err());
    }
}

/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    chosen.rule.check()?;
    chosen.rules().need(cohort)?;
    let carry = chosen.cma.carry(chosen.rules());
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Found| {
        let (before, windows) = (rows.row.len(), chosen.windows(group, windows));
        if let Ok(windows) = windows {
            chosen.rule.episodes(group, windows.follow_up, carry, |episode| {
                if let Some((days, value)) = chosen.value(group, windows, episode) {
                    rows.push(group.row, Some((episode, days)), value);
                }
            });
        }
        if rows.row.len() == before {
            rows.push(group.row, None, Err(windows.err().unwrap_or("no_episode_in_window")));
        }
    })?;
    let columns = vec![
        ("episode", counts(found.episode)),
        ("start", dates(found.start)),
        ("end", dates(found.end)),
        ("days", numbers(found.days)),
        ("gap_days", numbers(found.gap_days)),
        ("cma", numbers(found.cma)),
        ("reason", texts(&found.reason)),
    ];
    batch(cohort, found.row, columns)
}
