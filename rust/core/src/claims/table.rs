//! Table B: when a record affirms something, in which sense, and which of its elements then become claims.

use super::tree::{Item, instances};
use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../../../src/chartseal/record/claims.tsv");
const HL7: &str = "http://terminology.hl7.org/CodeSystem/";
/// Types whose records need not be about a patient.
const ABOUT_OTHER: [&str; 5] = ["Medication", "Device", "Practitioner", "Appointment", "MeasureReport"];

/// `element=a|b` or `element!a`; an empty code stands for an absent element.
struct Condition {
    element: &'static str,
    codes: Vec<&'static str>,
    excludes: bool,
}

pub struct Row {
    conditions: Vec<Condition>,
    sense: &'static str,
    pub elements: Vec<&'static str>,
}

static ROWS: LazyLock<HashMap<&str, Row>> = LazyLock::new(|| TABLE.lines().skip(1).map(parse).collect());

fn parse(line: &'static str) -> (&'static str, Row) {
    let columns: Vec<&str> = line.split('\t').collect();
    let conditions = columns[1].split(';').map(|text| {
        let at = text.find(['=', '!']).expect("a condition has = or !");
        let codes = text[at + 1..].split('|').collect();
        Condition {
            element: &text[..at],
            codes,
            excludes: text.as_bytes()[at] == b'!',
        }
    });
    let row = Row {
        conditions: conditions.collect(),
        sense: columns[2],
        elements: columns[3].split(',').collect(),
    };
    (columns[0], row)
}

pub fn row(resource_type: &str) -> Option<&'static Row> {
    ROWS.get(resource_type)
}

/// The sense in which the record affirms its row's elements, or None where it affirms nothing.
pub fn sense(resource_type: &str, about: &str, test: bool, root: &Item) -> Option<String> {
    let row = row(resource_type)?;
    let allowed =
        about == "patient" || about == "relative" || (about == "other" && ABOUT_OTHER.contains(&resource_type));
    if !allowed || is_unsafe(root) || is_marked(root, test) || !affirmed(resource_type, row, root) {
        return None;
    }
    spell(resource_type, row.sense, root)
}

/// A modifier that this code cannot read stands on the object.
pub fn is_unsafe(object: &Item) -> bool {
    object.one("modifierExtension").is_some() || object.one("implicitRules").is_some()
}

/// Tag SUBSETTED, or security HTEST outside of tests.
fn is_marked(root: &Item, test: bool) -> bool {
    let Some(meta) = root.one("meta") else { return false };
    let has = |key: &str, code: &str| {
        meta.all(key)
            .any(|coding| coding.one("code").and_then(Item::text) == Some(code))
    };
    has("tag", "SUBSETTED") || (!test && has("security", "HTEST"))
}

fn affirmed(resource_type: &str, row: &Row, root: &Item) -> bool {
    row.conditions
        .iter()
        .all(|condition| condition.holds(resource_type, root))
}

impl Condition {
    fn holds(&self, resource_type: &str, root: &Item) -> bool {
        let read = instances(resource_type, root, self.element);
        if read
            .iter()
            .any(|instance| instance.item.any_twin() || instance.item.any_absent())
        {
            return false;
        }
        let mut codes = read.iter().map(|instance| match self.element {
            "verificationStatus" => {
                status_code(resource_type, "verificationStatus", instance.item).unwrap_or("unreadable")
            }
            _ => match instance.item.value {
                Some(crate::field::Value::Bool(true)) => "true",
                Some(crate::field::Value::Bool(false)) => "false",
                _ => instance.item.text().unwrap_or("true"),
            },
        });
        if self.excludes {
            return !codes.any(|code| self.codes.contains(&code));
        }
        if read.is_empty() {
            self.codes.contains(&"")
        } else {
            codes.all(|code| self.codes.contains(&code))
        }
    }
}

/// The code of R4's own system, where the concept has exactly one of it.
fn status_code<'a>(resource_type: &str, element: &str, concept: &Item<'a>) -> Option<&'a str> {
    let own = match (resource_type, element) {
        ("Condition", "clinicalStatus") => "condition-clinical",
        ("Condition", _) => "condition-ver-status",
        (_, "clinicalStatus") => "allergyintolerance-clinical",
        _ => "allergyintolerance-verification",
    };
    one_coding(concept, own)
}

fn one_coding<'a>(concept: &Item<'a>, own: &str) -> Option<&'a str> {
    let is_own = |coding: &&Item| coding.plain("system").and_then(|system| system.strip_prefix(HL7)) == Some(own);
    let mut codings = concept.all("coding").filter(is_own);
    match (codings.next(), codings.next()) {
        (Some(coding), None) if !concept.any_twin() && !concept.any_absent() => coding.plain("code"),
        _ => None,
    }
}

fn spell(resource_type: &str, sense: &str, root: &Item) -> Option<String> {
    match sense {
        "clinicalStatus" => match status_code(resource_type, sense, root.one(sense)?)? {
            "active" | "recurrence" | "relapse" => Some("current".to_owned()),
            "inactive" | "remission" | "resolved" => Some("past".to_owned()),
            _ => None,
        },
        "relationship" => one_coding(root.one(sense)?, "v3-RoleCode").map(str::to_owned),
        _ => match sense.split_once('{') {
            None => Some(sense.to_owned()),
            Some((prefix, element)) => {
                let mut keys = element.trim_end_matches('}').split('.');
                let last = keys.next_back()?;
                let object = keys.try_fold(root, |object, key| object.one(key))?;
                Some(format!("{prefix}{}", object.plain(last)?))
            }
        },
    }
}
