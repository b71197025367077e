//! What a patient does with supply at hand, day by day: takes a dose of it, lets it wait, discards it.

use crate::cohort::Patient;
use crate::error::Reasoned;
use crate::prescription::Episode;
use serde::Deserialize;
use std::collections::{BTreeMap, BinaryHeap};

/// What becomes of supply while treatment is interrupted or in a special period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// It is taken as before.
    Continue,
    /// It waits until the end.
    Carryover,
    /// What is left at the start is lost.
    Discard,
}

/// Why supply waits or is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Special,
    Interruption,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// Take the dose of `episode`; `affected` by a period through which supply is taken as before.
    Take {
        episode: usize,
        affected: bool,
    },
    Wait(Cause),
    Discard(Cause),
    /// No dose is known: why.
    Unknown(&'static str),
}

/// Days of a special period: disjoint, by start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    pub start: i32,
    pub end: i32,
    pub method: Method,
}

/// A patient's special periods; where some overlap, the one that began last holds (of one start, the strictest).
///
/// # Errors
/// As `Patient::periods`.
pub fn special_periods(patient: &Patient, methods: &BTreeMap<String, Method>) -> Reasoned<Vec<Special>> {
    let mut all: Vec<Special> = Vec::new();
    for (kind, &method) in methods {
        all.extend(
            patient
                .periods(kind)?
                .iter()
                .filter(|each| each.start < each.end)
                .map(|each| Special {
                    start: each.start,
                    end: each.end,
                    method,
                }),
        );
    }
    Ok(disjoint(all))
}

fn disjoint(mut all: Vec<Special>) -> Vec<Special> {
    all.sort_unstable_by_key(|each| (each.start, each.method));
    let mut edges: Vec<i32> = all.iter().flat_map(|each| [each.start, each.end]).collect();
    edges.sort_unstable();
    edges.dedup();
    let (mut next, mut found) = (0, Vec::<Special>::new());
    let mut running = BinaryHeap::new();
    for edge in edges.windows(2) {
        while next < all.len() && all[next].start <= edge[0] {
            running.push((all[next].start, all[next].method, all[next].end));
            next += 1;
        }
        while running.peek().is_some_and(|&(_, _, end)| end <= edge[0]) {
            running.pop();
        }
        if let Some(&(_, method, _)) = running.peek() {
            match found
                .last_mut()
                .filter(|last| last.end == edge[0] && last.method == method)
            {
                Some(last) => last.end = edge[1],
                None => found.push(Special {
                    start: edge[0],
                    end: edge[1],
                    method,
                }),
            }
        }
    }
    found
}

/// One medication's episodes among a patient's special periods.
pub struct Timeline<'a> {
    pub episodes: &'a [Episode],
    pub special: &'a [Special],
    pub interruption: Method,
}

impl Timeline<'_> {
    /// What happens from `day` on, and the first day on which that may change (`i32::MAX`: never).
    ///
    /// An interruption prevails over special periods.
    pub fn at(&self, day: i32) -> (Act, i32) {
        let begun = self.episodes.partition_point(|each| each.start <= day);
        let next = self.episodes.get(begun).map_or(i32::MAX, |each| each.start);
        let Some(at) = begun.checked_sub(1) else {
            return (Act::Unknown("prescribed_later"), next);
        };
        let episode = &self.episodes[at];
        if day >= episode.end {
            return (self.act(at, Some(self.interruption), Cause::Interruption), next);
        }
        let (method, until) = self.special_at(day);
        (self.act(at, method, Cause::Special), until.min(episode.end))
    }

    fn act(&self, episode: usize, method: Option<Method>, cause: Cause) -> Act {
        match (method, self.episodes[episode].dose) {
            (Some(Method::Carryover), _) => Act::Wait(cause),
            (Some(Method::Discard), _) => Act::Discard(cause),
            (_, Err(reason)) => Act::Unknown(reason),
            (_, Ok(_)) => Act::Take {
                episode,
                affected: method.is_some(),
            },
        }
    }

    fn special_at(&self, day: i32) -> (Option<Method>, i32) {
        let at = self.special.partition_point(|each| each.end <= day);
        match self.special.get(at) {
            None => (None, i32::MAX),
            Some(each) if each.start > day => (None, each.start),
            Some(each) => (Some(each.method), each.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(start: i32, end: i32, method: Method) -> Special {
        Special { start, end, method }
    }

    #[test]
    fn of_overlapping_periods_the_last_begun_holds() {
        let found = disjoint(vec![
            special(14, 50, Method::Carryover),
            special(24, 35, Method::Continue),
            special(60, 74, Method::Continue),
            special(64, 69, Method::Carryover),
        ]);
        let expected = [
            special(14, 24, Method::Carryover),
            special(24, 35, Method::Continue),
            special(35, 50, Method::Carryover),
            special(60, 64, Method::Continue),
            special(64, 69, Method::Carryover),
            special(69, 74, Method::Continue),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn touching_periods_of_one_method_are_one() {
        let stays = vec![special(5, 9, Method::Carryover), special(1, 5, Method::Carryover)];
        assert_eq!(disjoint(stays), [special(1, 9, Method::Carryover)]);
    }
}
