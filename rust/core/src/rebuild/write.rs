//! The tree of fields written as JSON, held against R4's table where it may be incomplete.

use super::tree::{Leaf, Member, Members, Node};
use super::{Rebuilt, error};
use crate::error::{Error, Result};
use crate::fhir::primitives;
use crate::field::Value;
use crate::schema::{self, ELEMENT, Element, Target, Type};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// What stands where R4 requires something that the holder withheld.
const MASKED: &str = concat!(
    r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","#,
    r#""valueCode":"masked"}]}"#
);

pub struct Writer<'a> {
    partial: bool,
    /// Detached texts that are not yet written, by name.
    texts: HashMap<&'a str, &'a str>,
    out: String,
    /// Element path of what is being written, the record's indices included.
    path: String,
    unopened: Vec<String>,
}

impl<'a> Writer<'a> {
    pub fn new(partial: bool, texts: HashMap<&'a str, &'a str>) -> Self {
        Self {
            partial,
            texts,
            out: String::new(),
            path: String::new(),
            unopened: Vec::new(),
        }
    }

    pub fn resource(&mut self, type_: &'static Type, members: &Members<'_>) -> Result<()> {
        self.path.push_str(type_.name);
        self.out.push_str("{\"resourceType\":");
        self.string(type_.name);
        self.members(type_, members, false)?;
        self.out.push('}');
        Ok(())
    }

    pub fn finish(self) -> Result<Rebuilt> {
        match self.texts.keys().min() {
            Some(name) => Err(error("detached_unknown", name, "a detached value belongs to no field")),
            None => Ok(Rebuilt {
                text: self.out,
                unopened: self.unopened,
            }),
        }
    }

    fn object(&mut self, type_: &'static Type, members: &Members<'_>) -> Result<()> {
        self.out.push('{');
        self.members(type_, members, true)?;
        self.out.push('}');
        Ok(())
    }

    fn members(&mut self, type_: &'static Type, members: &Members<'_>, mut first: bool) -> Result<()> {
        let length = self.path.len();
        let mut seen = 0_u128;
        for (position, member) in members.0.iter().enumerate() {
            let element = type_.child(member.key);
            if let Some(element) = element {
                self.require_one_choice(type_, element, members)?;
                seen |= 1 << element.position;
            }
            // A primitive and its twin are written together, where the first of them stands.
            if members.0[..position].iter().any(|other| other.key == member.key) {
                continue;
            }
            let _ = write!(self.path, ".{}", member.key);
            let pair = [false, true].map(|twin| members.find(member.key, twin));
            match element {
                Some(element) if element.list => self.lists(element, pair, &mut first)?,
                _ => self.single(element, pair, &mut first)?,
            }
            self.path.truncate(length);
        }
        if self.partial {
            self.mask(type_, seen, &mut first);
        }
        Ok(())
    }

    fn require_one_choice(&self, type_: &Type, element: &Element, members: &Members<'_>) -> Result<()> {
        let other = |member: &Member<'_>| {
            let other = type_.child(member.key);
            member.key != element.key && other.is_some_and(|other| other.position == element.position)
        };
        if element.choice && members.0.iter().any(other) {
            return Err(self.error("choice_repeated", "one element stands with two types"));
        }
        Ok(())
    }

    fn single(
        &mut self,
        element: Option<&'static Element>,
        pair: [Option<&Member<'_>>; 2],
        first: &mut bool,
    ) -> Result<()> {
        let [value, twin] = pair.map(|member| member.and_then(|member| Some((member.key, member.items.get(&0)?))));
        self.require_twins(value.map(|(_, node)| node), twin.map(|(_, node)| node))?;
        for (underscore, found) in [("", value), ("_", twin)] {
            if let Some((key, node)) = found {
                self.key(underscore, key, first);
                self.node(element, !underscore.is_empty(), node)?;
            }
        }
        Ok(())
    }

    /// A list, and the `_` list beside it, null where one of them has nothing.
    fn lists(&mut self, element: &'static Element, pair: [Option<&Member<'_>>; 2], first: &mut bool) -> Result<()> {
        let indices: BTreeSet<u32> = pair
            .iter()
            .flatten()
            .flat_map(|member| member.items.keys().copied())
            .collect();
        self.note_gaps(&indices)?;
        let length = self.path.len();
        for (underscore, member) in [("", pair[0]), ("_", pair[1])] {
            let Some(member) = member else { continue };
            self.key(underscore, member.key, first);
            self.out.push('[');
            for (position, index) in indices.iter().enumerate() {
                if position > 0 {
                    self.out.push(',');
                }
                let _ = write!(self.path, "[{index}]");
                let [value, twin] = pair.map(|member| member.and_then(|member| member.items.get(index)));
                self.require_twins(value, twin)?;
                match member.items.get(index) {
                    Some(node) => self.node(Some(element), member.twin, node)?,
                    None => self.out.push_str("null"),
                }
                self.path.truncate(length);
            }
            self.out.push(']');
        }
        Ok(())
    }

    fn note_gaps(&mut self, indices: &BTreeSet<u32>) -> Result<()> {
        let mut next = 0;
        for index in indices.iter().copied() {
            if index > next {
                let last = index - 1;
                let gap = if last == next {
                    last.to_string()
                } else {
                    format!("{next}-{last}")
                };
                let gap = format!("{}[{gap}]", self.path);
                if !self.partial {
                    return Err(error("position_missing", &gap, "the list has no such position"));
                }
                self.unopened.push(gap);
            }
            next = index + 1;
        }
        Ok(())
    }

    /// `NAME+n` stands with n twin fields, NAME without any.
    fn require_twins(&self, value: Option<&Node<'_>>, twin: Option<&Node<'_>>) -> Result<()> {
        let Some(Node::Leaf(leaf)) = value else { return Ok(()) };
        let found = match twin {
            Some(Node::Object(members)) => members.count(),
            _ => 0,
        };
        if found != leaf.twins as usize {
            return Err(self.error("twin_incomplete", "the value and its _ twin are not there together"));
        }
        Ok(())
    }

    fn node(&mut self, element: Option<&'static Element>, twin: bool, node: &Node<'_>) -> Result<()> {
        let members = match node {
            Node::Leaf(leaf) => return self.leaf(leaf),
            Node::Object(members) => members,
        };
        let type_ = match element {
            _ if twin => Some(*ELEMENT),
            Some(element) if matches!(element.target, Target::Resource) => inner_type(members),
            Some(element) => element.complex(),
            None => None,
        };
        let type_ = type_.ok_or_else(|| self.error("type_contradicts", "no object stands here in R4"))?;
        self.object(type_, members)
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) -> Result<()> {
        if leaf.is_base64 {
            return self.base64(leaf);
        }
        match leaf.value {
            Some(Value::String(lexeme)) if leaf.is_decimal => self.out.push_str(lexeme),
            Some(Value::String(text)) => self.string(text),
            Some(Value::Bool(flag)) => self.out.push_str(if *flag { "true" } else { "false" }),
            Some(Value::Int(number)) => {
                let _ = write!(self.out, "{number}");
            }
            _ => return Err(self.error("type_contradicts", "R4 defines this element with another type")),
        }
        Ok(())
    }

    /// The text, from its field or detached, held against hash and size.
    fn base64(&mut self, leaf: &Leaf<'_>) -> Result<()> {
        let (Some(Value::Bytes32(hash)), Some(Value::Uint(size))) = (leaf.value, leaf.size) else {
            return Err(self.error("base64_incomplete", "hash and size are not there together"));
        };
        let text = match (leaf.text, self.texts.remove(leaf.name)) {
            (Some(Value::String(text)), None) => text.as_str(),
            (None, Some(text)) => text,
            (None, None) => return Err(self.error("base64_incomplete", "the text is neither a field nor detached")),
            _ => return Err(self.error("detached_contradicts", "the text is both a field and detached")),
        };
        let decoded = primitives::decode_base64(text).unwrap_or_default();
        if <[u8; 32]>::from(Sha256::digest(&decoded)) != *hash || decoded.len() as u64 != *size {
            return Err(self.error("detached_contradicts", "the text has another hash or size"));
        }
        self.string(text);
        Ok(())
    }

    /// Required elements of which nothing is opened; what has no `_` twin cannot say so and stays away.
    fn mask(&mut self, type_: &'static Type, mut seen: u128, first: &mut bool) {
        for element in type_.children() {
            let bit = 1 << element.position;
            let underscore = match element.target {
                Target::Primitive(_) if element.twin => "_",
                Target::Complex(_) => "",
                _ => continue,
            };
            if !element.required || seen & bit != 0 {
                continue;
            }
            seen |= bit;
            self.key(underscore, element.key, first);
            let [open, close] = if element.list { ["[", "]"] } else { ["", ""] };
            self.out.extend([open, MASKED, close]);
        }
    }

    fn key(&mut self, underscore: &str, key: &str, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push(',');
        }
        // A key that the table knows needs no escaping.
        let _ = write!(self.out, "\"{underscore}{key}\":");
    }

    fn string(&mut self, text: &str) {
        let _ = write!(self.out, "{}", serde_json::Value::from(text));
    }

    fn error(&self, code: &'static str, detail: &str) -> Error {
        error(code, &self.path, detail)
    }
}

/// The type that a resource inside says it is.
fn inner_type(members: &Members<'_>) -> Option<&'static Type> {
    match members.find("resourceType", false)?.items.get(&0)? {
        Node::Leaf(Leaf {
            value: Some(Value::String(name)),
            ..
        }) => schema::resource(name),
        _ => None,
    }
}
