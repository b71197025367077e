//! Whether a Period ends before it starts (per-1), as far as its two texts tell.

/// Hours by which a day without a zone may begin before and end after the same day in UTC.
const EARLIEST_ZONE: i64 = 14;
const LATEST_ZONE: i64 = 12;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// True only where it is certain: FHIRPath compares at the precision that both have, and a date has no zone to compare
/// with an instant of another. Texts that are no dateTime are not compared.
///
/// Source: per-1 of hl7.org/fhir/R4/datatypes.html#Period; FHIRPath's comparison of dates (hl7.org/fhirpath).
pub(super) fn ends_before_start(start: Option<&str>, end: Option<&str>) -> bool {
    let (Some(start), Some(end)) = (start, end) else {
        return false;
    };
    match (Instant::read(start), Instant::read(end)) {
        (Some(start), Some(end)) => start > end,
        (None, None) => starts_later(start, end),
        (Some(start), None) => latest(end).is_some_and(|end| start.second >= end),
        (None, Some(end)) => earliest(start).is_some_and(|start| start > end.second),
    }
}

/// Two dates at the precision that both have: their texts have fixed widths.
fn starts_later(start: &str, end: &str) -> bool {
    let common = start.len().min(end.len());
    matches!((start.get(..common), end.get(..common)), (Some(start), Some(end)) if start > end)
}

/// Seconds since 1970 in UTC, and the digits of the fraction without zeros at its end.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Instant<'a> {
    second: i64,
    fraction: &'a str,
}

impl<'a> Instant<'a> {
    /// `YYYY-MM-DDThh:mm:ss(.f+)?(Z|±hh:mm)`, whose form is checked elsewhere.
    fn read(text: &'a str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let (clock, rest) = time.split_at_checked(8)?;
        let zone = rest.find(['Z', '+', '-'])?;
        let (fraction, zone) = rest.split_at(zone);
        Some(Self {
            second: first_day(date)? * DAY + seconds(clock)? - offset(zone)?,
            fraction: fraction.trim_start_matches('.').trim_end_matches('0'),
        })
    }
}

/// `hh:mm` or `hh:mm:ss`
fn seconds(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    Some(hour * HOUR + minute * 60 + second)
}

fn offset(zone: &str) -> Option<i64> {
    match zone.split_at_checked(1)? {
        ("+", clock) => seconds(clock),
        ("-", clock) => Some(-seconds(clock)?),
        _ => Some(0),
    }
}

/// Year, month and day that are written.
fn parts(date: &str) -> Option<[Option<i64>; 3]> {
    let mut parts = [None; 3];
    for (slot, part) in parts.iter_mut().zip(date.split('-')) {
        *slot = Some(part.parse().ok()?);
    }
    Some(parts)
}

/// First day of a year, month or day, since 1970.
fn first_day(date: &str) -> Option<i64> {
    let [year, month, day] = parts(date)?;
    Some(days(year?, month.unwrap_or(1), day.unwrap_or(1)))
}

/// Day after a year, month or day.
fn next_day(date: &str) -> Option<i64> {
    let [year, month, day] = parts(date)?;
    let year = year?;
    Some(match (month, day) {
        (None, _) => days(year + 1, 1, 1),
        (Some(month), None) => days(year, month + 1, 1),
        (Some(month), Some(day)) => days(year, month, day) + 1,
    })
}

fn earliest(date: &str) -> Option<i64> {
    Some(first_day(date)? * DAY - EARLIEST_ZONE * HOUR)
}

/// The first second that certainly is after the date.
fn latest(date: &str) -> Option<i64> {
    Some(next_day(date)? * DAY + LATEST_ZONE * HOUR)
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar; month 13 is the next January.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 12 {
        (year + 1, month - 12)
    } else {
        (year, month)
    };
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29) + 1, days(2000, 3, 1));
        assert_eq!(days(2023, 13, 1), days(2024, 1, 1));
        assert_eq!(days(2024, 1, 1), 19_723);
    }

    #[test]
    fn only_certain_contradictions_count() {
        for (start, end, before) in [
            ("2024-01-02", "2024-01-01", true),
            ("2024-01-02", "2024-01-02", false),
            ("2024-01-02", "2024-01", false),
            ("2024-02", "2024-01-31", true),
            ("2025", "2024-12-31", true),
            ("2024", "2024", false),
            ("2024-01-01T10:00:00Z", "2024-01-01T09:59:59Z", true),
            ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00.000Z", false),
            ("2024-01-01T10:00:00.5Z", "2024-01-01T10:00:00.45Z", true),
            ("2024-01-01T10:00:00.50Z", "2024-01-01T10:00:00.5Z", false),
            ("2024-01-01T10:00:00+02:00", "2024-01-01T08:00:00Z", false),
            ("2024-01-01T10:00:00+02:00", "2024-01-01T07:59:59Z", true),
            ("2024-01-01T10:00:00-02:00", "2024-01-01T11:00:00Z", true),
            // The day may be one in a zone far from that of the instant.
            ("2024-01-02", "2024-01-01T23:00:00-05:00", false),
            ("2024-01-02", "2024-01-01T09:59:59Z", true),
            ("2024-01-02T11:59:59Z", "2024-01-01", false),
            ("2024-01-02T12:00:00Z", "2024-01-01", true),
            ("2024-02-01T12:00:00Z", "2024-01", true),
            ("2025-01-01T11:00:00Z", "2024", false),
        ] {
            assert_eq!(ends_before_start(Some(start), Some(end)), before, "{start} {end}");
        }
        assert!(!ends_before_start(None, Some("2024")));
        assert!(!ends_before_start(Some("2024"), None));
    }
}
