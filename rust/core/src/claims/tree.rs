//! A record's fields as a tree again, for reading elements by their paths.

use crate::field::{Field, Value};
use crate::schema::{self, Element, Target};

const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// One instance of an element.
#[derive(Default)]
pub struct Item<'a> {
    /// JSON key without underscore.
    pub key: &'a str,
    index: &'a str,
    pub value: Option<&'a Value>,
    /// It is a primitive with a `_` twin, or a twin alone.
    pub twin: bool,
    pub kids: Vec<Item<'a>>,
}

impl<'a> Item<'a> {
    /// Reads the fields of a resource; control fields are left out, twins leave their mark only.
    pub fn read(fields: &'a [Field]) -> Self {
        let mut root = Item::default();
        for field in fields
            .iter()
            .filter(|field| !field.name.starts_with(crate::slots::CONTROL))
        {
            root.insert(&field.name, &field.value);
        }
        root
    }

    fn insert(&mut self, name: &'a str, value: &'a Value) {
        let (name, has_twin) = name.split_once('+').map_or((name, false), |(name, _)| (name, true));
        let mut at = self;
        for segment in name.split('.').skip(1) {
            let (key, index) = segment.split_once('[').unwrap_or((segment, ""));
            let (key, twin) = key.strip_prefix('_').map_or((key, false), |key| (key, true));
            at = at.child_or_new(key, index);
            if twin {
                at.twin = true;
                return;
            }
        }
        at.value = Some(value);
        at.twin |= has_twin;
    }

    fn child_or_new(&mut self, key: &'a str, index: &'a str) -> &mut Item<'a> {
        let found = self.kids.iter().rposition(|kid| kid.key == key && kid.index == index);
        let position = found.unwrap_or_else(|| {
            self.kids.push(Item {
                key,
                index,
                ..Item::default()
            });
            self.kids.len() - 1
        });
        &mut self.kids[position]
    }

    /// Children of that JSON key.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &Item<'a>> {
        self.kids.iter().filter(move |kid| kid.key == key)
    }

    pub fn one(&self, key: &str) -> Option<&Item<'a>> {
        self.all(key).next()
    }

    pub fn text(&self) -> Option<&'a str> {
        match self.value {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Text of a primitive child without a twin.
    pub fn plain(&self, key: &str) -> Option<&'a str> {
        self.one(key).filter(|kid| !kid.twin)?.text()
    }

    /// A twin stands at the item or anywhere beneath it.
    pub fn any_twin(&self) -> bool {
        self.twin || self.kids.iter().any(Item::any_twin)
    }

    /// A data-absent-reason stands as an extension at the item or anywhere beneath it.
    pub fn any_absent(&self) -> bool {
        let absent = |item: &Item| item.key == "extension" && item.one("url").and_then(Item::text) == Some(ABSENT);
        self.kids.iter().any(|kid| absent(kid) || kid.any_absent())
    }

    /// The codings of a CodeableConcept, or a Coding itself.
    pub fn codings(&self) -> Vec<&Item<'a>> {
        if self.one("coding").is_some() || self.one("text").is_some() {
            self.all("coding").collect()
        } else {
            vec![self]
        }
    }
}

/// An instance of an element that table B names.
pub struct Instance<'t, 'a> {
    pub item: &'t Item<'a>,
    pub element: &'static Element,
    /// Objects around it, the resource first.
    pub around: Vec<&'t Item<'a>>,
    /// Path without indices, choices by base name.
    pub path: String,
}

/// All instances of `path` (dotted base names below the resource); `item` names items at any depth.
pub fn instances<'t, 'a>(resource_type: &str, root: &'t Item<'a>, path: &str) -> Vec<Instance<'t, 'a>> {
    let names: Vec<&str> = path.split('.').collect();
    let mut found = Vec::new();
    collect(resource_type, &names, vec![root], resource_type.to_owned(), &mut found);
    found
}

fn collect<'t, 'a>(
    type_name: &str,
    names: &[&str],
    around: Vec<&'t Item<'a>>,
    path: String,
    found: &mut Vec<Instance<'t, 'a>>,
) {
    let Some(type_) = schema::named(type_name) else { return };
    for item in around.last().into_iter().flat_map(|at| &at.kids) {
        let Some(element) = type_.child(item.key) else { continue };
        let answers = matches!(names, ["item", ..] | ["answer", "value"] | ["value"]);
        let deeper = answers && type_name.starts_with("QuestionnaireResponse") && element.name == "item";
        if element.name != names[0] && !deeper {
            continue;
        }
        let path = format!("{path}.{}", element.name);
        match (&element.target, &names[1..]) {
            (_, []) if !deeper => found.push(Instance {
                item,
                element,
                around: around.clone(),
                path,
            }),
            (Target::Complex(inner), rest) => {
                let mut around = around.clone();
                around.push(item);
                if deeper {
                    collect(inner, &["answer", "value"], around, path, found);
                } else {
                    collect(inner, rest, around, path, found);
                }
            }
            _ => {}
        }
    }
}
