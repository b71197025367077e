//! Bits, and what is built on them: widths, comparisons, the canonical integer of a field element, tests for zero, choices.
//!
//! Bits are least significant first. A number's lowest bit is not a wire of its own: it is the number less the other bits, so
//! that n bits cost n constraints and no sum is compared.

use crate::Fr;
use crate::system::{Num, System};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, One, PrimeField, Zero};

/// Bits of an integer below r.
pub const FIELD_BITS: usize = 254;

/// Requires a bit to be 0 or 1. One constraint.
pub fn boolean(system: &mut System, bit: &Num) {
    system.constrain(bit, &(bit - &Num::one()), &Num::zero());
}

/// A bit that the witness brings. One constraint.
pub fn input(system: &mut System, value: bool) -> Num {
    let bit = system.input(Fr::from(value));
    boolean(system, &bit);
    bit
}

/// Bits that the witness brings. One constraint each.
pub fn inputs(system: &mut System, integer: Fr, count: usize) -> Vec<Num> {
    let integer = integer.into_bigint();
    (0..count).map(|at| input(system, integer.get_bit(at))).collect()
}

/// The integer with these bits; below 2^254 it does not wrap further than a field element does.
pub fn sum(bits: &[Num]) -> Num {
    Num::sum(powers_of_two().zip(bits))
}

fn powers_of_two() -> impl Iterator<Item = Fr> {
    std::iter::successors(Some(Fr::one()), |power| Some(power.double()))
}

/// The bits of a number, which is so shown to be below 2^count. `count` constraints.
///
/// # Panics
/// For 254 bits and more, which a field element has more than once: see [`canonical`].
pub fn decompose(system: &mut System, num: &Num, count: usize) -> Vec<Num> {
    assert!(count < FIELD_BITS, "{count} bits are not unique");
    let bits = unchecked(system, num, count);
    bits.iter().for_each(|bit| boolean(system, bit));
    bits
}

/// Numbers that sum to `num` as bits do, but are not yet shown to be bits.
fn unchecked(system: &mut System, num: &Num, count: usize) -> Vec<Num> {
    let integer = num.value().into_bigint();
    let mut bits: Vec<Num> = (1..count)
        .map(|at| system.wire(Fr::from(integer.get_bit(at))))
        .collect();
    let others = sum(&bits).scale(Fr::from(2u64));
    bits.insert(0, num - &others);
    bits
}

/// Requires small ≤ large, both being known to be below 2^count. `count` constraints.
///
/// The difference alone would say nothing: p − 1 is −1.
pub fn at_most(system: &mut System, small: &Num, large: &Num, count: usize) {
    decompose(system, &(large - small), count);
}

/// Requires small < large, both being known to be below 2^count. `count` constraints.
pub fn less_than(system: &mut System, small: &Num, large: &Num, count: usize) {
    at_most(system, &(small + &Num::one()), large, count);
}

/// The 254 bits of a number as an integer below r: num + r, which may also have 254 bits, is refused. 331 constraints.
pub fn canonical(system: &mut System, num: &Num) -> Vec<Num> {
    let bits = unchecked(system, num, FIELD_BITS);
    let mut largest = Fr::MODULUS;
    largest.sub_with_borrow(&BigInt::from(1u64));
    bits_at_most(system, &bits, &largest);
    bits
}

/// Requires numbers to be bits, and their integer to be at most `bound`, whose top bit is the last of theirs.
///
/// From the top down `equal` tells whether all bits so far are the bound's. Where the bound has a 0, b (1 − b − equal) = 0
/// requires a bit, and 0 while they are equal. Where it has a run of ones, `equal` becomes the conjunction with them: by a
/// product for each, or by one test for zero.
///
/// # Panics
/// When the bound has more or fewer bits.
pub fn bits_at_most(system: &mut System, bits: &[Num], bound: &BigInt<4>) {
    assert_eq!(bits.len(), bound.num_bits() as usize, "as many bits as the bound has");
    let mut equal = Num::one();
    let mut run = Vec::new();
    for (at, bit) in bits.iter().enumerate().rev() {
        if bound.get_bit(at) {
            boolean(system, bit);
            run.push(bit);
            continue;
        }
        equal = all(system, equal, &std::mem::take(&mut run));
        let rest = &(&Num::one() - bit) - &equal;
        system.constrain(bit, &rest, &Num::zero());
    }
}

/// The conjunction of bits: at most two constraints, and one where `first` is the constant 1.
fn all(system: &mut System, first: Num, bits: &[&Num]) -> Num {
    match (first.is_constant(), bits) {
        (_, [] | [_] | [_, _]) => bits.iter().fold(first, |product, bit| system.multiply(&product, bit)),
        _ => {
            let missing = bits
                .iter()
                .fold(&Num::one() - &first, |missing, bit| &missing + &(&Num::one() - bit));
            is_zero(system, &missing)
        }
    }
}

/// 1 where a number is 0, else 0. Two constraints.
///
/// num · inverse = 1 − flag and num · flag = 0 determine the flag; the inverse is free where num is 0, and then multiplied by it.
pub fn is_zero(system: &mut System, num: &Num) -> Num {
    let inverse = system.wire(num.value().inverse().unwrap_or_default());
    let flag = system.wire(Fr::from(num.value().is_zero()));
    system.constrain(num, &inverse, &(&Num::one() - &flag));
    system.constrain(num, &flag, &Num::zero());
    flag
}

/// `then` where the bit is 1, `otherwise` where it is 0. One constraint.
pub fn select(system: &mut System, bit: &Num, then: &Num, otherwise: &Num) -> Num {
    let difference = then - otherwise;
    &system.multiply(&difference, bit) + otherwise
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::testing::{Gadget, check, holds, random, run};

    fn two(power: u64) -> Fr {
        Fr::from(2u64).pow([power])
    }

    #[test]
    fn numbers_have_their_bits() {
        for value in [0, 1, 2, 5, u64::MAX] {
            let fits = check(|system| {
                let num = system.input(Fr::from(value));
                let bits = decompose(system, &num, 64);
                assert!((0..64).all(|at| bits[at].value() == Fr::from(value >> at & 1)));
                sum(&bits)
            });
            assert_eq!(fits.output, Fr::from(value));
            assert_eq!(fits.shape.constraints.len(), 64);
        }
    }

    #[test]
    fn wider_numbers_have_none() {
        for value in [two(64), -Fr::one(), random(1)] {
            assert!(!holds(|system| {
                let num = system.input(value);
                decompose(system, &num, 64);
            }));
        }
    }

    #[test]
    #[should_panic(expected = "not unique")]
    fn whole_elements_are_not_simply_decomposed() {
        decompose(&mut System::witness(), &Num::one(), 254);
    }

    #[test]
    fn comparisons_are_of_integers() {
        let at_most = |small: Fr, large: Fr| {
            holds(|system| {
                let (small, large) = (system.input(small), system.input(large));
                super::at_most(system, &small, &large, 64);
            })
        };
        let less_than = |small: Fr, large: Fr| {
            holds(|system| {
                let (small, large) = (system.input(small), system.input(large));
                super::less_than(system, &small, &large, 64);
            })
        };
        let largest = Fr::from(u64::MAX);
        for (small, large) in [(Fr::zero(), Fr::zero()), (Fr::zero(), largest), (largest, largest)] {
            assert!(at_most(small, large));
            assert_eq!(less_than(small, large), small != large);
            assert_eq!(at_most(large, small), small == large);
        }
    }

    #[test]
    fn elements_have_one_canonical_integer() {
        for value in [Fr::zero(), Fr::one(), -Fr::one(), -two(250), random(1), random(2)] {
            let Gadget { shape, values, output } = check(|system| {
                let num = system.input(value);
                sum(&canonical(system, &num))
            });
            assert_eq!((output, shape.constraints.len()), (value, 331));
            let bits = values[2..255].iter().rev();
            let highest = bits.fold(BigInt::from(0u64), |mut sum, bit| {
                sum.mul2();
                sum.0[0] |= bit.into_bigint().0[0];
                sum
            });
            let mut integer = value.into_bigint();
            integer.div2();
            assert_eq!(highest, integer);
        }
    }

    /// Both integers of 254 bits give the same element.
    #[test]
    fn the_element_plus_r_is_refused() {
        let below = |bits: BigInt<4>| {
            holds(|system| {
                let bits: Vec<Num> = (0..254).map(|at| system.input(Fr::from(bits.get_bit(at)))).collect();
                let mut bound = Fr::MODULUS;
                bound.sub_with_borrow(&BigInt::from(1u64));
                bits_at_most(system, &bits, &bound);
            })
        };
        for value in [0u64, 1, 12345] {
            let mut integer = BigInt::from(value);
            assert!(below(integer));
            integer.add_with_carry(&Fr::MODULUS);
            assert!(!below(integer));
        }
        let mut largest = Fr::MODULUS;
        largest.sub_with_borrow(&BigInt::from(1u64));
        assert!(below(largest));
        assert!(!below(BigInt([u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 2])));
    }

    #[test]
    fn bounds_hold_for_every_small_integer() {
        for bound in [2u64, 13, 14, 15, 0b101_1101, 0b111_1101] {
            let count = 64 - bound.leading_zeros() as usize;
            for integer in 0..1u64 << count {
                let accepted = holds(|system| {
                    let bits: Vec<Num> = (0..count).map(|at| system.input(Fr::from(integer >> at & 1))).collect();
                    bits_at_most(system, &bits, &BigInt::from(bound));
                });
                assert_eq!(accepted, integer <= bound, "{integer} {bound}");
            }
            for digit in [2u64, 3] {
                assert!((0..count).all(|at| !holds(|system| {
                    let bit = |each| system.input(Fr::from(if each == at { digit } else { 0 }));
                    let bits: Vec<Num> = (0..count).map(bit).collect();
                    bits_at_most(system, &bits, &BigInt::from(bound));
                })));
            }
        }
    }

    #[test]
    fn zero_is_told_from_the_rest() {
        for (value, flag) in [
            (Fr::zero(), Fr::one()),
            (Fr::one(), Fr::zero()),
            (-Fr::one(), Fr::zero()),
        ] {
            let gadget = check(|system| {
                let num = system.input(value);
                is_zero(system, &num)
            });
            assert_eq!(gadget.output, flag);
            // The inverse of zero is free, and nothing comes of it.
            assert_eq!(gadget.free_wires(), if value.is_zero() { vec![2] } else { vec![] });
        }
    }

    #[test]
    fn a_bit_selects() {
        for bit in [false, true] {
            let gadget = run(|system| {
                let (bit, then, otherwise) = (input(system, bit), system.input(random(1)), system.input(random(2)));
                select(system, &bit, &then, &otherwise)
            });
            assert_eq!(gadget.output, random(if bit { 1 } else { 2 }));
            assert_eq!(gadget.shape.unsatisfied(&gadget.values), None);
        }
    }
}
