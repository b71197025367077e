//! A patient's prescriptions and supplies by medication: rows of one group, class and ingredient belong together.

use crate::calendar::DAYS;
use crate::cohort::Patient;
use std::collections::BTreeMap;

/// The kind of rows that tell what was prescribed.
pub const PRESCRIBED: &str = "prescribed";

#[derive(Default)]
pub struct Medication {
    pub prescribed: Vec<u32>,
    pub supplied: Vec<u32>,
}

impl Medication {
    /// A row to take this medication's names from.
    pub fn row(&self) -> u32 {
        self.supplied.first().or(self.prescribed.first()).copied().unwrap_or(0)
    }
}

/// All medications of a patient, by the order of their names.
pub fn medications(patient: &Patient) -> Vec<Medication> {
    let mut found: BTreeMap<[i32; 3], Medication> = BTreeMap::new();
    for row in patient.rows(PRESCRIBED) {
        found
            .entry(patient.cohort.medication(row))
            .or_default()
            .prescribed
            .push(row);
    }
    for &row in patient.supplies() {
        found
            .entry(patient.cohort.medication(row))
            .or_default()
            .supplied
            .push(row);
    }
    found.into_values().collect()
}

/// Why a day cannot be used, if so.
pub fn day_fault(day: i32) -> Option<&'static str> {
    match day {
        i32::MIN => Some("date_unknown"),
        day if DAYS.contains(&day) => None,
        _ => Some("date_invalid"),
    }
}
