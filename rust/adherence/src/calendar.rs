//! Days and spans of days; a day is a number of days since 1970-01-01, as Arrow's date32.

use chrono::{Datelike, Months, NaiveDate};
use serde::Deserialize;

/// 1970-01-01 in days since 0001-01-01 (chrono's day 1).
const EPOCH: i32 = 719_163;

/// The first and last day that an event may have: 1900-01-01 and 2199-12-31.
pub const DAYS: std::ops::RangeInclusive<i32> = -25_567..=84_005;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Days,
    Weeks,
    Months,
    Years,
}

/// A length of time: calendar months and years, as ISO 8601 durations count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    pub count: i32,
    pub unit: Unit,
}

impl Span {
    /// The day `self` after `day`; a month's missing day is its last (31 January + 1 month is 28 or 29 February).
    /// None beyond the calendar.
    pub fn after(self, day: i32) -> Option<i32> {
        match self.unit {
            Unit::Days => day.checked_add(self.count),
            Unit::Weeks => day.checked_add(self.count.checked_mul(7)?),
            Unit::Months => add_months(day, self.count),
            Unit::Years => add_months(day, self.count.checked_mul(12)?),
        }
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
    Some(moved.num_days_from_ce() - EPOCH)
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
    fn months_end_where_the_shorter_month_ends() {
        assert_eq!(span(1, Unit::Months).after(day("2031-01-31")), Some(day("2031-02-28")));
        assert_eq!(span(1, Unit::Years).after(day("2028-02-29")), Some(day("2029-02-28")));
        assert_eq!(span(2, Unit::Weeks).after(day("2031-12-25")), Some(day("2032-01-08")));
        assert_eq!(span(-1, Unit::Months).after(day("2031-03-31")), Some(day("2031-02-28")));
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
