//! R4's primitive values, read by hand: linear in the text's length, classes as ASCII.
//!
//! Source: hl7.org/fhir/R4/datatypes.html, whose patterns are quoted where they are read.

mod moment;

use super::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Longest string and markdown (hl7.org/fhir/R4/datatypes.html#string: 1 MB, 1024 * 1024 characters).
const MAX_CHARACTERS: usize = 1024 * 1024;
/// Longest lexeme of a decimal.
const MAX_DECIMAL: usize = 64;
const MAX_EXPONENT: u32 = 400;

/// Checks a value that JSON writes as a string.
///
/// # Errors
/// `string_empty`, `string_too_long`, `control_character`, `format_character`, `date_invalid`, `datetime_invalid`,
/// `timezone_missing`, `instant_invalid`, `time_invalid`, `code_invalid`, `id_invalid`, `oid_invalid`, `uuid_invalid`,
/// `uri_invalid`, `base64_invalid`; `type_unknown` if R4 has no such string-valued primitive.
pub fn check_text(kind: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::new("string_empty", "a string is never empty"));
    }
    if text.bytes().any(is_control) {
        return Err(Refusal::new("control_character", "has a control character"));
    }
    if is_token(kind) && text.chars().any(is_format) {
        return Err(Refusal::new(
            "format_character",
            "has a bidirectional override or zero-width character",
        ));
    }
    match kind {
        "string" | "markdown" => check_length(text),
        "xhtml" => Ok(()),
        "base64Binary" => decode_base64(text).map(drop),
        "date" => require(moment::is_date(text), "date_invalid", "not a calendar date of R4"),
        "dateTime" => moment::check_date_time(text),
        "instant" => require(moment::is_instant(text), "instant_invalid", "not an instant of R4"),
        "time" => require(moment::is_time(text), "time_invalid", "not a time of R4"),
        "code" => require(
            is_code(text),
            "code_invalid",
            "has whitespace other than single inner spaces",
        ),
        "id" => require(is_id(text), "id_invalid", "not 1 to 64 of A-Z, a-z, 0-9, - and ."),
        "oid" => require(is_oid(text), "oid_invalid", "not urn:oid: and an OID"),
        "uuid" => require(is_uuid(text), "uuid_invalid", "not urn:uuid: and a UUID in lower case"),
        "uri" | "url" | "canonical" => require(!text.bytes().any(is_space), "uri_invalid", "has whitespace"),
        _ => Err(Refusal::new(
            "type_unknown",
            "not a primitive that JSON writes as a string",
        )),
    }
}

/// Checks the lexeme of a value that JSON writes as a number.
///
/// # Errors
/// `integer_invalid`, `integer_range`, `decimal_invalid`, `decimal_limit`; `type_unknown` if R4 has no such number.
pub fn check_number(kind: &str, lexeme: &str) -> Result<(), Refusal> {
    let (lowest, highest) = match kind {
        "decimal" => return check_decimal(lexeme),
        "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        "positiveInt" => (1, i64::from(i32::MAX)),
        "unsignedInt" => (0, i64::from(i32::MAX)),
        _ => {
            return Err(Refusal::new(
                "type_unknown",
                "not a primitive that JSON writes as a number",
            ));
        }
    };
    let digits = lexeme.strip_prefix('-').unwrap_or(lexeme);
    // `-0` is the pattern's, but it is no integer that an int256 could give back.
    if !is_whole(digits) || lexeme == "-0" {
        return Err(Refusal::new("integer_invalid", "not written as an integer of R4"));
    }
    let fits = lexeme.parse::<i64>().is_ok_and(|n| (lowest..=highest).contains(&n));
    require(fits, "integer_range", "outside the range of its type")
}

/// The bytes of a base64Binary. Whitespace may stand between groups of four characters.
///
/// # Errors
/// `base64_invalid`: another character, a cut group, wrong padding, or unused bits that are not zero.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    let invalid = |detail: &str| Refusal::new("base64_invalid", detail);
    let mut packed = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if !is_space(byte) {
            packed.push(byte);
        } else if !packed.len().is_multiple_of(4) {
            return Err(invalid("whitespace inside a group of four"));
        }
    }
    if packed.is_empty() {
        return Err(invalid("nothing but whitespace"));
    }
    STANDARD.decode(&packed).map_err(|_| invalid("not canonical base64"))
}

fn require(holds: bool, code: &'static str, detail: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::new(code, detail)) }
}

fn check_length(text: &str) -> Result<(), Refusal> {
    let fits = text.len() <= MAX_CHARACTERS || text.chars().count() <= MAX_CHARACTERS;
    require(fits, "string_too_long", "longer than 1024 * 1024 characters")
}

/// Kinds whose text means something to a machine, where a character that does not show is an attack.
fn is_token(kind: &str) -> bool {
    matches!(kind, "code" | "id" | "oid" | "uuid" | "uri" | "url" | "canonical")
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Bidirectional overrides, isolates and marks, and characters without width.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// `[^\s]+(\s[^\s]+)*`; the text below the pattern allows single spaces only.
fn is_code(text: &str) -> bool {
    text.split(' ')
        .all(|word| !word.is_empty() && !word.bytes().any(is_space))
}

/// `[A-Za-z0-9\-\.]{1,64}`
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`
fn is_oid(text: &str) -> bool {
    let Some((root, arcs)) = text.strip_prefix("urn:oid:").and_then(|oid| oid.split_once('.')) else {
        return false;
    };
    matches!(root, "0" | "1" | "2") && arcs.split('.').all(is_whole)
}

/// `urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else {
        return false;
    };
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let groups: Vec<&str> = uuid.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| group.bytes().all(hex))
}

/// `0|[1-9][0-9]*`
fn is_whole(text: &str) -> bool {
    text == "0" || (is_digits(text) && !text.starts_with('0'))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn check_decimal(lexeme: &str) -> Result<(), Refusal> {
    let (mantissa, exponent) = match lexeme.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (lexeme, None),
    };
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let written = is_whole(whole) && fraction.is_none_or(is_digits) && exponent.is_none_or(is_digits);
    require(written, "decimal_invalid", "not written as a decimal of R4")?;
    require(
        lexeme.len() <= MAX_DECIMAL,
        "decimal_limit",
        "longer than 64 characters",
    )?;
    let near = exponent.is_none_or(|digits| digits.parse::<u32>().is_ok_and(|e| e <= MAX_EXPONENT));
    require(near, "decimal_limit", "exponent beyond 400")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(kind: &str, text: &str) -> &'static str {
        check_text(kind, text).map_or_else(|refusal| refusal.code, |()| "")
    }

    fn number(kind: &str, lexeme: &str) -> &'static str {
        check_number(kind, lexeme).map_or_else(|refusal| refusal.code, |()| "")
    }

    fn all(kind: &str, expected: &str, texts: &[&str]) {
        for text in texts {
            assert_eq!(code(kind, text), expected, "{kind} {text:?}");
        }
    }

    #[test]
    fn codes_ids_and_uris_hold_no_hidden_character() {
        all("code", "", &["final", "in progress", "<=", "µg"]);
        all(
            "code",
            "code_invalid",
            &[" final", "final ", "in  progress", "in\tprogress", " "],
        );
        all("id", "", &["a", "A-1.b", &"x".repeat(64)]);
        all("id", "id_invalid", &["a_b", "a b", &"x".repeat(65), "é"]);
        all("uri", "", &["http://loinc.org", "urn:oid:1.2.3", "#a"]);
        all("uri", "uri_invalid", &["http://a b", "a\n"]);
        for kind in ["code", "id", "oid", "uuid", "uri", "url", "canonical"] {
            all(
                kind,
                "format_character",
                &["a\u{202E}b", "a\u{2069}b", "a\u{200B}b", "\u{FEFF}a", "a\u{2060}"],
            );
            all(kind, "string_empty", &[""]);
        }
        all("string", "", &["a\u{202E}b", "a\u{200B}b"]);
        all("oid", "", &["urn:oid:1.2.840", "urn:oid:0.0"]);
        all(
            "oid",
            "oid_invalid",
            &[
                "urn:oid:3.1",
                "urn:oid:1",
                "urn:oid:1.02",
                "urn:oid:1.2.",
                "1.2.3",
                "urn:oid:1..2",
            ],
        );
        all("uuid", "", &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"]);
        let wrong = [
            "urn:uuid:C757873D-ec9a-4326-a141-556f43239520",
            "c757873d-ec9a-4326-a141-556f43239520",
        ];
        all("uuid", "uuid_invalid", &wrong);
        all(
            "uuid",
            "uuid_invalid",
            &["urn:uuid:c757873d-ec9a-4326-a141-556f4323952", "urn:uuid:----"],
        );
    }

    #[test]
    fn strings_are_not_empty_and_not_endless() {
        all("string", "", &[" ", "a\tb\r\nc", "\u{7F}é"]);
        all("string", "control_character", &["a\u{0}", "\u{B}", "a\u{1F}"]);
        all("markdown", "string_empty", &[""]);
        all("string", "", &[&"é".repeat(1024 * 1024)]);
        all("string", "string_too_long", &[&"a".repeat(1024 * 1024 + 1)]);
        all("boolean", "type_unknown", &["true"]);
    }

    #[test]
    fn numbers_keep_within_their_types() {
        for (kind, lexeme, expected) in [
            ("integer", "-2147483648", ""),
            ("integer", "2147483647", ""),
            ("integer", "2147483648", "integer_range"),
            ("integer", "-2147483649", "integer_range"),
            ("integer", "99999999999999999999999", "integer_range"),
            ("integer", "-0", "integer_invalid"),
            ("integer", "00", "integer_invalid"),
            ("integer", "1.0", "integer_invalid"),
            ("integer", "1e1", "integer_invalid"),
            ("positiveInt", "1", ""),
            ("positiveInt", "0", "integer_range"),
            ("unsignedInt", "0", ""),
            ("unsignedInt", "-1", "integer_range"),
            ("decimal", "0.010", ""),
            ("decimal", "-0.0", ""),
            ("decimal", "1E+400", ""),
            ("decimal", "1e-0400", ""),
            ("decimal", "1E401", "decimal_limit"),
            ("decimal", "1e99999999999999999999", "decimal_limit"),
            ("decimal", "01", "decimal_invalid"),
            ("decimal", "1.", "decimal_invalid"),
            ("decimal", ".5", "decimal_invalid"),
            ("decimal", "1e", "decimal_invalid"),
            ("decimal", "+1", "decimal_invalid"),
            ("date", "2024", "type_unknown"),
        ] {
            assert_eq!(number(kind, lexeme), expected, "{kind} {lexeme}");
        }
        assert_eq!(number("decimal", &format!("0.{}", "1".repeat(62))), "");
        assert_eq!(number("decimal", &format!("0.{}", "1".repeat(63))), "decimal_limit");
    }

    #[test]
    fn base64_is_canonical() {
        assert_eq!(decode_base64(" Zm9v\r\nYg== ").unwrap(), b"foob");
        for text in [
            "Zm9vY", "Zm9 v", "Zm9vYg=", "Zm9vYh==", "Zg==Zg==", "Zm9_", "====", " ", "Zm9v=",
        ] {
            assert_eq!(decode_base64(text).unwrap_err().code, "base64_invalid", "{text}");
        }
    }
}
