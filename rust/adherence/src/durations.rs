//! Days that dispensed quantities last at the doses prescribed, with changes of dose, interruptions of treatment and
//! special periods such as hospital stays.
//!
//! days supply = quantity / daily dose, from the day that supply is taken; where the dose changes, taking pauses or ends,
//! a supply is cut into parts, and what is left of it then goes on at the next dose (Dima & Dediu 2017; the events'
//! durations of AdhereR).

use crate::cohort::{Cohort, Patient};
use crate::error::{Reasoned, Result};
use crate::medication::{Medication, medications};
use crate::output::{batch, counts, dates, numbers, taken, texts};
use crate::prescription::{self, episodes, visits};
use crate::settings;
use crate::taking::{self, Parts, Supply, Use};
use crate::timeline::{Method, Timeline, special_periods};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    quantity: String,
    prescribed_days: String,
    interruption: Method,
    /// What becomes of supply in periods of a kind.
    special: BTreeMap<String, Method>,
    /// A new dose counts from the day it is prescribed; otherwise from the next supply on.
    split: bool,
    /// A supply is begun when the one before it is used up.
    carry_over: bool,
    renew: bool,
    backdate: bool,
    wait_days: Option<i32>,
}

/// # Errors
/// `settings_invalid`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let quantity = cohort.numbers(&chosen.quantity)?;
    let prescribed_days = cohort.numbers(&chosen.prescribed_days)?;
    let columns = Columns {
        quantity: quantity.as_ref(),
        prescribed_days: prescribed_days.as_ref(),
    };
    let found = cohort.map(|patient, parts: &mut Parts| {
        let (special, visits) = (special_periods(patient, &chosen.special), visits(patient));
        let mut number = 0;
        for medication in medications(patient) {
            let found = special.as_ref().map_err(|&reason| reason).and_then(|special| {
                patient.fault().map_or(Ok(()), Err)?;
                let episodes = episodes(patient, &medication, &visits, chosen.prescribing(columns))?;
                Ok((special, episodes))
            });
            let timeline = found
                .as_ref()
                .map_err(|&reason| reason)
                .map(|(special, episodes)| Timeline {
                    episodes,
                    special,
                    interruption: chosen.interruption,
                });
            let supplies = supplies(patient, &medication, columns.quantity);
            number = chosen.use_up(number, &supplies, &timeline, parts);
        }
        Ok(())
    })?;
    batch(cohort, found.row.clone(), results(cohort, found)?)
}

/// Columns of numbers beside the cohort's own.
#[derive(Clone, Copy)]
struct Columns<'a> {
    quantity: Option<&'a Float64Array>,
    prescribed_days: Option<&'a Float64Array>,
}

impl Settings {
    fn prescribing<'a>(&self, columns: Columns<'a>) -> prescription::Rules<'a> {
        prescription::Rules {
            prescribed_days: columns.prescribed_days,
            renew: self.renew,
            backdate: self.backdate,
            wait_days: self.wait_days,
        }
    }

    /// Write a medication's supplies, numbered from `number` on, as they are used up; the number of the next.
    fn use_up(&self, mut number: i32, supplies: &[Supply], timeline: &Reasoned<Timeline>, parts: &mut Parts) -> i32 {
        let rules = taking::Rules {
            split: self.split,
            wait_days: self.wait_days,
        };
        let mut free = i32::MIN;
        for &supply in supplies {
            let from = if self.carry_over {
                supply.day.max(free)
            } else {
                supply.day
            };
            let mut use_up = Use::new(rules, number, supply, parts);
            match timeline {
                Err(reason) => use_up.refuse(Some(from), reason),
                Ok(timeline) => free = free.max(use_up.take(timeline, from)),
            }
            number += 1;
        }
        number
    }
}

/// A medication's supplies by day and quantity, so that the order of rows does not matter.
fn supplies(patient: &Patient, medication: &Medication, quantity: Option<&Float64Array>) -> Vec<Supply> {
    let quantity = |row: u32| match quantity {
        Some(array) if array.is_valid(row as usize) => array.value(row as usize),
        _ => f64::NAN,
    };
    let supply = |&row: &u32| Supply {
        row,
        day: patient.cohort.day(row),
        quantity: quantity(row),
    };
    let mut found: Vec<Supply> = medication.supplied.iter().map(supply).collect();
    found.sort_by(|a, b| a.day.cmp(&b.day).then(a.quantity.total_cmp(&b.quantity)));
    found
}

fn results(cohort: &Cohort, found: Parts) -> Result<Vec<(&'static str, ArrayRef)>> {
    let supplied: Vec<Option<u32>> = found.row.iter().map(|&row| Some(row)).collect();
    let mut columns = taken(cohort, &[("class", "class"), ("ingredient", "ingredient")], &supplied)?;
    columns.extend([
        ("date", dates(found.start)),
        ("days_supply", numbers(found.days)),
        ("daily_dose", numbers(found.dose)),
        ("dispensed", dates(found.dispensed)),
        ("supply", counts(found.supply)),
        ("part", counts(found.part)),
        ("quantity", numbers(found.quantity)),
        ("leftover", numbers(found.leftover)),
        ("begun", texts(&found.begun)),
        ("ended", texts(&found.ended)),
        ("waited_days", counts(found.waited_days)),
        ("special_days", numbers(found.special_days)),
        ("episode_start", dates(found.episode_start)),
        ("episode_end", dates(found.episode_end)),
    ]);
    columns.extend(taken(cohort, &[("event", "event")], &supplied)?);
    columns.extend(taken(cohort, &[("event", "prescription")], &found.prescription)?);
    columns.push(("reason", texts(&found.reason)));
    Ok(columns)
}
