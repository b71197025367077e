//! Prescription episodes: from which day to which, at which daily dose, a medication was prescribed.

use crate::cohort::Patient;
use crate::medication::{Medication, PRESCRIBED, day_fault};
use arrow_array::{Array, Float64Array};

/// Days from `start` up to but not including `end` (`i32::MAX`: it goes on) at one dose.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    pub start: i32,
    pub end: i32,
    /// The daily dose, or why there is none.
    pub dose: Result<f64, &'static str>,
    pub row: u32,
}

/// How prescriptions become episodes.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Days that a prescription is for, a column beside `end`.
    pub prescribed_days: Option<&'a Float64Array>,
    /// A prescription ends at the patient's next prescribing that does not renew it.
    pub renew: bool,
    /// The first prescription, where it is for no fixed time, counts from the first supply before it.
    pub backdate: bool,
    /// The most days that supply waits for a prescription.
    pub wait_days: Option<i32>,
}

/// The days on which anything was prescribed to a patient.
pub fn visits(patient: &Patient) -> Vec<i32> {
    let rows = patient.rows(PRESCRIBED).into_iter();
    let mut days: Vec<i32> = rows.map(|row| patient.cohort.day(row)).collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// A medication's episodes by start; one ends at the latest where the next starts.
///
/// # Errors
/// A reason why none can be told: `no_prescription`, `prescription_date_unknown`, `prescription_invalid`.
pub fn episodes(
    patient: &Patient,
    medication: &Medication,
    visits: &[i32],
    rules: Rules,
) -> Result<Vec<Episode>, &'static str> {
    let mut found = medication
        .prescribed
        .iter()
        .map(|&row| episode(patient, row, rules.prescribed_days))
        .collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|each| (each.start, each.end, each.row));
    let mut found = same_day(found);
    let first = found.first_mut().ok_or("no_prescription")?;
    if rules.backdate && first.end == i32::MAX {
        first.start = backdated(patient, medication, first.start, rules.wait_days);
    }
    for at in 0..found.len() {
        let next = found.get(at + 1).map_or(i32::MAX, |each| each.start);
        let end = found[at].end.min(next);
        let prescribed = patient.cohort.day(found[at].row); // not `start`, which may be backdated
        found[at].end = if rules.renew {
            end.min(visit_after(visits, prescribed))
        } else {
            end
        };
    }
    Ok(found)
}

fn episode(patient: &Patient, row: u32, prescribed_days: Option<&Float64Array>) -> Result<Episode, &'static str> {
    let start = patient.cohort.day(row);
    if day_fault(start).is_some() {
        return Err("prescription_date_unknown");
    }
    let days = prescribed_days
        .filter(|days| days.is_valid(row as usize))
        .map(|days| days.value(row as usize));
    let end = match (patient.cohort.end(row), days) {
        (Some(end), _) => end,
        (None, Some(days)) if days.fract() == 0.0 && (1.0..=1e5).contains(&days) => start + days as i32,
        (None, Some(_)) => return Err("prescription_invalid"),
        (None, None) => i32::MAX,
    };
    if end <= start {
        return Err("prescription_invalid");
    }
    let dose = match patient.cohort.daily_dose(row) {
        dose if dose.is_nan() => Err("daily_dose_unknown"),
        dose if dose > 0.0 && dose.is_finite() => Ok(dose),
        _ => Err("daily_dose_invalid"),
    };
    Ok(Episode { start, end, dose, row })
}

/// One episode a day, up to the latest end; unlike doses on one day are no dose: which holds cannot be told.
fn same_day(episodes: Vec<Episode>) -> Vec<Episode> {
    let mut kept: Vec<Episode> = Vec::with_capacity(episodes.len());
    for each in episodes {
        match kept.last_mut().filter(|last| last.start == each.start) {
            None => kept.push(each),
            Some(last) => {
                if last.dose != each.dose {
                    last.dose = Err("prescriptions_contradict");
                }
                last.end = last.end.max(each.end);
            }
        }
    }
    kept
}

/// The first supply before `start`, no further back than supply may wait.
fn backdated(patient: &Patient, medication: &Medication, start: i32, wait_days: Option<i32>) -> i32 {
    let earliest = wait_days.map_or(i32::MIN, |days| start.saturating_sub(days));
    let days = medication.supplied.iter().map(|&row| patient.cohort.day(row));
    days.filter(|&day| day_fault(day).is_none() && day >= earliest && day < start)
        .min()
        .unwrap_or(start)
}

fn visit_after(visits: &[i32], day: i32) -> i32 {
    let next = visits.partition_point(|&each| each <= day);
    visits.get(next).copied().unwrap_or(i32::MAX)
}
