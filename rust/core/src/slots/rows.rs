//! Table A as generated: for each container its slots, what kind they are and why.

use crate::schema;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../../../src/chartseal/record/slots.tsv");
const CONTAINED: &str = "contained resource";
/// A slot for the whole container.
pub const WHOLE: &str = "*";

/// One slot of a container.
pub struct Slot {
    /// Element name, a choice's base name, dotted where the row reaches deeper, or `*`.
    pub name: &'static str,
    /// Its fields travel with whatever is opened; else the slot only tells how many there are.
    pub travel: bool,
    /// Why, in plain words.
    pub reason: &'static str,
}

/// The slots of one kind of container, sorted by name.
pub struct Row {
    pub slots: Vec<Slot>,
    /// Bit i is set where slot i travels.
    pub travel: u64,
    by_name: HashMap<&'static str, usize>,
    deepest: usize,
}

impl Row {
    fn new(slots: BTreeMap<&'static str, (&'static str, &'static str)>) -> Self {
        let slots: Vec<Slot> = slots
            .into_iter()
            .map(|(name, (kind, reason))| Slot {
                name,
                travel: kind == "travel",
                reason,
            })
            .collect();
        assert!(slots.len() <= 64, "a row's slots fit one mask");
        let travel = slots
            .iter()
            .enumerate()
            .map(|(i, slot)| u64::from(slot.travel) << i)
            .sum();
        let by_name = slots.iter().enumerate().map(|(i, slot)| (slot.name, i)).collect();
        let deepest = slots.iter().map(|slot| slot.name.split('.').count()).max().unwrap_or(0);
        Self {
            slots,
            travel,
            by_name,
            deepest,
        }
    }

    /// Mask of the slot of that name, `depth` elements below the container; 0 where there is none.
    pub fn mask(&self, name: &str, depth: usize) -> u64 {
        if depth > self.deepest {
            0
        } else {
            self.by_name.get(name).map_or(0, |i| 1 << i)
        }
    }

    pub fn is_whole(&self) -> bool {
        self.by_name.contains_key(WHOLE)
    }
}

/// Rows by type or backbone path, and those of resources where contained.
struct Table {
    rows: HashMap<&'static str, Row>,
    contained: HashMap<&'static str, Row>,
}

static ROWS: LazyLock<Table> = LazyLock::new(|| {
    let mut sources: BTreeMap<&str, BTreeMap<&str, (&str, &str)>> = BTreeMap::new();
    for line in TABLE.lines().skip(1) {
        let mut columns = line.split('\t');
        let mut column = || columns.next().expect("the table has four columns");
        let (container, name) = (column(), column());
        sources.entry(container).or_default().insert(name, (column(), column()));
    }
    let besides = sources
        .remove(CONTAINED)
        .expect("the table has a row for contained resources");
    let resources = sources.iter().filter(|(name, _)| schema::resource(name).is_some());
    let contained = resources
        .map(|(name, slots)| {
            let mut slots = slots.clone();
            if !slots.contains_key(WHOLE) {
                slots.extend(besides.clone());
            }
            (*name, Row::new(slots))
        })
        .collect();
    let rows = sources
        .into_iter()
        .map(|(name, slots)| (name, Row::new(slots)))
        .collect();
    Table { rows, contained }
});

/// The row of a type or backbone element, where it is a container.
pub fn row(type_name: &str) -> Option<&'static Row> {
    ROWS.rows.get(type_name)
}

/// The row of a resource type where contained.
pub fn contained_row(type_name: &str) -> Option<&'static Row> {
    ROWS.contained.get(type_name)
}
