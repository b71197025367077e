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
        system.part("set");
        let neighbours = Neighbours::new(system, &slot.set);
        system.part("slot");
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
        system.part("claim");
        let value = self.claim(system, slot, top, &(&Num::one() - empty));
        require_equal(system, equal, &value, &self.lo);
        system.part("difference");
        require_different(system, not_equal, &value, &self.lo);
        system.part("registers");
        let [first, second] = slot.registers();
        let [first, second] = [first, second].map(|register| bits::inputs(system, register, set::VALUE_BITS));
        system.part("operation");
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

    /// P(tagSlot, op, key, lo, hi, setRoot), or `expected`, to which it is then tied.
    fn hash(&self, system: &mut System, expected: Option<&Num>) -> Num {
        system.part("slot");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::testing::{Gadget, random, run};
    use chartseal_algebra::poseidon::{tree_path, tree_root};

    /// (key, value) of the claims; the salt is random(100 + index).
    fn claims() -> Vec<(Fr, Fr)> {
        let values = [7u64, 7_000_000, u64::MAX].map(Fr::from).into_iter();
        let values = values.chain([two(64), two(248) - Fr::ONE, -Fr::ONE, random(1), Fr::ZERO]);
        values
            .enumerate()
            .map(|(at, value)| (random(200 + at as u64), value))
            .collect()
    }

    fn two(power: u64) -> Fr {
        Fr::from(2u64).pow([power])
    }

    fn leaves() -> Vec<Fr> {
        let leaf = |(at, (key, value)): (usize, &(Fr, Fr))| {
            native::hash(&[tags::CLAIM, *key, *value, random(100 + at as u64)])
        };
        claims().iter().enumerate().map(leaf).collect()
    }

    /// The set of 7, 9 and 2^248 − 1, as (low, high).
    fn pairs() -> Vec<(Fr, Fr)> {
        let shifted = [0, 8, 10]
            .map(Fr::from)
            .into_iter()
            .chain([two(248), two(248) + Fr::ONE]);
        let shifted: Vec<Fr> = shifted.collect();
        shifted.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    fn set_leaves() -> Vec<Fr> {
        let leaf = |(low, high): &(Fr, Fr)| native::hash(&[tags::SET, *low, *high]);
        pairs().iter().map(leaf).collect()
    }

    /// A slot on claim `at`; for sets by the leaf `neighbours`.
    fn slot(op: usize, at: usize, lo: Fr, hi: Fr, neighbours: usize) -> Slot {
        let mut slot = Slot::blank();
        (slot.op, slot.key, slot.lo, slot.hi) = (op as u8, claims()[at].0, lo, hi);
        let path = tree_path(&leaves(), CLAIM_DEPTH, at);
        slot.claim = inputs::Claim {
            index: at as u8,
            key: Element(claims()[at].0),
            value: Element(claims()[at].1),
            salt: Element(random(100 + at as u64)),
            path: from_fn(|level| path[level].map(Element)),
        };
        if op == MEMBER || op == NOT_MEMBER {
            let path = tree_path(&set_leaves(), TREE_DEPTH, neighbours);
            slot.set_root = tree_root(&set_leaves(), TREE_DEPTH);
            slot.set = inputs::Neighbours {
                index: neighbours as u16,
                low: Element(pairs()[neighbours].0),
                high: Element(pairs()[neighbours].1),
                path: from_fn(|level| path[level].map(Element)),
            };
        }
        slot
    }

    /// The policy with its own hash, under the root of [`claims`].
    fn gadget<const K: usize>(policy: &Policy<K>) -> Gadget {
        run(|system| {
            let root = system.public(tree_root(&leaves(), CLAIM_DEPTH));
            let hash = system.public(policy.hash());
            policy.require(system, &root, &hash);
            hash
        })
    }

    fn holds<const K: usize>(slots: [Slot; K]) -> bool {
        let gadget = gadget(&Policy(slots));
        gadget.shape.unsatisfied(&gadget.values).is_none()
    }

    fn one(op: usize, at: usize, lo: Fr, hi: Fr) -> bool {
        holds([slot(op, at, lo, hi, 0)])
    }

    fn int(value: u64) -> Fr {
        Fr::from(value)
    }

    const EQUAL: usize = 1;
    const NOT_EQUAL: usize = 2;

    #[test]
    fn equality_is_of_elements() {
        for (at, (_, value)) in claims().into_iter().enumerate() {
            assert!(one(EQUAL, at, value, value));
            assert!(!one(NOT_EQUAL, at, value, value));
            let other = value + Fr::ONE;
            assert!(one(NOT_EQUAL, at, other, other));
            assert!(!one(EQUAL, at, other, other));
        }
    }

    #[test]
    fn ranges_are_inclusive() {
        let value = 7_000_000;
        for (lo, hi, inside) in [
            (value, value, true),
            (0, value, true),
            (value, u64::MAX, true),
            (0, u64::MAX, true),
            (value + 1, u64::MAX, false),
            (0, value - 1, false),
            (value + 1, value - 1, false),
            (u64::MAX, 0, false),
        ] {
            assert_eq!(one(RANGE, 1, int(lo), int(hi)), inside, "{lo} {hi}");
        }
        assert!(one(RANGE, 2, int(u64::MAX), int(u64::MAX)));
        assert!(one(RANGE, 7, int(0), int(0)));
    }

    /// 2^64, 2^248 − 1, −1 and a random element are in no range.
    #[test]
    fn values_of_more_than_64_bits_are_in_no_range() {
        for at in 3..7 {
            let value = claims()[at].1;
            for (lo, hi) in [
                (int(0), int(u64::MAX)),
                (value, value),
                (int(0), value),
                (-Fr::ONE, int(9)),
            ] {
                assert!(!one(RANGE, at, lo, hi), "{at}");
            }
        }
    }

    #[test]
    fn bounds_of_more_than_64_bits_hold_nothing() {
        let value = claims()[1].1;
        for (lo, hi) in [
            (-Fr::ONE, value),
            (value, two(64)),
            (value - two(64), value),
            (value, -Fr::ONE),
            (-two(64), two(64)),
        ] {
            assert!(!one(RANGE, 1, lo, hi));
        }
    }

    #[test]
    fn members_and_others() {
        let set = |op, at, neighbours| holds([slot(op, at, Fr::ZERO, Fr::ZERO, neighbours)]);
        for neighbours in 0..pairs().len() {
            assert_eq!(set(MEMBER, 0, neighbours), neighbours == 1); // 7
            assert!(!set(NOT_MEMBER, 0, neighbours));
            assert_eq!(set(NOT_MEMBER, 1, neighbours), neighbours == 2); // 7,000,000
            assert!(!set(MEMBER, 1, neighbours));
            assert_eq!(set(MEMBER, 4, neighbours), neighbours == 3); // 2^248 − 1
            assert_eq!(set(NOT_MEMBER, 7, neighbours), neighbours == 0); // 0
            for wide in [5, 6] {
                assert!(!set(MEMBER, wide, neighbours) && !set(NOT_MEMBER, wide, neighbours)); // −1 and a random element
            }
        }
    }

    #[test]
    fn unused_parts_are_zero() {
        for op in [MEMBER, NOT_MEMBER] {
            let (at, neighbours) = if op == MEMBER { (0, 1) } else { (1, 2) };
            assert!(holds([slot(op, at, Fr::ZERO, Fr::ZERO, neighbours)]));
            for (lo, hi) in [(1, 0), (0, 1), (1, 1)] {
                assert!(!holds([slot(op, at, int(lo), int(hi), neighbours)]));
            }
        }
        for (lo, hi) in [(7, 8), (0, 7), (7, 0)] {
            assert!(!one(EQUAL, 0, int(lo), int(hi)));
        }
        assert!(one(NOT_EQUAL, 0, int(8), int(8)) && !one(NOT_EQUAL, 0, int(8), int(9)));
        for op in [EQUAL, NOT_EQUAL, RANGE] {
            let bound = if op == NOT_EQUAL { int(8) } else { int(7) };
            let mut with_set = slot(op, 0, bound, bound, 0);
            assert!(holds([with_set.clone()]));
            let set = slot(MEMBER, 0, bound, bound, 1);
            (with_set.set_root, with_set.set) = (set.set_root, set.set.clone());
            assert!(!holds([with_set]));
        }
    }

    /// The hash binds the operation: another one's witness does not fit it.
    #[test]
    fn the_operation_is_the_hashs() {
        let stated = slot(NOT_EQUAL, 0, int(7), int(7), 0); // 7 is not unlike 7
        for op in [EQUAL, RANGE] {
            let policy = Policy([slot(op, 0, int(7), int(7), 0)]);
            let gadget = run(|system| {
                let root = system.public(policy.claims_root());
                let hash = system.public(stated.hash());
                policy.require(system, &root, &hash);
                hash
            });
            assert!(gadget.shape.unsatisfied(&gadget.values).is_some());
        }
    }

    #[test]
    fn claims_are_the_records_and_the_slots() {
        let good = slot(EQUAL, 0, int(7), int(7), 0);
        let changed = |change: fn(&mut Slot)| {
            let mut slot = good.clone();
            change(&mut slot);
            !holds([slot])
        };
        assert!(changed(|slot| slot.key += Fr::ONE));
        assert!(changed(|slot| slot.claim.salt.0 += Fr::ONE));
        assert!(changed(|slot| slot.claim.path[0][1].0 += Fr::ONE));
        assert!(changed(|slot| slot.claim.path[2][0].0 += Fr::ONE));
        assert!(changed(
            |slot| (slot.claim.value.0, slot.lo, slot.hi) = (int(8), int(8), int(8))
        ));
        // The key and value of two claims.
        let mut mixed = slot(EQUAL, 1, int(7), int(7), 0);
        mixed.claim.value = Element(int(7));
        assert!(!holds([mixed]));
    }

    fn blank() -> Slot {
        Slot::blank()
    }

    #[test]
    fn several_slots_hold_together() {
        let [a, b] = [
            slot(EQUAL, 0, int(7), int(7), 0),
            slot(RANGE, 1, int(1), int(u64::MAX), 0),
        ];
        let c = slot(NOT_MEMBER, 1, Fr::ZERO, Fr::ZERO, 2);
        let d = slot(MEMBER, 4, Fr::ZERO, Fr::ZERO, 3);
        assert!(holds([a.clone(), b.clone(), c.clone(), d.clone()]));
        assert!(holds([d.clone(), c.clone(), b.clone(), a.clone()]));
        assert!(holds([a.clone(), b.clone(), c.clone(), blank()]));
        assert!(holds([a.clone(), b.clone(), blank(), blank()]));
        let wrong = slot(EQUAL, 0, int(8), int(8), 0);
        for at in 0..4 {
            let mut slots = [a.clone(), b.clone(), c.clone(), d.clone()];
            slots[at] = wrong.clone();
            assert!(!holds(slots), "{at}");
        }
    }

    #[test]
    fn the_order_is_the_hashs() {
        let [a, b] = [
            slot(EQUAL, 0, int(7), int(7), 0),
            slot(RANGE, 1, int(1), int(u64::MAX), 0),
        ];
        let stated = Policy([a.clone(), b.clone(), blank(), blank()]).hash();
        let gadget = run(|system| {
            let policy = Policy([b.clone(), a.clone(), blank(), blank()]);
            let (root, hash) = (system.public(policy.claims_root()), system.public(stated));
            policy.require(system, &root, &hash);
            hash
        });
        assert!(gadget.shape.unsatisfied(&gadget.values).is_some());
    }

    /// An all-empty policy would hold for any root.
    #[test]
    fn vacuous_policies_are_refused() {
        let used = slot(EQUAL, 0, int(7), int(7), 0);
        assert!(!holds([blank()]));
        assert!(!holds([blank(), blank(), blank(), blank()]));
        assert!(!holds([used.clone(), blank(), blank(), blank()]));
        assert!(!holds([blank(), used.clone(), blank(), blank()]));
        assert!(!holds([used.clone(), blank(), used.clone(), blank()]));
        assert!(!holds([used.clone(), used.clone(), blank(), used.clone()]));
    }

    #[test]
    fn empty_slots_have_no_parts() {
        let used = slot(EQUAL, 0, int(7), int(7), 0);
        let changed = |change: fn(&mut Slot)| {
            let mut slot = Slot::blank();
            change(&mut slot);
            !holds([used.clone(), used.clone(), used.clone(), slot])
        };
        assert!(changed(|slot| slot.key = Fr::ONE));
        assert!(changed(|slot| slot.lo = Fr::ONE));
        assert!(changed(|slot| slot.hi = Fr::ONE));
        assert!(changed(|slot| (slot.lo, slot.hi) = (Fr::ONE, Fr::ONE)));
        assert!(changed(|slot| slot.set_root = Fr::ONE));
        assert!(!changed(|slot| slot.claim.value.0 = Fr::ONE));
    }

    /// Two operations at once, none, or fractions of one.
    #[test]
    fn exactly_one_operation_holds() {
        let Gadget { shape, values, .. } = gadget(&Policy([slot(EQUAL, 0, int(7), int(7), 0)]));
        let (first, _, _) = *shape.parts.iter().find(|(_, _, name)| *name == "slot").unwrap();
        let halves = int(2).inverse().unwrap();
        for changes in [vec![0], vec![1], vec![2], vec![3], vec![0, 1], vec![1, 2, 3]] {
            for value in [Fr::ONE, halves, -Fr::ONE] {
                let mut changed = values.clone();
                changes.iter().for_each(|bit| changed[first + bit] = value);
                assert!(shape.unsatisfied(&changed).is_some(), "{changes:?}");
            }
        }
    }

    /// Apart from registers and inverses that the operation does not need, no wire can change by itself.
    #[test]
    fn other_wires_count() {
        let zero = Fr::ZERO;
        for (slot, free) in [
            (slot(EQUAL, 0, int(7), int(7), 0), 2 * 248 + 1),
            (slot(NOT_EQUAL, 0, int(8), int(8), 0), 2 * 248),
            (slot(RANGE, 0, int(5), int(8), 0), 2 * 120),
            (slot(MEMBER, 0, zero, zero, 1), 248),
            (slot(NOT_MEMBER, 1, zero, zero, 2), 0),
        ] {
            let gadget = gadget(&Policy([slot]));
            let part = |wire: usize| {
                let before = gadget.shape.parts.iter().take_while(|(first, _, _)| *first <= wire);
                before.last().unwrap().2
            };
            let survivors = gadget.free_wires();
            assert!(
                survivors
                    .iter()
                    .all(|wire| ["registers", "difference"].contains(&part(*wire)))
            );
            assert_eq!(survivors.len(), free);
        }
    }
}
