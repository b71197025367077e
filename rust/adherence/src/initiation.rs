//! Time to initiation: days from a medication's first prescription to its first supply, or to the end of observation.
//!
//! Primary non-adherence: no supply within so many days of the first prescription (ABC taxonomy, Vrijens et al. 2012,
//! Br J Clin Pharmacol 73:691; Raebel et al. 2013, Med Care 51 Suppl 3:S11).

use crate::cohort::{Cohort, Patient};
use crate::error::{Reasoned, Result};
use crate::medication::{Medication, day_fault, medications};
use crate::output::{batch, counts, dates, flags, taken, texts};
use crate::{rows, settings};
use arrow_array::{ArrayRef, RecordBatch};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The first day after the last of which the data tell.
    end: i32,
    within_days: i32,
}

rows! {
    pub struct Starts {
        row: u32,
        prescribed: Option<i32>,
        supplied: Option<i32>,
        days: Option<i32>,
        initiated: Option<bool>,
        nonadherent: Option<bool>,
        censored: Option<&'static str>,
        prescription: Option<u32>,
        supply: Option<u32>,
        reason: Option<&'static str>,
    }
}

/// # Errors
/// `settings_invalid`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    let found = cohort.map(|patient, starts: &mut Starts| {
        let ends = Ends::of(patient, chosen.end);
        for medication in medications(patient) {
            let start = ends.as_ref().map_err(|&reason| reason);
            let start = start.and_then(|ends| start_of(patient, &medication, ends));
            starts.push(&medication, start, chosen.within_days);
        }
        Ok(())
    })?;
    batch(cohort, found.row.clone(), columns(cohort, found)?)
}

/// A first prescription and what followed it: a supply, or the end of observation.
struct Start {
    prescribed: (i32, u32),
    supplied: Option<(i32, u32)>,
    end: i32,
    ended: &'static str,
}

fn start_of(patient: &Patient, medication: &Medication, ends: &Ends) -> Reasoned<Start> {
    if let Some(fault) = patient.fault() {
        return Err(fault);
    }
    let prescribed = days(patient, &medication.prescribed, "prescription_date_unknown")?;
    let supplied = days(patient, &medication.supplied, "date_unknown")?;
    let &first = prescribed.first().ok_or("no_prescription")?;
    if supplied.first().is_some_and(|supply| supply.0 < first.0) {
        return Err("supplied_before_prescription");
    }
    let (end, ended) = ends.after(first.0)?;
    let supplied = supplied.first().copied().filter(|supply| supply.0 < end);
    Ok(Start {
        prescribed: first,
        supplied,
        end,
        ended,
    })
}

/// Rows with their days, by day.
fn days(patient: &Patient, rows: &[u32], unknown: &'static str) -> Reasoned<Vec<(i32, u32)>> {
    let mut found: Vec<(i32, u32)> = rows.iter().map(|&row| (patient.cohort.day(row), row)).collect();
    found.sort_unstable();
    if found.iter().any(|&(day, _)| day_fault(day).is_some()) {
        return Err(unknown);
    }
    Ok(found)
}

/// Where observation of a patient ends.
struct Ends {
    data: i32,
    death: Option<i32>,
    /// Days of enrolment, touching ones joined; none: enrolment is not known and does not end observation.
    enrolled: Vec<(i32, i32)>,
}

impl Ends {
    fn of(patient: &Patient, data: i32) -> Reasoned<Self> {
        let mut enrolled: Vec<(i32, i32)> = Vec::new();
        for period in patient.periods("enrolled")? {
            match enrolled.last_mut().filter(|last| period.start <= last.1) {
                Some(last) => last.1 = last.1.max(period.end),
                None => enrolled.push((period.start, period.end)),
            }
        }
        Ok(Self {
            data,
            death: patient.death()?,
            enrolled,
        })
    }

    /// The first day after observation of one that began on `day`, and what ended it.
    fn after(&self, day: i32) -> Reasoned<(i32, &'static str)> {
        let enrolled = self.enrolled.iter().find(|period| period.0 <= day && day < period.1);
        if enrolled.is_none() && !self.enrolled.is_empty() {
            return Err("not_enrolled");
        }
        let mut end = (self.data, "end_of_data");
        if let Some(&(_, left)) = enrolled.filter(|period| period.1 < end.0) {
            end = (left, "disenrolled");
        }
        if let Some(death) = self.death.filter(|&death| death <= end.0) {
            end = (death, "died");
        }
        if end.0 <= day {
            Err("prescribed_after_end")
        } else {
            Ok(end)
        }
    }
}

impl Starts {
    fn push(&mut self, medication: &Medication, start: Reasoned<Start>, within: i32) {
        self.row.push(medication.row());
        self.reason.push(start.as_ref().err().copied());
        let start = start.ok();
        let days = start.as_ref().map(|start| match start.supplied {
            Some((day, _)) => day - start.prescribed.0,
            None => start.end - start.prescribed.0,
        });
        let initiated = start.as_ref().map(|start| start.supplied.is_some());
        let nonadherent = match (initiated, days) {
            (Some(true), Some(days)) => Some(days > within),
            (Some(false), Some(days)) if days > within => Some(true),
            _ => None, // observed too briefly to tell
        };
        self.prescribed.push(start.as_ref().map(|start| start.prescribed.0));
        self.prescription.push(start.as_ref().map(|start| start.prescribed.1));
        self.supplied
            .push(start.as_ref().and_then(|start| start.supplied).map(|supply| supply.0));
        self.supply
            .push(start.as_ref().and_then(|start| start.supplied).map(|supply| supply.1));
        self.censored
            .push(start.filter(|start| start.supplied.is_none()).map(|start| start.ended));
        self.days.push(days);
        self.initiated.push(initiated);
        self.nonadherent.push(nonadherent);
    }
}

fn columns(cohort: &Cohort, found: Starts) -> Result<Vec<(&'static str, ArrayRef)>> {
    let named: Vec<Option<u32>> = found.row.iter().map(|&row| Some(row)).collect();
    let mut columns = taken(cohort, &[("class", "class"), ("ingredient", "ingredient")], &named)?;
    columns.extend([
        ("first_prescription", dates(found.prescribed)),
        ("first_supply", dates(found.supplied)),
        ("days", counts(found.days)),
        ("initiated", flags(found.initiated)),
        ("primary_nonadherent", flags(found.nonadherent)),
        ("censored_by", texts(&found.censored)),
    ]);
    columns.extend(taken(cohort, &[("event", "prescription")], &found.prescription)?);
    columns.extend(taken(cohort, &[("event", "supply_event")], &found.supply)?);
    columns.push(("reason", texts(&found.reason)));
    Ok(columns)
}
