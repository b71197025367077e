//! Narrative: the XHTML that a person reads, held to what shows nothing but text.
//!
//! Source: hl7.org/fhir/R4/narrative.html; elements and attributes as in its invariant txt-1, and what its text names besides
//! (chapters 7-11 and 15 of HTML 4.0). A reader that parses it as HTML must see the same: what XML and HTML read
//! differently (CDATA, some comments) is refused.

mod attributes;
mod style;

use super::Refusal;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use std::collections::HashMap;
use std::sync::LazyLock;

const ENTITIES: &str = include_str!("../../../../../src/chartseal/fhir/html4_entities.tsv");
const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
/// Longest narrative, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_DEPTH: usize = 100;
const ELEMENTS: &str = "a abbr acronym address b bdo big blockquote br caption center cite code col colgroup dd dfn dir div dl dt em \
    font h1 h2 h3 h4 h5 h6 hr i img kbd li menu ol p pre q s samp small span strike strong sub sup table tbody td \
    tfoot th thead tr tt u ul var";
/// Elements that run, load or send something, for which a refusal says so.
const ACTIVE: &str = "applet audio base body button embed form frame frameset head html iframe input link math meta noscript object \
    option param script select style svg template textarea title video";
static CHARACTERS: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    let rows = ENTITIES.lines().skip(1).filter_map(|line| line.split_once('\t'));
    let read = |point: &str| {
        point
            .parse()
            .ok()
            .and_then(char::from_u32)
            .expect("the table has code points")
    };
    let named = rows.map(|(name, point)| (name, String::from(read(point))));
    named.chain([("apos", "'".to_owned())]).collect()
});

fn character(entity: &str) -> Option<&'static str> {
    CHARACTERS.get(entity).map(String::as_str)
}

/// Checks the text of an `xhtml` element.
///
/// # Errors
/// `narrative_limit`, `narrative_malformed`, `narrative_markup`, `narrative_root`, `narrative_element`,
/// `narrative_attribute`, `narrative_entity`, `narrative_script`, `narrative_load`, `narrative_empty`.
pub fn check(xhtml: &str) -> Result<(), Refusal> {
    if xhtml.len() > MAX_BYTES {
        return Err(Refusal::new("narrative_limit", "longer than 4 MiB"));
    }
    check_characters(xhtml)?;
    let mut reader = Reader::from_str(xhtml);
    reader.config_mut().check_comments = true;
    let mut walk = Walk::default();
    loop {
        match reader.read_event().map_err(|_| malformed("not well-formed XML"))? {
            Event::Start(start) => walk.open(&start)?,
            Event::Empty(start) => {
                walk.open(&start)?;
                walk.close();
            }
            Event::End(_) => walk.close(),
            Event::Text(text) => walk.text(&text.into_inner())?,
            Event::GeneralRef(reference) => walk.reference(&reference)?,
            Event::Comment(comment) => check_comment(&comment.into_inner())?,
            Event::CData(_) | Event::DocType(_) | Event::PI(_) | Event::Decl(_) => {
                return Err(Refusal::new(
                    "narrative_markup",
                    "has a declaration, an instruction or CDATA",
                ));
            }
            Event::Eof => return walk.finish(),
        }
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new("narrative_malformed", detail)
}

/// XML 1.0's characters.
fn check_characters(text: &str) -> Result<(), Refusal> {
    let outside = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{FFFE}' | '\u{FFFF}');
    if text.chars().any(outside) {
        return Err(malformed("has a character that XML has not"));
    }
    Ok(())
}

/// HTML ends some comments earlier than XML does, and old browsers run conditional ones.
fn check_comment(comment: &str) -> Result<(), Refusal> {
    if comment.starts_with(['>', '-', '[']) || comment.ends_with(['-', '!']) {
        return Err(Refusal::new(
            "narrative_markup",
            "has a comment that HTML reads otherwise than XML",
        ));
    }
    Ok(())
}

#[derive(Default)]
struct Walk {
    depth: usize,
    has_root: bool,
    /// Some text, or an image, was seen (txt-2).
    has_content: bool,
}

impl Walk {
    fn open(&mut self, start: &BytesStart) -> Result<(), Refusal> {
        let name = start.name();
        let name = name.as_ref();
        if self.depth == 0 && (self.has_root || name != "div") {
            return Err(Refusal::new("narrative_root", "is not one div"));
        }
        check_element(name)?;
        if self.depth == MAX_DEPTH {
            return Err(Refusal::new("narrative_limit", "nested deeper than 100 elements"));
        }
        let found = attributes::check(name, start)?;
        if self.depth == 0 && !found.namespace {
            return Err(Refusal::new("narrative_root", "the div has not the XHTML namespace"));
        }
        self.has_content |= name == "img" && found.source;
        self.has_root = true;
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1; // the reader refuses an end without its start
    }

    fn text(&mut self, text: &str) -> Result<(), Refusal> {
        if text.contains("]]>") {
            return Err(malformed("has ]]> in its text"));
        }
        self.content(text)
    }

    fn content(&mut self, text: &str) -> Result<(), Refusal> {
        let shows = text.contains(|c: char| !matches!(c, ' ' | '\t' | '\n' | '\r'));
        if shows && self.depth == 0 {
            return Err(Refusal::new("narrative_root", "has text outside its div"));
        }
        self.has_content |= shows;
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef) -> Result<(), Refusal> {
        if self.depth == 0 {
            return Err(Refusal::new("narrative_root", "has text outside its div"));
        }
        match reference.resolve_char_ref().map_err(|_| unknown_entity())? {
            Some(c) => {
                let mut buffer = [0; 4];
                let text = c.encode_utf8(&mut buffer);
                check_characters(text)?;
                self.content(text)
            }
            None => self.content(character(reference).ok_or_else(unknown_entity)?),
        }
    }

    fn finish(self) -> Result<(), Refusal> {
        if self.depth > 0 {
            return Err(malformed("ends inside an element"));
        }
        if !self.has_root {
            return Err(Refusal::new("narrative_root", "is not one div"));
        }
        if !self.has_content {
            return Err(Refusal::new("narrative_empty", "shows nothing but whitespace"));
        }
        Ok(())
    }
}

fn listed(words: &str, word: &str) -> bool {
    words.split(' ').any(|listed| listed == word)
}

fn unknown_entity() -> Refusal {
    Refusal::new("narrative_entity", "has a reference that is not HTML 4's")
}

fn check_element(name: &str) -> Result<(), Refusal> {
    if listed(ELEMENTS, name) {
        return Ok(());
    }
    let plain = name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase();
    match listed(ACTIVE, &plain) {
        true => Err(Refusal::new(
            "narrative_script",
            "has an element that runs, loads or sends something",
        )),
        false => Err(Refusal::new(
            "narrative_element",
            "has an element that R4 does not allow",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(xhtml: &str) -> &'static str {
        check(xhtml).map_or_else(|refusal| refusal.code, |()| "")
    }

    /// The code for markup inside the one div.
    fn inside(markup: &str) -> &'static str {
        code(&format!("<div xmlns=\"{NAMESPACE}\">{markup}</div>"))
    }

    #[test]
    fn formatting_links_images_and_entities_pass() {
        for markup in [
            "<p class='a' xml:lang=\"de\">1 &lt; 2 &nbsp;&eacute; &#233; &#xE9;</p>",
            "<a href=\"https://example.org/?a=1&amp;b=2\">x</a><a name=\"y\"/>",
            "<a href=\"Patient/1\">x</a><a href=\"#b:c\">x</a><a href=\"a/b:c\">x</a><a href=\"mailto:a@example.org\">m</a>",
            "<img src=\"#pic\" alt=\"x\"/>",
            "<img src=\"data:image/png;base64,AAAA\"/>",
            "<table><tr><td style=\"color: red; width:10%\">1</td></tr></table>",
            "<!-- fine - so far --><b>x</b>",
            "<xmp/>x",
        ] {
            assert_eq!(
                inside(markup),
                if markup.contains("xmp") {
                    "narrative_element"
                } else {
                    ""
                },
                "{markup}"
            );
        }
        assert_eq!(code(&format!("\n<div xmlns='{NAMESPACE}'>x</div>\n")), "");
    }

    #[test]
    fn it_is_one_div_of_xhtml() {
        let ns = NAMESPACE;
        for text in [
            "<div>x</div>".to_owned(),
            "plain".to_owned(),
            "&amp;".to_owned(),
            format!("<p xmlns=\"{ns}\">x</p>"),
            format!("<div xmlns=\"{ns}\">x</div><div xmlns=\"{ns}\">x</div>"),
            format!("<div xmlns=\"{ns}\">x</div>x"),
            format!("<div xmlns=\"{ns}\">x</div>&#120;"),
            format!("<h:div xmlns:h=\"{ns}\">x</h:div>"),
        ] {
            assert_eq!(code(&text), "narrative_root", "{text}");
        }
        assert_eq!(
            code("<div xmlns=\"http://www.w3.org/1999/xhtml/\">x</div>"),
            "narrative_attribute"
        );
    }

    #[test]
    fn it_is_well_formed() {
        for markup in [
            "<p>x",
            "x</p>",
            "<b><i>x</b></i>",
            "<p a=1>x</p>",
            "<p title='a' title='b'>x</p>",
            "<p title='<'>x</p>",
            "a & b",
            "a ]]> b",
            "<p title=\"a\"class=\"b\">x</p>",
            "<P>x</p>",
            "<!-- a -- b -->x",
            "&#1;",
            "\u{1}",
            "\u{FFFF}",
            "<p title='&#x1F;'>x</p>",
            "<p nowrap>x</p>",
        ] {
            assert_eq!(
                inside(markup),
                if markup == "<P>x</p>" {
                    "narrative_element"
                } else {
                    "narrative_malformed"
                },
                "{markup}"
            );
        }
        assert_eq!(inside("&bogus;"), "narrative_entity");
        assert_eq!(inside("<p title=\"&Tab;\">x</p>"), "narrative_entity");
        assert_eq!(inside("<p title=\"a & b\">x</p>"), "narrative_entity");
        assert_eq!(inside("&#0;"), "narrative_entity");
        assert_eq!(inside("<p></div><div><p/>"), "narrative_malformed");
    }

    #[test]
    fn nothing_runs() {
        for markup in [
            "<script>x</script>",
            "<SCRIPT>x</SCRIPT>",
            "<iframe/>x",
            "<form>x</form>",
            "<object/>x",
            "<link/>x",
            "<base/>x",
            "<style>p {}</style>x",
            "<svg/>x",
            "<head/>x",
            "<h:script xmlns:h=\"http://www.w3.org/1999/xhtml\">x</h:script>",
            "<p onclick=\"x\">x</p>",
            "<p ONCLICK=\"x\">x</p>",
            "<img src='#a' onerror='x'/>",
            "<a href=\"javascript:x\">x</a>",
            "<a href=\" JaVa\tscript:x\">x</a>",
            "<a href=\"java&#10;script&#58;x\">x</a>",
            "<a href=\"&#x6a;avascript:x\">x</a>",
            "<a href=\"vbscript:x\">x</a>",
            "<a href=\"data:text/html,x\">x</a>",
            "<a href=\"data:image/svg+xml,x\">x</a>",
            "<a href=\"\u{85}javascript:x\">x</a>",
            "<q cite=\"javascript:x\">x</q>",
            "<a href=\"blob:x\">x</a>",
        ] {
            assert_eq!(inside(markup), "narrative_script", "{markup}");
        }
        assert_eq!(inside("<p href=\"https://example.org\">x</p>"), "narrative_attribute");
        assert_eq!(inside("<p xlink:href=\"#a\">x</p>"), "narrative_attribute");
        for name in ["\u{e9}", "a\u{e9}x", "\u{1F600}", "o\u{e9}n", "o"] {
            assert_eq!(
                inside(&format!("<p {name}=\"x\">x</p>")),
                "narrative_attribute",
                "{name}"
            );
            assert_eq!(inside(&format!("<p{name}>x</p{name}>")), "narrative_element", "{name}");
        }
    }

    #[test]
    fn nothing_loads() {
        for source in [
            "https://example.org/a.png",
            "//example.org/a",
            "a.png",
            "javascript:x",
            "cid:x",
        ] {
            assert_eq!(
                inside(&format!("<img src=\"{source}\"/>")),
                "narrative_load",
                "{source}"
            );
        }
        assert_eq!(
            inside("<p style=\"background: url(https://example.org/a)\">x</p>"),
            "narrative_load"
        );
        assert_eq!(
            inside("<p style=\"background: u&#114;l(//example.org)\">x</p>"),
            "narrative_load"
        );
    }

    #[test]
    fn what_html_reads_otherwise_is_refused() {
        for markup in [
            "<![CDATA[ > <b>x</b> ]]>x",
            "<!--> <b>x</b> -->x",
            "<!---> <b>x</b> -->x",
            "<!--[if IE]> x <![endif]-->x",
            "<?php x ?>x",
            "<!DOCTYPE div>x",
        ] {
            let expected = if markup.starts_with("<!--->") {
                "narrative_malformed"
            } else {
                "narrative_markup"
            };
            let found = inside(markup);
            assert!(found == expected || found == "narrative_markup", "{markup} {found}");
        }
        assert_eq!(
            code(&format!("<?xml version=\"1.0\"?><div xmlns=\"{NAMESPACE}\">x</div>")),
            "narrative_markup"
        );
    }

    #[test]
    fn it_shows_something() {
        for markup in ["", " \n ", "<p><br/></p>", "<img alt=\"x\"/>", "&#32;", "<!-- x -->"] {
            assert_eq!(inside(markup), "narrative_empty", "{markup}");
        }
        assert_eq!(inside("&nbsp;"), "");
    }

    #[test]
    fn limits_hold() {
        let nested = |depth: usize| format!("{}x{}", "<b>".repeat(depth), "</b>".repeat(depth));
        assert_eq!(inside(&nested(MAX_DEPTH - 1)), "");
        assert_eq!(inside(&nested(MAX_DEPTH)), "narrative_limit");
        let room = MAX_BYTES - format!("<div xmlns=\"{NAMESPACE}\"></div>").len();
        assert_eq!(inside(&"x".repeat(room)), "");
        assert_eq!(inside(&"x".repeat(room + 1)), "narrative_limit");
        let many: String = (0..1_000_000).map(|i| format!(" a{i}=''")).collect();
        assert_ne!(inside(&format!("<p{}>x</p>", &many[..3_000_000])), "");
    }
}
