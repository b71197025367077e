//! What references resolve to in a Bundle or an export.
//!
//! Source: hl7.org/fhir/R4/bundle.html#references and hl7.org/fhir/R4/references.html#literal.

use super::primitives::is_id;
use crate::control::Target;
use crate::schema;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Resources by their fullUrl.
#[derive(Default)]
pub struct Index {
    /// None where two entries of one fullUrl are not one resource: what such a reference means is not known.
    entries: HashMap<String, Option<Known>>,
}

#[derive(PartialEq, Eq)]
struct Known {
    resource_type: String,
    id: Option<String>,
}

/// A RESTful URL: `root` ends with a slash, or is empty in a relative reference.
struct Restful<'a> {
    root: &'a str,
    resource_type: &'a str,
    /// `Type/id`
    path: &'a str,
}

/// `(root/)Type/id(/_history/version)`, of http or https where it has a root.
fn restful(url: &str) -> Option<Restful<'_>> {
    let whole = without_history(url);
    let (before, id) = whole.rsplit_once('/')?;
    let start = before.rfind('/').map_or(0, |slash| slash + 1);
    let (root, resource_type) = before.split_at(start);
    let rooted = root.is_empty() || root.starts_with("http://") || root.starts_with("https://");
    let named = rooted && is_id(id) && schema::resource(resource_type).is_some();
    named.then_some(Restful {
        root,
        resource_type,
        path: &whole[start..],
    })
}

fn without_history(url: &str) -> &str {
    match url.split_once("/_history/") {
        Some((whole, version)) if is_id(version) => whole,
        _ => url,
    }
}

/// `scheme:` as RFC 3986 has it.
fn is_absolute(reference: &str) -> bool {
    let scheme = reference.split_once(':').map_or("", |(scheme, _)| scheme);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(allowed)
}

impl Index {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a resource. One without fullUrl cannot be referred to.
    pub fn add(&mut self, full_url: &str, resource_type: &str, id: Option<&str>) {
        if full_url.is_empty() {
            return;
        }
        let known = Known {
            resource_type: resource_type.to_owned(),
            id: id.map(str::to_owned),
        };
        match self.entries.entry(without_history(full_url).to_owned()) {
            Entry::Vacant(place) => {
                place.insert(Some(known));
            }
            Entry::Occupied(mut place) => {
                if place.get().as_ref() != Some(&known) {
                    place.insert(None);
                }
            }
        }
    }

    /// What `reference`, standing in the resource whose fullUrl is `from`, resolves to. Contained and conditional
    /// references, and relative ones out of a resource without a RESTful URL, resolve to nothing.
    ///
    /// `base` is the issuer's and ends with a slash: a resource named by urn:uuid or urn:oid gets its URL there, or none if
    /// it has no id.
    pub fn resolve(&self, reference: &str, from: &str, base: &str) -> Option<Target> {
        let expected = restful(reference);
        let url = match &expected {
            Some(relative) if relative.root.is_empty() => format!("{}{}", restful(from)?.root, relative.path),
            Some(_) => without_history(reference).to_owned(),
            None if is_absolute(reference) => reference.to_owned(),
            None => return None,
        };
        let known = self.entries.get(&url)?.as_ref()?;
        if expected.is_some_and(|expected| expected.resource_type != known.resource_type) {
            return None;
        }
        Some(Target {
            url: known.url(url, base),
            resource_type: known.resource_type.clone(),
        })
    }
}

impl Known {
    fn url(&self, full_url: String, base: &str) -> String {
        if !full_url.starts_with("urn:uuid:") && !full_url.starts_with("urn:oid:") {
            return full_url;
        }
        let id = self.id.as_ref();
        id.map_or_else(String::new, |id| format!("{base}{}/{id}", self.resource_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://issuer.example/fhir/";

    fn index() -> Index {
        let mut index = Index::new();
        index.add("http://example.org/fhir/Patient/23", "Patient", Some("23"));
        index.add("urn:uuid:a", "Patient", Some("p1"));
        index.add("urn:uuid:b", "Patient", None);
        index.add("urn:oid:1.2.3", "Organization", Some("o1"));
        index.add("http://example.org/fhir/Observation/1", "Observation", Some("1"));
        index.add("http://example.org/doc.json", "Binary", None);
        index.add("http://example.org/fhir/Device/1", "Patient", Some("1"));
        index.add("", "Patient", Some("x"));
        index
    }

    fn url(reference: &str, from: &str) -> Option<String> {
        index().resolve(reference, from, BASE).map(|target| target.url)
    }

    #[test]
    fn references_resolve_by_r4s_rules() {
        let here = "http://example.org/fhir/Observation/1";
        let patient = Some("http://example.org/fhir/Patient/23".to_owned());
        assert_eq!(url("Patient/23", here), patient);
        assert_eq!(url("Patient/23/_history/4", here), patient);
        assert_eq!(url("http://example.org/fhir/Patient/23", ""), patient);
        assert_eq!(
            url("http://example.org/fhir/Patient/23/_history/4", "urn:uuid:a"),
            patient
        );
        assert_eq!(url("urn:uuid:a", here), Some(format!("{BASE}Patient/p1")));
        assert_eq!(url("urn:oid:1.2.3", here), Some(format!("{BASE}Organization/o1")));
        assert_eq!(url("urn:uuid:b", here), Some(String::new()));
        assert_eq!(
            url("http://example.org/doc.json", here),
            Some("http://example.org/doc.json".to_owned())
        );
        let target = index().resolve("urn:uuid:a", here, BASE).unwrap();
        assert_eq!(target.resource_type, "Patient");
    }

    #[test]
    fn other_references_do_not() {
        let here = "http://example.org/fhir/Observation/1";
        for (reference, from) in [
            ("Patient/23", "urn:uuid:a"),
            ("Patient/23", ""),
            ("Patient/23", "http://example.com/fhir/Observation/1"),
            ("Patient/24", here),
            ("patient/23", here),
            ("#a", here),
            ("", here),
            ("Patient?identifier=a|1", here),
            ("urn:uuid:c", here),
            ("URN:UUID:a", here),
            ("../Patient/23", here),
            ("/Patient/23", here),
            ("Device/1", here),
            ("http://example.org/fhir/Device/1", here),
            ("ftp://example.org/fhir/Patient/23", here),
        ] {
            assert_eq!(url(reference, from), None, "{reference} {from}");
        }
    }

    #[test]
    fn two_resources_of_one_url_are_ambiguous() {
        let mut index = index();
        index.add("urn:uuid:a", "Patient", Some("p1"));
        assert!(index.resolve("urn:uuid:a", "", BASE).is_some());
        index.add("urn:uuid:a", "Patient", Some("p2"));
        assert_eq!(index.resolve("urn:uuid:a", "", BASE), None);
        index.add("urn:uuid:a", "Patient", Some("p1"));
        assert_eq!(index.resolve("urn:uuid:a", "", BASE), None);
    }
}
