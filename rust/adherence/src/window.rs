//! The two windows of a patient: follow-up, in which events count, and observation, in which adherence is estimated
//! (Dima & Dediu 2017).

use crate::calendar::{REACH, Span, Unit};
use crate::cohort::{Cohort, DayOrCount, Group, Patient};
use crate::error::{Reasoned, Result};
use crate::output::Rows;
use serde::Deserialize;

/// Where a window starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// So long after what it counts from: follow-up from the first supply of the patient (or group), observation from
    /// the start of follow-up.
    After(Span),
    /// On a day, the same for all (days since 1970).
    On(i32),
    /// As the batch's column says for each patient: a date, or a number of units after.
    Column(Column),
}

/// How long a window lasts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    Span(Span),
    /// As the batch's column says for each patient: a number of units, or the day after the window.
    Column(Column),
}

/// A column of numbers in some unit, or of dates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    pub unit: Unit,
}

impl Column {
    fn after(&self, patient: &Patient, origin: i32) -> Result<Option<i32>> {
        Ok(match patient.value_of(&self.name)? {
            Some(DayOrCount::Day(day)) => Some(day).filter(|day| REACH.contains(day)),
            Some(DayOrCount::Count(count)) => Span { count, unit: self.unit }.after(origin),
            None => None,
        })
    }
}

/// Settings of both windows; those left out are two years from the first event.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    pub follow_up_start: Start,
    pub follow_up_length: Length,
    pub observation_start: Start,
    pub observation_length: Length,
    /// Follow-up counts from the first supply of each group, not of the patient.
    pub per_group: bool,
}

impl Default for Window {
    fn default() -> Self {
        let start = || {
            Start::After(Span {
                count: 0,
                unit: Unit::Days,
            })
        };
        let length = || {
            Length::Span(Span {
                count: 730,
                unit: Unit::Days,
            })
        };
        Self {
            follow_up_start: start(),
            follow_up_length: length(),
            observation_start: start(),
            observation_length: length(),
            per_group: false,
        }
    }
}

/// Days from `start` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub start: i32,
    pub end: i32,
}

impl Days {
    pub fn length(self) -> i32 {
        (self.end - self.start).max(0)
    }

    pub fn contains(self, day: i32) -> bool {
        self.start <= day && day < self.end
    }
}

/// One patient's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub follow_up: Days,
    pub observation: Days,
}

impl Windows {
    /// Why nothing can be estimated in these windows: `window_empty`, or `window_outside_follow_up` where observation is
    /// not wholly within follow-up, so that its days without a supply need not be days without one.
    pub fn fault(self) -> Option<&'static str> {
        let (observation, follow_up) = (self.observation, self.follow_up);
        if observation.length() == 0 {
            Some("window_empty")
        } else if observation.start < follow_up.start || follow_up.end < observation.end {
            Some("window_outside_follow_up")
        } else {
            None
        }
    }
}

impl Window {
    /// The rows that `measure` makes of every group of a cohort and its windows (or why there are none).
    ///
    /// # Errors
    /// As `of`.
    pub fn map<R: Rows>(
        &self,
        cohort: &Cohort,
        measure: impl Fn(&Patient, &Group, Reasoned<Windows>, &mut R) + Sync,
    ) -> Result<R> {
        cohort.map(|patient, rows| {
            for group in patient.groups() {
                measure(patient, &group, self.of(patient, &group)?, rows);
            }
            Ok(())
        })
    }

    /// The windows of a patient's group, or the reason why there are none.
    ///
    /// # Errors
    /// `column_missing`, `column_type`: a window's column is not in the batch or is neither date nor number.
    pub fn of(&self, patient: &Patient, group: &Group) -> Result<Reasoned<Windows>> {
        let first_day = if self.per_group {
            group.first_day().unwrap_or(patient.first_day)
        } else {
            patient.first_day
        };
        let Some(follow_up) = days(patient, &self.follow_up_start, &self.follow_up_length, first_day)? else {
            return Ok(Err("window_unknown"));
        };
        let observation = days(
            patient,
            &self.observation_start,
            &self.observation_length,
            follow_up.start,
        )?;
        Ok(observation
            .map(|observation| Windows { follow_up, observation })
            .ok_or("window_unknown"))
    }
}

/// One window; None beyond the calendar, or where its column says nothing of the patient.
fn days(patient: &Patient, start: &Start, length: &Length, origin: i32) -> Result<Option<Days>> {
    let Some(start) = start.after(patient, origin)? else {
        return Ok(None);
    };
    Ok(length.after(patient, start)?.map(|end| Days { start, end }))
}

impl Start {
    fn after(&self, patient: &Patient, origin: i32) -> Result<Option<i32>> {
        match self {
            Self::After(span) => Ok(span.after(origin)),
            Self::On(day) => Ok(Some(*day).filter(|day| REACH.contains(day))),
            Self::Column(column) => column.after(patient, origin),
        }
    }
}

impl Length {
    fn after(&self, patient: &Patient, start: i32) -> Result<Option<i32>> {
        match self {
            Self::Span(span) => Ok(span.after(start)),
            Self::Column(column) => column.after(patient, start),
        }
    }
}
