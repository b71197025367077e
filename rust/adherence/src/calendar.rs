//! Days and spans of days; a day is a number of days since 1970-01-01, as Arrow's date32.
//!
//! A month or year later is the same day of the month. Where that month has no such day it is the first of the next:
//! spans end before their last day, so a month from 31 January holds the whole of February.

use chrono::{Datelike, Months, NaiveDate};
use serde::Deserialize;

/// 1970-01-01 in days since 0001-01-01 (chrono's day 1).
const EPOCH: i32 = 719_163;

/// The first and last day that an event may have: 1900-01-01 and 2199-12-31.
pub const DAYS: std::ops::RangeInclusive<i32> = -25_567..=84_005;

/// Days that a window may start or end on: their differences fit.
pub const REACH: std::ops::RangeInclusive<i32> = -1_000_000..=1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Days,
    Weeks,
    Months,
    Years,
}

/// A length of time; months and years are those of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    pub count: i32,
    pub unit: Unit,
}

impl Span {
    /// The day `self` after `day`; a month's missing day is the first of the next (31 January + 1 month is 1 March).
    /// None beyond `REACH`.
    pub fn after(self, day: i32) -> Option<i32> {
        let moved = match self.unit {
            Unit::Days => day.checked_add(self.count),
            Unit::Weeks => day.checked_add(self.count.checked_mul(7)?),
            Unit::Months => add_months(day, self.count),
            Unit::Years => add_months(day, self.count.checked_mul(12)?),
        };
        moved.filter(|day| REACH.contains(day))
    }
}

fn add_months(day: i32, count: i32) -> Option<i32> {
    let date = NaiveDate::from_num_days_from_ce_opt(day.checked_add(EPOCH)?)?;
    let months = Months::new(count.unsigned_abs());
    let moved = if count < 0 {
        date.checked_sub_months(months)?
    } else {
        date.checked_add_months(months)?
    };
    let missing = i32::from(moved.day() != date.day());
    Some(moved.num_days_from_ce() - EPOCH + missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        text.parse::<NaiveDate>().unwrap().num_days_from_ce() - EPOCH
    }

    fn span(count: i32, unit: Unit) -> Span {
        Span { count, unit }
    }

    #[test]
    fn a_missing_day_is_the_first_of_the_next_month() {
        assert_eq!(span(1, Unit::Months).after(day("2031-01-31")), Some(day("2031-03-01")));
        assert_eq!(span(1, Unit::Months).after(day("2031-01-29")), Some(day("2031-03-01")));
        assert_eq!(span(1, Unit::Months).after(day("2031-01-28")), Some(day("2031-02-28")));
        assert_eq!(span(1, Unit::Months).after(day("2028-01-29")), Some(day("2028-02-29")));
        assert_eq!(span(1, Unit::Years).after(day("2028-02-29")), Some(day("2029-03-01")));
        assert_eq!(span(2, Unit::Weeks).after(day("2031-12-25")), Some(day("2032-01-08")));
        assert_eq!(span(-1, Unit::Months).after(day("2031-03-31")), Some(day("2031-03-01")));
    }

    #[test]
    fn beyond_the_calendar_is_none() {
        assert_eq!(span(i32::MAX, Unit::Days).after(1), None);
        assert_eq!(span(i32::MAX, Unit::Years).after(1), None);
    }

    #[test]
    fn the_days_an_event_may_have() {
        assert_eq!(*DAYS.start(), day("1900-01-01"));
        assert_eq!(*DAYS.end(), day("2199-12-31"));
    }
}
