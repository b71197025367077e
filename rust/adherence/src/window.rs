//! The two windows of a patient: follow-up, in which events count, and observation, in which adherence is estimated
//! (Dima & Dediu 2017).

use crate::calendar::{REACH, Span, Unit};
use crate::cohort::{DayOrCount, Patient};
use crate::error::Result;
use serde::Deserialize;

/// Where a window starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// So long after the window that it stands in: follow-up after the patient's first event, observation after the
    /// start of follow-up.
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
    /// This patient's windows, or the reason why there are none.
    ///
    /// # Errors
    /// `column_missing`, `column_type`: a window's column is not in the batch or is neither date nor number.
    pub fn of(&self, patient: &Patient) -> Result<std::result::Result<Windows, &'static str>> {
        self.since(patient, patient.first_day)
    }

    /// The windows where `first_day` stands for the patient's first supply: that of one group.
    ///
    /// # Errors
    /// As `of`.
    pub fn since(&self, patient: &Patient, first_day: i32) -> Result<std::result::Result<Windows, &'static str>> {
        let Some(follow_start) = self.start(&self.follow_up_start, patient, first_day)? else {
            return Ok(Err("window_unknown"));
        };
        let Some(follow_end) = Self::end(&self.follow_up_length, patient, follow_start)? else {
            return Ok(Err("window_unknown"));
        };
        let Some(start) = self.start(&self.observation_start, patient, follow_start)? else {
            return Ok(Err("window_unknown"));
        };
        let Some(end) = Self::end(&self.observation_length, patient, start)? else {
            return Ok(Err("window_unknown"));
        };
        Ok(Ok(Windows {
            follow_up: Days {
                start: follow_start,
                end: follow_end,
            },
            observation: Days { start, end },
        }))
    }

    fn start(&self, start: &Start, patient: &Patient, origin: i32) -> Result<Option<i32>> {
        match start {
            Start::After(span) => Ok(span.after(origin)),
            Start::On(day) => Ok(Some(*day).filter(|day| REACH.contains(day))),
            Start::Column(column) => column.after(patient, origin),
        }
    }

    fn end(length: &Length, patient: &Patient, start: i32) -> Result<Option<i32>> {
        match length {
            Length::Span(span) => Ok(span.after(start)),
            Length::Column(column) => column.after(patient, start),
        }
    }
}
