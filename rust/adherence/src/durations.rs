//! Days that dispensed quantities last at the doses prescribed, with changes of dose, interruptions of treatment and
//! special periods such as hospital stays.
//!
//! days supply = quantity / daily dose, from the day that supply is taken; where the dose changes, taking pauses or ends,
//! a supply is cut into parts, and what is left of it then goes on at the next dose (Dima & Dediu 2017; the events'
//! durations of AdhereR).

use crate::cohort::{Cohort, MOST_DAYS, Patient};
use crate::error::Result;
use crate::medication::{Medication, day_fault, medications};
use crate::output::{batch, taken, texts};
use crate::prescription::{Episode, Rules, episodes, visits};
use crate::timeline::{Act, Cause, Method, Timeline, special_periods};
use crate::{rows, settings};
use arrow_array::{Array, ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parts that one supply may be cut into.
const MOST_PARTS: i32 = 1_000;

/// A share of a day that is none: 0.3 / 0.1 days are 3 (a quotient of decimals is off by some 1e-16).
const ROUNDING: f64 = 1e-9;

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

rows! {
    /// Parts of supplies; those of one supply follow each other.
    pub struct Parts {
        row: u32,
        supply: i32,
        part: i32,
        start: Option<i32>,
        days: Option<f64>,
        dose: Option<f64>,
        dispensed: Option<i32>,
        quantity: Option<f64>,
        leftover: Option<f64>,
        begun: Option<&'static str>,
        ended: Option<&'static str>,
        waited_days: Option<i32>,
        special_days: Option<f64>,
        episode_start: Option<i32>,
        episode_end: Option<i32>,
        prescription: Option<u32>,
        reason: Option<&'static str>,
    }
}

/// # Errors
/// `settings_invalid`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let quantity = cohort.numbers(&chosen.quantity)?;
    let prescribed_days = cohort.numbers(&chosen.prescribed_days)?;
    let found = cohort.map(|patient, parts: &mut Parts| {
        let special = special_periods(patient, &chosen.special);
        let rules = Rules {
            prescribed_days: prescribed_days.as_ref(),
            renew: chosen.renew,
            backdate: chosen.backdate,
            wait_days: chosen.wait_days,
        };
        let visits = visits(patient);
        let mut number = 0;
        for medication in medications(patient) {
            let episodes = match patient.fault() {
                Some(fault) => Err(fault),
                None => episodes(patient, &medication, &visits, rules),
            };
            let timeline = episodes.as_ref().map_err(|&reason| reason).map(|episodes| Timeline {
                episodes,
                special: &special,
                interruption: chosen.interruption,
            });
            let mut free = i32::MIN;
            for supply in supplies(patient, &medication, quantity.as_ref()) {
                let from = if chosen.carry_over {
                    supply.day.max(free)
                } else {
                    supply.day
                };
                let mut use_up = Use::new(&chosen, number, supply, parts);
                match &timeline {
                    Err(reason) => use_up.refuse(Some(from), reason),
                    Ok(timeline) => free = free.max(use_up.take(timeline, from)),
                }
                number += 1;
            }
        }
        Ok(())
    })?;
    batch(cohort, found.row.clone(), columns(cohort, found)?)
}

#[derive(Clone, Copy)]
struct Supply {
    row: u32,
    day: i32,
    quantity: f64,
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

impl Supply {
    fn fault(self) -> Option<&'static str> {
        day_fault(self.day).or(match self.quantity {
            quantity if quantity.is_nan() => Some("quantity_unknown"),
            quantity if quantity > 0.0 && quantity.is_finite() => None,
            _ => Some("quantity_invalid"),
        })
    }
}

/// The part of a supply that is being taken.
struct Part {
    start: i32,
    days: f64,
    special_days: f64,
    dose: f64,
    quantity: f64,
    episode: usize,
}

/// One supply as it is used up, and the rows that tell it.
struct Use<'u> {
    settings: &'u Settings,
    number: i32,
    supply: Supply,
    rows: &'u mut Parts,
    /// Parts written so far.
    written: i32,
    left: f64,
    begun: &'static str,
    /// The day on which it could have been taken, had it not to wait.
    due: i32,
}

impl<'u> Use<'u> {
    fn new(settings: &'u Settings, number: i32, supply: Supply, rows: &'u mut Parts) -> Self {
        let (left, due) = (supply.quantity, supply.day);
        Self {
            settings,
            number,
            supply,
            rows,
            written: 0,
            left,
            begun: "dispensed",
            due,
        }
    }

    /// Write the parts of this supply, taken from `day` on; the first day on which the next supply may be begun.
    fn take(&mut self, timeline: &Timeline, mut day: i32) -> i32 {
        if let Some(fault) = self.supply.fault() {
            self.refuse(Some(day), fault);
            return i32::MIN;
        }
        self.due = day;
        let mut part: Option<Part> = None;
        loop {
            if let Some(fault) = day_fault(day) {
                self.write(timeline, part.take(), "unknown", day);
                self.refuse(None, fault); // beyond the calendar
                return day;
            }
            let (act, until) = timeline.at(day);
            match act {
                Act::Take { episode, affected } => {
                    let dose = self.dose(timeline, episode, part.as_ref());
                    if part.as_ref().is_some_and(|part| part.dose != dose) {
                        self.write(timeline, part.take(), "dose_change", day);
                    }
                    let lasts = whole(self.left / dose);
                    if lasts > MOST_DAYS {
                        self.write(timeline, part.take(), "unknown", day);
                        self.refuse(Some(day), "days_supply_invalid");
                        return day;
                    }
                    let taken = lasts.min(f64::from(until.saturating_sub(day)));
                    let current = part.get_or_insert(Part {
                        start: day,
                        days: 0.0,
                        special_days: 0.0,
                        dose,
                        quantity: self.left,
                        episode,
                    });
                    current.days += taken;
                    current.special_days += if affected { taken } else { 0.0 };
                    if taken >= lasts {
                        self.left = 0.0;
                        let end = day + lasts.ceil() as i32;
                        self.write(timeline, part, "used_up", end);
                        return end;
                    }
                    self.left -= taken * dose;
                }
                Act::Wait(cause) => {
                    self.write(timeline, part.take(), cause.name(), day);
                    self.begun = cause.name();
                    let waited = until.saturating_sub(self.due);
                    if until == i32::MAX || self.settings.wait_days.is_some_and(|most| waited > most) {
                        self.lose("not_resumed", cause);
                        return day;
                    }
                }
                Act::Discard(cause) => {
                    self.write(timeline, part.take(), cause.name(), day);
                    self.lose("discarded", cause);
                    return day;
                }
                Act::Unknown(reason) => {
                    self.write(timeline, part.take(), "unknown", day);
                    self.refuse(Some(day), reason);
                    return day;
                }
            }
            if self.written >= MOST_PARTS {
                self.refuse(Some(day), "too_many_parts");
                return day;
            }
            day = until;
        }
    }

    fn dose(&self, timeline: &Timeline, episode: usize, part: Option<&Part>) -> f64 {
        let prescribed = timeline.episodes[episode].dose.unwrap_or(f64::NAN);
        if self.settings.split {
            return prescribed;
        }
        let first = (self.written > 0)
            .then(|| self.rows.dose.last().copied().flatten())
            .flatten();
        part.map(|part| part.dose).or(first).unwrap_or(prescribed)
    }

    /// Write a part that ends before `day`, if there is one.
    fn write(&mut self, timeline: &Timeline, part: Option<Part>, ended: &'static str, day: i32) {
        let Some(part) = part else { return };
        let Episode { start, end, row, .. } = &timeline.episodes[part.episode];
        let rows = &mut *self.rows;
        rows.episode_start.push(Some(*start));
        rows.episode_end.push((*end != i32::MAX).then_some(*end));
        rows.prescription.push(Some(*row));
        rows.days.push(Some(whole(part.days)));
        rows.dose.push(Some(part.dose));
        rows.special_days.push(Some(part.special_days));
        rows.waited_days.push(Some(part.start - self.due));
        rows.reason.push(None);
        self.common(Some(part.start), Some(part.quantity), Some(self.left), Some(ended));
        self.begun = ended;
        self.due = day;
    }

    /// A row of no days: nothing of the supply was taken. One of which something was has said what is left.
    fn lose(&mut self, reason: &'static str, cause: Cause) {
        if self.written == 0 {
            let left = Some(self.left);
            self.rows.days.push(Some(0.0));
            self.nothing(reason);
            self.common(Some(self.supply.day), left, left, Some(cause.name()));
        }
    }

    /// A row of unknown days: how long this supply lasts from `day` on cannot be told.
    fn refuse(&mut self, day: Option<i32>, reason: &'static str) {
        let quantity = (!self.left.is_nan()).then_some(self.left);
        self.rows.days.push(None);
        self.nothing(reason);
        self.common(day.filter(|&day| day != i32::MIN), quantity, None, None);
    }

    fn nothing(&mut self, reason: &'static str) {
        let rows = &mut *self.rows;
        rows.episode_start.push(None);
        rows.episode_end.push(None);
        rows.prescription.push(None);
        rows.dose.push(None);
        rows.special_days.push(None);
        rows.waited_days.push(None);
        rows.reason.push(Some(reason));
    }

    fn common(
        &mut self,
        start: Option<i32>,
        quantity: Option<f64>,
        leftover: Option<f64>,
        ended: Option<&'static str>,
    ) {
        let rows = &mut *self.rows;
        rows.row.push(self.supply.row);
        rows.supply.push(self.number);
        rows.part.push(self.written);
        rows.start.push(start);
        rows.dispensed
            .push((self.supply.day != i32::MIN).then_some(self.supply.day));
        rows.quantity.push(quantity);
        rows.leftover.push(leftover);
        rows.begun.push(Some(self.begun));
        rows.ended.push(ended);
        self.written += 1;
    }
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Special => "special_period",
            Self::Interruption => "interruption",
        }
    }
}

/// Days, those that miss a whole number by rounding alone made whole.
fn whole(days: f64) -> f64 {
    let near = days.round();
    if (days - near).abs() <= ROUNDING * near.max(1.0) {
        near
    } else {
        days
    }
}

fn columns(cohort: &Cohort, found: Parts) -> Result<Vec<(&'static str, ArrayRef)>> {
    let supplied: Vec<Option<u32>> = found.row.iter().map(|&row| Some(row)).collect();
    let mut columns = taken(cohort, &[("class", "class"), ("ingredient", "ingredient")], &supplied)?;
    columns.extend([
        ("date", Arc::new(Date32Array::from(found.start)) as ArrayRef),
        ("days_supply", Arc::new(Float64Array::from(found.days))),
        ("daily_dose", Arc::new(Float64Array::from(found.dose))),
        ("dispensed", Arc::new(Date32Array::from(found.dispensed))),
        ("supply", Arc::new(Int32Array::from(found.supply))),
        ("part", Arc::new(Int32Array::from(found.part))),
        ("quantity", Arc::new(Float64Array::from(found.quantity))),
        ("leftover", Arc::new(Float64Array::from(found.leftover))),
        ("begun", texts(&found.begun)),
        ("ended", texts(&found.ended)),
        ("waited_days", Arc::new(Int32Array::from(found.waited_days))),
        ("special_days", Arc::new(Float64Array::from(found.special_days))),
        ("episode_start", Arc::new(Date32Array::from(found.episode_start))),
        ("episode_end", Arc::new(Date32Array::from(found.episode_end))),
    ]);
    columns.extend(taken(cohort, &[("event", "event")], &supplied)?);
    columns.extend(taken(cohort, &[("event", "prescription")], &found.prescription)?);
    columns.push(("reason", texts(&found.reason)));
    Ok(columns)
}
