//! date, dateTime, instant and time: R4's patterns, and a calendar.

use super::is_digits;
use crate::fhir::Refusal;

/// A two-digit number at the start, and what follows.
fn two(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    is_digits(digits).then(|| (digits.parse().unwrap_or_default(), rest))
}

/// What a date at the start holds: its number of parts and what follows.
fn after_date(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let year: u32 = digits.parse().ok().filter(|year| is_digits(digits) && *year > 0)?;
    let Some(rest) = rest.strip_prefix('-') else {
        return Some((1, rest));
    };
    let (month, rest) = two(rest).filter(|(month, _)| (1..=12).contains(month))?;
    let Some(rest) = rest.strip_prefix('-') else {
        return Some((2, rest));
    };
    let (_, rest) = two(rest).filter(|(day, _)| (1..=days(year, month)).contains(day))?;
    Some((3, rest))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(400) || (year.is_multiple_of(4) && !year.is_multiple_of(100)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`: what follows it.
fn after_time(text: &str) -> Option<&str> {
    let (_, rest) = two(text).filter(|(hour, _)| *hour < 24)?;
    let (_, rest) = two(rest.strip_prefix(':')?).filter(|(minute, _)| *minute < 60)?;
    // 60 is a leap second.
    let (_, rest) = two(rest.strip_prefix(':')?).filter(|(second, _)| *second <= 60)?;
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some(rest);
    };
    let end = fraction.bytes().take_while(u8::is_ascii_digit).count();
    (end > 0).then(|| &fraction[end..])
}

/// `Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)`
fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let offset = text.strip_prefix(['+', '-']).and_then(two);
    let minute = offset.and_then(|(hour, rest)| Some((hour, two(rest.strip_prefix(':')?)?)));
    minute.is_some_and(|(hour, (minute, rest))| {
        rest.is_empty() && minute < 60 && (hour < 14 || (hour == 14 && minute == 0))
    })
}

pub(super) fn is_date(text: &str) -> bool {
    after_date(text).is_some_and(|(_, rest)| rest.is_empty())
}

pub(super) fn is_time(text: &str) -> bool {
    after_time(text) == Some("")
}

pub(super) fn is_instant(text: &str) -> bool {
    let time = after_date(text).filter(|(parts, _)| *parts == 3);
    let zone = time.and_then(|(_, rest)| after_time(rest.strip_prefix('T')?));
    zone.is_some_and(is_zone)
}

/// A date, or an instant; R4's pattern leaves out the zone, its text does not.
pub(super) fn check_date_time(text: &str) -> Result<(), Refusal> {
    if is_date(text) || is_instant(text) {
        return Ok(());
    }
    let zone = after_date(text).and_then(|(_, rest)| after_time(rest.strip_prefix('T')?));
    match zone {
        Some("") => Err(Refusal::new("timezone_missing", "a time needs its zone")),
        _ => Err(Refusal::new("datetime_invalid", "not a dateTime of R4")),
    }
}

#[cfg(test)]
mod tests {
    use crate::fhir::primitives::check_text;

    fn all(kind: &str, expected: &str, texts: &[&str]) {
        for text in texts {
            let code = check_text(kind, text).map_or_else(|refusal| refusal.code, |()| "");
            assert_eq!(code, expected, "{kind} {text:?}");
        }
    }

    #[test]
    fn dates_are_real() {
        all(
            "date",
            "",
            &[
                "2024",
                "2024-02",
                "2024-02-29",
                "2000-02-29",
                "0001-01-01",
                "9999-12-31",
            ],
        );
        let wrong = [
            "0000",
            "24",
            "2024-13",
            "2024-00",
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-2-1",
            "2024-01-00",
        ];
        all("date", "date_invalid", &wrong);
        all(
            "date",
            "date_invalid",
            &[
                "2024-",
                "2024-01-01T00:00:00Z",
                "+024",
                "２０２４",
                "2024 ",
                "2024-01-011",
            ],
        );
    }

    #[test]
    fn times_of_a_datetime_have_a_zone() {
        all(
            "dateTime",
            "",
            &[
                "2024",
                "2024-02-29",
                "2015-02-07T13:28:17.239+02:00",
                "2015-06-30T23:59:60Z",
            ],
        );
        all(
            "dateTime",
            "",
            &["2015-02-07T00:00:00+14:00", "2015-02-07T00:00:00-13:59"],
        );
        all(
            "dateTime",
            "timezone_missing",
            &["2015-02-07T13:28:17", "2015-02-07T13:28:17.2"],
        );
        let wrong = [
            "2015-02-07T13:28Z",
            "2015-02-07T24:00:00Z",
            "2015-02-07T13:60:00Z",
            "2015-02-07T13:28:61Z",
        ];
        all("dateTime", "datetime_invalid", &wrong);
        let wrong = [
            "2015-02-30T13:28:17Z",
            "2015-02T13:28:17Z",
            "2015-02-07T13:28:17+14:01",
            "2015-02-07T13:28:17.Z",
        ];
        all("dateTime", "datetime_invalid", &wrong);
        all(
            "dateTime",
            "datetime_invalid",
            &[
                "2015-02-07t13:28:17Z",
                "2015-02-07T13:28:17z",
                "2015-02-07T13:28:17+02:00 ",
            ],
        );
        all("instant", "", &["2015-02-07T13:28:17.239+02:00"]);
        all(
            "instant",
            "instant_invalid",
            &["2015-02-07", "2015-02-07T13:28:17", "2015", "2015-02-29T13:28:17Z"],
        );
        all("time", "", &["00:00:00", "23:59:60", "12:30:00.5"]);
        all(
            "time",
            "time_invalid",
            &["24:00:00", "12:30", "12:30:00Z", "12:30:00.", "1:30:00"],
        );
    }
}
