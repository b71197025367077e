//! Results as columns: each task fills its own, which are then joined.

use crate::cohort::Cohort;
use crate::error::{Error, Result};
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, RecordBatch, UInt32Array};
use arrow_schema::{Field, Schema};
use arrow_select::take::take;
use std::sync::Arc;

/// Columns that grow by rows.
pub trait Rows: Default + Send {
    /// The rows of `self`, then those of `next`.
    fn join(self, next: Self) -> Self;
}

/// Declare columns that grow: `rows! { pub struct Name { value: f64, reason: Option<&'static str> } }` makes a struct of
/// vectors, and joins them.
#[macro_export]
macro_rules! rows {
    ($(#[$meta:meta])* pub struct $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Default)]
        pub struct $name { $(pub $field: Vec<$type>),+ }

        impl $crate::output::Rows for $name {
            fn join(mut self, mut next: Self) -> Self {
                $(self.$field.append(&mut next.$field);)+
                self
            }
        }
    };
}

/// A batch: the keys of the cohort's rows `row`, then `columns`.
///
/// # Errors
/// `output_failed`: what cannot be, as columns of unlike lengths.
pub fn batch(cohort: &Cohort, row: Vec<u32>, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    keyed(cohort, &cohort.keys(), row, columns)
}

/// The same with key columns of one's own choice: `patient` alone where groups are taken together.
///
/// # Errors
/// As `batch`.
pub fn keyed(cohort: &Cohort, keys: &[&str], row: Vec<u32>, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let failed = |_| Error::new("output_failed", "", "the result is no batch");
    let rows = UInt32Array::from(row);
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for name in keys {
        let Some(array) = column_at(cohort, name, &rows)? else {
            continue;
        };
        fields.push(Field::new(*name, array.data_type().clone(), true));
        arrays.push(array);
    }
    for (name, array) in columns {
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed)
}

/// The batch's column `name` at some rows, if it has one.
///
/// # Errors
/// `output_failed`: rows that are not in the batch.
pub fn column_at(cohort: &Cohort, name: &str, rows: &UInt32Array) -> Result<Option<ArrayRef>> {
    let failed = |_| Error::new("output_failed", "", "no such rows");
    let column = cohort.batch().column_by_name(name);
    column
        .map(|column| take(column, rows, None).map_err(failed))
        .transpose()
}

/// Days as a column of dates.
pub fn dates(days: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Date32Array::from(days))
}

/// Whole numbers as a column.
pub fn counts(numbers: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(numbers))
}

/// Numbers as a column.
pub fn numbers(numbers: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from(numbers))
}

/// Yes or no as a column.
pub fn flags(flags: Vec<Option<bool>>) -> ArrayRef {
    Arc::new(BooleanArray::from(flags))
}

/// Reasons as a column of text, null where there is none.
pub fn texts(reasons: &[Option<&str>]) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(reasons.len(), 0);
    for reason in reasons {
        builder.append_option(*reason);
    }
    Arc::new(builder.finish())
}

/// Columns of the batch itself, by the rows that they are taken from (null where there is none), those of `names` that
/// it has; each under the second name.
///
/// # Errors
/// `output_failed`.
pub fn taken<'n>(cohort: &Cohort, names: &[(&str, &'n str)], rows: &[Option<u32>]) -> Result<Vec<(&'n str, ArrayRef)>> {
    let rows = UInt32Array::from(rows.to_vec());
    let mut found = Vec::new();
    for (name, as_name) in names {
        if let Some(array) = column_at(cohort, name, &rows)? {
            found.push((*as_name, array));
        }
    }
    Ok(found)
}
