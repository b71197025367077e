//! One supply as it is used up, day by day, and the rows that tell it.

use crate::cohort::MOST_DAYS;
use crate::medication::day_fault;
use crate::prescription::Episode;
use crate::rows;
use crate::timeline::{Act, Cause, Timeline};
use std::ops::ControlFlow;

/// Parts that one supply may be cut into.
const MOST_PARTS: i32 = 1_000;

/// A share of a day that is none: 0.3 / 0.1 days are 3 (a quotient of decimals is off by some 1e-16).
const ROUNDING: f64 = 1e-9;

rows! {
    /// Parts of supplies; those of one supply follow each other.
    pub struct Parts {
        row: u32,
        supply: Option<i32>,
        part: Option<i32>,
        start: Option<i32>,
        days: Option<f64>,
        dose: Option<f64>,
        dispensed: Option<i32>,
        quantity: Option<f64>,
        leftover: Option<f64>,
        begun: Option<&'static str>,
        ended: Option<&'static str>,
        waited_days: Option<i32>,
        special_days: Option<f64>,
        episode_start: Option<i32>,
        episode_end: Option<i32>,
        prescription: Option<u32>,
        reason: Option<&'static str>,
    }
}

/// How supplies are taken.
#[derive(Clone, Copy)]
pub struct Rules {
    /// A new dose counts from the day it is prescribed; otherwise from the next supply on.
    pub split: bool,
    /// The most days that supply waits.
    pub wait_days: Option<i32>,
}

#[derive(Clone, Copy)]
pub struct Supply {
    pub row: u32,
    pub day: i32,
    pub quantity: f64,
}

impl Supply {
    fn fault(self) -> Option<&'static str> {
        day_fault(self.day).or(match self.quantity {
            quantity if quantity.is_nan() => Some("quantity_unknown"),
            quantity if quantity > 0.0 && quantity.is_finite() => None,
            _ => Some("quantity_invalid"),
        })
    }
}

/// The part of a supply that is being taken.
struct Part {
    start: i32,
    days: f64,
    special_days: f64,
    dose: f64,
    quantity: f64,
    episode: usize,
}

/// One supply as it is used up, and the rows that tell it.
pub struct Use<'u> {
    rules: Rules,
    number: i32,
    supply: Supply,
    rows: &'u mut Parts,
    part: Option<Part>,
    /// Parts written so far.
    written: i32,
    left: f64,
    begun: &'static str,
    /// The day on which it could have been taken, had it not to wait.
    due: i32,
}

/// The day on which what happens may change, or (break) the first on which the next supply may be begun.
type Next = ControlFlow<i32, i32>;

impl<'u> Use<'u> {
    pub fn new(rules: Rules, number: i32, supply: Supply, rows: &'u mut Parts) -> Self {
        Self {
            rules,
            number,
            supply,
            rows,
            part: None,
            written: 0,
            left: supply.quantity,
            begun: "dispensed",
            due: supply.day,
        }
    }

    /// Write the parts of this supply, taken from `day` on; the first day on which the next supply may be begun.
    pub fn take(&mut self, timeline: &Timeline, mut day: i32) -> i32 {
        if let Some(fault) = self.supply.fault() {
            self.refuse(Some(day), fault);
            return i32::MIN;
        }
        self.due = day;
        loop {
            match self.step(timeline, day) {
                ControlFlow::Continue(next) => day = next,
                ControlFlow::Break(free) => return free,
            }
        }
    }

    fn step(&mut self, timeline: &Timeline, day: i32) -> Next {
        if let Some(beyond) = day_fault(day) {
            self.write(timeline, "unknown", day);
            self.refuse(None, beyond);
            return ControlFlow::Break(day);
        }
        let (act, until) = timeline.at(day);
        match act {
            Act::Take { episode, affected } => self.consume(timeline, episode, affected, (day, until))?,
            Act::Wait(cause) => self.wait(timeline, cause, (day, until))?,
            Act::Discard(cause) => return self.discard(timeline, cause, day),
            Act::Unknown(reason) => return self.stop(timeline, reason, day),
        };
        if self.written >= MOST_PARTS {
            self.refuse(Some(day), "too_many_parts");
            return ControlFlow::Break(day);
        }
        ControlFlow::Continue(until)
    }

    /// Take the dose of `episode` from one day until another, or until nothing is left.
    fn consume(&mut self, timeline: &Timeline, episode: usize, affected: bool, (day, until): (i32, i32)) -> Next {
        let dose = self.dose(timeline, episode);
        if self.part.as_ref().is_some_and(|part| part.dose != dose) {
            self.write(timeline, "dose_change", day);
        }
        let lasts = whole(self.left / dose);
        if lasts > MOST_DAYS {
            return self.stop(timeline, "days_supply_invalid", day);
        }
        let taken = lasts.min(f64::from(until.saturating_sub(day)));
        let part = self.part.get_or_insert(Part {
            start: day,
            days: 0.0,
            special_days: 0.0,
            dose,
            quantity: self.left,
            episode,
        });
        part.days += taken;
        part.special_days += if affected { taken } else { 0.0 };
        if taken < lasts {
            self.left -= taken * dose;
            return ControlFlow::Continue(until);
        }
        self.left = 0.0;
        let end = day + lasts.ceil() as i32;
        self.write(timeline, "used_up", end);
        ControlFlow::Break(end)
    }

    /// Take nothing, for as long as supply waits.
    fn wait(&mut self, timeline: &Timeline, cause: Cause, (day, until): (i32, i32)) -> Next {
        self.write(timeline, cause.name(), day);
        self.begun = cause.name();
        let waited = until.saturating_sub(self.due);
        if until == i32::MAX || self.rules.wait_days.is_some_and(|most| waited > most) {
            self.lose("not_resumed", cause);
            return ControlFlow::Break(day);
        }
        ControlFlow::Continue(until)
    }

    fn discard(&mut self, timeline: &Timeline, cause: Cause, day: i32) -> Next {
        self.write(timeline, cause.name(), day);
        self.lose("discarded", cause);
        ControlFlow::Break(day)
    }

    /// How long the rest lasts cannot be told.
    fn stop(&mut self, timeline: &Timeline, reason: &'static str, day: i32) -> Next {
        self.write(timeline, "unknown", day);
        self.refuse(Some(day), reason);
        ControlFlow::Break(day)
    }

    /// The dose taken in `episode`: as prescribed, or, where new doses wait for the next supply, that of the first part.
    fn dose(&self, timeline: &Timeline, episode: usize) -> f64 {
        let prescribed = timeline.episodes[episode].dose.unwrap_or(f64::NAN);
        if self.rules.split {
            return prescribed;
        }
        let first = (self.written > 0)
            .then(|| self.rows.dose.last().copied().flatten())
            .flatten();
        self.part.as_ref().map(|part| part.dose).or(first).unwrap_or(prescribed)
    }

    /// Write the part that ends before `day`, if there is one.
    fn write(&mut self, timeline: &Timeline, ended: &'static str, day: i32) {
        let Some(part) = self.part.take() else { return };
        let Episode { start, end, row, .. } = &timeline.episodes[part.episode];
        let rows = &mut *self.rows;
        rows.episode_start.push(Some(*start));
        rows.episode_end.push((*end != i32::MAX).then_some(*end));
        rows.prescription.push(Some(*row));
        rows.days.push(Some(whole(part.days)));
        rows.dose.push(Some(part.dose));
        rows.special_days.push(Some(part.special_days));
        rows.waited_days.push(Some(part.start - self.due));
        rows.reason.push(None);
        self.common(Some(part.start), Some(part.quantity), Some(self.left), Some(ended));
        self.begun = ended;
        self.due = day;
    }

    /// A row of no days: nothing of the supply was taken. One of which something was has said what is left.
    fn lose(&mut self, reason: &'static str, cause: Cause) {
        if self.written == 0 {
            let left = Some(self.left);
            self.rows.days.push(Some(0.0));
            self.nothing(reason);
            self.common(Some(self.supply.day), left, left, Some(cause.name()));
        }
    }

    /// A row of unknown days: how long this supply lasts from `day` on cannot be told.
    pub fn refuse(&mut self, day: Option<i32>, reason: &'static str) {
        let quantity = (!self.left.is_nan()).then_some(self.left);
        self.rows.days.push(None);
        self.nothing(reason);
        self.common(day.filter(|&day| day != i32::MIN), quantity, None, None);
    }

    fn nothing(&mut self, reason: &'static str) {
        let rows = &mut *self.rows;
        rows.episode_start.push(None);
        rows.episode_end.push(None);
        rows.prescription.push(None);
        rows.dose.push(None);
        rows.special_days.push(None);
        rows.waited_days.push(None);
        rows.reason.push(Some(reason));
    }

    fn common(
        &mut self,
        start: Option<i32>,
        quantity: Option<f64>,
        leftover: Option<f64>,
        ended: Option<&'static str>,
    ) {
        let rows = &mut *self.rows;
        rows.row.push(self.supply.row);
        rows.supply.push(Some(self.number));
        rows.part.push(Some(self.written));
        rows.start.push(start);
        rows.dispensed
            .push((self.supply.day != i32::MIN).then_some(self.supply.day));
        rows.quantity.push(quantity);
        rows.leftover.push(leftover);
        rows.begun.push(Some(self.begun));
        rows.ended.push(ended);
        self.written += 1;
    }
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Special => "special_period",
            Self::Interruption => "interruption",
        }
    }
}

/// Days, those that miss a whole number by rounding alone made whole.
fn whole(days: f64) -> f64 {
    let near = days.round();
    if (days - near).abs() <= ROUNDING * near.max(1.0) {
        near
    } else {
        days
    }
}
