//! A Bundle of any size, cut into its entries as its bytes arrive.
//!
//! The scanner tells strings, escapes and nesting apart and nothing else: what it hands out is parsed by whoever reads it,
//! and the head, which is everything but the entries, is parsed at the end. Memory is bounded by the largest entry and the
//! head.

use super::json::{self, Json, member};
use crate::error::{Error, Kind, Result};

/// Bytes of the largest entry, and of a resource that is no Bundle.
pub const MAX_ENTRY: usize = json::MAX_BYTES;
/// Bytes of a Bundle outside its entries, not counting whitespace.
pub const MAX_HEAD: usize = 1 << 20;
/// Bytes of whitespace in one place, which could go on for ever.
const MAX_SPACES: usize = 1 << 20;
/// Objects and arrays inside each other: an entry's resource may use all that a resource has.
const MAX_DEPTH: usize = json::MAX_DEPTH + 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the outer object.
    Start,
    /// In it, outside the list of entries.
    Head,
    /// In the list, before its first entry.
    First,
    /// In the list, after a comma.
    Next,
    /// In the list, after an entry.
    After,
    Entry,
    /// After the outer object.
    End,
}

/// Where a scanner stands in JSON's nesting.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What a Bundle says outside its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub resource_type: Option<String>,
    pub bundle_type: Option<String>,
    /// The object with an empty list of entries, whitespace reduced.
    pub text: Vec<u8>,
}

/// Cuts one JSON object into the objects of its list `entry`. After an error it is of no further use.
pub struct Splitter {
    state: State,
    nesting: Nesting,
    head: Vec<u8>,
    entry: Vec<u8>,
    /// Entries handed out.
    entries: usize,
    /// Where in the head the current string begins.
    string: usize,
    /// Key of the outer object's member that is being read.
    key: Option<String>,
    has_entries: bool,
    spaces: usize,
    resource_type: Option<String>,
    bundle_type: Option<String>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    pub fn new() -> Self {
        Self {
            state: State::Start,
            nesting: Nesting::default(),
            head: Vec::new(),
            entry: Vec::new(),
            entries: 0,
            string: 0,
            key: None,
            has_entries: false,
            spaces: 0,
            resource_type: None,
            bundle_type: None,
        }
    }

    /// `resourceType` and, of a Bundle, `type`, as far as they have been read.
    pub fn kind(&self) -> (Option<&str>, Option<&str>) {
        (self.resource_type.as_deref(), self.bundle_type.as_deref())
    }

    /// Whether `kind` will not change: a Bundle's needs its `type` too.
    pub fn is_kind_known(&self) -> bool {
        self.resource_type
            .as_deref()
            .is_some_and(|name| name != "Bundle" || self.bundle_type.is_some())
    }

    /// Takes the next bytes and gives the entries, whole objects, that end in them.
    ///
    /// # Errors
    /// `json_malformed`, `json_bom`, `bundle_entry` (no object), `bundle_entry_twice`, `bundle_trailing`; limits
    /// `bundle_entry_too_large`, `bundle_head_too_large`, `bundle_spaces`, `json_too_large`, `json_too_deep`.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        let mut rest = chunk;
        while let [byte, tail @ ..] = rest {
            if self.state == State::Entry {
                rest = self.in_entry(rest, &mut entries)?;
                continue;
            }
            if is_space(*byte) && !self.nesting.in_string {
                self.space()?;
            } else {
                self.spaces = 0;
                self.outside(*byte)?;
            }
            // The brace that begins an entry is the entry's own.
            if self.state != State::Entry {
                rest = tail;
            }
        }
        Ok(entries)
    }

    /// Ends the input.
    ///
    /// # Errors
    /// `json_malformed` where the object is not complete, those of [`json::parse`] for its head, `bundle_entry` where
    /// `entry` is no list.
    pub fn finish(self) -> Result<Head> {
        if self.state != State::End {
            return Err(self.refuse("json_malformed", "ends before its object does"));
        }
        let Json::Object(members) = json::parse(&self.head)? else {
            return Err(self.refuse("json_malformed", "is no object"));
        };
        let listed = member(&members, "entry").is_none_or(|entry| *entry == Json::Array(Vec::new()));
        if self.resource_type.as_deref() == Some("Bundle") && !listed {
            return Err(self.refuse("bundle_entry", "entry is no list"));
        }
        Ok(Head {
            resource_type: self.resource_type,
            bundle_type: self.bundle_type,
            text: self.head,
        })
    }

    fn place(&self) -> String {
        match self.state {
            State::First | State::Next | State::After | State::Entry => format!("Bundle.entry[{}]", self.entries),
            _ => String::new(),
        }
    }

    fn refuse(&self, code: &'static str, detail: &str) -> Error {
        Error::new(Kind::Fhir, code, self.place(), detail)
    }

    fn limit(&self, code: &'static str, detail: String) -> Error {
        Error::new(Kind::Limit, code, self.place(), detail)
    }

    fn space(&mut self) -> Result<()> {
        self.spaces += 1;
        if self.spaces > MAX_SPACES {
            return Err(self.limit(
                "bundle_spaces",
                format!("more than {MAX_SPACES} bytes of whitespace in one place"),
            ));
        }
        if self.state == State::Head && self.spaces == 1 {
            self.head.push(b' ');
        }
        Ok(())
    }

    /// A byte that is neither an entry's nor whitespace between tokens.
    fn outside(&mut self, byte: u8) -> Result<()> {
        match (self.state, byte) {
            (State::Start, b'{') => {
                self.state = State::Head;
                self.in_head(byte)
            }
            (State::Start, 0xEF) => Err(self.refuse("json_bom", "begins with a byte-order mark")),
            (State::Start, _) => Err(self.refuse("json_malformed", "does not begin with an object")),
            (State::Head, _) => self.in_head(byte),
            (State::First | State::Next, b'{') => {
                self.state = State::Entry;
                Ok(())
            }
            (State::After, b',') => {
                self.state = State::Next;
                Ok(())
            }
            (State::First | State::After, b']') => {
                self.state = State::Head;
                self.in_head(byte)
            }
            (State::End, _) => Err(self.refuse("bundle_trailing", "something follows the object")),
            _ => Err(self.refuse("bundle_entry", "an entry is no object")),
        }
    }

    fn in_head(&mut self, byte: u8) -> Result<()> {
        let begins = !self.nesting.in_string;
        self.step(byte)?;
        if begins && byte == b'"' {
            self.string = self.head.len();
        }
        self.head.push(byte);
        self.check_head()?;
        match byte {
            b'"' if !begins && !self.nesting.in_string && self.nesting.depth == 1 => self.end_string(),
            _ if self.nesting.in_string || !begins => Ok(()),
            b',' if self.nesting.depth == 1 => {
                self.key = None;
                Ok(())
            }
            b'[' if self.nesting.depth == 2 && self.key.as_deref() == Some("entry") => self.begin_entries(),
            _ if self.nesting.depth == 0 => {
                self.state = State::End;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_head(&self) -> Result<()> {
        // Until it is known to be a Bundle it may be a resource, which is all head.
        let bundle = self.resource_type.as_deref() == Some("Bundle");
        if bundle && self.head.len() > MAX_HEAD {
            return Err(self.limit(
                "bundle_head_too_large",
                format!("more than {MAX_HEAD} bytes outside its entries"),
            ));
        }
        if self.head.len() > MAX_ENTRY {
            return Err(self.limit("json_too_large", format!("longer than {MAX_ENTRY} bytes")));
        }
        Ok(())
    }

    /// A string of the outer object has ended: a key, or a value that may be its kind.
    fn end_string(&mut self) -> Result<()> {
        let text: String = serde_json::from_slice(&self.head[self.string..])
            .map_err(|_| self.refuse("json_malformed", "has a malformed string"))?;
        match self.key.as_deref() {
            None => self.key = Some(text),
            Some("resourceType") => self.resource_type = self.resource_type.take().or(Some(text)),
            Some("type") => self.bundle_type = self.bundle_type.take().or(Some(text)),
            Some(_) => {}
        }
        Ok(())
    }

    fn begin_entries(&mut self) -> Result<()> {
        if self.has_entries {
            return Err(self.refuse("bundle_entry_twice", "entry stands twice"));
        }
        self.has_entries = true;
        self.state = State::First;
        Ok(())
    }

    /// Follows strings and nesting over one byte.
    fn step(&mut self, byte: u8) -> Result<()> {
        if !self.nesting.step(byte) {
            return Err(self.limit("json_too_deep", format!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    /// Takes the bytes of an entry from the front of `bytes`, and gives what follows them.
    fn in_entry<'b>(&mut self, bytes: &'b [u8], entries: &mut Vec<Vec<u8>>) -> Result<&'b [u8]> {
        let mut length = bytes.len();
        for (index, &byte) in bytes.iter().enumerate() {
            self.step(byte)?;
            if self.nesting.depth == 2 && !self.nesting.in_string && matches!(byte, b'}' | b']') {
                length = index + 1;
                break;
            }
        }
        let (taken, rest) = bytes.split_at(length);
        self.entry.extend_from_slice(taken);
        if self.entry.len() > MAX_ENTRY {
            return Err(self.limit(
                "bundle_entry_too_large",
                format!("an entry is longer than {MAX_ENTRY} bytes"),
            ));
        }
        if self.nesting.depth == 2 && !self.nesting.in_string {
            entries.push(std::mem::take(&mut self.entry));
            self.entries += 1;
            self.state = State::After;
        }
        Ok(rest)
    }
}

impl Nesting {
    /// False where the byte nests too deep.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return true;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth <= MAX_DEPTH
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `resourceType` and `type` of a whole text, read no further than they stand.
///
/// # Errors
/// Those of [`Splitter::feed`] for what stands before them, those of [`Splitter::finish`] where they are not there.
pub fn kind(text: &[u8]) -> Result<(Option<String>, Option<String>)> {
    let mut splitter = Splitter::new();
    for chunk in text.chunks(4096) {
        splitter.feed(chunk)?;
        if splitter.is_kind_known() {
            return Ok((splitter.resource_type, splitter.bundle_type));
        }
    }
    let head = splitter.finish()?;
    Ok((head.resource_type, head.bundle_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Cut = (Vec<String>, Head);

    fn cut(text: &[u8], size: usize) -> Result<Cut> {
        let mut splitter = Splitter::new();
        let mut entries = Vec::new();
        for chunk in text.chunks(size) {
            entries.extend(splitter.feed(chunk)?);
        }
        let entries = entries
            .into_iter()
            .map(|entry| String::from_utf8(entry).unwrap())
            .collect();
        Ok((entries, splitter.finish()?))
    }

    fn code(text: &str) -> &'static str {
        cut(text.as_bytes(), 7).map_or_else(|error| error.code, |_| "")
    }

    #[test]
    fn entries_come_out_as_they_are_whatever_the_chunks() {
        let text = r#" {"entry" : [ {"a":"]}\"\\","n":1.00} , {"b":[{"entry":[{}]}]} ],
            "type":"coll\u0065ction","x":{"type":"inner"},"resourceType":"Bundle"} "#;
        for size in 1..text.len() {
            let (entries, head) = cut(text.as_bytes(), size).unwrap();
            assert_eq!(entries, [r#"{"a":"]}\"\\","n":1.00}"#, r#"{"b":[{"entry":[{}]}]}"#]);
            assert_eq!(head.resource_type.as_deref(), Some("Bundle"));
            assert_eq!(head.bundle_type.as_deref(), Some("collection"));
            assert!(head.text.starts_with(br#"{"entry" : [], "type""#));
        }
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        for (text, expected) in [
            (r#"{"resourceType":"Bundle","type":"batch"}"#, ""),
            (r#"{"resourceType":"Bundle","entry":[]}"#, ""),
            (r#"{"entry":[{}],"entry":[{}]}"#, "bundle_entry_twice"),
            (r#"{"entry":[{}],"\u0065ntry":[{}]}"#, "bundle_entry_twice"),
            (r#"{"entry":[{}],"entry":{}}"#, "json_duplicate_key"),
            (r#"{"type":"a","type":"b"}"#, "json_duplicate_key"),
            (r#"{"entry":[1]}"#, "bundle_entry"),
            (r#"{"entry":[null]}"#, "bundle_entry"),
            (r#"{"entry":[{},]}"#, "bundle_entry"),
            (r#"{"entry":[,{}]}"#, "bundle_entry"),
            (r#"{"entry":[{}{}]}"#, "bundle_entry"),
            (r#"{"entry":[{}}"#, "bundle_entry"),
            (r#"{"resourceType":"Bundle","entry":{}}"#, "bundle_entry"),
            (r#"{"resourceType":"Bundle","entry":null}"#, "bundle_entry"),
            (r#"{"entry":[{}]} x"#, "bundle_trailing"),
            (r#"{"entry":[{}]}{}"#, "bundle_trailing"),
            (r#"{"entry":[{}]"#, "json_malformed"),
            (r#"{"entry":[{"#, "json_malformed"),
            (r#"{"a":"#, "json_malformed"),
            (r#"{"a":1]"#, "json_malformed"),
            (r#"{"a" "b"}"#, "json_malformed"),
            (r#"{"a":1 2}"#, "json_malformed"),
            ("", "json_malformed"),
            ("[]", "json_malformed"),
            ("\u{FEFF}{}", "json_bom"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn limits_end_at_once() {
        let mut splitter = Splitter::new();
        assert_eq!(splitter.feed(&vec![b'['; 1 << 20]).unwrap_err().code, "json_malformed");
        for open in [r#"{"a":"#, r#"{"entry":[{"a":"#] {
            let deep = format!("{open}{}", "[".repeat(MAX_DEPTH));
            assert_eq!(Splitter::new().feed(deep.as_bytes()).unwrap_err().code, "json_too_deep");
        }
        let entry = |bytes: usize| format!(r#"{{"entry":[{{"a":"{}"}}]}}"#, "x".repeat(bytes - 8));
        assert_eq!(cut(entry(MAX_ENTRY).as_bytes(), 1 << 16).unwrap().0[0].len(), MAX_ENTRY);
        assert_eq!(
            cut(entry(MAX_ENTRY + 1).as_bytes(), 1 << 16).unwrap_err().code,
            "bundle_entry_too_large"
        );
        let head = |bytes: usize| format!(r#"{{"resourceType":"Bundle","a":"{}"}}"#, "x".repeat(bytes - 32));
        assert_eq!(code(&head(MAX_HEAD)), "");
        assert_eq!(code(&head(MAX_HEAD + 1)), "bundle_head_too_large");
        let unknown = format!(r#"{{"a":"{}","#, "x".repeat(MAX_ENTRY));
        assert_eq!(code(&unknown), "json_too_large");
        assert_eq!(code(&format!("{{{}}}", " ".repeat(MAX_SPACES))), "");
        assert_eq!(code(&" ".repeat(MAX_SPACES + 1)), "bundle_spaces");
        assert_eq!(
            code(&format!("{{\"entry\":[{}", " ".repeat(MAX_SPACES + 1))),
            "bundle_spaces"
        );
    }

    #[test]
    fn the_kind_is_known_early() {
        let (known, ended) = (r#"{"resourceType":"Patient","x":tru"#, r#"{"x":1}"#);
        assert_eq!(kind(known.as_bytes()).unwrap().0.as_deref(), Some("Patient"));
        assert_eq!(kind(ended.as_bytes()).unwrap(), (None, None));
        let bundle = r#"{"type":"batch","entry":[{"resourceType":"Patient","type":"x"}],"resourceType":"Bundle"}"#;
        assert_eq!(
            kind(bundle.as_bytes()).unwrap(),
            (Some("Bundle".to_owned()), Some("batch".to_owned()))
        );
        assert_eq!(
            kind(br#"{"resourceType":"Bundle","x":tru"#).unwrap_err().code,
            "json_malformed"
        );
    }
}
