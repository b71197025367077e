//! Elements of table B to claims.

use super::kinds::{self, SCALE};
use super::tree::{Instance, Item, instances};
use super::{Claim, key, table};
use crate::field::{Field, Value};
use crate::poseidon::Fr;
use crate::schema::{Element as Definition, Primitive, Target};
use std::collections::{BTreeSet, HashMap};

const UCUM: &str = "http://unitsofmeasure.org";
const GENDER: &str = "http://hl7.org/fhir/administrative-gender";

/// The claims of one element of the record's row.
pub struct Element {
    pub resource_type: String,
    pub name: &'static str,
    pub claims: Vec<Claim>,
}

impl Element {
    pub fn is_time(&self) -> bool {
        self.claims
            .iter()
            .any(|claim| matches!(claim.kind, "day-lo" | "day-hi" | "instant"))
    }

    pub fn unique(&self) -> usize {
        self.claims
            .iter()
            .map(|claim| (claim.key, claim.value))
            .collect::<BTreeSet<_>>()
            .len()
    }
}

/// What a claim is about, before its kind: path and qualifier.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Subject {
    path: String,
    qualifier: (String, String),
}

/// A claim before its key: kind, unit, scale, value.
struct Raw {
    kind: &'static str,
    unit: String,
    scale: u8,
    value: Fr,
}

/// All elements of the row that yield claims, in its order; none where the record affirms nothing.
pub fn elements(resource_type: &str, about: &str, fields: &[Field], test: bool) -> Vec<Element> {
    let root = Item::read(fields);
    let Some(row) = table::row(resource_type) else {
        return Vec::new();
    };
    let Some(sense) = table::sense(resource_type, about, test, &root) else {
        return Vec::new();
    };
    let lift = |name: &&'static str| {
        let claims = if allowed(resource_type, name, &root) {
            element(resource_type, &root, name, &sense)
        } else {
            Vec::new()
        };
        Element {
            resource_type: resource_type.to_owned(),
            name,
            claims,
        }
    };
    row.elements
        .iter()
        .map(lift)
        .filter(|element| !element.claims.is_empty())
        .collect()
}

/// An encounter under way affirms its class and its beginning alone.
fn allowed(resource_type: &str, name: &str, root: &Item) -> bool {
    resource_type != "Encounter" || !under_way(root) || matches!(name, "class" | "period")
}

fn under_way(root: &Item) -> bool {
    root.plain("status").is_some_and(|status| status != "finished")
}

fn element<'a>(resource_type: &str, root: &Item<'a>, name: &str, sense: &str) -> Vec<Claim> {
    let found = instances(resource_type, root, name);
    let found = if name == "medication" {
        with_contained(root, found)
    } else {
        found
    };
    let mut paths: HashMap<&str, usize> = HashMap::new();
    found
        .iter()
        .for_each(|instance| *paths.entry(&instance.path).or_default() += 1);
    let carriers = carriers(resource_type, root, name);
    let mut claims: Vec<Claim> = Vec::new();
    let mut ordered: HashMap<(Subject, String, bool), usize> = HashMap::new();
    let mut lifted: Vec<(Subject, Raw)> = Vec::new();
    for instance in &found {
        let sole = paths[instance.path.as_str()] == 1;
        let qualifiers = qualifiers(resource_type, instance, &carriers);
        for (qualifier, repeated) in qualifiers {
            let subject = Subject {
                path: instance.path.clone(),
                qualifier,
            };
            for (unit, time) in ordered_units(instance) {
                *ordered.entry((subject.clone(), unit, time)).or_default() += 1;
            }
            if !repeated && is_liftable(instance) {
                lifted.extend(
                    values(resource_type, root, instance, sole)
                        .into_iter()
                        .map(|raw| (subject.clone(), raw)),
                );
            }
        }
    }
    for (subject, raw) in lifted {
        let time = is_time(raw.kind);
        let repeated = is_ordered(raw.kind)
            && ordered
                .get(&(subject.clone(), raw.unit.clone(), time))
                .is_some_and(|n| *n > 1);
        if !repeated {
            claims.push(claim(subject, sense, raw));
        }
    }
    claims
}

fn claim(subject: Subject, sense: &str, raw: Raw) -> Claim {
    let mut claim = Claim {
        path: subject.path,
        sense: sense.to_owned(),
        qualifier_system: subject.qualifier.0,
        qualifier_code: subject.qualifier.1,
        kind: raw.kind,
        unit: raw.unit,
        scale: raw.scale,
        key: Fr::from(0u64),
        value: raw.value,
    };
    claim.key = key(&claim);
    claim
}

fn is_time(kind: &str) -> bool {
    matches!(kind, "day-lo" | "day-hi" | "instant")
}

fn is_ordered(kind: &str) -> bool {
    is_time(kind)
        || matches!(
            kind,
            "quantity-lo" | "quantity-hi" | "money-lo" | "money-hi" | "integer"
        )
}

/// A medication given by reference to a contained Medication lends its code, where it is one that may be used.
fn with_contained<'t, 'a>(root: &'t Item<'a>, found: Vec<Instance<'t, 'a>>) -> Vec<Instance<'t, 'a>> {
    let lend = |instance: Instance<'t, 'a>| {
        let id = instance
            .item
            .plain("reference")
            .and_then(|reference| reference.strip_prefix('#'));
        let medication = root
            .all("contained")
            .find(|kid| id.is_some() && kid.plain("id") == id)?;
        let mut codes = instances("Medication", medication, "code");
        let usable = medication.plain("resourceType") == Some("Medication")
            && !instance.item.any_absent()
            && !table::is_unsafe(medication)
            && medication
                .one("status")
                .is_none_or(|status| !status.twin && status.text() == Some("active"));
        let code = codes.pop().filter(|_| usable)?;
        Some(Instance {
            path: instance.path,
            ..code
        })
    };
    let by_reference = |instance: &Instance| instance.item.key == "medicationReference";
    found
        .into_iter()
        .filter_map(|i| if by_reference(&i) { lend(i) } else { Some(i) })
        .collect()
}

/// Nothing around the element or in it says that it does not hold.
fn is_liftable(instance: &Instance) -> bool {
    let beside = instance
        .around
        .last()
        .is_some_and(|around| around.one("dataAbsentReason").is_some());
    let modified = instance
        .around
        .iter()
        .any(|around| around.one("modifierExtension").is_some());
    !beside && !modified && !instance.item.any_absent() && !instance.item.twin
}

/// How many instances carry each qualifier: components by their codes, items by their link ids.
fn carriers(resource_type: &str, root: &Item, name: &str) -> HashMap<(String, String), usize> {
    let holders: Vec<&Item> = match (resource_type, name) {
        ("Observation", "component.value" | "component.interpretation") => root.all("component").collect(),
        ("QuestionnaireResponse", "item.answer.value") => all_items(root),
        _ => Vec::new(),
    };
    let mut counts = HashMap::new();
    for holder in holders {
        let held = carried(resource_type, root, holder);
        held.into_iter()
            .for_each(|qualifier| *counts.entry(qualifier).or_default() += 1);
    }
    counts
}

/// The qualifiers that a holder may mean: those too that have twins and qualify nothing themselves.
fn carried(resource_type: &str, root: &Item, holder: &Item) -> BTreeSet<(String, String)> {
    let text = |item: &Item, key: &str| item.one(key).and_then(Item::text).map(str::to_owned);
    if resource_type == "QuestionnaireResponse" {
        let pair = text(root, "questionnaire").zip(text(holder, "linkId"));
        return pair.into_iter().collect();
    }
    let codings = holder.one("code").map(Item::codings).unwrap_or_default();
    let pair = |coding: &&Item| text(coding, "system").zip(text(coding, "code"));
    codings.iter().filter_map(pair).collect()
}

/// Items of a QuestionnaireResponse at any depth.
fn all_items<'t, 'a>(at: &'t Item<'a>) -> Vec<&'t Item<'a>> {
    let below = |item: &'t Item<'a>| {
        let answers = item.all("answer").flat_map(all_items);
        std::iter::once(item)
            .chain(all_items(item))
            .chain(answers)
            .collect::<Vec<_>>()
    };
    at.all("item").flat_map(below).collect()
}

fn qualifiers_of(resource_type: &str, root: &Item, holder: &Item) -> Vec<(String, String)> {
    if resource_type == "QuestionnaireResponse" {
        let pair = root.plain("questionnaire").zip(holder.plain("linkId"));
        return pair
            .map(|(form, link)| (form.to_owned(), link.to_owned()))
            .into_iter()
            .collect();
    }
    let codings = holder.one("code").map(Item::codings).unwrap_or_default();
    codings
        .into_iter()
        .filter_map(system_and_code)
        .map(|(s, c)| (s.to_owned(), c.to_owned()))
        .collect()
}

/// The element's qualifiers, each with whether another instance carries it too; one empty one where none applies.
fn qualifiers(
    resource_type: &str,
    instance: &Instance,
    carriers: &HashMap<(String, String), usize>,
) -> Vec<((String, String), bool)> {
    let is_value = matches!(instance.element.name, "value" | "interpretation");
    let qualified = is_value && matches!(resource_type, "Observation" | "QuestionnaireResponse");
    if !qualified {
        return vec![(Default::default(), false)];
    }
    let skip = usize::from(resource_type == "QuestionnaireResponse");
    let holder = instance.around.iter().rev().nth(skip);
    let found = holder
        .map(|holder| qualifiers_of(resource_type, instance.around[0], holder))
        .unwrap_or_default();
    let unique: BTreeSet<(String, String)> = found.into_iter().collect();
    unique
        .into_iter()
        .map(|q| {
            let repeated = carriers.get(&q).is_some_and(|n| *n > 1);
            (q, repeated)
        })
        .collect()
}

/// A coding's system and code, where both stand without twins.
fn system_and_code<'a>(coding: &Item<'a>) -> Option<(&'a str, &'a str)> {
    coding.plain("system").zip(coding.plain("code"))
}

fn type_name(definition: &Definition) -> &str {
    match &definition.target {
        Target::Complex(name) => name,
        _ => "",
    }
}

/// Units in which the instance stands as an ordered value, and whether that is a time; lifted or not.
fn ordered_units(instance: &Instance) -> Vec<(String, bool)> {
    let item = instance.item;
    match type_name(instance.element) {
        "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "MoneyQuantity" | "SimpleQuantity" => item
            .one("code")
            .and_then(Item::text)
            .map(|unit| (unit.to_owned(), false))
            .into_iter()
            .collect(),
        "Money" => item
            .one("currency")
            .and_then(Item::text)
            .map(|unit| (unit.to_owned(), false))
            .into_iter()
            .collect(),
        "Period" => vec![(String::new(), true)],
        "" if matches!(item.value, Some(Value::Int(_))) => vec![(String::new(), false)],
        "" if is_date(instance.element) => vec![(String::new(), true)],
        _ => Vec::new(),
    }
}

fn values(resource_type: &str, root: &Item, instance: &Instance, sole: bool) -> Vec<Raw> {
    let item = instance.item;
    match type_name(instance.element) {
        "CodeableConcept" => concept(&item.all("coding").collect::<Vec<_>>(), sole),
        "Coding" => concept(&[item], sole),
        "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "MoneyQuantity" | "SimpleQuantity" => quantity(item),
        "Money" => money(item),
        "Period" => period(item, resource_type == "Encounter" && under_way(root)),
        "" => primitive(instance, sole),
        _ => Vec::new(),
    }
}

/// Codes, packed ones besides, and sole ones where nothing else stands in the concept's place.
fn concept(codings: &[&Item], sole: bool) -> Vec<Raw> {
    let pairs: Vec<(&str, &str)> = codings.iter().filter_map(|coding| system_and_code(coding)).collect();
    let complete = sole && pairs.len() == codings.len();
    let mut raws = Vec::new();
    for (system, code) in &pairs {
        let alone = complete && pairs.iter().filter(|(other, _)| other == system).count() == 1;
        raws.extend(code_raws(system, code, alone));
    }
    raws
}

fn code_raws(system: &str, code: &str, alone: bool) -> Vec<Raw> {
    let raw = |kind, value| Raw {
        kind,
        unit: system.to_owned(),
        scale: 0,
        value,
    };
    let hashed = kinds::code(system, code);
    let packed = kinds::packed(system, code).map(Fr::from);
    let mut raws = vec![raw("code", hashed)];
    raws.extend(packed.map(|value| raw("packed", value)));
    if alone {
        raws.push(raw("sole-code", hashed));
        raws.extend(packed.map(|value| raw("sole-packed", value)));
    }
    raws
}

fn bounds(low: &'static str, high: &'static str, unit: &str, lexeme: &str) -> Vec<Raw> {
    let Some((lo, hi)) = kinds::bounds(lexeme) else {
        return Vec::new();
    };
    let raw = |kind, value| Raw {
        kind,
        unit: unit.to_owned(),
        scale: SCALE,
        value: Fr::from(value),
    };
    vec![raw(low, lo), raw(high, hi)]
}

fn quantity(item: &Item) -> Vec<Raw> {
    if item.one("comparator").is_some() || item.plain("system") != Some(UCUM) || item.any_twin() {
        return Vec::new();
    }
    let parts = item.plain("code").zip(item.plain("value"));
    parts.map_or_else(Vec::new, |(unit, lexeme)| {
        bounds("quantity-lo", "quantity-hi", unit, lexeme)
    })
}

fn money(item: &Item) -> Vec<Raw> {
    let parts = item.plain("currency").zip(item.plain("value"));
    parts.map_or_else(Vec::new, |(unit, lexeme)| bounds("money-lo", "money-hi", unit, lexeme))
}

fn number(kind: &'static str, value: Option<u64>) -> Option<Raw> {
    Some(Raw {
        kind,
        unit: String::new(),
        scale: 0,
        value: Fr::from(value?),
    })
}

fn day(kind: &'static str, day: i64) -> Option<Raw> {
    number(kind, kinds::offset(i128::from(day)))
}

/// First day of the start and last day of the end, each where it is given.
fn period(item: &Item, start_only: bool) -> Vec<Raw> {
    let start = item
        .plain("start")
        .and_then(kinds::days)
        .and_then(|(first, _)| day("day-lo", first));
    let end = item
        .plain("end")
        .and_then(kinds::days)
        .and_then(|(_, last)| day("day-hi", last));
    start.into_iter().chain(end.filter(|_| !start_only)).collect()
}

/// date, dateTime or instant.
fn is_date(definition: &Definition) -> bool {
    matches!(&definition.target, Target::Primitive(Primitive::Date))
}

fn primitive(instance: &Instance, sole: bool) -> Vec<Raw> {
    match (instance.item.value, instance.item.text()) {
        (Some(Value::Bool(flag)), _) => number("boolean", Some(u64::from(*flag))).into_iter().collect(),
        (Some(value @ Value::Int(_)), _) => number("integer", kinds::integer(value)).into_iter().collect(),
        (_, Some(text)) if is_date(instance.element) => {
            let days = kinds::days(text).into_iter();
            let bounds = days.flat_map(|(first, last)| [day("day-lo", first), day("day-hi", last)]);
            let second = kinds::instant(text).and_then(|seconds| day("instant", seconds));
            bounds.flatten().chain(second).collect()
        }
        (_, Some(code)) if instance.path == "Patient.gender" || instance.path.ends_with(".gender") => {
            code_raws(GENDER, code, sole)
        }
        _ => Vec::new(),
    }
}
