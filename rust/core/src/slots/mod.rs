//! Slots: what must travel with an opened field, and how a verifier recounts it (formats 2, table A).

mod closure;
mod layout;
pub(crate) mod path;
mod recount;
pub mod rows;

pub use closure::{Opened, closure};
pub use recount::{Report, Shown, SlotReport, State, check};

use crate::error::Result;
use crate::field::{Field, Value};
use layout::Layout;
pub(crate) use layout::embedded_types;
use rows::Row;

/// Prefix of the names of slots fields.
pub const PREFIX: &str = "chartseal.slots.";
/// Prefix of the names of all control fields.
pub const CONTROL: &str = "chartseal.";

/// Fields of the resource, control fields left out.
pub(crate) fn resource_fields(fields: &[Field]) -> Vec<&Field> {
    fields.iter().filter(|field| !field.name.starts_with(CONTROL)).collect()
}

/// All slots fields of a record, outer containers before inner ones, in the order of its fields.
///
/// # Errors
/// Those of a field whose name is no path of the type.
pub fn compute(resource_type: &str, fields: &[Field]) -> Result<Vec<Field>> {
    let layout = Layout::new(resource_type, &resource_fields(fields))?;
    let written = layout.containers.iter().zip(layout.counts());
    Ok(written
        .map(|(container, counts)| {
            Field::new(
                format!("{PREFIX}{}", container.path),
                Value::String(write(container.row, &counts)),
            )
        })
        .collect())
}

/// The slots as the field writes them: `name=n` for those that travel, `name~n` for those that tell.
fn write(row: &Row, counts: &[u32]) -> String {
    let slots = row.slots.iter().zip(counts);
    let written: Vec<String> = slots
        .map(|(slot, count)| format!("{}{}{count}", slot.name, if slot.travel { '=' } else { '~' }))
        .collect();
    written.join(",")
}
