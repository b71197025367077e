//! Style attributes of narrative: CSS declarations that load and run nothing.

use super::attributes::normalised;
use crate::fhir::Refusal;

/// Words by which CSS, or a browser's own dialect of it, loads or runs something.
const REFUSED: &[&str] = &[
    "@",
    "expression(",
    "behavior:",
    "-moz-binding",
    "image(",
    "image-set(",
    "src(",
    "javascript:",
    "vbscript:",
];

/// Checks the value of a `style` attribute, its entities resolved.
///
/// # Errors
/// `narrative_load`: something is loaded but `url(#…)` and `url(data:…)`, or could be under an escape.
pub fn check(style: &str) -> Result<(), Refusal> {
    let refused = |detail: &str| Err(Refusal::new("narrative_load", detail));
    let style = normalised(&without_comments(style));
    if style.contains('\\') {
        return refused("a style has an escape, which could hide a load");
    }
    if REFUSED.iter().any(|word| style.contains(word)) {
        return refused("a style loads or runs something");
    }
    for (start, word) in style.match_indices("url(") {
        let target = style[start + word.len()..].trim_start_matches(['"', '\'']);
        if !target.starts_with('#') && !target.starts_with("data:") {
            return refused("a style loads something from elsewhere");
        }
    }
    Ok(())
}

/// `style` without `/* … */`; old browsers joined what a comment parts.
fn without_comments(style: &str) -> String {
    let mut rest = style;
    let mut kept = String::with_capacity(style.len());
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_pass() {
        for style in [
            "color: red",
            "width: 10%; font-family: 'A B'",
            "",
            "background: url(#a)",
            "background: URL( 'data:image/png;base64,AA' )",
            "/* a */ color: red /* b */",
        ] {
            assert_eq!(check(style), Ok(()), "{style}");
        }
    }

    #[test]
    fn loads_and_tricks_do_not() {
        for style in [
            "background: url(https://example.org/a)",
            "background: url( \"//example.org\" )",
            "b: url(a.png)",
            "@import 'a'",
            "b: u\\72l(a)",
            "b: ur/**/l(a)",
            "width: EXPRESSION (x)",
            "behavior: x",
            "b: image-set('a' 1x)",
            "b: -webkit-image-set('a' 1x)",
            "-moz-binding: url(#a)",
            "b: url(#a), url(b)",
            "b: u\nrl(b)",
            "b: url(javascript:x)",
        ] {
            assert_eq!(check(style).unwrap_err().code, "narrative_load", "{style}");
        }
    }
}
