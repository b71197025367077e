//! Values as claims carry them: codes, packed codes, bounds of quantities, money and days, instants.

use crate::field::Value;
use crate::hash::{Abi, field_element};
use crate::poseidon::Fr;

/// Added to every ordered number, so that negative ones compare.
const OFFSET: i128 = 1 << 63;
/// Decimal places of quantities and money.
pub const SCALE: u8 = 6;
const PACKED: [&str; 3] = [
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://hl7.org/fhir/sid/icd-10",
    "http://www.whocc.no/atc",
];

/// F("code"; system, code).
pub fn code(system: &str, code: &str) -> Fr {
    field_element("code", &[Abi::String(system), Abi::String(code)])
}

/// A hierarchical code, left-aligned in 56 bits, so that a prefix is a range.
pub fn packed(system: &str, code: &str) -> Option<u64> {
    let plain = code.replacen('.', "", 1);
    let fits = (1..=7).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !PACKED.contains(&system) || !fits {
        return None;
    }
    let number = plain.bytes().fold(0, |number, byte| number << 8 | u64::from(byte));
    Some(number << (8 * (7 - plain.len())))
}

/// A number as an ordered claim holds it, where 64 bits do.
pub fn offset(number: i128) -> Option<u64> {
    u64::try_from(number.checked_add(OFFSET)?).ok()
}

/// Floor and ceiling of a decimal lexeme at [`SCALE`], as ordered claims hold them.
pub fn bounds(lexeme: &str) -> Option<(u64, u64)> {
    let (negative, digits) = lexeme
        .strip_prefix('-')
        .map_or((false, lexeme), |digits| (true, digits));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        None => (digits, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let point = i64::from(exponent) + i64::try_from(whole.len()).ok()? + i64::from(SCALE);
    let (kept, rest) = split_at(&all, point)?;
    let floor: i128 = kept.parse().ok()?;
    let ceiling = floor + i128::from(rest);
    if negative {
        Some((offset(-ceiling)?, offset(-floor)?))
    } else {
        Some((offset(floor)?, offset(ceiling)?))
    }
}

/// The digits before `point`, zero-filled, and whether anything but zeros follows them.
fn split_at(digits: &str, point: i64) -> Option<(String, bool)> {
    if digits.bytes().all(|b| b == b'0') {
        return Some(("0".to_owned(), false));
    }
    let Ok(point) = usize::try_from(point) else {
        return Some(("0".to_owned(), true));
    };
    let significant = digits.trim_start_matches('0').len() as i64 + point as i64 - digits.len() as i64;
    if significant > 30 {
        return None;
    }
    let mut kept = format!("0{}", digits.get(..point).unwrap_or(digits));
    kept.extend(std::iter::repeat_n('0', point.saturating_sub(digits.len())));
    let rest = digits.get(point..).unwrap_or("").bytes().any(|b| b != b'0');
    Some((kept, rest))
}

/// First and last day of a FHIR date as written, in days since 1900-01-01.
pub fn days(text: &str) -> Option<(i64, i64)> {
    let mut parts = text.get(..10).unwrap_or(text).split('-');
    let year: i64 = parts.next()?.parse().ok()?;
    let month: Option<i64> = parts.next().map(str::parse).transpose().ok()?;
    let day: Option<i64> = parts.next().map(str::parse).transpose().ok()?;
    Some(match (month, day) {
        (None, _) => (day_number(year, 1, 1), day_number(year + 1, 1, 1) - 1),
        (Some(12), None) => (day_number(year, 12, 1), day_number(year + 1, 1, 1) - 1),
        (Some(month), None) => (day_number(year, month, 1), day_number(year, month + 1, 1) - 1),
        (Some(month), Some(day)) => (day_number(year, month, day), day_number(year, month, day)),
    })
}

/// Days from 1900-01-01 in the proleptic Gregorian calendar. Source: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", days_from_civil.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 693_901
}

/// UTC seconds since 1900 of a dateTime or instant with time and zone.
pub fn instant(text: &str) -> Option<i64> {
    let (day, _) = days(text)?;
    let time = text.get(11..)?;
    let zone_at = time.find(['Z', '+', '-'])?;
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let seconds = number(0..2)? * 3600 + number(3..5)? * 60 + number(6..8)?;
    let zone = &time[zone_at..];
    let shift = if zone == "Z" {
        0
    } else {
        let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
        if zone.starts_with('-') { -minutes } else { minutes }
    };
    Some(day * 86_400 + seconds - shift * 60)
}

/// A FHIR integer.
pub fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => offset(i128::from(*number)),
        _ => None,
    }
}
