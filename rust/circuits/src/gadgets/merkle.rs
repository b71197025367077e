//! Nodes of Poseidon trees of arity 4 and fixed depth.
//!
//! A node's siblings stand nowhere else, so the witness brings their first boxes' outputs in the hash above
//! ([`poseidon::free`]); only the node itself is raised to the fifth power. [`root`] knows the position, by two bits a level, so
//! that digits are 0 to 3; [`Children::hold`] does not care for it. A level costs 292 either way, the two bits beside.
//!
//! A fixed depth keeps leaves and nodes apart, although some leaves are hashes of four inputs as nodes are: a leaf is always
//! hashed as many times as its tree is deep.

use super::bits;
use super::poseidon::{self, Powers};
use crate::Fr;
use crate::inputs::Element;
use crate::system::{Num, System};
use std::array::from_fn;

const ARITY: usize = 4;

/// The first boxes of a node's children, whose hash is the node.
pub struct Children([Num; ARITY]);

impl Children {
    /// Brought by the witness.
    pub fn new(system: &mut System, children: [Fr; ARITY]) -> Self {
        Self(from_fn(|at| poseidon::free(system, ARITY, at, children[at])))
    }

    /// The node above. 285 constraints.
    pub fn parent(&self, system: &mut System) -> Num {
        poseidon::finish(system, &self.0, None)
    }

    /// Requires the node above to be `parent`. 285 constraints.
    pub fn lead_to(&self, system: &mut System, parent: &Num) {
        poseidon::finish(system, &self.0, Some(parent));
    }

    /// Requires that one of the children is `node`, where `on` is 1. 7 constraints, 8 unless `on` is a constant.
    pub fn hold(&self, system: &mut System, node: &Num, on: &Num) {
        let powers = Powers::new(system, node);
        let differences: [Num; ARITY] = from_fn(|at| &self.0[at] - &powers.boxed(ARITY, at));
        let [first, second, third, fourth] = &differences;
        let left = system.multiply(first, second);
        let right = system.multiply(third, fourth);
        let left = system.multiply(&left, on);
        system.constrain(&left, &right, &Num::zero());
    }

    /// Requires that the child at the position of two bits is `node`. 7 constraints; 3 where the bits are constants.
    fn hold_at(&self, system: &mut System, node: &Num, low: &Num, high: &Num) {
        let chosen = choose(system, &self.0, low, high);
        let constants = from_fn(|at| Num::constant(poseidon::constant(ARITY, at)));
        let constant = choose(system, &constants, low, high);
        poseidon::fifth_power_is(system, &(node + &constant), &chosen);
    }
}

/// Two levels of choices: three products, or one where the four are constants.
fn choose(system: &mut System, of: &[Num; ARITY], low: &Num, high: &Num) -> Num {
    let [lower, upper] = [0, 2].map(|at| bits::select(system, low, &of[at + 1], &of[at]));
    bits::select(system, high, &upper, &lower)
}

/// The node and its siblings in their places.
pub fn placed(node: Fr, digit: usize, siblings: &[Element; 3]) -> [Fr; ARITY] {
    from_fn(|at| match at.cmp(&digit) {
        std::cmp::Ordering::Less => siblings[at].0,
        std::cmp::Ordering::Equal => node,
        std::cmp::Ordering::Greater => siblings[at - 1].0,
    })
}

/// The root over a leaf at the index of `bits`, two a level, which are known to be bits. 292 constraints a level, 288 where the
/// bits are constants.
///
/// # Panics
/// When the path has another number of levels than the bits.
pub fn root(system: &mut System, leaf: &Num, bits: &[Num], path: &[[Element; 3]]) -> Num {
    assert_eq!(bits.len(), 2 * path.len(), "two bits a level");
    let levels = bits.chunks(2).zip(path);
    levels.fold(leaf.clone(), |node, (bits, siblings)| {
        let digit = bits
            .iter()
            .rev()
            .fold(0, |digit, bit| 2 * digit + usize::from(bit.value() == Fr::from(1u64)));
        let children = Children::new(system, placed(node.value(), digit, siblings));
        children.hold_at(system, &node, &bits[0], &bits[1]);
        children.parent(system)
    })
}

/// The root over a leaf wherever it stands; `index` is a hint. 292 constraints a level.
pub fn root_anywhere(system: &mut System, leaf: &Num, index: usize, path: &[[Element; 3]]) -> Num {
    let levels = path.iter().enumerate();
    levels.fold(leaf.clone(), |node, (level, siblings)| {
        holding(system, &node, index >> (2 * level), siblings).parent(system)
    })
}

/// Requires that a leaf stands anywhere under `root`: one constraint less than comparing roots.
///
/// # Panics
/// For a path without levels.
pub fn lead_to(system: &mut System, leaf: &Num, index: usize, path: &[[Element; 3]], root: &Num) {
    let (last, before) = path.split_last().expect("a tree has a level");
    let node = root_anywhere(system, leaf, index, before);
    holding(system, &node, index >> (2 * before.len()), last).lead_to(system, root);
}

fn holding(system: &mut System, node: &Num, position: usize, siblings: &[Element; 3]) -> Children {
    let children = Children::new(system, placed(node.value(), position & 3, siblings));
    children.hold(system, node, &Num::one());
    children
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::testing::{Gadget, check, holds, random, run};
    use chartseal_algebra::poseidon as native;

    const DEPTH: usize = 3;

    fn leaves() -> Vec<Fr> {
        (0..50).map(random).collect()
    }

    fn path(index: usize) -> Vec<[Element; 3]> {
        let path = native::tree_path(&leaves(), DEPTH, index);
        path.into_iter().map(|siblings| siblings.map(Element)).collect()
    }

    fn placed_root(leaf: Fr, index: usize, path: &[[Element; 3]]) -> Gadget {
        run(|system| {
            let leaf = system.input(leaf);
            let bits = bits::inputs(system, Fr::from(index as u64), 2 * DEPTH);
            root(system, &leaf, &bits, path)
        })
    }

    #[test]
    fn paths_lead_to_the_root() {
        for index in [0, 1, 2, 3, 7, 25, 49, 63] {
            let leaf = leaves().get(index).copied().unwrap_or_default();
            let placed = placed_root(leaf, index, &path(index));
            assert_eq!(placed.output, native::tree_root(&leaves(), DEPTH));
            assert_eq!(placed.shape.unsatisfied(&placed.values), None);
            assert_eq!(placed.shape.constraints.len(), DEPTH * (292 + 2));
            let anywhere = check(|system| {
                let leaf = system.input(leaf);
                root_anywhere(system, &leaf, index, &path(index))
            });
            assert_eq!(anywhere.output, placed.output);
            assert_eq!(anywhere.shape.constraints.len(), DEPTH * 292);
            assert_eq!(anywhere.free_wires(), [0usize; 0]);
            let leads = |root| {
                holds(|system| {
                    let (root, leaf) = (system.input(root), system.input(leaf));
                    lead_to(system, &leaf, index, &path(index), &root);
                })
            };
            assert!(leads(placed.output) && !leads(random(index as u64)));
        }
    }

    #[test]
    fn other_leaves_and_positions_lead_elsewhere() {
        let expected = native::tree_root(&leaves(), DEPTH);
        assert_ne!(placed_root(random(1), 2, &path(2)).output, expected);
        assert_ne!(placed_root(random(2), 3, &path(2)).output, expected);
        let mut altered = path(2);
        altered[1][2].0 += Fr::from(1u64);
        assert_ne!(placed_root(random(2), 2, &altered).output, expected);
    }

    /// The first bit's wire stands behind the leaf's: any other number there is no bit, and any other bit another position.
    #[test]
    fn digits_over_three_are_refused() {
        let Gadget { shape, values, .. } = placed_root(random(2), 2, &path(2));
        for bit in 2..2 + 2 * DEPTH {
            for other in [2u64, 3, 4]
                .map(Fr::from)
                .into_iter()
                .chain([-Fr::from(1u64), random(0)])
            {
                let mut changed = values.clone();
                changed[bit] = other;
                assert!(shape.unsatisfied(&changed).is_some());
            }
            let mut flipped = values.clone();
            flipped[bit] = Fr::from(1u64) - flipped[bit];
            assert!(shape.unsatisfied(&flipped).is_some());
        }
    }

    #[test]
    fn constant_positions_cost_less() {
        let gadget = check(|system| {
            let leaf = system.input(random(0));
            root(system, &leaf, &vec![Num::zero(); 2 * DEPTH], &path(0))
        });
        assert_eq!(gadget.output, native::tree_root(&leaves(), DEPTH));
        assert_eq!(gadget.shape.constraints.len(), DEPTH * 288);
        assert_eq!(gadget.free_wires(), [0usize; 0]);
    }

    #[test]
    fn children_hold_each_of_four_and_no_other() {
        let holding = |node: Fr, on: u64| {
            holds(|system| {
                let (node, on) = (system.input(node), system.input(Fr::from(on)));
                Children::new(system, [0, 1, 2, 3].map(random)).hold(system, &node, &on);
            })
        };
        assert!((0..4).all(|seed| holding(random(seed), 1)));
        assert!(!holding(random(4), 1) && !holding(Fr::from(0u64), 1));
        assert!(holding(random(4), 0));
    }
}
