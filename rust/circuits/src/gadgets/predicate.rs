//! A policy on the claims under a root: one to four slots of formats 7, whose operations are part of the witness and are bound
//! by the slots' hashes in the policy's.
//!
//! A used slot opens one claim, P(tagClaim, key, value, salt) with the slot's key, and holds for its value:
//!
//! | op | | holds | parts |
//! |---|---|---|---|
//! | 0 | empty | always; opens no claim | none: key = lo = hi = setRoot = 0 |
//! | 1 | equal | value = lo | lo = hi, setRoot = 0 |
//! | 2 | not equal | value ≠ lo | lo = hi, setRoot = 0 |
//! | 3 | range | lo ≤ value ≤ hi, all three below 2^64 | setRoot = 0 |
//! | 4 | member | value < 2^248 in the set of setRoot | lo = hi = 0 |
//! | 5 | not member | value < 2^248 not in the set of setRoot | lo = hi = 0 |
//!
//! The first slot is used, and of four the second too: a policy whose slots are all empty would leave the claims' root free, and
//! a policy of one slot is always proved with K = 1 (its hash is the slot's own). Empty slots stand after used ones. So for
//! every policy's hash there is one circuit and one reading.
//!
//! Two registers of 248 bits serve what needs widths: for a range value − lo, lo, hi − value and hi, 64 bits each; for sets
//! what [`set`] says. Operations that need no width leave them to the witness.

use super::merkle::Children;
use super::poseidon::{self, Powers};
use super::set::{self, Neighbours, require_equal};
use super::{bits, merkle};
use crate::Fr;
use crate::inputs::{self, CLAIM_DEPTH, Element, Predicate, TREE_DEPTH, malformed};
use crate::system::{Num, System};
use ark_ff::{AdditiveGroup, Field};
use chartseal_algebra::error::Result;
use chartseal_algebra::{poseidon as native, tags};
use std::array::from_fn;
use zeroize::{Zeroize, ZeroizeOnDrop};

const EMPTY: usize = 0;
const RANGE: usize = 3;
const MEMBER: usize = 4;
const NOT_MEMBER: usize = 5;
const OPERATIONS: usize = 6;

/// Width of a range's value and bounds.
const RANGE_BITS: usize = 64;

const SLOT_INPUTS: usize = 6;
const CLAIM_INPUTS: usize = 4;

/// A slot with the claim and the neighbours that satisfy it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Slot {
    op: u8,
    key: Fr,
    lo: Fr,
    hi: Fr,
    set_root: Fr,
    claim: inputs::Claim,
    set: inputs::Neighbours,
}

impl Slot {
    /// An empty slot.
    pub fn blank() -> Self {
        let none = Element::default();
        Self {
            op: 0,
            key: Fr::ZERO,
            lo: Fr::ZERO,
            hi: Fr::ZERO,
            set_root: Fr::ZERO,
            claim: inputs::Claim {
                index: 0,
                key: none,
                value: none,
                salt: none,
                path: [[none; 3]; CLAIM_DEPTH],
            },
            set: inputs::Neighbours {
                index: 0,
                low: none,
                high: none,
                path: [[none; 3]; TREE_DEPTH],
            },
        }
    }

    /// # Errors
    /// Kind `Proving`, `inputs_malformed`: an operation that there is not, an index outside its tree, another claim's key, a
    /// set that is missing or not asked for.
    fn new(predicate: &Predicate) -> Result<Self> {
        let is_set = matches!(usize::from(predicate.op), MEMBER | NOT_MEMBER);
        let index = predicate.set.as_ref().map_or(0, |set| set.index);
        match () {
            () if !(1..OPERATIONS).contains(&usize::from(predicate.op)) => Err(malformed("no such operation")),
            () if predicate.claim.index >> (2 * CLAIM_DEPTH) != 0 => Err(malformed("a claim's index is too large")),
            () if index >> (2 * TREE_DEPTH) != 0 => Err(malformed("a set's index is too large")),
            () if predicate.claim.key != predicate.key => Err(malformed("a claim has another key than its slot")),
            () if is_set != predicate.set.is_some() => Err(malformed("a set is missing, or nothing asks for it")),
            () => Ok(Self {
                op: predicate.op,
                key: predicate.key.0,
                lo: predicate.lo.0,
                hi: predicate.hi.0,
                set_root: predicate.set_root.0,
                claim: predicate.claim.clone(),
                set: predicate.set.clone().unwrap_or_else(|| Self::blank().set.clone()),
            }),
        }
    }

    /// P(tagSlot, op, key, lo, hi, setRoot).
    fn hash(&self) -> Fr {
        let op = Fr::from(u64::from(self.op));
        native::hash(&[tags::SLOT, op, self.key, self.lo, self.hi, self.set_root])
    }

    /// The claim's node below the root.
    fn node(&self) -> Fr {
        let leaf = native::hash(&[tags::CLAIM, self.key, self.claim.value.0, self.claim.salt.0]);
        let path: [[Fr; 3]; CLAIM_DEPTH - 1] = from_fn(|level| self.claim.path[level].map(|sibling| sibling.0));
        native::root_of_path(leaf, usize::from(self.claim.index) % (1 << (2 * path.len())), &path)
    }

    /// The claims root's children.
    fn top(&self) -> [Fr; 4] {
        let digit = usize::from(self.claim.index) >> (2 * (CLAIM_DEPTH - 1)) & 3;
        merkle::placed(self.node(), digit, &self.claim.path[CLAIM_DEPTH - 1])
    }

    /// What the two registers hold.
    fn registers(&self) -> [Fr; 2] {
        let shift = Fr::from(2u64).pow([RANGE_BITS as u64]);
        let (value, low, high) = (self.claim.value.0, self.set.low.0, self.set.high.0);
        match usize::from(self.op) {
            RANGE => [value - self.lo + self.lo * shift, self.hi - value + self.hi * shift],
            MEMBER => [value, Fr::ZERO],
            NOT_MEMBER => [value - low, high - value - Fr::from(2u64)],
            _ => [Fr::ZERO; 2],
        }
    }
}

/// K slots, the used ones first.
pub struct Policy<const K: usize>([Slot; K]);

impl<const K: usize> Policy<K> {
    /// Slots that must be used: see the module.
    const USED: usize = if K == 1 { 1 } else { 2 };

    pub fn blank() -> Self {
        Self(from_fn(|_| Slot::blank()))
    }

    /// # Errors
    /// Kind `Proving`, `inputs_malformed`: one predicate for K = 1 and two to four for K = 4, each of its form.
    pub fn new(predicates: &[Predicate]) -> Result<Self> {
        if !(Self::USED..=K).contains(&predicates.len()) {
            return Err(malformed("another number of predicates than the circuit takes"));
        }
        let mut policy = Self::blank();
        for (slot, predicate) in policy.0.iter_mut().zip(predicates) {
            *slot = Slot::new(predicate)?;
        }
        Ok(policy)
    }

    /// The slot's hash for K = 1, else P(tagPolicy, h1, …, hK).
    pub fn hash(&self) -> Fr {
        match &self.0[..] {
            [slot] => slot.hash(),
            slots => {
                let hashes = slots.iter().map(Slot::hash);
                native::hash(&[tags::POLICY].into_iter().chain(hashes).collect::<Vec<_>>())
            }
        }
    }

    /// The root over the first slot's claim, whose root the other slots must share.
    pub fn claims_root(&self) -> Fr {
        native::hash(&self.0[0].top())
    }

    /// Requires that the claims under `claims_root` satisfy the policy of `hash`: 4,037 constraints for K = 1, 15,618 for K = 4.
    pub fn require(&self, system: &mut System, claims_root: &Num, hash: &Num) {
        system.part("claims");
        let top = Children::new(system, self.0[0].top());
        top.lead_to(system, claims_root);
        let mut hashes = vec![Num::constant(tags::POLICY)];
        let mut ended = Num::zero();
        for (at, slot) in self.0.iter().enumerate() {
            system.part("slot");
            let wires = Wires::new(system, slot, at < Self::USED);
            wires.require(system, slot, &top);
            // Nothing used after an empty slot.
            if !ended.is_constant() {
                require_equal(system, &ended, &wires.ops[EMPTY], &Num::one());
            }
            ended = wires.ops[EMPTY].clone();
            let expected = if K == 1 { Some(hash) } else { None };
            hashes.push(wires.hash(system, expected));
        }
        if K > 1 {
            system.part("policy");
            poseidon::hash_to(system, &hashes, hash);
        }
    }
}

/// A slot's parts in the circuit.
struct Wires {
    /// One of them is 1, the others 0.
    ops: [Num; OPERATIONS],
    key: Powers,
    lo: Num,
    hi: Num,
    set_root: Num,
    neighbours: Neighbours,
}

impl Wires {
    fn new(system: &mut System, slot: &Slot, is_used: bool) -> Self {
        let ops = one_hot(system, slot.op, usize::from(is_used));
        let key = system.input(slot.key);
        if !is_used {
            require_equal(system, &ops[EMPTY], &key, &Num::zero());
        }
        let neighbours = Neighbours::new(system, &slot.set);
        Self {
            key: Powers::new(system, &key),
            lo: system.input(slot.lo),
            hi: system.input(slot.hi),
            // The set's root where there is a set, else 0.
            set_root: system.multiply(&neighbours.root, &(&ops[MEMBER] + &ops[NOT_MEMBER])),
            neighbours,
            ops,
        }
    }

    /// Requires unused parts to be 0, and opens a claim under `top` for which the operation holds.
    fn require(&self, system: &mut System, slot: &Slot, top: &Children) {
        let [empty, equal, not_equal, range, member, not_member] = &self.ops;
        require_equal(system, &(&Num::one() - range), &self.lo, &self.hi);
        let sets = &(empty + member) + not_member;
        require_equal(system, &sets, &self.lo, &Num::zero());
        let value = self.claim(system, slot, top, &(&Num::one() - empty));
        require_equal(system, equal, &value, &self.lo);
        require_different(system, not_equal, &value, &self.lo);
        let [first, second] = slot.registers();
        let [first, second] = [first, second].map(|register| bits::inputs(system, register, set::VALUE_BITS));
        self.require_range(system, range, &value, &first, &second);
        let [first, second] = [bits::sum(&first), bits::sum(&second)];
        self.neighbours.require_member(system, member, &value, &first);
        self.neighbours
            .require_absent(system, not_member, &value, &first, &second);
    }

    /// The value of a claim with the slot's key, under `top` where `on` is 1.
    fn claim(&self, system: &mut System, slot: &Slot, top: &Children, on: &Num) -> Num {
        let value = system.input(slot.claim.value.0);
        let boxes = [
            poseidon::boxed(system, CLAIM_INPUTS, 0, &Num::constant(tags::CLAIM)),
            self.key.boxed(CLAIM_INPUTS, 1),
            poseidon::boxed(system, CLAIM_INPUTS, 2, &value),
            poseidon::free(system, CLAIM_INPUTS, 3, slot.claim.salt.0),
        ];
        let leaf = poseidon::finish(system, &boxes, None);
        let below = &slot.claim.path[..CLAIM_DEPTH - 1];
        let node = merkle::root_anywhere(system, &leaf, usize::from(slot.claim.index), below);
        top.hold(system, &node, on);
        value
    }

    /// Requires lo ≤ value ≤ hi < 2^64 where `on` is 1: value = lo + a and hi = value + b for 64-bit lo, a, b and hi, none of
    /// which sums wraps.
    fn require_range(&self, system: &mut System, on: &Num, value: &Num, first: &[Num], second: &[Num]) {
        let part = |register: &[Num], at: usize| bits::sum(&register[at * RANGE_BITS..(at + 1) * RANGE_BITS]);
        require_equal(system, on, &part(first, 0), &(value - &self.lo));
        require_equal(system, on, &part(first, 1), &self.lo);
        require_equal(system, on, &part(second, 0), &(&self.hi - value));
        require_equal(system, on, &part(second, 1), &self.hi);
    }

    fn hash(&self, system: &mut System, expected: Option<&Num>) -> Num {
        let boxes = [
            poseidon::boxed(system, SLOT_INPUTS, 0, &Num::constant(tags::SLOT)),
            self.boxed_operation(),
            self.key.boxed(SLOT_INPUTS, 2),
            poseidon::boxed(system, SLOT_INPUTS, 3, &self.lo),
            poseidon::boxed(system, SLOT_INPUTS, 4, &self.hi),
            poseidon::boxed(system, SLOT_INPUTS, 5, &self.set_root),
        ];
        poseidon::finish(system, &boxes, expected)
    }

    /// The hash's first box of the operation's number: a choice among six constants.
    fn boxed_operation(&self) -> Num {
        let constant = poseidon::constant(SLOT_INPUTS, 1);
        let boxed = |op: usize| (Fr::from(op as u64) + constant).pow([5]);
        Num::sum((0..OPERATIONS).map(boxed).zip(&self.ops))
    }
}

/// A bit for each operation from `first` on, of which exactly one is 1; those before are 0. One constraint each.
fn one_hot(system: &mut System, op: u8, first: usize) -> [Num; OPERATIONS] {
    let mut ops = from_fn(|_| Num::zero());
    let mut rest = Num::one();
    for (at, bit) in ops.iter_mut().enumerate().skip(first + 1) {
        *bit = bits::input(system, usize::from(op) == at);
        rest = &rest - bit;
    }
    bits::boolean(system, &rest);
    ops[first] = rest;
    ops
}

/// Requires a ≠ b where `on` is 1, by an inverse of the difference; elsewhere nothing. One constraint.
fn require_different(system: &mut System, on: &Num, a: &Num, b: &Num) {
    let difference = a - b;
    let inverse = difference.value().inverse().unwrap_or_default();
    let inverse = system.input(inverse * on.value());
    system.constrain(&difference, &inverse, on);
}
