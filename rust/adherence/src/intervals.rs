//! Event intervals and gap days: for how many days of the time until the next supply a supply lasts.
//!
//! For supplies i = 1…n of one group, in order of their days tᵢ, with dᵢ days of supply and a window that ends on day e:
//!
//! ```text
//! intervalᵢ = min(tᵢ₊₁, e) - tᵢ                        (the last: e - tₙ)
//! gapᵢ      = max(0, intervalᵢ - dᵢ - carriedᵢ)        the gap is the end of the interval
//! carriedᵢ₊₁ = max(0, dᵢ + carriedᵢ - intervalᵢ) · r   r: 1, or as `Rules` say
//! ```
//!
//! A supply on the very day on which the window ends still counts as in it: it closes the interval before, and its own
//! has no days. Supplies of one day follow each other in the order that `cohort::Group` sorts them in, the shortest first;
//! those before the last have intervals of no days and are carried over whole.
//!
//! Dima & Dediu 2017, PLoS ONE 12(4):e0174426, "Event intervals and gap days".

use crate::cohort::{Cohort, Group, NONE};
use crate::error::{Error, Result};
use crate::window::Days;

/// What happens to days that are left when a supply is carried over to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Nothing is carried over to a supply of another class.
    pub same_medication: bool,
    /// Days carried over are days at the next supply's dose: r = dose now / dose next.
    pub dosage_change: bool,
}

/// Which supplies carry over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carry {
    /// From one supply to the next.
    pub within: bool,
    /// Those before the window are walked too, so that what they leave is carried into it.
    pub into: bool,
    pub rules: Rules,
}

/// The time from one supply to the next, or to the window's end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Which of the group's supplies.
    pub at: usize,
    pub day: i32,
    /// Days until the next supply, or the window's end.
    pub length: i32,
    pub days_supply: f64,
    /// Days left of supplies before.
    pub carried: f64,
    /// Days at the end of the interval without supply.
    pub gap: f64,
}

impl Interval {
    pub fn end(&self) -> i32 {
        self.day + self.length
    }

    /// Days of the gap from `start` on.
    pub fn gap_from(&self, start: f64) -> f64 {
        self.gap.min((f64::from(self.end()) - start).max(0.0))
    }
}

impl Rules {
    /// # Errors
    /// `column_missing`: a rule needs `class` or `daily_dose`.
    pub fn need(self, cohort: &Cohort) -> Result<()> {
        let needs = [(self.same_medication, "class"), (self.dosage_change, "daily_dose")];
        let lacks = |name| cohort.batch().column_by_name(name).is_none();
        match needs.into_iter().find(|&(needed, name)| needed && lacks(name)) {
            Some((_, name)) => Err(Error::new("column_missing", name, "a rule of carry-over needs it")),
            None => Ok(()),
        }
    }

    /// Why these rules cannot be applied to a group: `class_unknown`, `daily_dose_unknown`, `daily_dose_invalid`.
    pub fn fault(self, group: &Group) -> Option<&'static str> {
        if self.same_medication && group.class.contains(&NONE) {
            return Some("class_unknown");
        }
        if self.dosage_change && group.daily_dose.iter().any(|dose| dose.is_nan()) {
            return Some("daily_dose_unknown");
        }
        let invalid = |dose: &f64| *dose <= 0.0 || dose.is_infinite();
        (self.dosage_change && group.daily_dose.iter().any(invalid)).then_some("daily_dose_invalid")
    }

    /// Days that supply `at` leaves to the next, of `left` days.
    fn carry(self, group: &Group, at: usize, left: f64) -> f64 {
        if left <= 0.0 || at + 1 >= group.day.len() || self.same_medication && group.class[at] != group.class[at + 1] {
            return 0.0;
        }
        if self.dosage_change {
            left * group.daily_dose[at] / group.daily_dose[at + 1]
        } else {
            left
        }
    }
}

/// The intervals of the supplies of `group` that begin in `window` or on the day it ends; with `carry.into` of those
/// before it too. `group` holds the supplies that count: those of the follow-up window (`Group::between`), none faulty.
pub fn intervals<'a>(group: Group<'a>, window: Days, carry: Carry) -> impl Iterator<Item = Interval> + 'a {
    let first = if carry.into {
        0
    } else {
        group.day.partition_point(|&day| day < window.start)
    };
    intervals_from(group, window, carry, first, 0.0)
}

/// Those from supply `first` on, to which `carried` days are carried over.
pub fn intervals_from<'a>(
    group: Group<'a>,
    window: Days,
    carry: Carry,
    first: usize,
    mut carried: f64,
) -> impl Iterator<Item = Interval> + 'a {
    let end = group.day.partition_point(|&day| day <= window.end);
    (first..end).map(move |at| {
        let (day, days_supply) = (group.day[at], group.days_supply[at]);
        let next = group.day.get(at + 1).map_or(window.end, |&next| next.min(window.end));
        let left = days_supply + carried - f64::from(next - day);
        let interval = Interval {
            at,
            day,
            length: next - day,
            days_supply,
            carried,
            gap: if left < 0.0 { -left } else { 0.0 },
        };
        carried = if carry.within {
            carry.rules.carry(&group, at, left)
        } else {
            0.0
        };
        interval
    })
}

/// Days carried over to each supply of `group`; where a window ends makes no difference to them.
pub fn carried(group: Group, carry: Carry) -> Vec<f64> {
    let last = group.day.last().copied().unwrap_or(0);
    let all = Days { start: last, end: last };
    intervals_from(group, all, carry, 0, 0.0)
        .map(|each| each.carried)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Supplies {
        day: Vec<i32>,
        days_supply: Vec<f64>,
        daily_dose: Vec<f64>,
        class: Vec<i32>,
        rows: Vec<u32>,
    }

    impl Supplies {
        /// Day, days of supply, dose, class.
        fn of(supplies: &[(i32, f64, f64, i32)]) -> Self {
            Self {
                day: supplies.iter().map(|each| each.0).collect(),
                days_supply: supplies.iter().map(|each| each.1).collect(),
                daily_dose: supplies.iter().map(|each| each.2).collect(),
                class: supplies.iter().map(|each| each.3).collect(),
                rows: (0..supplies.len() as u32).collect(),
            }
        }

        fn group(&self) -> Group<'_> {
            Group {
                row: 0,
                fault: None,
                rows: &self.rows,
                day: &self.day,
                days_supply: &self.days_supply,
                daily_dose: &self.daily_dose,
                class: &self.class,
                ingredient: &self.class,
            }
        }
    }

    fn carry(into: bool, same_medication: bool, dosage_change: bool) -> Carry {
        Carry {
            within: true,
            into,
            rules: Rules {
                same_medication,
                dosage_change,
            },
        }
    }

    const WINDOW: Days = Days { start: 100, end: 200 };

    fn carried_and_gaps(supplies: &Supplies, carry: Carry) -> Vec<(f64, f64)> {
        intervals(supplies.group(), WINDOW, carry)
            .map(|each| (each.carried, each.gap))
            .collect()
    }

    #[test]
    fn days_left_are_carried_into_the_window_and_on() {
        let supplies = Supplies::of(&[(80, 30.0, 1.0, 0), (100, 30.0, 1.0, 0), (150, 30.0, 1.0, 0)]);
        assert_eq!(
            carried_and_gaps(&supplies, carry(true, false, false)),
            [(0.0, 0.0), (10.0, 10.0), (0.0, 20.0)]
        );
        assert_eq!(
            carried_and_gaps(&supplies, carry(false, false, false)),
            [(0.0, 20.0), (0.0, 20.0)]
        );
        let none = Carry {
            into: true,
            ..Carry::default()
        };
        assert_eq!(
            carried_and_gaps(&supplies, none),
            [(0.0, 0.0), (0.0, 20.0), (0.0, 20.0)]
        );
    }

    #[test]
    fn another_class_gets_nothing() {
        let supplies = Supplies::of(&[(100, 30.0, 1.0, 0), (120, 30.0, 1.0, 1), (140, 30.0, 1.0, 1)]);
        assert_eq!(
            carried_and_gaps(&supplies, carry(true, true, false)),
            [(0.0, 0.0), (0.0, 0.0), (10.0, 20.0)]
        );
    }

    #[test]
    fn a_doubled_dose_halves_the_days_left() {
        let supplies = Supplies::of(&[(100, 30.0, 1.0, 0), (120, 30.0, 2.0, 0)]);
        assert_eq!(
            carried_and_gaps(&supplies, carry(true, false, true)),
            [(0.0, 0.0), (5.0, 45.0)]
        );
    }

    #[test]
    fn a_supply_on_the_end_closes_the_window_and_one_after_does_not_count() {
        let supplies = Supplies::of(&[(150, 30.0, 1.0, 0), (200, 30.0, 1.0, 0), (201, 30.0, 1.0, 0)]);
        let lengths: Vec<_> = intervals(supplies.group(), WINDOW, Carry::default())
            .map(|each| (each.at, each.length, each.gap))
            .collect();
        assert_eq!(lengths, [(0, 50, 20.0), (1, 0, 0.0)]);
    }

    #[test]
    fn rules_that_need_what_is_unknown_have_a_fault() {
        let rules = carry(true, true, true).rules;
        let fault = |dose, class| rules.fault(&Supplies::of(&[(100, 30.0, dose, class)]).group());
        assert_eq!(fault(1.0, NONE), Some("class_unknown"));
        assert_eq!(fault(f64::NAN, 0), Some("daily_dose_unknown"));
        assert_eq!(fault(0.0, 0), Some("daily_dose_invalid"));
        assert_eq!(fault(1.0, 0), None);
    }

    #[test]
    fn the_part_of_a_gap_from_a_day_on() {
        let supplies = Supplies::of(&[(80, 30.0, 1.0, 0)]);
        let only = intervals(supplies.group(), WINDOW, carry(true, false, false))
            .next()
            .unwrap();
        assert_eq!(
            (only.gap_from(100.0), only.gap_from(150.5), only.gap_from(201.0)),
            (90.0, 49.5, 0.0)
        );
    }
}
