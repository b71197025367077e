//! One row a supply: its interval, its gap days, what was carried over to it, and whether a CMA counts it.

use crate::cohort::{Cohort, Group};
use crate::error::{Error, Reasoned, Result};
use crate::estimate::{Cma, Estimator, followed, measurable};
use crate::intervals::{Carry, Interval, Rules, intervals};
use crate::output::{batch, column_at, counts, dates, flags, numbers, texts};
use crate::window::{Window, Windows};
use crate::{rows, settings};
use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use serde::Deserialize;
use std::ops::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    window: Window,
    carry_over_within: bool,
    carry_over_into: bool,
    carry_only_for_same_medication: bool,
    consider_dosage_change: bool,
    /// Supplies outside follow-up are measured too, those before it included.
    outside_follow_up: bool,
    /// The CMA that `used` is about; it carries over as its definition says.
    cma: Option<Cma>,
}

rows! {
    pub struct Supplies {
        row: u32,
        interval: Option<i32>,
        gap: Option<f64>,
        carried: Option<f64>,
        follow_up_start: Option<i32>,
        follow_up_end: Option<i32>,
        window_start: Option<i32>,
        window_end: Option<i32>,
        used: Option<bool>,
        reason: Option<&'static str>,
    }
}

/// The columns of a supply that its row repeats, where events have them.
const REPEATED: [&str; 6] = ["date", "days_supply", "daily_dose", "class", "ingredient", "event"];

/// Columns `date`, … (those of `REPEATED`), `interval_days`, `gap_days`, `carried_over`, `follow_up_start`,
/// `follow_up_end`, `window_start`, `window_end`, `used`, `reason`: `outside_follow_up`, `before_window`, `after_window`,
/// or why the group cannot be measured.
///
/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    if chosen.cma.is_some() && chosen.outside_follow_up {
        return Err(Error::new(
            "settings_invalid",
            "outside_follow_up",
            "a CMA counts no supply outside follow-up",
        ));
    }
    chosen.rules().need(cohort)?;
    let found = chosen.window.map(cohort, |_, group, windows, rows: &mut Supplies| {
        rows.add(&chosen, group, windows);
    })?;
    let at = UInt32Array::from(found.row.clone());
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for name in REPEATED {
        columns.extend(column_at(cohort, name, &at)?.map(|column| (name, column)));
    }
    columns.extend([
        ("interval_days", counts(found.interval)),
        ("gap_days", numbers(found.gap)),
        ("carried_over", numbers(found.carried)),
        ("follow_up_start", dates(found.follow_up_start)),
        ("follow_up_end", dates(found.follow_up_end)),
        ("window_start", dates(found.window_start)),
        ("window_end", dates(found.window_end)),
        ("used", flags(found.used)),
        ("reason", texts(&found.reason)),
    ]);
    batch(cohort, found.row, columns)
}

impl Settings {
    fn rules(&self) -> Rules {
        Rules {
            same_medication: self.carry_only_for_same_medication,
            dosage_change: self.consider_dosage_change,
        }
    }

    fn carry(&self) -> Carry {
        let own = Carry {
            within: self.carry_over_within,
            into: self.carry_over_into,
            rules: self.rules(),
        };
        self.cma.map_or(own, |cma| cma.carry(self.rules()))
    }

    /// Which of a group's supplies the CMA counts; without a CMA those that begin in the window.
    fn used(&self, group: &Group, windows: Windows) -> Range<usize> {
        let window = windows.observation;
        let end = group.day.partition_point(|&day| day <= window.end);
        let Some(cma) = self.cma else {
            return group.day.partition_point(|&day| day < window.start)..end;
        };
        let estimator = Estimator::new(cma, group, windows.follow_up, self.rules());
        if estimator.of(window).is_err() {
            return 0..0;
        }
        let from = match cma {
            Cma::Cma9 => windows.follow_up.start,
            _ => estimator.start(window).ceil() as i32,
        };
        group.day.partition_point(|&day| day < from)..end - usize::from(cma.ends_with_last_supply())
    }

    /// Why a supply has no interval.
    fn outside(&self, day: i32, windows: Windows) -> &'static str {
        let followed = windows.follow_up.start <= day && day <= windows.follow_up.end;
        if !followed && !self.outside_follow_up {
            "outside_follow_up"
        } else if day > windows.observation.end {
            "after_window"
        } else {
            "before_window"
        }
    }
}

impl Supplies {
    fn add(&mut self, chosen: &Settings, group: &Group, windows: Reasoned<Windows>) {
        let measured =
            measurable(group, windows, chosen.rules()).and_then(|windows| windows.fault().map_or(Ok(windows), Err));
        match measured {
            Ok(windows) => self.measured(chosen, group, windows),
            Err(reason) => {
                for &row in group.rows {
                    self.push(row, windows.ok(), Err(reason), false);
                }
            }
        }
    }

    fn measured(&mut self, chosen: &Settings, group: &Group, windows: Windows) {
        let walked = if chosen.outside_follow_up {
            *group
        } else {
            followed(group, windows.follow_up)
        };
        let before = walked
            .day
            .first()
            .map_or(0, |first| group.day.partition_point(|day| day < first));
        let used = chosen.used(group, windows);
        let mut found = intervals(walked, windows.observation, chosen.carry()).peekable();
        for (at, (&row, &day)) in group.rows.iter().zip(group.day).enumerate() {
            let interval = found.next_if(|each| before + each.at == at);
            let interval = interval.ok_or_else(|| chosen.outside(day, windows));
            self.push(row, Some(windows), interval, used.contains(&at));
        }
    }

    fn push(&mut self, row: u32, windows: Option<Windows>, interval: Reasoned<Interval>, used: bool) {
        self.row.push(row);
        self.interval.push(interval.ok().map(|each| each.length));
        self.gap.push(interval.ok().map(|each| each.gap));
        self.carried.push(interval.ok().map(|each| each.carried));
        self.follow_up_start.push(windows.map(|each| each.follow_up.start));
        self.follow_up_end.push(windows.map(|each| each.follow_up.end));
        self.window_start.push(windows.map(|each| each.observation.start));
        self.window_end.push(windows.map(|each| each.observation.end));
        self.used.push(Some(used));
        self.reason.push(interval.err());
    }
}
