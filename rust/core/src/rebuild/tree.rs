//! Fields sorted into the tree that their names describe.

use super::error;
use crate::error::Result;
use crate::fhir::primitives;
use crate::field::{Field, Value};
use crate::slots::path::{Part, Path, number};
use std::collections::BTreeMap;

/// The members of an object by first appearance; a type has few keys, so they are looked up one by one.
#[derive(Default)]
pub struct Members<'a>(pub Vec<Member<'a>>);

pub struct Member<'a> {
    /// JSON key without the twin's underscore.
    pub key: &'a str,
    pub twin: bool,
    /// By index, since indices may have gaps of any size; a single value stands at 0.
    pub items: BTreeMap<u32, Node<'a>>,
}

pub enum Node<'a> {
    Object(Members<'a>),
    Leaf(Leaf<'a>),
}

/// One primitive and its fields.
#[derive(Default)]
pub struct Leaf<'a> {
    /// NAME, without `+n`, `.size` and `.text`.
    pub name: &'a str,
    pub value: Option<&'a Value>,
    pub size: Option<&'a Value>,
    pub text: Option<&'a Value>,
    /// The n of `NAME+n`.
    pub twins: u32,
    pub is_base64: bool,
    pub is_decimal: bool,
}

impl<'a> Members<'a> {
    /// # Errors
    /// `type_contradicts`, `name_repeated`, `decimal_invalid`.
    pub fn insert(&mut self, field: &'a Field, path: &Path<'a>) -> Result<()> {
        let name = field.name.as_str();
        let clash = || error("type_contradicts", name, "an object and a value under one name");
        let (last, steps) = path.steps.split_last().ok_or_else(clash)?;
        let mut members = self;
        for step in steps {
            let node = members.item(step.key, step.twin, index(&name[step.start..step.end]), || {
                Node::Object(Members::default())
            });
            match node {
                Node::Object(inner) => members = inner,
                Node::Leaf(_) => return Err(clash()),
            }
        }
        let leaf = || Node::Leaf(Leaf::default());
        match members.item(last.key, last.twin, index(&name[last.start..last.end]), leaf) {
            Node::Leaf(leaf) => leaf.fill(field, path),
            Node::Object(_) => Err(clash()),
        }
    }

    fn item(&mut self, key: &'a str, twin: bool, index: u32, new: impl FnOnce() -> Node<'a>) -> &mut Node<'a> {
        let known = self
            .0
            .iter()
            .position(|member| member.key == key && member.twin == twin);
        let position = known.unwrap_or_else(|| {
            let items = BTreeMap::new();
            self.0.push(Member { key, twin, items });
            self.0.len() - 1
        });
        self.0[position].items.entry(index).or_insert_with(new)
    }

    pub fn find(&self, key: &str, twin: bool) -> Option<&Member<'a>> {
        self.0.iter().find(|member| member.key == key && member.twin == twin)
    }

    /// Fields at or beneath.
    pub fn count(&self) -> usize {
        self.0
            .iter()
            .flat_map(|member| member.items.values())
            .map(Node::count)
            .sum()
    }
}

impl<'a> Node<'a> {
    fn count(&self) -> usize {
        match self {
            Node::Object(members) => members.count(),
            Node::Leaf(leaf) => [leaf.value, leaf.size, leaf.text].iter().flatten().count(),
        }
    }
}

impl<'a> Leaf<'a> {
    fn fill(&mut self, field: &'a Field, path: &Path<'a>) -> Result<()> {
        let name = field.name.as_str();
        if field.value.abi_type() != path.abi_type() {
            return Err(error(
                "type_contradicts",
                name,
                "R4 defines this element with another type",
            ));
        }
        let part = match path.part {
            Part::Value => &mut self.value,
            Part::Size => &mut self.size,
            Part::Text => &mut self.text,
        };
        if part.replace(&field.value).is_some() {
            return Err(error("name_repeated", name, "two fields have one name"));
        }
        if let (true, Value::String(lexeme)) = (path.is_decimal(), &field.value) {
            primitives::check_number("decimal", lexeme)
                .map_err(|refusal| error("decimal_invalid", name, &refusal.detail))?;
        }
        self.name = &name[..path.end];
        self.is_base64 = path.is_base64();
        self.is_decimal = path.is_decimal();
        self.twins = self.twins.max(path.twins);
        Ok(())
    }
}

/// The index of `key[index]`, which the reader of names has checked; 0 where there is none.
fn index(segment: &str) -> u32 {
    let digits = segment.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    digits.and_then(number).unwrap_or(0)
}
