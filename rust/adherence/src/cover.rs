//! Days covered by supplies: whole days, overlapping supplies of one ingredient shifted forward, days of several
//! ingredients counted once.
//!
//! A supply of `n` days covers `floor(n)` days, at least the day of its fill. A supply that begins before the last of the
//! same pool ends begins on that end instead, and pushes on the next (Choudhry et al. 2009, Pharmacoepidemiology and Drug
//! Safety 18:457; Nau 2012, Proportion of Days Covered as a Preferred Method of Measuring Medication Adherence, PQA).
//! Days of a stay use no supply: what is on hand is used after it.

use crate::cohort::{Cohort, Group, NONE, Period};
use crate::window::Days;
use rustc_hash::FxHashMap;
use serde::Deserialize;

/// Which supplies wait for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Those of one ingredient; those of unknown ingredient are one. A combination waits in each of its ingredients.
    #[default]
    Ingredient,
    /// Those of one medication class.
    Class,
    /// None: what overlaps is lost.
    None,
}

/// A supply in the pool whose supplies wait for each other.
#[derive(Clone, Copy, Debug)]
pub struct Supply {
    pub pool: i32,
    pub day: i32,
    pub days: i32,
}

/// The ingredients of each code of the column `ingredient`, where `a|b` is a combination of two.
pub struct Ingredients(Vec<Vec<i32>>);

impl Ingredients {
    pub fn of(cohort: &Cohort) -> Self {
        let mut known: FxHashMap<&str, i32> = FxHashMap::default();
        let texts = (0..).map_while(|code| cohort.ingredient_text(code));
        let parts = texts.map(|text| {
            let names = text.split('|').map(str::trim).filter(|name| !name.is_empty());
            let mut parts: Vec<i32> = names
                .map(|name| {
                    let next = known.len() as i32;
                    *known.entry(name).or_insert(next)
                })
                .collect();
            parts.sort_unstable();
            parts.dedup();
            parts
        });
        Self(parts.collect())
    }

    /// No ingredient where it is unknown or names nothing.
    fn of_code(&self, code: i32) -> &[i32] {
        match usize::try_from(code).ok().and_then(|code| self.0.get(code)) {
            Some(parts) if !parts.is_empty() => parts,
            _ => &[NONE],
        }
    }
}

/// The supplies of `group` that count, by their place and day, in the order of days.
pub fn supplies(
    group: &Group,
    shift: Shift,
    ingredients: &Ingredients,
    counts: impl Fn(usize, i32) -> bool,
) -> Vec<Supply> {
    let mut found = Vec::with_capacity(group.day.len());
    for (at, &day) in group.day.iter().enumerate().filter(|&(at, &day)| counts(at, day)) {
        let days = whole_days(group.days_supply[at]);
        match shift {
            Shift::Ingredient => {
                let parts = ingredients.of_code(group.ingredient[at]).iter();
                found.extend(parts.map(|&pool| Supply { pool, day, days }));
            }
            Shift::Class => found.push(Supply {
                pool: group.class[at],
                day,
                days,
            }),
            Shift::None => found.push(Supply {
                pool: at as i32,
                day,
                days,
            }),
        }
    }
    found
}

fn whole_days(days_supply: f64) -> i32 {
    (days_supply.floor() as i32).max(1)
}

/// The days that `supplies` (each pool's by day) cover, as spans in order that neither touch nor overlap.
/// `stays` are such spans too.
pub fn cover(mut supplies: Vec<Supply>, stays: &[Days]) -> Vec<Days> {
    supplies.sort_by_key(|supply| supply.pool);
    let mut spans = Vec::with_capacity(supplies.len());
    for pool in supplies.chunk_by(|a, b| a.pool == b.pool) {
        let (mut free, mut ahead) = (i32::MIN, stays);
        for supply in pool {
            free = take(supply.day.max(free), supply.days, &mut ahead, &mut spans);
        }
    }
    merged(spans)
}

/// Use up `days` from `day` on, none during a stay. Returns the first day after the last used; `stays` keeps those that
/// end later.
fn take(mut day: i32, mut days: i32, stays: &mut &[Days], spans: &mut Vec<Days>) -> i32 {
    while days > 0 && day < i32::MAX {
        let next = stays.first().copied().unwrap_or(NEVER);
        if next.end <= day {
            *stays = &stays[1..];
        } else if next.contains(day) {
            day = next.end;
        } else {
            let used = days.min(next.start.saturating_sub(day));
            let end = day.saturating_add(used);
            spans.push(Days { start: day, end });
            (day, days) = (end, days - used);
        }
    }
    day
}

const NEVER: Days = Days {
    start: i32::MAX,
    end: i32::MAX,
};

/// Spans by their start, those that touch or overlap joined, empty ones dropped.
pub fn merged(mut spans: Vec<Days>) -> Vec<Days> {
    spans.retain(|span| span.start < span.end);
    if !spans.is_sorted_by_key(|span| span.start) {
        spans.sort_unstable_by_key(|span| span.start);
    }
    spans.dedup_by(|next, last| {
        let is_joined = next.start <= last.end;
        if is_joined {
            last.end = last.end.max(next.end);
        }
        is_joined
    });
    spans
}

/// Periods as spans in order that neither touch nor overlap.
pub fn spans(periods: impl IntoIterator<Item = Period>) -> Vec<Days> {
    merged(
        periods
            .into_iter()
            .map(|each| Days {
                start: each.start,
                end: each.end,
            })
            .collect(),
    )
}

/// How many days of `period` lie in `spans`, which do not overlap.
pub fn days_within(spans: &[Days], period: Days) -> i32 {
    spans.iter().map(|span| clipped(*span, period).length()).sum()
}

/// The part of `span` within `period`; its length is 0 where there is none.
pub fn clipped(span: Days, period: Days) -> Days {
    Days {
        start: span.start.max(period.start),
        end: span.end.min(period.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(start: i32, end: i32) -> Days {
        Days { start, end }
    }

    fn supply(pool: i32, day: i32, days: i32) -> Supply {
        Supply { pool, day, days }
    }

    #[test]
    fn one_pool_shifts_and_cascades() {
        let found = cover(vec![supply(0, 0, 30), supply(0, 20, 30), supply(0, 55, 30)], &[]);
        assert_eq!(found, [days(0, 90)]);
        assert_eq!(cover(vec![supply(0, 0, 30), supply(1, 20, 30)], &[]), [days(0, 50)]);
    }

    #[test]
    fn a_stay_uses_nothing() {
        let found = cover(vec![supply(0, 1, 8), supply(0, 12, 4)], &[days(5, 7)]);
        assert_eq!(found, [days(1, 5), days(7, 11), days(12, 16)]);
        assert_eq!(cover(vec![supply(0, 5, 2)], &[days(5, 7)]), [days(7, 9)]);
        assert_eq!(cover(vec![supply(0, 5, 2)], &[days(7, 9)]), [days(5, 7)]);
        assert_eq!(cover(vec![supply(0, 5, 3)], &[days(6, i32::MAX)]), [days(5, 6)]);
    }

    #[test]
    fn fractions_are_whole_days() {
        assert_eq!([0.4, 1.0, 29.9, 30.0].map(whole_days), [1, 1, 29, 30]);
    }

    #[test]
    fn no_supply_runs_past_the_last_day() {
        let many = (0..3).map(|at| supply(0, at, i32::MAX / 2 + 1)).collect();
        assert_eq!(cover(many, &[]), [days(0, i32::MAX)]);
    }
}
