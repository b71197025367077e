//! Every wire of a true witness changed by itself: no change goes unnoticed but those listed, none of which means anything.
//!
//! Only the constraints that touch the wire are computed again, so that all wires of all circuits take seconds.

use crate::common::{self, World, random};
use ark_ff::AdditiveGroup;
use chartseal_circuits::system::{Shape, Terms};
use chartseal_circuits::{Circuit, Fr};
use std::collections::BTreeMap;

/// ⟨a, w⟩, ⟨b, w⟩, ⟨c, w⟩ of a constraint.
type Sums = [Fr; 3];

struct Mutants<'a> {
    shape: &'a Shape,
    values: Vec<Fr>,
    sums: Vec<Sums>,
    /// Of each wire: the constraints it stands in, with its coefficients in a, b and c.
    touching: Vec<BTreeMap<usize, Sums>>,
}

impl<'a> Mutants<'a> {
    fn new(shape: &'a Shape, values: Vec<Fr>) -> Self {
        assert_eq!(shape.unsatisfied(&values), None, "a true witness");
        let dot = |terms: &Terms| -> Fr { terms.iter().map(|(wire, c)| values[*wire as usize] * c).sum() };
        let sums = shape
            .constraints
            .iter()
            .map(|each| [dot(&each.a), dot(&each.b), dot(&each.c)])
            .collect();
        let mut touching = vec![BTreeMap::new(); shape.wires];
        for (at, each) in shape.constraints.iter().enumerate() {
            for (side, terms) in [&each.a, &each.b, &each.c].into_iter().enumerate() {
                for (wire, factor) in terms {
                    touching[*wire as usize].entry(at).or_insert([Fr::ZERO; 3])[side] += factor;
                }
            }
        }
        Self {
            shape,
            values,
            sums,
            touching,
        }
    }

    /// Whether all constraints hold with another value of a wire.
    fn survives(&self, wire: usize, value: Fr) -> bool {
        let change = value - self.values[wire];
        change != Fr::ZERO
            && self.touching[wire].iter().all(|(at, factors)| {
                let [a, b, c] = std::array::from_fn(|side| self.sums[*at][side] + factors[side] * change);
                a * b == c
            })
    }

    /// Wires of which some other value goes unnoticed, counted by the part that made them; public ones by their names.
    fn survivors(&self, circuit: Circuit) -> BTreeMap<&'static str, usize> {
        let mut survivors = BTreeMap::new();
        for (wire, value) in self.values.iter().enumerate().skip(1) {
            let others = [*value + Fr::from(1u64), -*value, random(wire as u64, 9), Fr::ZERO];
            if others.into_iter().any(|other| self.survives(wire, other)) {
                let public = circuit.publics().get(wire - 1);
                let name = public.copied().unwrap_or_else(|| self.part_of_wire(wire));
                *survivors.entry(name).or_default() += 1;
            }
        }
        survivors
    }

    fn part_of_wire(&self, wire: usize) -> &'static str {
        let before = self.shape.parts.iter().take_while(|(first, _, _)| *first <= wire);
        before.last().map_or("", |(_, _, name)| name)
    }
}

fn survivors(circuit: Circuit, world: &World) -> BTreeMap<&'static str, usize> {
    let inputs = match circuit {
        Circuit::Holder => world.holder_inputs(),
        Circuit::Linked1 | Circuit::Linked4 => world.linked_inputs(),
        Circuit::Anonymous1 | Circuit::Anonymous4 => world.inputs(),
    };
    let values = common::values(circuit, &inputs, world.holder, &[]);
    Mutants::new(circuit.shape(), values).survivors(circuit)
}

/// Context binds a linked proof as a public input alone: no constraint is about it.
const CONTEXT: (&str, usize) = ("context", 1);

/// A slot's registers that its operation does not use, and the inverse of a difference that is none: 2 · 120 bits for a
/// range, all 2 · 248 for equality and for an empty slot, whose value equals its bound.
const RANGE: [(&str, usize); 1] = [("registers", 240)];
const EQUAL: [(&str, usize); 2] = [("registers", 496), ("difference", 1)];
const EMPTY: [(&str, usize); 2] = EQUAL;

fn listed(parts: &[&[(&'static str, usize)]]) -> BTreeMap<&'static str, usize> {
    let mut listed = BTreeMap::new();
    parts
        .iter()
        .flat_map(|part| part.iter())
        .for_each(|(name, count)| *listed.entry(*name).or_default() += count);
    listed
}

/// Worlds to try: one, or many where CHARTSEAL_DRILL is set.
fn seeds() -> std::ops::Range<u64> {
    match std::env::var_os("CHARTSEAL_DRILL") {
        Some(_) => 1..9,
        None => 1..2,
    }
}

#[test]
fn no_other_wire_of_a_holder_proof_may_change() {
    for seed in seeds() {
        assert_eq!(survivors(Circuit::Holder, &World::new(seed, 1)), listed(&[]));
    }
}

#[test]
fn no_other_wire_of_a_linked_proof_may_change() {
    let four = listed(&[&[CONTEXT], &RANGE, &EQUAL, &RANGE, &RANGE]);
    let two = listed(&[&[CONTEXT], &RANGE, &EQUAL, &EMPTY, &EMPTY]);
    for seed in seeds() {
        assert_eq!(
            survivors(Circuit::Linked1, &World::new(seed, 1)),
            listed(&[&[CONTEXT], &RANGE])
        );
        assert_eq!(survivors(Circuit::Linked4, &World::new(seed, 4)), four);
        assert_eq!(survivors(Circuit::Linked4, &World::new(seed, 2)), two);
    }
}

#[test]
fn no_other_wire_of_an_anonymous_proof_may_change() {
    let four = listed(&[&RANGE, &EQUAL, &RANGE, &RANGE]);
    let three = listed(&[&RANGE, &EQUAL, &RANGE, &EMPTY]);
    for seed in seeds() {
        assert_eq!(survivors(Circuit::Anonymous1, &World::new(seed, 1)), listed(&[&RANGE]));
        assert_eq!(survivors(Circuit::Anonymous4, &World::new(seed, 4)), four);
        assert_eq!(survivors(Circuit::Anonymous4, &World::new(seed, 3)), three);
    }
}
