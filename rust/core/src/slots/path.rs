//! A field's name read along R4's element table.

use crate::error::{Error, Kind, Result};
use crate::fhir::json::MAX_DEPTH;
use crate::schema::{self, Element, Primitive, Target, Type};

/// One element on the way to a field.
pub struct Step<'a> {
    /// JSON key without the twin's underscore.
    pub key: &'a str,
    /// Element name; of a choice the base name.
    pub base: &'static str,
    /// Where the step starts and ends in the field's name, index included.
    pub start: usize,
    pub end: usize,
    /// The step goes into the `_` twin of a primitive.
    pub twin: bool,
    /// Type of what stands here, where it is no primitive.
    pub type_name: Option<&'a str>,
    /// What stands here is a resource inside this one.
    pub resource: bool,
}

/// Which of a primitive's fields a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Value,
    /// `.size` and `.text` of base64Binary.
    Size,
    Text,
}

/// A resource field's name, understood.
pub struct Path<'a> {
    pub steps: Vec<Step<'a>>,
    pub part: Part,
    /// The n of `NAME+n`: fields of the primitive's twin.
    pub twins: u32,
    /// End of NAME, before `+n`, `.size` and `.text`.
    pub end: usize,
    primitive: Option<Primitive>,
}

impl Path<'_> {
    /// The ABI type that the definition demands.
    pub fn abi_type(&self) -> &'static str {
        match (self.part, self.primitive) {
            (Part::Size, _) => "uint256",
            (Part::Text, _) => "string",
            (Part::Value, Some(Primitive::Base64Binary)) => "bytes32",
            (Part::Value, Some(Primitive::Boolean)) => "bool",
            (Part::Value, Some(Primitive::Integer)) => "int256",
            (Part::Value, _) => "string",
        }
    }

    pub fn is_base64(&self) -> bool {
        self.primitive == Some(Primitive::Base64Binary)
    }

    /// Its field is a string that JSON writes as a number.
    pub fn is_decimal(&self) -> bool {
        self.part == Part::Value && self.primitive == Some(Primitive::Decimal)
    }
}

/// Where a reader of a name stands.
enum At {
    /// In an object of this type; `embedded` where it is a resource inside another.
    Type {
        type_: &'static Type,
        embedded: bool,
    },
    Twin,
    /// At a value; no definition gives `resourceType` a type.
    Primitive(Option<Primitive>),
}

pub fn error(code: &'static str, name: &str, detail: &str) -> Error {
    Error::new(Kind::Record, code, name, detail)
}

/// Splits the `+n` off a name.
fn split_twins(name: &str) -> Result<(&str, u32)> {
    match name.split_once('+') {
        None => Ok((name, 0)),
        Some((plain, digits)) => match number(digits) {
            Some(count) if count > 0 => Ok((plain, count)),
            _ => Err(error(
                "name_malformed",
                name,
                "the number of twin fields is not a plain positive number",
            )),
        },
    }
}

/// A number as the format writes it: digits without leading zeros, below 10^9.
pub fn number(digits: &str) -> Option<u32> {
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let canonical = digits == "0" || !digits.starts_with('0');
    if plain && canonical { digits.parse().ok() } else { None }
}

/// What is read nests no deeper, and what is kept of a name grows with the square of its steps: a hostile one would
/// fill the memory. Each dot is an object and each bracket an array; `.size` and `.text` are one dot more.
fn require_shallow(name: &str) -> Result<()> {
    if name.bytes().filter(|byte| matches!(byte, b'.' | b'[')).count() > MAX_DEPTH + 1 {
        return Err(error("name_too_deep", "", "a name has too many steps"));
    }
    Ok(())
}

/// One dotted part of a name: key without underscore, whether it had one, whether it has an index.
fn split_segment<'a>(name: &str, segment: &'a str) -> Result<(&'a str, bool, bool)> {
    let malformed = || error("name_malformed", name, "not an element path");
    let (key, index) = match segment.split_once('[') {
        None => (segment, None),
        Some((key, rest)) => (key, Some(rest.strip_suffix(']').ok_or_else(malformed)?)),
    };
    if index.is_some_and(|digits| number(digits).is_none()) {
        return Err(malformed());
    }
    let (key, twin) = key.strip_prefix('_').map_or((key, false), |key| (key, true));
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(malformed());
    }
    Ok((key, twin, index.is_some()))
}

/// Reads names of one resource type; `embedded` gives the type of a resource inside it by its path.
pub struct Reader<F> {
    name: String,
    root: &'static Type,
    embedded: F,
}

impl<'t, F: Fn(&str) -> Option<&'t str>> Reader<F> {
    /// # Errors
    /// `resource_type_unknown`: R4 has no such resource type.
    pub fn new(resource_type: &str, embedded: F) -> Result<Self> {
        let root = schema::resource(resource_type).ok_or_else(|| {
            error(
                "resource_type_unknown",
                "chartseal.resourceType",
                "R4 has no such resource type",
            )
        })?;
        Ok(Self {
            name: resource_type.to_owned(),
            root,
            embedded,
        })
    }

    /// The resource type.
    pub fn root(&self) -> &'static Type {
        self.root
    }

    /// Reads one name; `path` may end at an element that is no primitive where `leaf` is false.
    pub fn read<'a>(&self, name: &'a str, leaf: bool) -> Result<Path<'a>>
    where
        't: 'a,
    {
        require_shallow(name)?;
        let (plain, twins) = split_twins(name)?;
        let mut at = At::Type {
            type_: self.root,
            embedded: false,
        };
        let mut steps: Vec<Step<'a>> = Vec::with_capacity(8);
        let mut part = Part::Value;
        let mut start = self.name.len() + 1;
        if !plain.starts_with(&self.name) || plain.as_bytes().get(start - 1) != Some(&b'.') {
            return Err(error("element_unknown", name, "not a path of this resource type"));
        }
        for segment in plain[start..].split('.') {
            let end = start + segment.len();
            if let (At::Primitive(Some(Primitive::Base64Binary)), Part::Value, "size" | "text") = (&at, part, segment) {
                part = if segment == "size" { Part::Size } else { Part::Text };
            } else {
                let (step, next) = self.step(name, &at, plain, start, end)?;
                steps.push(step);
                at = next;
                if part != Part::Value {
                    return Err(error("element_unknown", name, "nothing stands beneath a primitive"));
                }
            }
            start = end + 1;
        }
        let primitive = match at {
            At::Primitive(primitive) => primitive,
            _ if leaf => return Err(error("name_malformed", name, "not the path of a primitive")),
            _ => None,
        };
        if twins > 0 && part != Part::Value {
            return Err(error("name_malformed", name, "size and text follow the plain name"));
        }
        let end = steps.last().map_or(plain.len(), |step| step.end);
        Ok(Path {
            steps,
            part,
            twins,
            end,
            primitive,
        })
    }

    /// The step from `at` by `plain[start..end]`, and where it leads.
    fn step<'a>(&self, name: &str, at: &At, plain: &'a str, start: usize, end: usize) -> Result<(Step<'a>, At)>
    where
        't: 'a,
    {
        let (key, twin, indexed) = split_segment(name, &plain[start..end])?;
        let unknown = || error("element_unknown", name, "R4 defines no such element");
        let mut step = Step {
            key,
            base: "resourceType",
            start,
            end,
            twin,
            type_name: None,
            resource: false,
        };
        if let (At::Type { embedded: true, .. }, "resourceType", false, false) = (at, key, twin, indexed) {
            return Ok((step, At::Primitive(None)));
        }
        let element = self.element(at, key).ok_or_else(unknown)?;
        if element.list != indexed {
            return Err(error(
                "index_unexpected",
                name,
                "an index stands where R4 has no list, or lacks where it has one",
            ));
        }
        step.base = element.name;
        let next = match &element.target {
            Target::Primitive(_) if twin && element.twin => At::Twin,
            _ if twin => return Err(unknown()),
            Target::Primitive(primitive) => At::Primitive(Some(*primitive)),
            Target::Complex(type_name) => {
                step.type_name = Some(type_name);
                At::Type {
                    type_: schema::named(type_name).ok_or_else(unknown)?,
                    embedded: false,
                }
            }
            Target::Resource => {
                let hidden = || {
                    error(
                        "contained_type_hidden",
                        name,
                        "the type of the resource inside is not shown",
                    )
                };
                let type_name = (self.embedded)(&plain[..end]).ok_or_else(hidden)?;
                let known = schema::resource(type_name);
                (step.type_name, step.resource) = (Some(type_name), true);
                At::Type {
                    type_: known.ok_or_else(unknown)?,
                    embedded: true,
                }
            }
        };
        Ok((step, next))
    }

    fn element(&self, at: &At, key: &str) -> Option<&'static Element> {
        match at {
            At::Type { type_, .. } => type_.child(key),
            At::Twin if matches!(key, "id" | "extension") => schema::named("Extension")?.child(key),
            At::Twin | At::Primitive(_) => None,
        }
    }
}
