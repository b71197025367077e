//! R4's types as slots and claims read them: which elements a type has, and what stands there.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../../src/chartseal/record/r4_types.tsv");

/// Primitive types that fields and claims tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    Boolean,
    Integer,
    Base64Binary,
    /// date, dateTime and instant.
    Date,
    /// Everything else, decimals too: a string field.
    Text,
}

pub enum Target {
    Primitive(Primitive),
    /// A datatype by its name, or a backbone element by its path.
    Complex(&'static str),
    /// A resource inside this one.
    Resource,
}

pub struct Element {
    /// Base name: a choice's without its type.
    pub name: &'static str,
    pub list: bool,
    pub target: Target,
}

/// A resource type, datatype or backbone element; children by JSON key.
pub struct Type {
    pub is_resource: bool,
    children: HashMap<String, Element>,
}

impl Type {
    /// The child of that JSON key, say `valueQuantity`.
    pub fn child(&self, key: &str) -> Option<&Element> {
        self.children.get(key)
    }
}

static TYPES: LazyLock<HashMap<&str, Type>> = LazyLock::new(|| {
    let mut types: HashMap<&str, Type> = HashMap::new();
    for line in TABLE.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [kind, owner, name, choice, _, list, _, targets] = columns[..] else {
            panic!("the table has eight columns")
        };
        let empty = || Type {
            is_resource: kind == "resource",
            children: HashMap::new(),
        };
        let children = &mut types.entry(owner).or_insert_with(empty).children;
        for target in targets.split('|') {
            let key = if choice == "1" {
                choice_key(name, target)
            } else {
                name.to_owned()
            };
            children.insert(
                key,
                Element {
                    name,
                    list: list == "1",
                    target: read_target(target),
                },
            );
        }
    }
    types
});

/// `value` and `dateTime` to `valueDateTime`.
fn choice_key(name: &str, target: &str) -> String {
    let (first, rest) = target.split_at(1);
    format!("{name}{}{rest}", first.to_ascii_uppercase())
}

fn read_target(target: &'static str) -> Target {
    match target {
        "Resource" => Target::Resource,
        "boolean" => Target::Primitive(Primitive::Boolean),
        "integer" | "positiveInt" | "unsignedInt" => Target::Primitive(Primitive::Integer),
        "base64Binary" => Target::Primitive(Primitive::Base64Binary),
        "date" | "dateTime" | "instant" => Target::Primitive(Primitive::Date),
        _ if target.starts_with(|c: char| c.is_ascii_lowercase()) => Target::Primitive(Primitive::Text),
        _ => Target::Complex(target),
    }
}

/// A type by its name, a backbone element by its path.
pub fn named(name: &str) -> Option<&'static Type> {
    TYPES.get(name)
}

/// A resource type by its name.
pub fn resource(name: &str) -> Option<&'static Type> {
    named(name).filter(|type_| type_.is_resource)
}
