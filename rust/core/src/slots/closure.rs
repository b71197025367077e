//! What opens along with the fields that a holder chose.

use super::layout::Layout;
use super::path::error;
use super::{CONTROL, PREFIX, resource_fields};
use crate::control::{ALWAYS, PAD};
use crate::error::Result;
use crate::field::{Field, Value};
use std::collections::HashMap;

/// A field that opens, and why in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub name: String,
    pub reason: String,
}

const COUNTS: &str = "says how many fields there are, so that withheld cannot pass for absent";
const RECORD: &str = "says what kind of record this is, and whose";

struct Opening<'a> {
    fields: Vec<&'a Field>,
    layout: Layout,
    /// Reasons by field of the resource; None where it stays shut.
    reasons: Vec<Option<String>>,
    containers: Vec<bool>,
    queue: Vec<usize>,
}

/// All fields that open when `chosen` do, in the order of the record, control fields last.
///
/// `fields` are all of the record's: the resource's, and its control fields where those may be chosen. A slots field chosen
/// opens what anything in its container would.
///
/// # Errors
/// `field_unknown`: a chosen name is no field of the record. `pad_chosen`: pads never open.
pub fn closure(resource_type: &str, fields: &[Field], chosen: &[String]) -> Result<Vec<Opened>> {
    let resource = resource_fields(fields);
    let layout = Layout::new(resource_type, &resource)?;
    let mut opening = Opening {
        reasons: vec![None; resource.len()],
        containers: vec![false; layout.containers.len()],
        queue: Vec::new(),
        fields: resource,
        layout,
    };
    let mut control: HashMap<&str, &str> = HashMap::new();
    opening.choose(fields, chosen, &mut control)?;
    opening.spread();
    Ok(opening.finish(fields, control))
}

impl<'a> Opening<'a> {
    fn choose(
        &mut self,
        all: &'a [Field],
        chosen: &'a [String],
        control: &mut HashMap<&'a str, &'a str>,
    ) -> Result<()> {
        let by_name: HashMap<&str, usize> = self
            .fields
            .iter()
            .enumerate()
            .map(|(i, f)| (f.name.as_str(), i))
            .collect();
        for name in chosen {
            let unknown = || error("field_unknown", name, "the record has no such field");
            if name.starts_with(PAD) {
                return Err(error("pad_chosen", name, "pads never open"));
            } else if let Some(path) = name.strip_prefix(PREFIX) {
                let position = self
                    .layout
                    .containers
                    .iter()
                    .position(|container| container.path == path);
                self.open_container_above(position.ok_or_else(unknown)?);
            } else if name.starts_with(CONTROL) {
                all.iter().find(|field| field.name == *name).ok_or_else(unknown)?;
                control.insert(name, "chosen");
            } else {
                self.open(*by_name.get(name.as_str()).ok_or_else(unknown)?, || "chosen".to_owned());
            }
        }
        Ok(())
    }

    fn open(&mut self, field: usize, reason: impl FnOnce() -> String) {
        if self.reasons[field].is_none() {
            self.reasons[field] = Some(reason());
            self.queue.push(field);
        }
    }

    /// Opens the container, and those above it: any of its fields lies in all of them.
    fn open_container_above(&mut self, container: usize) {
        let holding = |place: &&super::layout::Place| place.containers.iter().any(|(held, _)| *held == container);
        let Some(place) = self.layout.places.iter().find(holding) else {
            return;
        };
        let above: Vec<usize> = place.containers.iter().map(|(held, _)| *held).collect();
        let until = above.iter().position(|held| *held == container).unwrap_or(0);
        above[..=until].iter().for_each(|held| self.open_container(*held));
    }

    /// Opens all fields of the container's travel slots.
    fn open_container(&mut self, container: usize) {
        if std::mem::replace(&mut self.containers[container], true) {
            return;
        }
        let row = self.layout.containers[container].row;
        for field in 0..self.fields.len() {
            let held = self.layout.places[field]
                .containers
                .iter()
                .find(|(held, _)| *held == container);
            let travels = held.map_or(0, |(_, mask)| mask & row.travel);
            if travels != 0 {
                let path = self.layout.containers[container].path.clone();
                let slot = &row.slots[travels.trailing_zeros() as usize];
                self.open(field, || format!("{} of {path}: {}", slot.name, slot.reason));
            }
        }
    }

    fn spread(&mut self) {
        while let Some(field) = self.queue.pop() {
            for i in 0..self.layout.places[field].containers.len() {
                self.open_container(self.layout.places[field].containers[i].0);
            }
            for i in 0..self.layout.places[field].groups.len() {
                self.open_group(self.layout.places[field].groups[i]);
            }
            if let (true, Value::String(target)) = (self.layout.places[field].is_reference, &self.fields[field].value) {
                let contained = |id| self.layout.containers.iter().position(|c| c.id.as_deref() == Some(id));
                if let Some(container) = target.strip_prefix('#').and_then(contained) {
                    self.open_container_above(container);
                }
            }
        }
    }

    /// A primitive opens with its twin, and a base64Binary with its size and text.
    fn open_group(&mut self, group: usize) {
        if self.layout.groups[group].plain.is_none() {
            return;
        }
        for field in self.layout.groups[group].fields.clone() {
            let name = self.layout.groups[group].name.clone();
            self.open(field, || format!("{name}: a value and what is said about it are one"));
        }
    }

    fn finish(self, all: &[Field], control: HashMap<&str, &str>) -> Vec<Opened> {
        let opened = |name: &str, reason: &str| Opened {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        let shown = self.fields.iter().zip(&self.reasons);
        let mut all_opened: Vec<Opened> = shown
            .filter_map(|(field, reason)| Some(opened(&field.name, reason.as_ref()?)))
            .collect();
        let slots = self
            .layout
            .containers
            .iter()
            .zip(&self.containers)
            .filter(|(_, open)| **open);
        let mut last: Vec<Opened> = slots
            .map(|(container, _)| opened(&format!("{PREFIX}{}", container.path), COUNTS))
            .collect();
        last.extend(ALWAYS.iter().map(|name| opened(name, RECORD)));
        let besides = control.into_iter().filter(|(name, _)| !ALWAYS.contains(name));
        last.extend(besides.map(|(name, reason)| opened(name, reason)));
        let order: HashMap<&str, usize> = all
            .iter()
            .enumerate()
            .map(|(i, field)| (field.name.as_str(), i))
            .collect();
        last.sort_by_cached_key(|field| (order.get(field.name.as_str()).copied(), field.name.clone()));
        all_opened.extend(last);
        all_opened
    }
}
