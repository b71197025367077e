//! The bit of a status list (formats 8): index i is bit i mod 250 of word i div 250; the words are leaves of a tree of depth 6.

use super::{bits, merkle};
use crate::Fr;
use crate::inputs;
use crate::system::{Num, System};

/// Bits of a word.
pub const WORD_BITS: usize = 250;
const POSITION_BITS: usize = 8;
const DIGIT_BITS: usize = 2 * inputs::TREE_DEPTH;

/// A credential's place in its list: twelve bits of a word's number, eight of a position in it.
pub struct Place {
    word: Vec<Num>,
    position: Vec<Num>,
}

impl Place {
    /// Of an index, brought by the witness. 20 constraints.
    pub fn new(system: &mut System, index: u32) -> Self {
        Self::at(system, index / WORD_BITS as u32, index % WORD_BITS as u32)
    }

    /// Of a word's number and a position in it, as a witness may have them.
    pub fn at(system: &mut System, word: u32, position: u32) -> Self {
        Self {
            word: bits::inputs(system, Fr::from(word), DIGIT_BITS),
            position: bits::inputs(system, Fr::from(position), POSITION_BITS),
        }
    }

    /// 250 · word + position. Places of positions 250 to 255 have an index too, but no bit of theirs is ever 0.
    pub fn index(&self) -> Num {
        let word = bits::sum(&self.word);
        &word.scale(Fr::from(WORD_BITS as u64)) + &bits::sum(&self.position)
    }

    /// The root of a list in which this place's bit is 0. 2,043 constraints.
    ///
    /// A word of more than 250 bits fits nothing. Bits 250 to 255 are 1, that is revoked: else an index whose word is taken one
    /// lower, with 250 more as its position, would read them instead of its own.
    pub fn root_where_clear(&self, system: &mut System, status: &inputs::Status) -> Num {
        let word = bits::inputs(system, status.word.0, WORD_BITS);
        let root = merkle::root(system, &bits::sum(&word), &self.word, &status.path);
        let mut padded = word;
        padded.resize(1 << POSITION_BITS, Num::one());
        let sixteen = chosen_group(system, &padded, 16, &self.position[4..]);
        let four = chosen_group(system, &sixteen, 4, &self.position[2..4]);
        let two = choose(system, &four, &self.position[..1]);
        // The last choice, two[0] + high · (two[1] − two[0]), is 0.
        system.constrain(&(&two[1] - &two[0]), &self.position[1], &-&two[0]);
        root
    }
}

/// The bits of one of several groups: the groups are chosen from as integers, and the choice is taken apart again.
fn chosen_group(system: &mut System, of: &[Num], size: usize, selectors: &[Num]) -> Vec<Num> {
    let groups: Vec<Num> = of.chunks(size).map(bits::sum).collect();
    let chosen = choose(system, &groups, selectors);
    assert_eq!(chosen.len(), 1, "a bit for each halving");
    bits::decompose(system, &chosen[0], size)
}

/// Every second number, first or second as the bits say, the least significant first. A constraint for each pair.
fn choose(system: &mut System, of: &[Num], selectors: &[Num]) -> Vec<Num> {
    selectors.iter().fold(of.to_vec(), |level, bit| {
        let pairs = level.chunks(2);
        pairs
            .map(|pair| bits::select(system, bit, &pair[1], &pair[0]))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::testing::{Gadget, run};
    use crate::inputs::Element;
    use ark_ff::{Field, One, Zero};
    use chartseal_algebra::poseidon as native;
    use std::array::from_fn;

    fn two(power: usize) -> Fr {
        Fr::from(2u64).pow([power as u64])
    }

    /// Word 0 clear, word 1 with some bits, word 2 with all, word 3 with all but the last.
    fn words() -> Vec<Fr> {
        let all = two(WORD_BITS) - Fr::one();
        vec![Fr::zero(), two(0) + two(7) + two(249), all, all - two(249)]
    }

    fn status(word: usize) -> inputs::Status {
        let path = native::tree_path(&words(), inputs::TREE_DEPTH, word);
        inputs::Status {
            word: Element(words().get(word).copied().unwrap_or_default()),
            path: from_fn(|level| path[level].map(Element)),
        }
    }

    fn place(word: u64, position: u64, status: &inputs::Status) -> Gadget {
        run(|system| {
            let place = Place {
                word: bits::inputs(system, Fr::from(word), DIGIT_BITS),
                position: bits::inputs(system, Fr::from(position), POSITION_BITS),
            };
            assert_eq!(place.index().value(), Fr::from(250 * word + position));
            place.root_where_clear(system, status)
        })
    }

    fn is_clear(word: u64, position: u64) -> bool {
        let gadget = place(word, position, &status(word as usize));
        assert_eq!(gadget.output, native::tree_root(&words(), inputs::TREE_DEPTH));
        gadget.shape.unsatisfied(&gadget.values).is_none()
    }

    #[test]
    fn only_clear_bits_pass() {
        for (word, clear) in [
            (0, [true; 6]),
            (1, [false, true, false, true, true, false]),
            (2, [false; 6]),
            (3, [false, false, false, false, false, true]),
            (4_095, [true; 6]),
        ] {
            let positions = [0, 1, 7, 8, 248, 249];
            assert_eq!(positions.map(|position| is_clear(word, position)), clear, "{word}");
        }
    }

    #[test]
    fn places_are_those_of_the_index() {
        for index in [0u32, 249, 250, 1_023_999] {
            let gadget = run(|system| {
                let place = Place::new(system, index);
                place.root_where_clear(system, &status(usize::try_from(index).unwrap() / WORD_BITS));
                place.index()
            });
            assert_eq!(gadget.output, Fr::from(index));
            assert_eq!(gadget.shape.constraints.len(), 20 + 2_043);
        }
    }

    /// Bit 5 of word 1 has index 255; so would bit 255 of word 0, which is clear.
    #[test]
    fn an_aliased_index_is_revoked() {
        for position in 250..256 {
            for word in 0..4 {
                assert!(!is_clear(word, position), "{word} {position}");
            }
        }
    }

    #[test]
    fn words_of_more_than_250_bits_fit_nothing() {
        for wide in [two(WORD_BITS), two(253), -Fr::one()] {
            let words = [wide, Fr::zero()];
            let path = native::tree_path(&words, inputs::TREE_DEPTH, 0);
            let status = inputs::Status {
                word: Element(wide),
                path: from_fn(|level| path[level].map(Element)),
            };
            let gadget = place(0, 3, &status);
            assert_ne!(gadget.output, native::tree_root(&words, inputs::TREE_DEPTH));
        }
    }

    #[test]
    fn every_wire_counts() {
        let gadget = run(|system| {
            let (index, place) = (system.input(Fr::from(258u64)), Place::new(system, 258));
            system.equal(&place.index(), &index);
            place.root_where_clear(system, &status(1))
        });
        assert_eq!(gadget.free_wires(), [0usize; 0]);
    }
}
