//! JSON as it was received: members in their order, number lexemes kept.

use std::borrow::Cow;

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
