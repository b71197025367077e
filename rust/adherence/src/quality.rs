//! PQA's PDC measures: who is in the denominator, who in the numerator, and why.
//!
//! Treatment period: from the index (first fill of a class of the measure in the measurement year) to the end of the
//! year, of enrolment, or the day of death, whichever is first. In the denominator: old enough at the start of the year,
//! fills on two dates or more in the treatment period, a treatment period of 91 days or more, no exclusion. In the
//! numerator: PDC over the treatment period of at least 4/5, supplies of an ingredient shifted forward, those of a
//! combination for each of its ingredients (PQA, Proportion of Days Covered, Technical Specifications).
//!
//! With `shift_stays`, days of hospital and skilled nursing stays are in neither numerator nor denominator, and what is
//! on hand during a stay is used after it (CMS, Medicare Part C & D Star Ratings Technical Notes, Medication Adherence
//! Measure Calculations).

use crate::calendar::{Span, Unit};
use crate::cohort::{Cohort, Group, Patient, Period, fault};
use crate::cover::{Ingredients, Shift, cover, days_within, spans, supplies};
use crate::error::{Error, Reasoned, Result};
use crate::output::{batch, counts, dates, flags, numbers, texts};
use crate::pdc::Threshold;
use crate::window::Days;
use crate::{rows, settings};
use arrow_array::RecordBatch;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The measurement year's first day, and the first day after it.
    start: i32,
    end: i32,
    /// Classes measured; a name that ends in `*` stands for all that begin so.
    classes: Vec<String>,
    /// Classes of which one fill in the treatment period excludes.
    excluding_classes: Vec<String>,
    /// Kinds of periods `excluded` that exclude if they touch the year.
    exclusions: Vec<String>,
    minimum_age: i32,
    minimum_fill_dates: usize,
    minimum_days: i32,
    threshold: Threshold,
    enrolment: Enrolment,
    shift_stays: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    /// Whether a patient without any period `enrolled` is not enrolled; else such a one is, all the year.
    required: bool,
    /// The longest gap that does not end it, in days, and how many such gaps there may be.
    gap_days: i32,
    gaps: usize,
}

rows! {
    pub struct Answers {
        row: u32, denominator: Option<bool>, numerator: Option<bool>, why: Option<&'static str>,
        exclusion: Option<String>, index: Option<i32>, treatment_days: Option<i32>, stay_days: Option<i32>,
        fill_dates: Option<i32>, covered_days: Option<i32>, pdc: Option<f64>, gap_days_allowed: Option<i32>,
    }
}

/// What is known of one patient; what is not reached stays None.
#[derive(Default)]
struct Answer {
    exclusion: Option<String>,
    index: Option<i32>,
    treatment: Option<Days>,
    fill_dates: Option<i32>,
    stay_days: Option<i32>,
    covered_days: Option<i32>,
}

/// Why a patient is not in the denominator: `Unknown` where it cannot be told.
enum Why {
    Unknown(&'static str),
    Not(&'static str),
}

type OrWhy<T> = std::result::Result<T, Why>;

/// One row a patient.
///
/// # Errors
/// `settings_invalid`, `column_missing`.
pub fn run(cohort: &Cohort, text: &str) -> Result<RecordBatch> {
    let chosen: Settings = settings(text)?;
    if chosen.start >= chosen.end || chosen.classes.is_empty() {
        return Err(Error::new("settings_invalid", "settings", "no year or no class"));
    }
    if cohort.batch().column_by_name("class").is_none() {
        return Err(Error::new("column_missing", "class", "a measure is of classes"));
    }
    let roles = chosen.roles(cohort);
    let ingredients = Ingredients::of(cohort);
    let found = cohort.map(|patient, rows: &mut Answers| {
        let mut answer = Answer::default();
        let why = chosen.measure(patient, &roles, &ingredients, &mut answer);
        rows.push(patient, answer, why, chosen.threshold);
        Ok(())
    })?;
    found.batch(cohort)
}

/// What a class is to the measure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    Measured,
    Excluding,
}

struct Roles(Vec<Role>);

impl Roles {
    fn of(&self, code: i32) -> Role {
        let place = usize::try_from(code).ok();
        place.and_then(|code| self.0.get(code)).copied().unwrap_or(Role::None)
    }
}

/// Whether `text` is one of `names`, in whatever letters: an exclusion `Hospice` passed over would be a patient counted.
fn named(names: &[String], text: &str) -> bool {
    let text = text.trim().to_lowercase();
    names.iter().any(|name| match name.to_lowercase().strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => text == name.to_lowercase(),
    })
}

impl Settings {
    fn roles(&self, cohort: &Cohort) -> Roles {
        let texts = (0..).map_while(|code| cohort.class_text(code));
        let role = |text| {
            if named(&self.excluding_classes, text) {
                Role::Excluding
            } else if named(&self.classes, text) {
                Role::Measured
            } else {
                Role::None
            }
        };
        Roles(texts.map(role).collect())
    }

    /// Ok where the patient is in the denominator.
    fn measure(&self, patient: &Patient, roles: &Roles, known: &Ingredients, answer: &mut Answer) -> OrWhy<()> {
        let groups: Vec<Group> = patient.groups().collect();
        let fills = Fills::of(&groups, roles, self.start, self.end)?;
        let index = *fills.measured.first().ok_or(Why::Not("no_fill_in_year"))?;
        answer.index = Some(index);
        self.check_age(patient)?;
        let treatment = self.treatment(patient, index)?;
        answer.treatment = Some(treatment);
        let dates = fills.measured.iter().filter(|&&day| day < treatment.end).count();
        answer.fill_dates = Some(dates as i32);
        if let Some(name) = self.exclusion(patient, &fills, treatment).map_err(Why::Unknown)? {
            answer.exclusion = Some(name);
            return Err(Why::Not("excluded"));
        }
        if dates < self.minimum_fill_dates {
            return Err(Why::Not("too_few_fill_dates"));
        }
        if treatment.length() < self.minimum_days {
            return Err(Why::Not("treatment_period_short"));
        }
        let stays = self.stays(patient).map_err(Why::Unknown)?;
        let in_stay = days_within(&stays, treatment);
        answer.stay_days = Some(in_stay);
        if in_stay == treatment.length() {
            return Err(Why::Not("treatment_period_in_stay"));
        }
        answer.covered_days = Some(covered_days(&groups, roles, known, treatment, &stays));
        Ok(())
    }

    fn check_age(&self, patient: &Patient) -> OrWhy<()> {
        if self.minimum_age == 0 {
            return Ok(());
        }
        let born = patient.periods("born").map_err(Why::Unknown)?;
        let first = born.first().ok_or(Why::Unknown("birth_unknown"))?.start;
        if born.iter().any(|each| each.start != first) {
            return Err(Why::Unknown("birth_ambiguous"));
        }
        let years = Span {
            count: self.minimum_age,
            unit: Unit::Years,
        };
        match years.after(first) {
            Some(day) if day <= self.start => Ok(()),
            _ => Err(Why::Not("under_age")),
        }
    }

    /// From the index to the end of the year, of enrolment or of life: the day of death is the last.
    fn treatment(&self, patient: &Patient, index: i32) -> OrWhy<Days> {
        let death = patient.death().map_err(Why::Unknown)?.unwrap_or(i32::MAX);
        let end = self.end.min(death).min(self.enrolled_until(patient, index)?);
        if end <= index {
            return Err(Why::Not("fill_after_death"));
        }
        Ok(Days { start: index, end })
    }

    fn enrolled_until(&self, patient: &Patient, index: i32) -> OrWhy<i32> {
        let enrolled = spans(patient.periods("enrolled").map_err(Why::Unknown)?);
        if enrolled.is_empty() && !self.enrolment.required {
            return Ok(i32::MAX);
        }
        let mut later = enrolled.iter().skip_while(|span| span.end <= index);
        let mut until = match later.next() {
            Some(span) if span.contains(index) => span.end,
            _ => return Err(Why::Not("not_enrolled")),
        };
        for span in later.take(self.enrolment.gaps) {
            if span.start - until > self.enrolment.gap_days {
                break;
            }
            until = span.end;
        }
        Ok(until)
    }

    /// The first exclusion in the order of settings: of a period that touches the year, then of a fill.
    fn exclusion(&self, patient: &Patient, fills: &Fills, treatment: Days) -> Reasoned<Option<String>> {
        let periods = patient.periods("excluded")?;
        let touches = |period: &&Period| period.start < self.end && period.end > self.start;
        let texts: Vec<&str> = periods
            .iter()
            .filter(touches)
            .filter_map(|period| patient.cohort.class_at(period.row))
            .collect();
        let period = self
            .exclusions
            .iter()
            .find(|name| texts.iter().any(|text| named(std::slice::from_ref(name), text)));
        let fill = fills.excluding.iter().find(|(day, _)| treatment.contains(*day));
        Ok(period.cloned().or_else(|| {
            fill.and_then(|&(_, code)| patient.cohort.class_text(code))
                .map(str::to_owned)
        }))
    }

    fn stays(&self, patient: &Patient) -> Reasoned<Vec<Days>> {
        if !self.shift_stays {
            return Ok(Vec::new());
        }
        Ok(spans(
            patient.periods("stay")?.into_iter().chain(patient.periods("snf")?),
        ))
    }
}

/// Days of fills within the year: those measured, each once, and those that exclude.
struct Fills {
    measured: Vec<i32>,
    excluding: Vec<(i32, i32)>,
}

impl Fills {
    fn of(groups: &[Group], roles: &Roles, start: i32, end: i32) -> OrWhy<Self> {
        let (mut measured, mut excluding) = (Vec::new(), Vec::new());
        for group in groups {
            if group.fault == Some("patient_unknown") {
                return Err(Why::Unknown("patient_unknown"));
            }
            for (at, &day) in group.day.iter().enumerate() {
                let (role, days_supply) = (roles.of(group.class[at]), group.days_supply[at]);
                let dated = fault(day, 1.0);
                if role == Role::None || dated.is_none() && !(start..end).contains(&day) {
                    continue;
                }
                let needed = if role == Role::Measured { days_supply } else { 1.0 };
                if let Some(reason) = fault(day, needed) {
                    return Err(Why::Unknown(reason));
                }
                match role {
                    Role::Measured => measured.push(day),
                    _ => excluding.push((day, group.class[at])),
                }
            }
        }
        measured.sort_unstable();
        measured.dedup();
        excluding.sort_unstable();
        Ok(Self { measured, excluding })
    }
}

fn covered_days(groups: &[Group], roles: &Roles, known: &Ingredients, treatment: Days, stays: &[Days]) -> i32 {
    let mut found = Vec::new();
    for group in groups {
        let counts = |at: usize, day: i32| treatment.contains(day) && roles.of(group.class[at]) == Role::Measured;
        found.extend(supplies(group, Shift::Ingredient, known, counts));
    }
    found.sort_by_key(|supply| supply.day);
    days_within(&cover(found, stays), treatment)
}

impl Answers {
    fn push(&mut self, patient: &Patient, answer: Answer, why: OrWhy<()>, threshold: Threshold) {
        let days = answer.treatment.map(Days::length);
        let counted = days.zip(answer.stay_days).map(|(days, stay)| days - stay);
        let both = counted.zip(answer.covered_days);
        let met = both.map(|(days, covered)| threshold.met(covered, days));
        let (denominator, why) = match why {
            Err(Why::Unknown(why)) => (None, why),
            Err(Why::Not(why)) => (Some(false), why),
            Ok(()) if met == Some(true) => (Some(true), "adherent"),
            Ok(()) => (Some(true), "too_few_days_covered"),
        };
        self.row.push(patient.first_row());
        self.denominator.push(denominator);
        self.numerator
            .push(denominator.map(|inside| inside && met == Some(true)));
        self.why.push(Some(why));
        self.exclusion.push(answer.exclusion);
        self.index.push(answer.index);
        self.treatment_days.push(days);
        self.stay_days.push(answer.stay_days);
        self.fill_dates.push(answer.fill_dates);
        self.covered_days.push(answer.covered_days);
        self.pdc
            .push(both.map(|(days, covered)| f64::from(covered) / f64::from(days)));
        self.gap_days_allowed
            .push(both.map(|(days, _)| threshold.gap_days_allowed(days)));
    }

    fn batch(self, cohort: &Cohort) -> Result<RecordBatch> {
        let exclusions: Vec<Option<&str>> = self.exclusion.iter().map(Option::as_deref).collect();
        let columns = vec![
            ("denominator", flags(self.denominator)),
            ("numerator", flags(self.numerator)),
            ("why", texts(&self.why)),
            ("exclusion", texts(&exclusions)),
            ("index", dates(self.index)),
            ("treatment_days", counts(self.treatment_days)),
            ("stay_days", counts(self.stay_days)),
            ("fill_dates", counts(self.fill_dates)),
            ("covered_days", counts(self.covered_days)),
            ("pdc", numbers(self.pdc)),
            ("gap_days_allowed", counts(self.gap_days_allowed)),
        ];
        batch(cohort, self.row, columns)
    }
}
