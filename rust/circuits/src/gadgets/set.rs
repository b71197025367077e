//! A set's leaf over two neighbours (formats 7): leaves P(tagSet, low, high) of members plus 1, ascending, with 0 and 2^248 + 1
//! at the ends.
//!
//! Whoever states a policy builds the set's root from the readable set, so that under a set's root 0 ≤ low < high ≤ 2^248 + 1,
//! and nothing that is between them is a member.

use super::{merkle, poseidon};
use crate::Fr;
use crate::inputs;
use crate::system::{Num, System};
use chartseal_algebra::tags;

/// Values of a set are below 2^248.
pub const VALUE_BITS: usize = 248;

/// Two neighbours, and the root of the set that they stand in.
pub struct Neighbours {
    pub low: Num,
    pub high: Num,
    pub root: Num,
}

impl Neighbours {
    /// Brought by the witness. 2,010 constraints.
    pub fn new(system: &mut System, values: &inputs::Neighbours) -> Self {
        let (low, high) = (system.input(values.low.0), system.input(values.high.0));
        let leaf = poseidon::hash(system, &[Num::constant(tags::SET), low.clone(), high.clone()]);
        let root = merkle::root_anywhere(system, &leaf, usize::from(values.index), &values.path);
        Self { low, high, root }
    }

    /// Requires a member where `on` is 1; `width`, a number of [`VALUE_BITS`] bits, is then the value. 2 constraints.
    ///
    /// Without a width the value −1 would pass for the member whose leaf begins with the 0 at the low end.
    pub fn require_member(&self, system: &mut System, on: &Num, value: &Num, width: &Num) {
        require_equal(system, on, width, value);
        require_equal(system, on, &self.low, &(value + &Num::one()));
    }

    /// Requires what is not a member where `on` is 1; `above` and `below`, numbers of [`VALUE_BITS`] bits, are then the
    /// distances value − low and high − 2 − value. 2 constraints.
    ///
    /// As integers low + above + below + 2 = high without wrapping, so that low < value + 1 < high whatever the value's width.
    pub fn require_absent(&self, system: &mut System, on: &Num, value: &Num, above: &Num, below: &Num) {
        require_equal(system, on, above, &(value - &self.low));
        let rest = &self.high - &(value + &Num::constant(Fr::from(2u64)));
        require_equal(system, on, below, &rest);
    }
}

/// Requires a = b where `on` is 1. One constraint.
pub fn require_equal(system: &mut System, on: &Num, a: &Num, b: &Num) {
    system.constrain(&(a - b), on, &Num::zero());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::bits;
    use crate::gadgets::testing::{check, holds, random};
    use crate::inputs::Element;
    use ark_ff::{Field, One, PrimeField, Zero};
    use chartseal_algebra::poseidon as native;

    fn end() -> Fr {
        Fr::from(2u64).pow([248])
    }

    /// Leaves of a set of 10, 20, 21 and the largest value.
    fn pairs() -> Vec<(Fr, Fr)> {
        let members = [10u64, 20, 21].map(Fr::from).into_iter().chain([end() - Fr::one()]);
        let shifted = members.chain([end()]).map(|value| value + Fr::one());
        let ends: Vec<Fr> = std::iter::once(Fr::zero()).chain(shifted).collect();
        ends.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    fn neighbours(index: usize) -> inputs::Neighbours {
        let leaf = |(low, high): &(Fr, Fr)| native::hash(&[tags::SET, *low, *high]);
        let leaves: Vec<Fr> = pairs().iter().map(leaf).collect();
        let path = native::tree_path(&leaves, inputs::TREE_DEPTH, index);
        inputs::Neighbours {
            index: index as u16,
            low: Element(pairs()[index].0),
            high: Element(pairs()[index].1),
            path: std::array::from_fn(|level| path[level].map(Element)),
        }
    }

    fn is_member(value: Fr, at: usize) -> bool {
        holds(|system| {
            let (value, neighbours) = (system.input(value), Neighbours::new(system, &neighbours(at)));
            let width = bits::inputs(system, value.value(), VALUE_BITS);
            neighbours.require_member(system, &Num::one(), &value, &bits::sum(&width));
        })
    }

    fn is_absent(value: Fr, at: usize) -> bool {
        holds(|system| {
            let (value, neighbours) = (system.input(value), Neighbours::new(system, &neighbours(at)));
            let above = bits::inputs(system, value.value() - neighbours.low.value(), VALUE_BITS);
            let below = neighbours.high.value() - value.value() - Fr::from(2u64);
            let below = bits::inputs(system, below, VALUE_BITS);
            neighbours.require_absent(system, &Num::one(), &value, &bits::sum(&above), &bits::sum(&below));
        })
    }

    #[test]
    fn the_root_is_the_sets() {
        let leaves: Vec<Fr> = pairs()
            .iter()
            .map(|(low, high)| native::hash(&[tags::SET, *low, *high]))
            .collect();
        let gadget = check(|system| Neighbours::new(system, &neighbours(2)).root);
        assert_eq!(gadget.output, native::tree_root(&leaves, inputs::TREE_DEPTH));
        assert_eq!(gadget.shape.constraints.len(), 2_010);
        assert_eq!(gadget.free_wires(), [0usize; 0]);
    }

    #[test]
    fn each_value_is_a_member_or_absent_and_only_by_its_own_leaf() {
        let values = [0u64, 9, 10, 11, 15, 19, 20, 21, 22].map(Fr::from);
        let values = values
            .into_iter()
            .chain([end() - Fr::from(2u64), end() - Fr::one(), end() - Fr::from(3u64)]);
        for value in values {
            let member = pairs().iter().position(|(low, _)| *low == value + Fr::one());
            for at in 0..pairs().len() {
                assert_eq!(is_member(value, at), member == Some(at), "{value} {at}");
                let (low, high) = pairs()[at];
                let inside = low.into_bigint() < (value + Fr::one()).into_bigint()
                    && (value + Fr::one()).into_bigint() < high.into_bigint();
                assert_eq!(is_absent(value, at), inside, "{value} {at}");
            }
        }
    }

    /// The ends are no members, and nothing outside the values' width is absent.
    #[test]
    fn values_beyond_the_ends_are_nothing() {
        for value in [-Fr::one(), -Fr::from(2u64), end(), end() + Fr::one(), -end(), random(1)] {
            for at in 0..pairs().len() {
                assert!(!is_member(value, at) && !is_absent(value, at), "{value} {at}");
            }
        }
    }
}
