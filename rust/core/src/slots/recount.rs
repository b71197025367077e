//! A verifier's recount: what is opened must hold everything that travels with it.

use super::layout::{Layout, Place};
use super::path::{error, number};
use super::rows::Row;
use super::{CONTROL, PREFIX, resource_fields};
use crate::error::Result;
use crate::field::{Field, Value};
use std::collections::{HashMap, HashSet};

/// What a verifier knows of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The record has nothing there.
    Absent,
    /// The record has something there, none of it shown: of tell slots alone.
    Withheld,
    /// Some of it is shown: of tell slots alone.
    Partly,
    /// All of it is shown.
    Shown,
}

/// One slot of a container that a disclosure shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotReport {
    pub name: &'static str,
    pub travel: bool,
    /// Fields in the record, and of them shown.
    pub fields: u32,
    pub shown: u32,
    pub state: State,
}

/// One container that a disclosure shows something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub path: String,
    pub slots: Vec<SlotReport>,
}

/// Every container that holds something shown, outer ones first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub containers: Vec<Shown>,
}

/// Recounts the opened fields of one record, control fields included.
///
/// # Errors
/// `name_repeated`, `type_contradicts`, `twin_incomplete`, `base64_incomplete`, `contained_id_repeated`, `target_withheld`,
/// `slots_missing`, `slots_unneeded`, `slots_row`, `slots_partly_shown`, `slots_exceeded`, and those of names.
pub fn check(resource_type: &str, opened: &[Field]) -> Result<Report> {
    let mut names = HashSet::new();
    if let Some(field) = opened.iter().find(|field| !names.insert(&field.name)) {
        return Err(error("name_repeated", &field.name, "opened twice"));
    }
    let fields = resource_fields(opened);
    let mut written = slots_fields(opened)?;
    let paths: Vec<&str> = opened
        .iter()
        .filter_map(|field| field.name.strip_prefix(PREFIX))
        .collect();
    let layout = Layout::stated(resource_type, &fields, &paths)?;
    for (field, place) in fields.iter().zip(&layout.places) {
        check_type(field, place)?;
    }
    check_groups(&layout)?;
    check_targets(&fields, &layout)?;
    let mut containers = Vec::with_capacity(layout.containers.len());
    for (container, counts) in layout.containers.iter().zip(layout.counts()) {
        let name = format!("{PREFIX}{}", container.path);
        let missing = || {
            error(
                "slots_missing",
                &name,
                "something of this container is shown without its slots",
            )
        };
        let text = written.remove(container.path.as_str()).ok_or_else(missing)?;
        containers.push(Shown {
            path: container.path.clone(),
            slots: recount(&name, container.row, text, &counts)?,
        });
    }
    Ok(Report { containers })
}

fn check_type(field: &Field, place: &Place) -> Result<()> {
    if field.value.abi_type() == place.abi_type {
        return Ok(());
    }
    Err(error(
        "type_contradicts",
        &field.name,
        "R4 defines this element with another type",
    ))
}

/// `NAME+n` stands with n twin fields, NAME without any; a base64Binary with its size, these never alone.
fn check_groups(layout: &Layout) -> Result<()> {
    for group in &layout.groups {
        let twins_fit = group.plain.is_none_or(|(_, twins)| twins == group.twins);
        if !twins_fit {
            return Err(error(
                "twin_incomplete",
                &group.name,
                "the value and its _ twin are not shown together",
            ));
        }
        let [size, text] = group.parts;
        if group.is_base64 && (group.plain.is_none() || !size) || (!group.is_base64 && (size || text)) {
            return Err(error(
                "base64_incomplete",
                &group.name,
                "hash and size are not shown together",
            ));
        }
    }
    Ok(())
}

/// A shown reference into the record shows its target.
fn check_targets(fields: &[&Field], layout: &Layout) -> Result<()> {
    let mut ids = HashSet::new();
    for container in &layout.containers {
        if container.id.as_ref().is_some_and(|id| !ids.insert(id.as_str())) {
            return Err(error(
                "contained_id_repeated",
                &container.path,
                "two contained resources share an id",
            ));
        }
    }
    for (field, place) in fields.iter().zip(&layout.places) {
        let Value::String(text) = &field.value else { continue };
        let target = text.strip_prefix('#').filter(|id| place.is_reference && !id.is_empty());
        if target.is_some_and(|id| !ids.contains(id)) {
            return Err(error(
                "target_withheld",
                &field.name,
                "the contained resource that it names is not shown",
            ));
        }
    }
    Ok(())
}

/// The opened slots fields by container path.
fn slots_fields(opened: &[Field]) -> Result<HashMap<&str, &str>> {
    let mut written = HashMap::new();
    for field in opened.iter().filter(|field| field.name.starts_with(CONTROL)) {
        match (field.name.strip_prefix(PREFIX), &field.value) {
            (Some(path), Value::String(text)) => written.insert(path, text.as_str()),
            (Some(_), _) => return Err(error("type_contradicts", &field.name, "slots are a string")),
            (None, _) => None,
        };
    }
    Ok(written)
}

/// Compares one slots field with the type's row and with what is shown.
fn recount(name: &str, row: &'static Row, text: &str, counts: &[u32]) -> Result<Vec<SlotReport>> {
    let wrong_row = || error("slots_row", name, "not the slots of this type");
    let mut items = text.split(',');
    let mut reports = Vec::with_capacity(row.slots.len());
    for (slot, shown) in row.slots.iter().zip(counts.iter().copied()) {
        let sign = if slot.travel { '=' } else { '~' };
        let rest = items
            .next()
            .and_then(|item| item.strip_prefix(slot.name))
            .and_then(|rest| rest.strip_prefix(sign));
        let fields = rest.and_then(number).ok_or_else(wrong_row)?;
        let place = || format!("{name} {}", slot.name);
        if shown > fields {
            return Err(error(
                "slots_exceeded",
                &place(),
                "more fields are shown than the record has",
            ));
        }
        if slot.travel && shown < fields {
            return Err(error("slots_partly_shown", &place(), "fields that travel are withheld"));
        }
        let state = match (fields, shown) {
            (0, _) => State::Absent,
            (_, 0) => State::Withheld,
            _ if shown < fields => State::Partly,
            _ => State::Shown,
        };
        reports.push(SlotReport {
            name: slot.name,
            travel: slot.travel,
            fields,
            shown,
            state,
        });
    }
    if items.next().is_some() {
        Err(wrong_row())
    } else {
        Ok(reports)
    }
}
