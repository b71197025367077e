//! A batch of events read as columns, and walked patient by patient.
//!
//! | Column | Type | Meaning |
//! |---|---|---|
//! | `patient` | any | whose; all rows of a patient lie together; null: nobody's, which are one patient with a fault |
//! | `date` | date32 | the first day of what the row tells |
//! | `days_supply` | number | days that a supply lasts (kind `supply` alone) |
//! | `kind` | text | `supply` (also where null or no such column), or what a period is: `stay`, `enrolled`, … |
//! | `end` | date32 | the first day after a period; null: it goes on |
//! | `class`, `ingredient` | text | medication class and ingredient of a supply |
//! | `daily_dose` | number | dose a day of a supply |
//! | `group` | text | what is measured apart within a patient; without it, all of a patient's supplies together |
//!
//! Rows of a patient may stand in any order: here supplies are sorted by group, day, and all else that they hold.

use crate::calendar::DAYS;
use crate::error::{Error, Reasoned, Result};
use crate::output::Rows;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, Date32Array, Float64Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What stands for "no class", "no group".
pub const NONE: i32 = -1;

/// No supply lasts longer: ten years.
pub const MOST_DAYS: f64 = 3_660.0;

/// Texts of a column that are looked for one by one.
const FEW: usize = 16;

/// Patients that one task takes at a time.
const TASK: usize = 2_048;

pub struct Cohort<'a> {
    batch: &'a RecordBatch,
    patient: &'a ArrayRef,
    patients: Vec<Range<usize>>,
    date: Date32Array,
    end: Option<Date32Array>,
    days_supply: Option<Float64Array>,
    daily_dose: Option<Float64Array>,
    kind: Option<Arc<Codes>>,
    class: Option<Arc<Codes>>,
    ingredient: Option<Arc<Codes>>,
    group: Option<Arc<Codes>>,
}

/// A text column as numbers: equal texts have equal codes within the batch.
struct Codes {
    keys: Vec<i32>,
    texts: Vec<String>,
    /// The place of each code in the order of texts: sorting by it does not depend on the order of rows.
    rank: Vec<i32>,
}

impl<'a> Cohort<'a> {
    /// Read the columns of a batch.
    ///
    /// # Errors
    /// `column_missing`, `column_twice`, `column_type`.
    pub fn read(batch: &'a RecordBatch) -> Result<Self> {
        let patient = column(batch, "patient")?.ok_or_else(|| missing("patient"))?;
        let patients = arrow_ord::partition::partition(std::slice::from_ref(patient))
            .map_err(|_| wrong_type("patient", "of a type that can be compared"))?
            .ranges();
        let date = typed(batch, "date", &DataType::Date32, "a date")?.ok_or_else(|| missing("date"))?;
        let number = |name| {
            Ok(typed(batch, name, &DataType::Float64, "a number")?
                .map(|array| array.as_primitive::<Float64Type>().clone()))
        };
        let class = Codes::read(batch, "class")?;
        let group = match &class {
            Some(codes) if same(batch, "class", "group") => Some(Arc::clone(codes)),
            _ => Codes::read(batch, "group")?,
        };
        Ok(Self {
            batch,
            patient,
            patients,
            date: date.as_primitive::<Date32Type>().clone(),
            end: typed(batch, "end", &DataType::Date32, "a date")?
                .map(|array| array.as_primitive::<Date32Type>().clone()),
            days_supply: number("days_supply")?,
            daily_dose: number("daily_dose")?,
            kind: kinds(batch)?,
            class,
            ingredient: Codes::read(batch, "ingredient")?,
            group,
        })
    }

    /// The key columns of results: `patient`, and `group` where events have one.
    pub fn keys(&self) -> Vec<&'static str> {
        if self.group.is_some() {
            vec!["patient", "group"]
        } else {
            vec!["patient"]
        }
    }

    pub fn batch(&self) -> &RecordBatch {
        self.batch
    }

    pub fn class_text(&self, code: i32) -> Option<&str> {
        self.class.as_ref()?.text(code)
    }

    /// The class in a row of any kind.
    pub fn class_at(&self, row: u32) -> Option<&str> {
        self.class.as_ref()?.at(row as usize)
    }

    pub fn ingredient_text(&self, code: i32) -> Option<&str> {
        self.ingredient.as_ref()?.text(code)
    }

    /// A column of numbers beside the cohort's own, None where there is no such column.
    ///
    /// # Errors
    /// `column_type`, `column_twice`.
    pub fn numbers(&self, name: &str) -> Result<Option<Float64Array>> {
        Ok(typed(self.batch, name, &DataType::Float64, "a number")?
            .map(|array| array.as_primitive::<Float64Type>().clone()))
    }

    /// What medication a row is about: places of its group, class and ingredient in the order of their names.
    pub fn medication(&self, row: u32) -> [i32; 3] {
        [&self.group, &self.class, &self.ingredient]
            .map(|codes| codes.as_ref().map_or(NONE, |codes| codes.rank(row as usize)))
    }

    /// The first day of what a row tells; `i32::MIN` where unknown.
    pub fn day(&self, row: u32) -> i32 {
        day(&self.date, row as usize)
    }

    /// The first day after what a row tells, None where it goes on.
    pub fn end(&self, row: u32) -> Option<i32> {
        let ends = self.end.as_ref().filter(|ends| ends.is_valid(row as usize))?;
        Some(ends.value(row as usize))
    }

    /// NaN where unknown.
    pub fn daily_dose(&self, row: u32) -> f64 {
        self.daily_dose
            .as_ref()
            .map_or(f64::NAN, |doses| value(doses, row as usize))
    }

    /// The rows that `measure` makes of every patient, in the order of patients; computed on all cores.
    ///
    /// # Errors
    /// The first that `measure` returns; a patient who cannot be measured is a row with a reason, no error.
    pub fn map<R: Rows>(&self, measure: impl Fn(&Patient, &mut R) -> Result<()> + Sync) -> Result<R> {
        let parts: Vec<R> = self
            .patients
            .par_chunks(TASK)
            .map(|patients| {
                let (mut scratch, mut rows) = (Scratch::default(), R::default());
                for range in patients {
                    scratch.fill(self, range.clone());
                    measure(&scratch.patient(self, range.clone()), &mut rows)?;
                }
                Ok(rows)
            })
            .collect::<Result<_>>()?;
        Ok(parts.into_iter().reduce(Rows::join).unwrap_or_default())
    }

    /// The one value that a patient's `rows` hold in a column of dates or of whole numbers; None where they hold none, or
    /// several that differ.
    fn value_of(&self, name: &str, rows: Range<usize>) -> Result<Option<DayOrCount>> {
        let array = column(self.batch, name)?.ok_or_else(|| missing(name))?;
        let is_day = *array.data_type() == DataType::Date32;
        let what = || wrong_type(name, "a date or a whole number");
        if !is_day && !array.data_type().is_numeric() && *array.data_type() != DataType::Null {
            return Err(what());
        }
        let values = cast(&array.slice(rows.start, rows.len()), &DataType::Int32).map_err(|_| what())?;
        let mut values = values.as_primitive::<Int32Type>().iter().flatten();
        let Some(first) = values.next() else {
            return Ok(None);
        };
        let found = if is_day {
            DayOrCount::Day(first)
        } else {
            DayOrCount::Count(first)
        };
        Ok(values.all(|value| value == first).then_some(found))
    }
}

/// What a column says of a patient's window.
pub enum DayOrCount {
    Day(i32),
    Count(i32),
}

/// One patient of a cohort: supplies by group, and periods.
pub struct Patient<'a> {
    pub cohort: &'a Cohort<'a>,
    rows: Range<usize>,
    /// The first day of a supply, over all groups; of any row where there is no supply. Days that cannot be are no days.
    pub first_day: i32,
    supplies: &'a Scratch,
}

/// Supplies of one group, sorted by day; same-day ones by days supply, dose, class, ingredient, so that the order of
/// rows does not matter. All slices are of one length.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// A row of this group, to take its keys from.
    pub row: u32,
    /// Why this group cannot be measured, if so: `patient_unknown`, `date_unknown`, `date_invalid`,
    /// `days_supply_unknown`, `days_supply_invalid`.
    pub fault: Option<&'static str>,
    pub rows: &'a [u32],
    pub day: &'a [i32],
    pub days_supply: &'a [f64],
    /// NaN where unknown.
    pub daily_dose: &'a [f64],
    /// Codes, `NONE` where unknown.
    pub class: &'a [i32],
    pub ingredient: &'a [i32],
}

impl Group<'_> {
    /// The first day of a supply, of those that can be.
    pub fn first_day(&self) -> Option<i32> {
        self.day.iter().copied().find(|day| DAYS.contains(day))
    }

    /// Those supplies whose first day is from `first` up to and including `last`.
    pub fn between(&self, first: i32, last: i32) -> Self {
        let end = self.day.partition_point(|&day| day <= last);
        let start = self.day[..end].partition_point(|&day| day < first);
        Self {
            rows: &self.rows[start..end],
            day: &self.day[start..end],
            days_supply: &self.days_supply[start..end],
            daily_dose: &self.daily_dose[start..end],
            class: &self.class[start..end],
            ingredient: &self.ingredient[start..end],
            ..*self
        }
    }
}

/// A period of a patient's: from `start` up to but not including `end`; `i32::MAX` where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub start: i32,
    pub end: i32,
    pub row: u32,
}

impl<'a> Patient<'a> {
    /// A row of this patient, to take keys from.
    pub fn first_row(&self) -> u32 {
        self.rows.start as u32
    }

    /// What a column says of this patient; None where its rows say nothing, or not the same.
    ///
    /// # Errors
    /// `column_missing`, `column_type`: neither date nor number.
    pub fn value_of(&self, name: &str) -> Result<Option<DayOrCount>> {
        self.cohort.value_of(name, self.rows.clone())
    }

    /// The groups of supplies that this patient has, by the order of their names.
    pub fn groups(&self) -> impl Iterator<Item = Group<'a>> {
        let scratch = self.supplies;
        scratch.groups.iter().map(move |range| scratch.group(range.clone()))
    }

    /// Why nothing can be said of this patient, if so: rows of nobody are not one person's.
    pub fn fault(&self) -> Option<&'static str> {
        let patients = self.cohort.batch.column_by_name("patient")?;
        patients.is_null(self.rows.start).then_some("patient_unknown")
    }

    /// The rows of this patient's supplies, by group, day, and all else that they hold.
    pub fn supplies(&self) -> &'a [u32] {
        &self.supplies.order
    }

    /// The rows of a kind other than `supply`, in the order of the batch.
    pub fn rows(&self, kind: &str) -> Vec<u32> {
        let is_kind = |row: &u32| self.cohort.kind.as_ref().and_then(|codes| codes.at(*row as usize)) == Some(kind);
        self.supplies.others.iter().copied().filter(is_kind).collect()
    }

    /// This patient's periods of a kind, by start.
    ///
    /// # Errors
    /// The reason `period_date_unknown`: one has no first day, so that nothing can be said of where it lies.
    pub fn periods(&self, kind: &str) -> Reasoned<Vec<Period>> {
        let period = |&row: &u32| match self.cohort.day(row) {
            i32::MIN => Err("period_date_unknown"),
            start => Ok(Period {
                start,
                end: self.cohort.end(row).unwrap_or(i32::MAX),
                row,
            }),
        };
        let mut found: Vec<Period> = self.rows(kind).iter().map(period).collect::<Reasoned<_>>()?;
        found.sort_unstable_by_key(|period| (period.start, period.end));
        Ok(found)
    }

    /// The first day after the one on which this patient died, if so.
    ///
    /// # Errors
    /// As `periods`.
    pub fn death(&self) -> Reasoned<Option<i32>> {
        let died = self.periods("died")?;
        Ok(died.first().map(|died| died.start.saturating_add(1)))
    }
}

/// Columns of the patient at hand, reused from one to the next.
#[derive(Default)]
struct Scratch {
    groups: Vec<Range<usize>>,
    faults: Vec<Option<&'static str>>,
    order: Vec<u32>,
    others: Vec<u32>,
    day: Vec<i32>,
    days_supply: Vec<f64>,
    daily_dose: Vec<f64>,
    class: Vec<i32>,
    ingredient: Vec<i32>,
    group: Vec<i32>,
}

impl Scratch {
    fn fill(&mut self, cohort: &Cohort, rows: Range<usize>) {
        self.order.clear();
        self.others.clear();
        for row in rows.clone() {
            let supply = cohort
                .kind
                .as_ref()
                .and_then(|codes| codes.at(row))
                .is_none_or(|kind| kind.is_empty() || kind == "supply");
            (if supply { &mut self.order } else { &mut self.others }).push(row as u32);
        }
        self.sort(cohort);
        self.columns(cohort);
        self.divide(cohort.patient.is_null(rows.start));
    }

    fn sort(&mut self, cohort: &Cohort) {
        let rank = |codes: &Option<Arc<Codes>>, row: usize| codes.as_ref().map_or(NONE, |codes| codes.rank(row));
        let number =
            |array: &Option<Float64Array>, row: usize| array.as_ref().map_or(f64::NAN, |array| value(array, row));
        let compare = |a: &u32, b: &u32| {
            let (a, b) = (*a as usize, *b as usize);
            let key = |row: usize| {
                (
                    rank(&cohort.group, row),
                    cohort.date.is_valid(row),
                    cohort.date.value(row),
                )
            };
            key(a)
                .cmp(&key(b))
                .then_with(|| number(&cohort.days_supply, a).total_cmp(&number(&cohort.days_supply, b)))
                .then_with(|| number(&cohort.daily_dose, a).total_cmp(&number(&cohort.daily_dose, b)))
                .then_with(|| rank(&cohort.class, a).cmp(&rank(&cohort.class, b)))
                .then_with(|| rank(&cohort.ingredient, a).cmp(&rank(&cohort.ingredient, b)))
        };
        if !self.order.is_sorted_by(|a, b| compare(a, b).is_le()) {
            self.order.sort_by(compare);
        }
    }

    fn columns(&mut self, cohort: &Cohort) {
        let codes =
            |column: &Option<Arc<Codes>>, row: u32| column.as_ref().map_or(NONE, |codes| codes.code(row as usize));
        let numbers = |array: &Option<Float64Array>, row: u32| {
            array.as_ref().map_or(f64::NAN, |array| value(array, row as usize))
        };
        refill(
            &mut self.day,
            self.order.iter().map(|&row| day(&cohort.date, row as usize)),
        );
        refill(
            &mut self.days_supply,
            self.order.iter().map(|&row| numbers(&cohort.days_supply, row)),
        );
        refill(
            &mut self.daily_dose,
            self.order.iter().map(|&row| numbers(&cohort.daily_dose, row)),
        );
        refill(&mut self.class, self.order.iter().map(|&row| codes(&cohort.class, row)));
        refill(
            &mut self.ingredient,
            self.order.iter().map(|&row| codes(&cohort.ingredient, row)),
        );
        refill(&mut self.group, self.order.iter().map(|&row| codes(&cohort.group, row)));
    }

    fn divide(&mut self, nobody: bool) {
        self.groups.clear();
        self.faults.clear();
        let mut start = 0;
        for part in self.group.chunk_by(|a, b| a == b) {
            let range = start..start + part.len();
            start = range.end;
            let fault = range.clone().find_map(|at| fault(self.day[at], self.days_supply[at]));
            self.faults.push(if nobody { Some("patient_unknown") } else { fault });
            self.groups.push(range);
        }
    }

    fn patient<'a>(&'a self, cohort: &'a Cohort<'a>, rows: Range<usize>) -> Patient<'a> {
        let known = |days: &mut dyn Iterator<Item = i32>| days.filter(|day| DAYS.contains(day)).min();
        let first_day = known(&mut self.day.iter().copied())
            .or_else(|| known(&mut rows.clone().map(|row| day(&cohort.date, row))))
            .unwrap_or(0);
        Patient {
            cohort,
            rows,
            first_day,
            supplies: self,
        }
    }

    fn group(&self, range: Range<usize>) -> Group<'_> {
        let index = self
            .groups
            .binary_search_by_key(&range.start, |each| each.start)
            .unwrap_or(0);
        Group {
            row: self.order[range.start],
            fault: self.faults[index],
            rows: &self.order[range.clone()],
            day: &self.day[range.clone()],
            days_supply: &self.days_supply[range.clone()],
            daily_dose: &self.daily_dose[range.clone()],
            class: &self.class[range.clone()],
            ingredient: &self.ingredient[range],
        }
    }
}

/// Why a supply cannot be measured, if so.
pub(crate) fn fault(day: i32, days_supply: f64) -> Option<&'static str> {
    if day == i32::MIN {
        Some("date_unknown")
    } else if !DAYS.contains(&day) {
        Some("date_invalid")
    } else if days_supply.is_nan() {
        Some("days_supply_unknown")
    } else if days_supply <= 0.0 || days_supply > MOST_DAYS {
        Some("days_supply_invalid")
    } else {
        None
    }
}

fn day(dates: &Date32Array, row: usize) -> i32 {
    if dates.is_null(row) { i32::MIN } else { dates.value(row) }
}

fn value(array: &Float64Array, row: usize) -> f64 {
    if array.is_null(row) { f64::NAN } else { array.value(row) }
}

fn refill<T>(column: &mut Vec<T>, values: impl Iterator<Item = T>) {
    column.clear();
    column.extend(values);
}

impl Codes {
    fn read(batch: &RecordBatch, name: &str) -> Result<Option<Arc<Self>>> {
        let Some(array) = column(batch, name)? else {
            return Ok(None);
        };
        if !is_text(array.data_type()) {
            return Err(wrong_type(name, "text"));
        }
        let (keys, texts) = match array.data_type() {
            DataType::Utf8 => numbered(array.as_string::<i32>().iter()),
            DataType::LargeUtf8 => numbered(array.as_string::<i64>().iter()),
            DataType::Utf8View => numbered(array.as_string_view().iter()),
            _ => {
                let plain = cast(array, &DataType::Utf8).map_err(|_| wrong_type(name, "text"))?;
                numbered(plain.as_string::<i32>().iter())
            }
        };
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_unstable_by(|&a, &b| texts[a].cmp(&texts[b]));
        let mut rank = vec![0; texts.len()];
        for (place, &code) in order.iter().enumerate() {
            rank[code] = place as i32;
        }
        Ok(Some(Arc::new(Self { keys, texts, rank })))
    }

    fn code(&self, row: usize) -> i32 {
        self.keys[row]
    }

    fn rank(&self, row: usize) -> i32 {
        match self.code(row) {
            NONE => NONE,
            code => self.rank[code as usize],
        }
    }

    fn text(&self, code: i32) -> Option<&str> {
        self.texts.get(usize::try_from(code).ok()?).map(String::as_str)
    }

    fn at(&self, row: usize) -> Option<&str> {
        self.text(self.code(row))
    }
}

/// Kinds in small letters without space around them: a `Supply` passed over would be a patient who is not there.
fn kinds(batch: &RecordBatch) -> Result<Option<Arc<Codes>>> {
    let mut kinds = Codes::read(batch, "kind")?;
    if let Some(codes) = kinds.as_mut().and_then(Arc::get_mut) {
        for text in &mut codes.texts {
            *text = text.trim().to_lowercase();
        }
    }
    Ok(kinds)
}

/// Whether two columns are one in memory: measuring apart by class gives it twice, and it is read once.
fn same(batch: &RecordBatch, one: &str, other: &str) -> bool {
    match (batch.column_by_name(one), batch.column_by_name(other)) {
        (Some(one), Some(other)) => one.to_data().ptr_eq(&other.to_data()),
        _ => false,
    }
}

/// Each text's number, by first appearance, and the texts. Few texts are found sooner by comparing than by hashing.
fn numbered<'t>(column: impl Iterator<Item = Option<&'t str>>) -> (Vec<i32>, Vec<String>) {
    let (mut texts, mut places) = (Vec::new(), HashMap::new());
    let keys = column
        .map(|text| {
            let Some(text) = text else { return NONE };
            let found = if texts.len() <= FEW {
                texts.iter().position(|&known| known == text).map(|place| place as i32)
            } else {
                places.get(text).copied()
            };
            found.unwrap_or_else(|| {
                let place = texts.len() as i32;
                texts.push(text);
                places.insert(text, place);
                place
            })
        })
        .collect();
    (keys, texts.into_iter().map(str::to_owned).collect())
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// A column by its name; one name twice is an error.
fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<Option<&'b ArrayRef>> {
    let schema = batch.schema_ref();
    let mut places = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| field.name() == name)
        .map(|(place, _)| place);
    let found = places.next();
    if places.next().is_some() {
        return Err(Error::new("column_twice", name, "two columns have this name"));
    }
    Ok(found.map(|place| batch.column(place)))
}

/// A column cast to `target`; text is no number and no date.
fn typed(batch: &RecordBatch, name: &str, target: &DataType, what: &str) -> Result<Option<ArrayRef>> {
    let Some(array) = column(batch, name)? else {
        return Ok(None);
    };
    let from = array.data_type();
    let fits = match target {
        DataType::Date32 => matches!(from, DataType::Date32 | DataType::Date64 | DataType::Null),
        _ => from.is_numeric() || *from == DataType::Null,
    };
    if !fits {
        return Err(wrong_type(name, what));
    }
    cast(array, target).map(Some).map_err(|_| wrong_type(name, what))
}

fn missing(name: &str) -> Error {
    Error::new("column_missing", name, "there is no such column")
}

fn wrong_type(name: &str, what: &str) -> Error {
    Error::new("column_type", name, format!("not {what}"))
}
