//! R4's element table as the reader, slots and claims read it: which elements a type has, and what stands there.

use rustc_hash::FxHashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../../src/chartseal/fhir/r4_elements.tsv");

/// Primitive types that fields and claims tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primitive {
    Boolean,
    /// integer, positiveInt and unsignedInt.
    Integer,
    /// A JSON number whose field is a string.
    Decimal,
    Base64Binary,
    /// date, dateTime and instant.
    Date,
    Xhtml,
    /// Everything else: a string field.
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
    /// JSON key: a choice's with its type.
    pub key: &'static str,
    /// Position of the base name in its type, below 128.
    pub position: u8,
    pub choice: bool,
    pub required: bool,
    pub list: bool,
    pub target: Target,
    /// R4's name of the type, a backbone's path.
    pub type_name: &'static str,
    /// It may have a `_` twin.
    pub twin: bool,
    /// System and codes of a modifier element's required binding.
    pub binding: Option<Binding>,
    /// Index of a complex target among all types.
    complex: usize,
}

pub struct Binding {
    pub system: &'static str,
    pub codes: Vec<&'static str>,
}

/// A resource type, datatype or backbone element; children by JSON key.
pub struct Type {
    /// R4's name, a backbone element's path.
    pub name: &'static str,
    pub is_resource: bool,
    /// Positions of the required elements, as bits.
    pub required: u128,
    elements: Vec<Element>,
    by_key: FxHashMap<&'static str, usize>,
}

impl Type {
    /// The child of that JSON key, say `valueQuantity`.
    pub fn child(&self, key: &str) -> Option<&Element> {
        self.by_key.get(key).map(|index| &self.elements[*index])
    }

    /// The children in R4's order, one for each type of a choice.
    pub fn children(&self) -> &[Element] {
        &self.elements
    }
}

impl Element {
    /// The type of what stands here, where that is a datatype or backbone element.
    pub fn complex(&self) -> Option<&'static Type> {
        match self.target {
            Target::Complex(_) => Some(&TYPES.all[self.complex]),
            _ => None,
        }
    }
}

struct Types {
    all: Vec<Type>,
    by_name: FxHashMap<&'static str, usize>,
}

/// What a primitive's `_` twin is.
pub static ELEMENT: LazyLock<&'static Type> = LazyLock::new(|| named("Element").expect("the table has Element"));

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut types = Types {
        all: Vec::new(),
        by_name: FxHashMap::default(),
    };
    for line in TABLE.lines().skip(1) {
        types.add_row(&line.split('\t').collect::<Vec<_>>());
    }
    let Types { all, by_name } = &mut types;
    for element in all.iter_mut().flat_map(|type_| &mut type_.elements) {
        if let Target::Complex(name) = element.target {
            element.complex = by_name[name];
        }
    }
    types
});

impl Types {
    fn add_row(&mut self, columns: &[&'static str]) {
        let [kind, owner, path, min, max, targets, _, twin, system, codes] = columns[..] else {
            panic!("the table has ten columns")
        };
        let type_ = self.type_of(owner, kind);
        let (name, choice) = path.strip_suffix("[x]").map_or((path, false), |name| (name, true));
        let position = type_.elements.last().map_or(0, |last| last.position + 1);
        assert!(position < 128, "a type has fewer than 128 elements");
        if min != "0" {
            type_.required |= 1 << position;
        }
        for target in targets.split('|') {
            let key = if choice { choice_key(name, target) } else { name };
            type_.by_key.insert(key, type_.elements.len());
            type_.elements.push(Element {
                name,
                key,
                position,
                choice,
                required: min != "0",
                list: max != "1",
                target: read_target(target),
                type_name: target,
                twin: twin == "1",
                binding: (!codes.is_empty()).then(|| Binding {
                    system,
                    codes: codes.split('|').collect(),
                }),
                complex: 0,
            });
        }
    }

    fn type_of(&mut self, name: &'static str, kind: &str) -> &mut Type {
        let next = self.all.len();
        let index = *self.by_name.entry(name).or_insert(next);
        if index == next {
            self.all.push(Type {
                name,
                is_resource: kind == "resource",
                required: 0,
                elements: Vec::new(),
                by_key: FxHashMap::default(),
            });
        }
        &mut self.all[index]
    }
}

/// `value` and `dateTime` to `valueDateTime`, which lives as long as the table.
fn choice_key(name: &str, target: &str) -> &'static str {
    let (first, rest) = target.split_at(1);
    format!("{name}{}{rest}", first.to_ascii_uppercase()).leak()
}

fn read_target(target: &'static str) -> Target {
    match target {
        "Resource" => Target::Resource,
        "boolean" => Target::Primitive(Primitive::Boolean),
        "integer" | "positiveInt" | "unsignedInt" => Target::Primitive(Primitive::Integer),
        "decimal" => Target::Primitive(Primitive::Decimal),
        "base64Binary" => Target::Primitive(Primitive::Base64Binary),
        "date" | "dateTime" | "instant" => Target::Primitive(Primitive::Date),
        "xhtml" => Target::Primitive(Primitive::Xhtml),
        _ if target.starts_with(|c: char| c.is_ascii_lowercase()) => Target::Primitive(Primitive::Text),
        _ => Target::Complex(target),
    }
}

/// A type by its name, a backbone element by its path.
pub fn named(name: &str) -> Option<&'static Type> {
    TYPES.by_name.get(name).map(|index| &TYPES.all[*index])
}

/// A resource type by its name.
pub fn resource(name: &str) -> Option<&'static Type> {
    named(name).filter(|type_| type_.is_resource)
}
