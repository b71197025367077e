//! JSON as it was received: members in their order, number lexemes kept, everything ambiguous refused.
//!
//! jiter reads; this module keeps the limits and refuses what JSON readers are known to disagree on (RFC 8259 leaves
//! duplicate keys, lone surrogates and a byte-order mark to them).

use crate::error::{Error, Kind, Result};
use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, Peek};
use rustc_hash::FxHashSet;
use std::borrow::Cow;

/// Bytes of one resource.
pub const MAX_BYTES: usize = 16 << 20;
/// Objects and arrays inside each other.
pub const MAX_DEPTH: usize = 64;
/// Values of one resource, objects and arrays among them.
pub const MAX_VALUES: usize = 500_000;
/// Up to here comparing keys one by one is faster than hashing them.
const FEW_KEYS: usize = 24;

#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    /// The lexeme as received.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// Members in their order; no key stands twice.
pub type Object<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// The member of that key.
pub fn member<'j, 'a>(object: &'j Object<'a>, key: &str) -> Option<&'j Json<'a>> {
    object.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// Reads one JSON value and nothing after it but whitespace.
///
/// # Errors
/// Limits `json_too_large`, `json_too_deep`, `json_too_many_values`; else `json_bom`, `json_utf8`, `json_surrogate`,
/// `json_control`, `json_duplicate_key`, `json_malformed`.
pub fn parse(text: &[u8]) -> Result<Json<'_>> {
    if text.len() > MAX_BYTES {
        return Err(limit("json_too_large", format!("longer than {MAX_BYTES} bytes")));
    }
    if text.starts_with(b"\xEF\xBB\xBF") {
        return Err(refused("json_bom", "begins with a byte-order mark".to_owned()));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| refused("json_utf8", format!("invalid UTF-8 at byte {}", error.valid_up_to())))?;
    let mut parser = Parser {
        text,
        jiter: Jiter::new(text.as_bytes()),
        values: 0,
    };
    let peek = parser.jiter.peek().map_err(|error| parser.malformed(&error))?;
    let value = parser.value(peek, 0)?;
    parser.jiter.finish().map_err(|error| parser.malformed(&error))?;
    Ok(value)
}

fn limit(code: &'static str, detail: String) -> Error {
    Error::new(Kind::Limit, code, "", detail)
}

fn refused(code: &'static str, detail: String) -> Error {
    Error::new(Kind::Fhir, code, "", detail)
}

struct Parser<'a> {
    text: &'a str,
    jiter: Jiter<'a>,
    values: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, peek: Peek, depth: usize) -> Result<Json<'a>> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(limit("json_too_many_values", format!("more than {MAX_VALUES} values")));
        }
        match peek {
            Peek::String => self.string(),
            Peek::Object => self.object(depth),
            Peek::Array => self.array(depth),
            Peek::Null => self
                .jiter
                .known_null()
                .map(|()| Json::Null)
                .map_err(|e| self.malformed(&e)),
            Peek::True | Peek::False => self
                .jiter
                .known_bool(peek)
                .map(Json::Bool)
                .map_err(|e| self.malformed(&e)),
            _ if peek.is_num() => self.number(peek),
            _ => Err(self.refuse("json_malformed", self.jiter.current_index(), "expected a value")),
        }
    }

    fn number(&mut self, peek: Peek) -> Result<Json<'a>> {
        match self.jiter.known_number_bytes(peek).map(<[u8]>::len) {
            Ok(length) => {
                let end = self.jiter.current_index();
                Ok(Json::Number(&self.text[end - length..end]))
            }
            Err(error) => Err(self.malformed(&error)),
        }
    }

    fn string(&mut self) -> Result<Json<'a>> {
        let read = self.jiter.known_str().map(|found| keep(self.text, found));
        let string = read.map_err(|error| self.malformed(&error))?;
        if let Cow::Owned(unescaped) = &string {
            self.require_no_control(unescaped)?;
        }
        Ok(Json::String(string))
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>> {
        let depth = self.deeper(depth)?;
        let mut items = Vec::new();
        let mut next = self.jiter.known_array();
        while let Some(peek) = next.map_err(|error| self.malformed(&error))? {
            items.push(self.value(peek, depth)?);
            next = self.jiter.array_step();
        }
        Ok(Json::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>> {
        let depth = self.deeper(depth)?;
        let mut members = Object::with_capacity(4);
        let mut keys = Keys::default();
        let mut next = self.jiter.known_object().map(|key| key.map(|key| keep(self.text, key)));
        while let Some(key) = next.map_err(|error| self.malformed(&error))? {
            if !keys.is_new(&members, &key) {
                return Err(self.refuse(
                    "json_duplicate_key",
                    self.jiter.current_index(),
                    "a key stands twice in one object",
                ));
            }
            self.require_no_control(&key)?;
            let peek = self.jiter.peek().map_err(|error| self.malformed(&error))?;
            let value = self.value(peek, depth)?;
            members.push((key, value));
            next = self.jiter.next_key().map(|key| key.map(|key| keep(self.text, key)));
        }
        Ok(Json::Object(members))
    }

    fn deeper(&self, depth: usize) -> Result<usize> {
        if depth == MAX_DEPTH {
            return Err(limit("json_too_deep", format!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(depth + 1)
    }

    /// jiter refuses raw control characters; this finds those that were escaped.
    fn require_no_control(&self, string: &str) -> Result<()> {
        let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
        if string.bytes().any(control) {
            let at = self.jiter.current_index();
            return Err(self.refuse("json_control", at, "a control character other than tab, LF and CR"));
        }
        Ok(())
    }

    fn malformed(&self, error: &JiterError) -> Error {
        use JsonErrorType::{
            ControlCharacterWhileParsingString, LoneLeadingSurrogateInHexEscape, UnexpectedEndOfHexEscape,
        };
        let code = match &error.error_type {
            JiterErrorType::JsonError(ControlCharacterWhileParsingString) => "json_control",
            JiterErrorType::JsonError(LoneLeadingSurrogateInHexEscape | UnexpectedEndOfHexEscape) => "json_surrogate",
            _ => "json_malformed",
        };
        self.refuse(code, error.index, &error.error_type.to_string())
    }

    fn refuse(&self, code: &'static str, index: usize, detail: &str) -> Error {
        refused(code, format!("{detail} at {}", self.jiter.error_position(index)))
    }
}

/// jiter lends a string out of the text unless it had to unescape it into a buffer of its own.
fn keep<'a>(text: &'a str, found: &str) -> Cow<'a, str> {
    let start = (found.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    match text.get(start..start.wrapping_add(found.len())) {
        Some(same) => Cow::Borrowed(same),
        None => Cow::Owned(found.to_owned()),
    }
}

/// The keys of one object, hashed once they are many.
#[derive(Default)]
struct Keys(FxHashSet<String>);

impl Keys {
    fn is_new(&mut self, members: &Object<'_>, key: &str) -> bool {
        if members.len() < FEW_KEYS {
            return members.iter().all(|(other, _)| other != key);
        }
        if self.0.is_empty() {
            self.0.extend(members.iter().map(|(key, _)| key.clone().into_owned()));
        }
        self.0.insert(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &[u8]) -> &'static str {
        parse(text).map_or_else(|error| error.code, |_| "")
    }

    #[test]
    fn strings_and_numbers_stay_as_received() {
        let text = br#" {"a":[1.00,-0,1E+3,"x\u00e9\n","plain"],"b":{"c":true,"d":null},"\u0065":false} "#;
        let Json::Object(members) = parse(text).unwrap() else {
            panic!("not an object")
        };
        let strings = ["x\u{e9}\n", "plain"].map(|s| Json::String(Cow::Borrowed(s)));
        let mut items = ["1.00", "-0", "1E+3"].map(Json::Number).to_vec();
        items.extend(strings);
        assert_eq!(members[0].1, Json::Array(items));
        assert_eq!(member(&members, "e"), Some(&Json::Bool(false)));
        let Json::Array(items) = &members[0].1 else {
            panic!("not an array")
        };
        assert!(matches!(&items[4], Json::String(Cow::Borrowed(_))));
        assert!(matches!(&items[3], Json::String(Cow::Owned(_))));
    }

    #[test]
    fn lexical_refusals() {
        for (text, expected) in [
            (&b"\xEF\xBB\xBF{}"[..], "json_bom"),
            (b"{\"a\":\"\xFF\"}", "json_utf8"),
            (b"{\"a\":\"\xED\xA0\x80\"}", "json_utf8"),
            (br#"{"a":"\ud800"}"#, "json_surrogate"),
            (br#"{"a":"\udc00"}"#, "json_surrogate"),
            (br#"{"a":"\ud800\u0041"}"#, "json_surrogate"),
            (br#"{"a":"\ud800x"}"#, "json_surrogate"),
            (br#"{"a":"\ud83d\ude00"}"#, ""),
            (br#"{"a":"\u0000"}"#, "json_control"),
            (br#"{"a":"\b"}"#, "json_control"),
            (br#"{"\u0001":1}"#, "json_control"),
            (b"{\"a\":\"\x01\"}", "json_control"),
            (b"{\"a\":\"\t\"}", "json_control"),
            (br#"{"a":"\t\r\n"}"#, ""),
            (br#"{"a":1,"a":1}"#, "json_duplicate_key"),
            (br#"{"a":1,"\u0061":1}"#, "json_duplicate_key"),
            (br#"{"a":1,"A":1}"#, ""),
            (b"", "json_malformed"),
            (b"{", "json_malformed"),
            (b"{} {}", "json_malformed"),
            (b"{\"a\":01}", "json_malformed"),
            (b"{\"a\":1.}", "json_malformed"),
            (b"{\"a\":.5}", "json_malformed"),
            (b"{\"a\":+1}", "json_malformed"),
            (b"{\"a\":-}", "json_malformed"),
            (b"{\"a\":1e}", "json_malformed"),
            (b"{\"a\":NaN}", "json_malformed"),
            (b"{\"a\":-Infinity}", "json_malformed"),
            (b"{\"a\":nul}", "json_malformed"),
            (b"{\"a\":1,}", "json_malformed"),
            (b"[1,]", "json_malformed"),
            (b"{'a':1}", "json_malformed"),
            (br#"{"a":"\x"}"#, "json_malformed"),
            (b"{\"a\":1}\x00", "json_malformed"),
            (b"[1]", ""),
        ] {
            assert_eq!(code(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn limits_end_at_once() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert_eq!(code(&nested(MAX_DEPTH)), "");
        assert_eq!(code(&nested(MAX_DEPTH + 1)), "json_too_deep");
        assert_eq!(code(&vec![b'['; 1 << 20]), "json_too_deep");
        assert_eq!(code(&vec![b'['; 100 << 20]), "json_too_large");
        assert_eq!(code(&vec![b' '; MAX_BYTES]), "json_malformed");
        assert_eq!(code(&vec![b' '; MAX_BYTES + 1]), "json_too_large");
        let values = |count: usize| format!("[{}0]", "0,".repeat(count - 2)).into_bytes();
        assert_eq!(code(&values(MAX_VALUES)), "");
        assert_eq!(code(&values(MAX_VALUES + 1)), "json_too_many_values");
    }

    #[test]
    fn many_keys_are_still_compared() {
        let keys = |last: &str| {
            let many: Vec<String> = (0..200).map(|i| format!("\"k{i}\":0")).collect();
            format!("{{{},\"{last}\":0}}", many.join(","))
        };
        assert_eq!(code(keys("new").as_bytes()), "");
        assert_eq!(code(keys("k3").as_bytes()), "json_duplicate_key");
        assert_eq!(code(keys("k199").as_bytes()), "json_duplicate_key");
    }
}
