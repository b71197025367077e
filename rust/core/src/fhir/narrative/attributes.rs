//! Attributes of narrative: those of R4, with addresses that load and run nothing.

use super::{NAMESPACE, character, check_characters, listed, malformed, style, unknown_entity};
use crate::fhir::Refusal;
use quick_xml::escape::unescape_with;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::Attribute;
use std::borrow::Cow;

const MAX_ATTRIBUTES: usize = 32;
const ATTRIBUTES: &str = "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset \
    cite class clear color colspan compact coords dir face frame headers height href hreflang hspace id lang \
    longdesc name noshade nowrap rel rev rowspan rules scope shape size span src start style summary tabindex title \
    type valign value vspace width xml:lang";
/// Schemes that a link may name; a relative one has none.
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel", "urn"];

/// What the attributes of one element say that its surroundings need.
#[derive(Default)]
pub(super) struct Found {
    pub namespace: bool,
    pub source: bool,
}

pub(super) fn check(element: &str, start: &BytesStart) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let raw = start.attributes_raw();
    // Attributes are compared pair by pair for repeats, so their number is bounded before they are read to the end.
    for (count, attribute) in start.attributes().enumerate() {
        let attribute = attribute.map_err(|_| malformed("has a malformed or repeated attribute"))?;
        if count == MAX_ATTRIBUTES {
            return Err(Refusal::new(
                "narrative_limit",
                "an element has more than 32 attributes",
            ));
        }
        let name = attribute.key.as_ref();
        let offset = name.as_ptr() as usize - raw.as_ptr() as usize;
        if !raw[..offset].ends_with(|c: char| c.is_ascii_whitespace()) {
            return Err(malformed("has no space before an attribute"));
        }
        let value = value_of(&attribute)?;
        match name {
            "xmlns" if value == NAMESPACE => found.namespace = true,
            "src" => found.source = true,
            _ => {}
        }
        check_attribute(element, name, &value)?;
    }
    Ok(found)
}

fn value_of<'a>(attribute: &'a Attribute) -> Result<Cow<'a, str>, Refusal> {
    if attribute.value.contains('<') {
        return Err(malformed("has < in an attribute"));
    }
    let value = unescape_with(&attribute.value, character).map_err(|_| unknown_entity())?;
    check_characters(&value)?;
    Ok(value)
}

fn check_attribute(element: &str, name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "xmlns" if value == NAMESPACE => Ok(()),
        "style" => style::check(value),
        "src" if element == "img" => check_source(value),
        "href" if element == "a" => check_link(value),
        "src" | "href" => Err(Refusal::new(
            "narrative_attribute",
            "has an address where R4 allows none",
        )),
        "cite" | "longdesc" => check_link(value),
        _ if listed(ATTRIBUTES, name) => Ok(()),
        _ if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on")) => {
            Err(Refusal::new("narrative_script", "has an event attribute"))
        }
        _ => Err(Refusal::new(
            "narrative_attribute",
            "has an attribute that R4 does not allow",
        )),
    }
}

/// An address as browsers read it: without controls and whitespace, in lower case.
pub(super) fn normalised(url: &str) -> String {
    let shown = url.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    shown.flat_map(char::to_lowercase).collect()
}

/// What an image loads: something in the resource, or in the address itself.
fn check_source(url: &str) -> Result<(), Refusal> {
    let url = normalised(url);
    if url.starts_with('#') || url.starts_with("data:") {
        return Ok(());
    }
    Err(Refusal::new("narrative_load", "loads something from elsewhere"))
}

/// A link loads nothing until it is followed, and then must run nothing.
fn check_link(url: &str) -> Result<(), Refusal> {
    let url = normalised(url);
    let Some((scheme, rest)) = url.split_once(':') else {
        return Ok(());
    };
    let relative = scheme.contains(['/', '?', '#']);
    let image = scheme == "data" && rest.starts_with("image/") && !rest.starts_with("image/svg");
    if relative || image || SCHEMES.contains(&scheme) {
        return Ok(());
    }
    Err(Refusal::new(
        "narrative_script",
        "has a link of a scheme that may run something",
    ))
}
