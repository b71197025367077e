//! Which containers a record's fields lie in, and which slots they count in.

use super::PREFIX;
use super::path::{Part, Path, Reader, error};
use super::rows::{Row, WHOLE, contained_row, row};
use crate::error::Result;
use crate::field::{Field, Value};
use std::collections::{HashMap, HashSet};

/// One container that holds a field.
pub struct Container {
    pub path: String,
    pub row: &'static Row,
    /// The id of a contained resource, where its field is among the fields.
    pub id: Option<String>,
}

/// Where one field lies.
pub struct Place {
    /// Containers that hold it, outermost first, each with a mask of the slots that it is in.
    pub containers: Vec<(usize, u64)>,
    /// `.size` and `.text` count with their plain name.
    pub counts: bool,
    pub abi_type: &'static str,
    /// Twins that must open with it: see [`Layout::groups`].
    pub groups: Vec<usize>,
    /// It is the `reference` of a Reference.
    pub is_reference: bool,
}

/// A primitive and the fields of its `_` twin; of base64Binary also size and text.
pub struct Group {
    pub name: String,
    pub fields: Vec<usize>,
    /// The field of the primitive itself, and the n of its `NAME+n`.
    pub plain: Option<(usize, u32)>,
    /// Fields in the twin.
    pub twins: u32,
    /// Size, and text, of base64Binary are there.
    pub parts: [bool; 2],
    pub is_base64: bool,
}

/// All fields of a record, or all opened ones, by container.
pub struct Layout {
    pub containers: Vec<Container>,
    /// One for each field given.
    pub places: Vec<Place>,
    pub groups: Vec<Group>,
}

/// A container while a name is read: slots met so far and the names since it began.
struct Open {
    container: usize,
    mask: u64,
    below: String,
    depth: usize,
}

struct Builder<'s> {
    layout: Layout,
    /// Paths that containers may have; any where None.
    stated: Option<HashSet<&'s str>>,
    by_path: HashMap<String, usize>,
    by_group: HashMap<String, usize>,
    /// References that hold more than their `display`.
    referring: HashSet<String>,
    /// Fields that are the `display` of a Reference, with its path.
    displays: Vec<(usize, String)>,
}

impl Layout {
    /// Reads the names of `fields`, which are a resource's fields, control fields left out.
    ///
    /// # Errors
    /// `resource_type_unknown`, `name_malformed`, `name_too_deep`, `element_unknown`, `index_unexpected`,
    /// `contained_type_hidden`.
    pub fn new(resource_type: &str, fields: &[&Field]) -> Result<Self> {
        Self::read(resource_type, fields, None)
    }

    /// As `new`, for fields out of a disclosure: `stated` are the paths of all containers, some of which may hold none of
    /// the fields. One that is not stated ends the reading, so that names cannot make more containers than they state.
    ///
    /// # Errors
    /// Those of `new`, `slots_missing`, `slots_unneeded`.
    pub fn stated(resource_type: &str, fields: &[&Field], stated: &[&str]) -> Result<Self> {
        Self::read(resource_type, fields, Some(stated))
    }

    fn read(resource_type: &str, fields: &[&Field], stated: Option<&[&str]>) -> Result<Self> {
        let types = embedded_types(fields);
        let reader = Reader::new(resource_type, |path: &str| types.get(path).copied())?;
        let mut builder = Builder {
            layout: Layout {
                containers: Vec::new(),
                places: Vec::with_capacity(fields.len()),
                groups: Vec::new(),
            },
            stated: stated.map(|paths| paths.iter().copied().collect()),
            by_path: HashMap::new(),
            by_group: HashMap::new(),
            referring: HashSet::new(),
            displays: Vec::new(),
        };
        for (index, field) in fields.iter().enumerate() {
            let path = reader.read(&field.name, true)?;
            builder.place(resource_type, index, field, &path)?;
        }
        for path in stated.unwrap_or_default() {
            builder.note(resource_type, &reader, path)?;
        }
        Ok(builder.finish())
    }

    /// Fields in each slot of each container.
    pub fn counts(&self) -> Vec<Vec<u32>> {
        let mut counts: Vec<Vec<u32>> = self.containers.iter().map(|c| vec![0; c.row.slots.len()]).collect();
        for place in self.places.iter().filter(|place| place.counts) {
            for (container, mask) in &place.containers {
                let mut rest = *mask;
                while rest != 0 {
                    counts[*container][rest.trailing_zeros() as usize] += 1;
                    rest &= rest - 1;
                }
            }
        }
        counts
    }
}

/// Types of the resources inside, by their path.
pub(crate) fn embedded_types<'a>(fields: &[&'a Field]) -> HashMap<&'a str, &'a str> {
    let typed = fields.iter().filter_map(|field| match &field.value {
        Value::String(text) => Some((field.name.strip_suffix(".resourceType")?, text.as_str())),
        _ => None,
    });
    typed.collect()
}

/// The contained resource among the containers that hold `path`.
fn contained(open: &[Open], path: &Path) -> Option<usize> {
    let resource = path
        .steps
        .first()
        .is_some_and(|step| step.resource && step.key == "contained");
    open.get(1).filter(|_| resource).map(|open| open.container)
}

impl Builder<'_> {
    fn place(&mut self, resource_type: &str, index: usize, field: &Field, path: &Path) -> Result<()> {
        let name = &field.name;
        let open = self.descend(resource_type, name, path)?;
        if let (Some(container), Value::String(id)) = (contained(&open, path), &field.value)
            && name.strip_suffix(".id") == Some(&self.layout.containers[container].path)
        {
            self.layout.containers[container].id = Some(id.clone());
        }
        let is_reference = self.reference(index, name, path);
        let groups = self.group(index, name, path);
        let containers = open.into_iter().map(|open| (open.container, open.mask)).collect();
        let counts = path.part == Part::Value;
        self.layout.places.push(Place {
            containers,
            counts,
            abi_type: path.abi_type(),
            groups,
            is_reference,
        });
        Ok(())
    }

    /// The containers that hold `path`, outermost first, each with the slots that it is in.
    fn descend(&mut self, resource_type: &str, name: &str, path: &Path) -> Result<Vec<Open>> {
        let mut open = vec![self.open(resource_type, row(resource_type), name)?];
        let mut covered = false;
        for step in &path.steps {
            covered |= descend(&mut open, &self.layout.containers, step.base);
            covered |= step.type_name == Some("Meta");
            let Some(type_name) = step.type_name.filter(|_| !covered) else {
                continue;
            };
            let row = if step.resource {
                contained_row(type_name)
            } else {
                row(type_name)
            };
            if step.resource || row.is_some() {
                open.push(self.open(&name[..step.end], row, name)?);
            }
        }
        Ok(open)
    }

    /// Notes a container of which nothing but its slots may be known.
    fn note<'t, F: Fn(&str) -> Option<&'t str>>(
        &mut self,
        resource_type: &str,
        reader: &Reader<F>,
        path: &'t str,
    ) -> Result<()> {
        let open = if path == resource_type {
            vec![self.open(path, row(resource_type), path)?]
        } else {
            self.descend(resource_type, path, &reader.read(path, false)?)?
        };
        match open.last() {
            Some(last) if self.layout.containers[last.container].path == path => Ok(()),
            _ => Err(error("slots_unneeded", path, "no container begins there")),
        }
    }

    /// The container at `path`, new or met before.
    fn open(&mut self, path: &str, row: Option<&'static Row>, name: &str) -> Result<Open> {
        let row = row.ok_or_else(|| error("resource_type_unknown", name, "a resource type without slots"))?;
        let container = match self.by_path.get(path) {
            Some(container) => *container,
            None if self.stated.as_ref().is_some_and(|paths| !paths.contains(path)) => {
                return Err(error(
                    "slots_missing",
                    &format!("{PREFIX}{path}"),
                    "something of this container is shown without its slots",
                ));
            }
            None => {
                let container = self.layout.containers.len();
                self.layout.containers.push(Container {
                    path: path.to_owned(),
                    row,
                    id: None,
                });
                self.by_path.insert(path.to_owned(), container);
                container
            }
        };
        Ok(Open {
            container,
            mask: 0,
            below: String::new(),
            depth: 0,
        })
    }

    /// Notes `display`s and what else their Reference holds; whether the field is a Reference's `reference`.
    fn reference(&mut self, index: usize, name: &str, path: &Path) -> bool {
        let mut is_reference = false;
        for (i, step) in path
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.type_name == Some("Reference"))
        {
            let Some(child) = path.steps.get(i + 1) else { continue };
            is_reference = child.key == "reference" && i + 2 == path.steps.len() && !child.twin;
            if child.key == "display" {
                if step.key != "medicationReference" {
                    self.displays.push((index, name[..step.end].to_owned()));
                }
            } else {
                self.referring.insert(name[..step.end].to_owned());
            }
        }
        is_reference
    }

    /// Joins the field with the primitive whose twin it is in, and with the fields of its own primitive.
    fn group(&mut self, index: usize, name: &str, path: &Path) -> Vec<usize> {
        let mut joined = Vec::new();
        for step in path.steps.iter().filter(|step| step.twin) {
            let plain = format!("{}{}", &name[..step.start], &name[step.start + 1..step.end]);
            let group = self.join(index, plain);
            self.layout.groups[group].twins += 1;
            joined.push(group);
        }
        let group = self.join(index, name[..path.end].to_owned());
        let own = &mut self.layout.groups[group];
        match path.part {
            Part::Value => own.plain = Some((index, path.twins)),
            Part::Size => own.parts[0] = true,
            Part::Text => own.parts[1] = true,
        }
        own.is_base64 |= path.is_base64();
        joined.push(group);
        joined
    }

    fn join(&mut self, index: usize, name: String) -> usize {
        let next = self.layout.groups.len();
        let group = *self.by_group.entry(name.clone()).or_insert(next);
        if group == next {
            let new = Group {
                name,
                fields: Vec::new(),
                plain: None,
                twins: 0,
                parts: [false; 2],
                is_base64: false,
            };
            self.layout.groups.push(new);
        }
        self.layout.groups[group].fields.push(index);
        group
    }

    /// A `display` beside other fields of its Reference is in no slot: it need not travel. Alone it counts once, however
    /// many fields its twin has: whoever keeps back those others must not win a count to keep back more.
    fn finish(mut self) -> Layout {
        let mut counted = HashSet::new();
        for (index, reference) in self.displays {
            let place = &mut self.layout.places[index];
            if self.referring.contains(&reference) {
                place.containers.iter_mut().for_each(|(_, mask)| *mask = 0);
            } else {
                place.counts = place.counts && counted.insert(reference);
            }
        }
        self.layout
    }
}

/// Goes one element down in all open containers; whether a slot that travels covers what is below.
fn descend(open: &mut [Open], containers: &[Container], base: &str) -> bool {
    let mut covered = base == "modifierExtension";
    let innermost = open.len() - 1;
    for (i, open) in open.iter_mut().enumerate() {
        let row = containers[open.container].row;
        open.depth += 1;
        if open.depth > 1 {
            open.below.push('.');
        }
        open.below.push_str(base);
        let mut mask = row.mask(&open.below, open.depth);
        if base == "modifierExtension" && i == innermost {
            mask |= row.mask(base, 1);
        }
        if open.depth == 1 && mask == 0 && base != "meta" {
            mask = row.mask(WHOLE, 1);
        }
        open.mask |= mask;
        covered |= mask & row.travel != 0;
    }
    covered
}
