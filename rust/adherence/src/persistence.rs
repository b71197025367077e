//! Persistence: how long from the first supply until treatment stops.
//!
//! Initiation is the first supply in the observation window, discontinuation the end of supply (carry-adjusted, `cover`)
//! after which more days than the permissible gap go by without any; a later supply is a restart. Who has not stopped
//! when the window, life or enrolment ends is censored there. Implementation is the PDC from initiation to
//! discontinuation or censoring (Vrijens et al. 2012, British Journal of Clinical Pharmacology 73:691; De Geest et al.
//! 2018, EMERGE, Annals of Internal Medicine 169:30; permissible gap: Cramer et al. 2008, Value in Health 11:44).

use crate::cohort::{Cohort, Group, Patient};
use crate::cover::{Ingredients, Shift, clipped, cover, days_within, spans, supplies};
use crate::error::{Error, Reasoned, Result};
use crate::output::{batch, counts, dates, flags, numbers, texts};
use crate::pdc::checked;
use crate::window::{Days, Window, Windows};
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    window: Window,
    /// The most days without supply that do not end treatment.
    permissible_gap: i32,
    #[serde(default)]
    shift: Shift,
    /// Whether days of stays use no supply and are no gap.
    #[serde(default)]
    shift_stays: bool,
}

rows! {
    pub struct Treatments {
        row: u32, initiation: Option<i32>, persistent_days: Option<i32>, discontinued: Option<bool>,
        end: Option<i32>, censored_by: Option<&'static str>, restart: Option<i32>, restarts: Option<i32>,
        implementation: Option<f64>, reason: Option<&'static str>,
    }
}

/// One group's first treatment.
struct Treatment {
    days: Days,
    /// None: discontinued.
    censored_by: Option<&'static str>,
    restart: Option<i32>,
    restarts: i32,
    covered: i32,
    stay: i32,
}

/// One row a group.
///
/// # Errors
/// `settings_invalid`, `column_missing`, `column_type`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    if chosen.permissible_gap < 0 {
        return Err(Error::new("settings_invalid", "permissible_gap", "under 0"));
    }
    let ingredients = Ingredients::of(cohort);
    let found = chosen
        .window
        .map(cohort, |patient, group, windows, rows: &mut Treatments| {
            let found = windows.and_then(|windows| chosen.measure(patient, group, windows, &ingredients));
            rows.push(group, found);
        })?;
    found.batch(cohort)
}

impl Settings {
    fn measure(&self, patient: &Patient, group: &Group, windows: Windows, known: &Ingredients) -> Reasoned<Treatment> {
        if let Some(fault) = group.fault {
            return Err(fault);
        }
        let window = checked(windows, group.day[0])?;
        let mut fills = group.day.iter().copied();
        let start = fills.find(|&day| window.contains(day)).ok_or("no_event_in_window")?;
        let (end, censored_by) = followed_until(patient, window.end, start)?;
        if end <= start {
            return Err("fill_after_death");
        }
        let followed = Days { start, end };
        let stays = if self.shift_stays {
            spans(patient.periods("stay")?)
        } else {
            Vec::new()
        };
        let covered = cover(
            supplies(group, self.shift, known, |_, day| followed.contains(day)),
            &stays,
        );
        let breaks = self.breaks(&covered, followed, &stays);
        let days = Days {
            start,
            end: breaks.first().map_or(end, |gap| gap.start),
        };
        let restarted = breaks.iter().filter(|gap| gap.end < end);
        Ok(Treatment {
            days,
            censored_by: if breaks.is_empty() { Some(censored_by) } else { None },
            restart: restarted.clone().next().map(|gap| gap.end),
            restarts: restarted.count() as i32,
            covered: days_within(&covered, days),
            stay: days_within(&stays, days),
        })
    }

    /// The gaps that are longer than permissible, within what is followed; the last may still go on at its end.
    fn breaks(&self, covered: &[Days], followed: Days, stays: &[Days]) -> Vec<Days> {
        let starts = covered.iter().map(|span| span.end);
        let ends = covered.iter().skip(1).map(|span| span.start).chain([followed.end]);
        starts
            .zip(ends)
            .map(|(start, end)| clipped(Days { start, end }, followed))
            .filter(|&gap| gap.length() - days_within(stays, gap) > self.permissible_gap)
            .collect()
    }
}

/// Where what is known of a patient ends, and why: the window, the day after death, or enrolment where it is known.
fn followed_until(patient: &Patient, window_end: i32, start: i32) -> Reasoned<(i32, &'static str)> {
    let enrolled = spans(patient.periods("enrolled")?)
        .into_iter()
        .find(|span| span.contains(start));
    let first = [
        (patient.death()?, "death"),
        (enrolled.map(|span| span.end), "enrolment"),
        (Some(window_end), "window"),
    ]
    .into_iter()
    .filter_map(|(end, why)| end.map(|end| (end, why)))
    .min_by_key(|&(end, _)| end);
    Ok(first.unwrap_or((window_end, "window")))
}

impl Treatments {
    fn push(&mut self, group: &Group, found: Reasoned<Treatment>) {
        let reason = found.as_ref().err().copied();
        let found = found.ok();
        let found = found.as_ref();
        let discontinued = found.filter(|each| each.censored_by.is_none());
        self.row.push(group.row);
        self.initiation.push(found.map(|each| each.days.start));
        self.persistent_days.push(found.map(|each| each.days.length()));
        self.discontinued.push(found.map(|each| each.censored_by.is_none()));
        self.end.push(discontinued.map(|each| each.days.end));
        self.censored_by.push(found.and_then(|each| each.censored_by));
        self.restart.push(found.and_then(|each| each.restart));
        self.restarts.push(found.map(|each| each.restarts));
        self.implementation.push(found.and_then(Treatment::implementation));
        self.reason.push(reason);
    }

    fn batch(self, cohort: &Cohort) -> Result<RecordBatch> {
        let columns = vec![
            ("initiation", dates(self.initiation)),
            ("persistent_days", counts(self.persistent_days)),
            ("discontinued", flags(self.discontinued)),
            ("discontinuation", dates(self.end)),
            ("censored_by", texts(&self.censored_by)),
            ("restart", dates(self.restart)),
            ("restarts", counts(self.restarts)),
            ("implementation", numbers(self.implementation)),
            ("reason", texts(&self.reason)),
        ];
        batch(cohort, self.row, columns)
    }
}

impl Treatment {
    /// PDC while on treatment, days of stays left out; None where all are.
    fn implementation(&self) -> Option<f64> {
        let days = self.days.length() - self.stay;
        (days > 0).then(|| f64::from(self.covered) / f64::from(days))
    }
}
