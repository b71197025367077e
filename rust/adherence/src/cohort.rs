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
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, Date32Array, Float64Array, PrimitiveArray, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What stands for "no class", "no group".
pub const NONE: i32 = -1;

/// No supply lasts longer: ten years.
pub const MOST_DAYS: f64 = 3_660.0;

/// Slots for texts that were met before: a power of two.
const SLOTS: usize = 64;

/// Patients that one task takes at a time.
const TASK: usize = 2_048;

pub struct Cohort<'a> {
    batch: &'a RecordBatch,
    patient: &'a ArrayRef,
    patients: Vec<Range<usize>>,
    rows: Vec<u32>,
    /// `i32::MIN` where unknown.
    date: Date32Array,
    end: Option<Date32Array>,
    /// NaN where unknown, as is `daily_dose`.
    days_supply: Option<Float64Array>,
    daily_dose: Option<Float64Array>,
    kind: Option<Arc<Codes>>,
    /// Of each code of `kind`, whether such rows are supplies.
    is_supply: Vec<bool>,
    class: Option<Arc<Codes>>,
    ingredient: Option<Arc<Codes>>,
    group: Option<Arc<Codes>>,
    /// What a column that is not there holds, as long as the patient with most rows.
    no_codes: Vec<i32>,
    no_numbers: Vec<f64>,
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
                .map(|array| filled(array.as_primitive::<Float64Type>(), f64::NAN)))
        };
        let kind = kinds(batch)?;
        let longest = patients.iter().map(Range::len).max().unwrap_or(0);
        let class = Codes::read(batch, "class")?;
        let group = match &class {
            Some(codes) if same(batch, "class", "group") => Some(Arc::clone(codes)),
            _ => Codes::read(batch, "group")?,
        };
        Ok(Self {
            batch,
            patient,
            patients,
            rows: (0..batch.num_rows() as u32).collect(),
            date: filled(date.as_primitive::<Date32Type>(), i32::MIN),
            end: typed(batch, "end", &DataType::Date32, "a date")?
                .map(|array| array.as_primitive::<Date32Type>().clone()),
            days_supply: number("days_supply")?,
            daily_dose: number("daily_dose")?,
            is_supply: kind.as_ref().map_or_else(Vec::new, |codes| {
                codes.texts.iter().map(|kind| is_supply(kind)).collect()
            }),
            kind,
            class,
            ingredient: Codes::read(batch, "ingredient")?,
            group,
            no_codes: vec![NONE; longest],
            no_numbers: vec![f64::NAN; longest],
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
        self.date.value(row as usize)
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
            .map_or(f64::NAN, |doses| doses.value(row as usize))
    }

    fn is_supply(&self, row: usize) -> bool {
        let kind = self.kind.as_ref().map_or(NONE, |codes| codes.code(row));
        kind == NONE || self.is_supply[kind as usize]
    }

    /// Where a supply stands among a patient's: by group, then day.
    fn place(&self, row: usize) -> u64 {
        let unsigned = |number: i32| u64::from(number as u32 ^ 1 << 31);
        unsigned(rank(&self.group, row)) << 32 | unsigned(self.date.value(row))
    }

    /// Which of two supplies of one place comes first.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        let numbers = |numbers: &Option<Float64Array>| {
            numbers
                .as_ref()
                .map_or(Ordering::Equal, |array| array.value(a).total_cmp(&array.value(b)))
        };
        let ranks = |codes: &Option<Arc<Codes>>| rank(codes, a).cmp(&rank(codes, b));
        numbers(&self.days_supply)
            .then_with(|| numbers(&self.daily_dose))
            .then_with(|| ranks(&self.class))
            .then_with(|| ranks(&self.ingredient))
    }

    /// Whether rows are all supplies, and stand in their order.
    fn is_in_order(&self, rows: Range<usize>) -> bool {
        let days = &self.date.values()[rows.clone()];
        let by_place = match self.group {
            None => days.windows(2).all(|pair| pair[0] < pair[1]),
            Some(_) => rows.clone().skip(1).all(|row| self.place(row - 1) < self.place(row)),
        };
        by_place && (self.kind.is_none() || rows.clone().all(|row| self.is_supply(row)))
    }

    /// Supplies of rows that stand in their order.
    fn supplies<'s>(&'s self, rows: Range<usize>) -> Group<'s> {
        let numbers = |array: &'s Option<Float64Array>| match array {
            Some(array) => &array.values()[rows.clone()],
            None => &self.no_numbers[..rows.len()],
        };
        let codes = |codes: &'s Option<Arc<Codes>>| match codes {
            Some(codes) => &codes.keys[rows.clone()],
            None => &self.no_codes[..rows.len()],
        };
        Group {
            row: rows.start as u32,
            fault: None,
            rows: &self.rows[rows.clone()],
            day: &self.date.values()[rows.clone()],
            days_supply: numbers(&self.days_supply),
            daily_dose: numbers(&self.daily_dose),
            class: codes(&self.class),
            ingredient: codes(&self.ingredient),
        }
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
    /// All supplies, by group.
    supplies: Group<'a>,
    parts: &'a [Part],
    others: &'a [u32],
}

/// The supplies of a group among a patient's, and why they cannot be measured, if so.
struct Part {
    range: Range<usize>,
    fault: Option<&'static str>,
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
        let is_all = self.day.first().is_none_or(|&day| day >= first) && self.day.last().is_none_or(|&day| day <= last);
        if is_all {
            return *self;
        }
        let end = self.day.partition_point(|&day| day <= last);
        let start = self.day[..end].partition_point(|&day| day < first);
        self.part(start..end)
    }

    fn part(&self, range: Range<usize>) -> Self {
        Self {
            rows: &self.rows[range.clone()],
            day: &self.day[range.clone()],
            days_supply: &self.days_supply[range.clone()],
            daily_dose: &self.daily_dose[range.clone()],
            class: &self.class[range.clone()],
            ingredient: &self.ingredient[range],
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
        let all = self.supplies;
        self.parts.iter().map(move |part| Group {
            row: all.rows[part.range.start],
            fault: part.fault,
            ..all.part(part.range.clone())
        })
    }

    /// Why nothing can be said of this patient, if so: rows of nobody are not one person's.
    pub fn fault(&self) -> Option<&'static str> {
        self.cohort
            .patient
            .is_null(self.rows.start)
            .then_some("patient_unknown")
    }

    /// The rows of this patient's supplies, by group, day, and all else that they hold.
    pub fn supplies(&self) -> &'a [u32] {
        self.supplies.rows
    }

    /// The rows of a kind other than `supply`, in the order of the batch.
    pub fn rows(&self, kind: &str) -> Vec<u32> {
        let is_kind = |row: &u32| self.cohort.kind.as_ref().and_then(|codes| codes.at(*row as usize)) == Some(kind);
        self.others.iter().copied().filter(is_kind).collect()
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

/// The patient at hand, where rows do not stand in order; reused from one to the next.
#[derive(Default)]
struct Scratch {
    parts: Vec<Part>,
    order: Vec<(u64, u32)>,
    others: Vec<u32>,
    rows: Vec<u32>,
    day: Vec<i32>,
    days_supply: Vec<f64>,
    daily_dose: Vec<f64>,
    class: Vec<i32>,
    ingredient: Vec<i32>,
}

impl Scratch {
    fn patient<'s>(&'s mut self, cohort: &'s Cohort<'s>, rows: Range<usize>) -> Patient<'s> {
        self.others.clear();
        let in_order = cohort.is_in_order(rows.clone());
        if !in_order {
            self.sort(cohort, rows.clone());
            self.fill(cohort.supplies(rows.clone()), rows.start);
        }
        let supplies = if in_order {
            cohort.supplies(rows.clone())
        } else {
            Group {
                row: rows.start as u32,
                fault: None,
                rows: &self.rows,
                day: &self.day,
                days_supply: &self.days_supply,
                daily_dose: &self.daily_dose,
                class: &self.class,
                ingredient: &self.ingredient,
            }
        };
        divide(&mut self.parts, cohort, supplies, cohort.patient.is_null(rows.start));
        let first_day = first_day(supplies.day)
            .or_else(|| first_day(&cohort.date.values()[rows.clone()]))
            .unwrap_or(0);
        Patient {
            cohort,
            rows,
            first_day,
            supplies,
            parts: &self.parts,
            others: &self.others,
        }
    }

    /// The rows of supplies in order, and the others.
    fn sort(&mut self, cohort: &Cohort, rows: Range<usize>) {
        self.order.clear();
        for row in rows {
            if cohort.is_supply(row) {
                self.order.push((cohort.place(row), row as u32));
            } else {
                self.others.push(row as u32);
            }
        }
        self.order.sort_unstable();
        for same in self.order.chunk_by_mut(|a, b| a.0 == b.0) {
            same.sort_by(|a, b| cohort.compare(a.1 as usize, b.1 as usize));
        }
        refill(&mut self.rows, self.order.iter().map(|&(_, row)| row));
    }

    /// Columns of the rows in order, out of those of all the patient's rows, the first of which is `start`.
    fn fill(&mut self, all: Group, start: usize) {
        let places = || self.rows.iter().map(|&row| row as usize - start);
        refill(&mut self.day, places().map(|place| all.day[place]));
        refill(&mut self.days_supply, places().map(|place| all.days_supply[place]));
        refill(&mut self.daily_dose, places().map(|place| all.daily_dose[place]));
        refill(&mut self.class, places().map(|place| all.class[place]));
        refill(&mut self.ingredient, places().map(|place| all.ingredient[place]));
    }
}

/// Divide supplies in order by their group.
fn divide(parts: &mut Vec<Part>, cohort: &Cohort, supplies: Group, nobody: bool) {
    parts.clear();
    let group = |row: &u32| cohort.group.as_ref().map_or(NONE, |codes| codes.code(*row as usize));
    let mut start = 0;
    for part in supplies
        .rows
        .chunk_by(|a, b| cohort.group.is_none() || group(a) == group(b))
    {
        let range = start..start + part.len();
        start = range.end;
        let fault = if nobody {
            Some("patient_unknown")
        } else {
            let mut each = supplies.day[range.clone()]
                .iter()
                .zip(&supplies.days_supply[range.clone()]);
            each.find_map(|(&day, &days_supply)| fault(day, days_supply))
        };
        parts.push(Part { range, fault });
    }
}

/// The first of those days that can be.
fn first_day(days: &[i32]) -> Option<i32> {
    days.iter().copied().filter(|day| DAYS.contains(day)).min()
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

/// The place of a row's text in the order of texts, `NONE` where there is none.
fn rank(codes: &Option<Arc<Codes>>, row: usize) -> i32 {
    codes.as_ref().map_or(NONE, |codes| codes.rank(row))
}

/// The array with `unknown` where it is null.
fn filled<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, unknown: T::Native) -> PrimitiveArray<T> {
    if array.null_count() == 0 {
        return array.clone();
    }
    PrimitiveArray::from_iter_values(array.iter().map(|value| value.unwrap_or(unknown)))
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
    // A watch takes supplies back as it is told; here they would count.
    if kinds
        .iter()
        .any(|codes| codes.texts.iter().any(|kind| kind == "reversal"))
    {
        let detail = "leave reversals out, with the supplies that they take back";
        return Err(Error::new("reversals_unsettled", "kind", detail));
    }
    Ok(kinds)
}

/// Whether rows of a kind are supplies.
fn is_supply(kind: &str) -> bool {
    kind.is_empty() || kind == "supply"
}

/// Whether two columns are one in memory: measuring apart by class gives it twice, and it is read once.
fn same(batch: &RecordBatch, one: &str, other: &str) -> bool {
    match (batch.column_by_name(one), batch.column_by_name(other)) {
        (Some(one), Some(other)) => one.to_data().ptr_eq(&other.to_data()),
        _ => false,
    }
}

/// Each text's number, by first appearance, and the texts. Few texts come again and again: most are found by a glance.
fn numbered<'t>(column: impl Iterator<Item = Option<&'t str>>) -> (Vec<i32>, Vec<String>) {
    let (mut texts, mut places) = (Vec::new(), HashMap::new());
    let mut recent = [("", NONE); SLOTS];
    let keys = column
        .map(|text| {
            let Some(text) = text else { return NONE };
            let recent = &mut recent[slot(text)];
            if recent.1 == NONE || recent.0 != text {
                let place = *places.entry(text).or_insert_with(|| {
                    texts.push(text);
                    texts.len() as i32 - 1
                });
                *recent = (text, place);
            }
            recent.1
        })
        .collect();
    (keys, texts.into_iter().map(str::to_owned).collect())
}

/// Where to look for a text first: by its length and its last eight bytes.
fn slot(text: &str) -> usize {
    let tail = match text.as_bytes().last_chunk() {
        Some(tail) => u64::from_le_bytes(*tail),
        None => text.bytes().fold(0, |word, byte| word << 8 | u64::from(byte)),
    };
    let mixed = (tail ^ text.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15); // 2^64 / the golden ratio
    (mixed >> 32) as usize % SLOTS
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
