//! Stretches of unbroken supply of a patient's medications, and the intervals in which none of them begins or ends.

use crate::cohort::Group;
use crate::estimate::{Cma, Estimator, followed};
use crate::intervals::{Carry, Rules, intervals};
use crate::window::{Days, Windows};

/// What a stretch is worth.
#[derive(Clone, Copy)]
pub struct Value {
    pub cma: Cma,
    pub rules: Rules,
}

/// Supply without a gap: supplies of which each begins before what was there has run out.
#[derive(Clone, Copy)]
pub struct Stretch {
    start: f64,
    /// Where supply runs out, or the window ends; by CMA9 the gap that follows belongs to the stretch.
    end: f64,
    value: Option<f64>,
}

/// One group, its windows and its stretches in the observation window.
pub struct Medication<'a> {
    pub group: Group<'a>,
    pub windows: Windows,
    pub stretches: Vec<Stretch>,
}

/// Time in which no group's supply begins or runs out.
pub struct Interval {
    pub start: f64,
    pub end: f64,
    /// Of each medication: whether it counts, and its value.
    pub values: Vec<Option<Option<f64>>>,
}

/// Supplies of a stretch as they follow each other.
struct Run {
    start: i32,
    /// Of the last supply's interval, of which the last `gap` days are without supply.
    end: i32,
    gap: f64,
    supplied: f64,
}

impl<'a> Medication<'a> {
    pub fn new(group: Group<'a>, windows: Windows, worth: Value) -> Self {
        let estimator = Estimator::for_many(worth.cma, &group, windows.follow_up, worth.rules);
        let stretches = runs(&group, windows, worth)
            .into_iter()
            .filter_map(|run| run.stretch(&estimator, windows.observation, worth.cma))
            .collect();
        Self {
            group,
            windows,
            stretches,
        }
    }

    /// Whether it counts between two cuts, and with what value.
    fn value(&self, start: f64, end: f64) -> Option<Option<f64>> {
        let window = self.windows.observation;
        if self.stretches.is_empty() || start >= f64::from(window.end) || end <= f64::from(window.start) {
            return None;
        }
        let covering = self.stretches.partition_point(|each| each.end <= start);
        let covering = self.stretches.get(covering).filter(|each| each.start < end);
        Some(covering.map_or(Some(0.0), |stretch| stretch.value))
    }
}

fn runs(group: &Group, windows: Windows, worth: Value) -> Vec<Run> {
    let followed = followed(group, windows.follow_up);
    let carry = Carry {
        into: true,
        ..worth.cma.carry(worth.rules)
    };
    let (mut found, mut first, mut supplied) = (Vec::new(), None, 0.0);
    for each in intervals(followed, windows.follow_up, carry) {
        let start = *first.get_or_insert(each.day);
        supplied += each.days_supply;
        if each.gap > 0.0 || each.at + 1 == followed.day.len() {
            found.push(Run {
                start,
                end: each.end(),
                gap: each.gap,
                supplied,
            });
            (first, supplied) = (None, 0.0);
        }
    }
    found
}

impl Run {
    /// Its part in the observation window, if any is.
    fn stretch(&self, estimator: &Estimator, window: Days, cma: Cma) -> Option<Stretch> {
        let runs_out = f64::from(self.end) - self.gap;
        if runs_out <= f64::from(window.start) || self.start >= window.end {
            return None;
        }
        let start = self.start.max(window.start);
        let covered_until = runs_out.min(f64::from(window.end));
        let (end, value) = if cma == Cma::Cma9 {
            let length = f64::from(self.end - self.start);
            (covered_until + self.gap, Some((self.supplied / length).min(1.0)))
        } else {
            let observation = Days {
                start,
                end: covered_until.ceil() as i32,
            };
            (covered_until, estimator.of(observation).ok())
        };
        Some(Stretch {
            start: f64::from(start),
            end,
            value,
        })
    }
}

/// The intervals of medications that have a stretch, in order.
pub fn cut(medications: &[Medication]) -> Vec<Interval> {
    let stretches = medications.iter().flat_map(|each| &each.stretches);
    let mut cuts: Vec<f64> = stretches.flat_map(|each| [each.start, each.end]).collect();
    cuts.sort_unstable_by(f64::total_cmp);
    cuts.dedup();
    cuts.windows(2)
        .map(|cut| Interval {
            start: cut[0],
            end: cut[1],
            values: medications.iter().map(|each| each.value(cut[0], cut[1])).collect(),
        })
        .collect()
}
