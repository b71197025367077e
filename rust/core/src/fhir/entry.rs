//! One entry of a Bundle, its resource left as the bytes it came in, and the record that a document is.

use super::primitives;
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// An entry's own members; what the Bundle's type makes of them is the reader's to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Empty where there is none.
    pub full_url: String,
    pub resource: Option<&'a str>,
    /// `request.method`; empty for a request without one.
    pub method: Option<String>,
    /// `search.mode`.
    pub mode: Option<String>,
    pub has_response: bool,
}

/// Members that R4's Bundle.entry has; a modifierExtension would change their meaning, so it is no known one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "extension")]
    _extension: Option<IgnoredAny>,
    #[serde(rename = "link")]
    _link: Option<IgnoredAny>,
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    search: Option<Search>,
    request: Option<Request>,
    response: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Search {
    mode: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    method: Option<String>,
}

/// Reads one entry object.
///
/// # Errors
/// `bundle_entry_malformed`: no JSON object, or members that R4's entries do not have; `bundle_full_url`.
pub fn read(text: &[u8]) -> Result<Entry<'_>> {
    let members: Members = serde_json::from_slice(text).map_err(|error| malformed(&error))?;
    let full_url = members.full_url.unwrap_or_default();
    let versioned = full_url.contains("/_history/"); // bdl-8
    if versioned || (!full_url.is_empty() && primitives::check_text("uri", &full_url).is_err()) {
        return Err(refuse(
            "bundle_full_url",
            "fullUrl is no uri, or names a version".to_owned(),
        ));
    }
    Ok(Entry {
        full_url,
        resource: members.resource.map(RawValue::get),
        method: members.request.map(|request| request.method.unwrap_or_default()),
        mode: members.search.and_then(|search| search.mode),
        has_response: members.response.is_some(),
    })
}

fn refuse(code: &'static str, detail: String) -> Error {
    Error::new(Kind::Fhir, code, "", detail)
}

/// Without serde's message, which quotes the text.
fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let what = if error.is_data() {
        "not R4's members"
    } else {
        "not JSON"
    };
    refuse(
        "bundle_entry_malformed",
        format!("{what} at line {line}, column {column}"),
    )
}

/// What a document's own record is made of.
#[derive(Deserialize)]
struct DocumentHead<'a> {
    #[serde(borrow, rename = "implicitRules")]
    implicit_rules: Option<&'a RawValue>,
    #[serde(borrow)]
    identifier: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, rename = "_timestamp")]
    timestamp_twin: Option<&'a RawValue>,
    #[serde(borrow, rename = "_type")]
    type_twin: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
}

/// The Bundle that stands for a whole document: its head with the entries reduced to their fullUrls.
///
/// # Errors
/// `bundle_document`: no identifier with system and value (bdl-9), no timestamp (bdl-10), or an entry without fullUrl.
pub fn document(head: &[u8], full_urls: &[String]) -> Result<Vec<u8>> {
    let wrong = |detail: &str| refuse("bundle_document", detail.to_owned());
    let members: DocumentHead = serde_json::from_slice(head).map_err(|error| malformed(&error))?;
    let identifier = members
        .identifier
        .and_then(|raw| serde_json::from_str::<Identifier>(raw.get()).ok());
    if !identifier.is_some_and(|identifier| identifier.system.is_some() && identifier.value.is_some()) {
        return Err(wrong("a document has an identifier with system and value"));
    }
    if members.timestamp.is_none() {
        return Err(wrong("a document has a timestamp"));
    }
    if full_urls.is_empty() || full_urls.iter().any(String::is_empty) {
        return Err(wrong("a document has entries, each with its fullUrl"));
    }
    let parts = [
        ("implicitRules", members.implicit_rules),
        ("identifier", members.identifier),
        ("_type", members.type_twin),
        ("timestamp", members.timestamp),
        ("_timestamp", members.timestamp_twin),
    ];
    let mut text = r#"{"resourceType":"Bundle","type":"document""#.to_owned();
    for (key, raw) in parts.into_iter().filter_map(|(key, raw)| Some((key, raw?))) {
        text += &format!(",\"{key}\":{}", raw.get());
    }
    let entry = |url: &String| format!(r#"{{"fullUrl":{}}}"#, serde_json::Value::from(url.as_str()));
    let entries: Vec<String> = full_urls.iter().map(entry).collect();
    text += &format!(",\"entry\":[{}]}}", entries.join(","));
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_stays_as_it_came() {
        let text = br#"{ "fullUrl":"urn:uuid:a", "resource": {"n": 1.00 , "n2":"\u00e9"},"request":{"method":"POST","url":"x"}}"#;
        let entry = read(text).unwrap();
        assert_eq!(entry.resource, Some(r#"{"n": 1.00 , "n2":"\u00e9"}"#));
        assert_eq!(
            (entry.full_url.as_str(), entry.method.as_deref()),
            ("urn:uuid:a", Some("POST"))
        );
        assert_eq!((entry.mode, entry.has_response), (None, false));
        let entry = read(br#"{"search":{"mode":"match","score":1},"response":{"status":"200"},"request":{}}"#).unwrap();
        assert_eq!(
            (entry.mode.as_deref(), entry.method.as_deref()),
            (Some("match"), Some(""))
        );
        assert!(entry.has_response && entry.resource.is_none());
    }

    #[test]
    fn foreign_members_and_urls_are_refused() {
        for (text, expected) in [
            (r#"{"fullUrl":"a","fullUrl":"b"}"#, "bundle_entry_malformed"),
            (r#"{"resource":{},"\u0072esource":{}}"#, "bundle_entry_malformed"),
            (r#"{"modifierExtension":[]}"#, "bundle_entry_malformed"),
            (r#"{"fullurl":"a"}"#, "bundle_entry_malformed"),
            (r#"{"fullUrl":1}"#, "bundle_entry_malformed"),
            (r#"{"resource":{"a":}}"#, "bundle_entry_malformed"),
            (r#"{"fullUrl":"a b"}"#, "bundle_full_url"),
            (
                r#"{"fullUrl":"http://example.org/Patient/1/_history/2"}"#,
                "bundle_full_url",
            ),
            (r#"{"fullUrl":"a\u202eb"}"#, "bundle_full_url"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.code, expected, "{text}");
            assert!(!error.detail.contains("modifier") && !error.detail.contains("fullurl"));
        }
    }

    #[test]
    fn a_document_keeps_its_head() {
        let head = br#"{"resourceType":"Bundle","id":"x","type":"document","identifier":{"system":"urn:a","value":"1"},
            "timestamp":"2024-01-01T00:00:00Z","entry":[]}"#;
        let urls = ["urn:uuid:a".to_owned(), "http://e/\"".to_owned()];
        let expected = r#"{"resourceType":"Bundle","type":"document","identifier":{"system":"urn:a","value":"1"},"timestamp":"2024-01-01T00:00:00Z","entry":[{"fullUrl":"urn:uuid:a"},{"fullUrl":"http://e/\""}]}"#;
        assert_eq!(document(head, &urls).unwrap(), expected.as_bytes());
        assert_eq!(document(head, &[]).unwrap_err().code, "bundle_document");
        assert_eq!(document(head, &[String::new()]).unwrap_err().code, "bundle_document");
        for head in [
            r#"{"identifier":{"value":"1"},"timestamp":"2024-01-01T00:00:00Z"}"#,
            r#"{"identifier":{"system":"urn:a","value":"1"}}"#,
            r#"{"timestamp":"2024-01-01T00:00:00Z"}"#,
        ] {
            assert_eq!(
                document(head.as_bytes(), &urls).unwrap_err().code,
                "bundle_document",
                "{head}"
            );
        }
    }
}
