//! Integers below a bound, as bits: scalars that have one form only.
//!
//! A field element fixes its bits only while fewer than 254 are read, and a scalar acts modulo ℓ: s and s + ℓ give one
//! point. Whatever hashes or counts a scalar needs the one form, so the bits are compared with the bound, from the top.

use crate::system::{Num, System};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};
use chartseal_algebra::babyjub::Scalar;

/// An integer of four limbs, as arkworks has it.
pub type Integer = BigInt<4>;

/// ℓ − 1, which has 251 bits.
pub const LARGEST_SCALAR: Integer = minus_one(Scalar::MODULUS);

/// r − 1, which has 254 bits.
pub const LARGEST_ELEMENT: Integer = minus_one(Fr::MODULUS);

/// Of an odd modulus.
const fn minus_one(modulus: Integer) -> Integer {
    let mut limbs = modulus.0;
    limbs[0] -= 1;
    BigInt(limbs)
}

/// Why 254 bits follow from their sum, for determinism checks.
pub const CANONICAL: &str = "bits of an element: compared with r − 1, which leaves one form";

/// One digit to base 4: two bits, and their product, which comparisons and tables of points share.
pub struct Digit {
    pub low: Num,
    pub high: Num,
    pub both: Num,
}

impl Digit {
    /// 1 where the bits are equal, else 0.
    pub fn is_even(&self) -> Num {
        let minus = -Fr::ONE;
        Num::sum([
            (Fr::ONE, &Num::one()),
            (minus, &self.low),
            (minus, &self.high),
            (Fr::from(2u64), &self.both),
        ])
    }
}

/// 2b − 1: a bit as a sign.
pub fn sign(bit: &Num) -> Num {
    Num::sum([(Fr::from(2u64), bit), (-Fr::ONE, &Num::one())])
}

/// An integer to base 4, lowest digit first; an odd number of bits leaves the top one alone.
pub struct Digits {
    pub pairs: Vec<Digit>,
    pub top: Option<Num>,
}

impl Digits {
    /// An integer that the witness brings, proved to be at most `largest`. Bits of it above those of `largest` are lost,
    /// and whatever the caller compares the rest with says so.
    ///
    /// Cost: one constraint a bit, one a pair, and one for each digit of `largest` that is not zero, the first and those
    /// with ones alone below them excepted. Where `largest` has a zero bit, b is a bit, and zero if all bits above are
    /// those of `largest`: with m for that, (1 − m − b) · b = 0 says both, m being a bit as a product of bits.
    pub fn at_most(system: &mut System, integer: &Integer, largest: &Integer) -> Self {
        let bits = bits_of(integer, largest).map(|bit| system.input(bit)).collect();
        Self::from_bits(system, bits, largest)
    }

    /// The one integer below r that `num` is. Cost: as [`Digits::at_most`], and one.
    pub fn of(system: &mut System, num: &Num) -> Self {
        let integer = num.value().into_bigint();
        let bits: Vec<Num> = bits_of(&integer, &LARGEST_ELEMENT)
            .map(|bit| system.wire(bit))
            .collect();
        bits.iter().for_each(|bit| system.because(bit, CANONICAL));
        let digits = Self::from_bits(system, bits, &LARGEST_ELEMENT);
        let value = digits.value();
        system.equal(&value, num);
        digits
    }

    fn from_bits(system: &mut System, bits: Vec<Num>, largest: &Integer) -> Self {
        let pairs = bits.chunks_exact(2).map(|pair| Digit {
            low: pair[0].clone(),
            high: pair[1].clone(),
            both: system.multiply(&pair[0], &pair[1]),
        });
        let digits = Self {
            pairs: pairs.collect(),
            top: bits.chunks_exact(2).remainder().first().cloned(),
        };
        digits.compare(system, largest);
        digits
    }

    fn compare(&self, system: &mut System, largest: &Integer) {
        // Below the lowest zero of `largest` nothing is left to compare.
        let lowest = (0..).find(|i| !largest.get_bit(*i)).expect("not all 256 bits");
        let mut matched = Num::one();
        if let Some(top) = &self.top {
            require_bit(system, top); // the top bit of `largest` is one
            matched = top.clone();
        }
        for (i, digit) in self.pairs.iter().enumerate().rev() {
            match (largest.get_bit(2 * i + 1), largest.get_bit(2 * i)) {
                (true, true) if 2 * i < lowest => {
                    require_bit(system, &digit.high);
                    require_bit(system, &digit.low);
                }
                (false, false) => {
                    require_bit_unless(system, &digit.high, &matched);
                    require_bit_unless(system, &digit.low, &matched);
                }
                (false, true) => {
                    require_bit_unless(system, &digit.high, &matched);
                    require_bit(system, &digit.low);
                    matched = system.multiply(&matched, &digit.low);
                }
                (true, false) => {
                    require_bit(system, &digit.high);
                    matched = system.multiply(&matched, &digit.high);
                    require_bit_unless(system, &digit.low, &matched);
                }
                (true, true) => {
                    require_bit(system, &digit.high);
                    require_bit(system, &digit.low);
                    matched = system.multiply(&matched, &digit.both);
                }
            }
        }
    }

    /// The integer, modulo r.
    pub fn value(&self) -> Num {
        let mut powers = std::iter::successors(Some(Fr::ONE), |power| Some(power.double()));
        let bits = self.pairs.iter().flat_map(|digit| [&digit.low, &digit.high]);
        let bits = bits.chain(&self.top);
        Num::sum(bits.map(|bit| (powers.next().expect("without end"), bit)))
    }
}

fn bits_of(integer: &Integer, largest: &Integer) -> impl Iterator<Item = Fr> {
    (0..largest.num_bits() as usize).map(|i| Fr::from(integer.get_bit(i)))
}

fn require_bit(system: &mut System, bit: &Num) {
    require_bit_unless(system, bit, &Num::zero());
}

/// Requires zero where `matched` is one, a bit where it is zero.
fn require_bit_unless(system: &mut System, bit: &Num, matched: &Num) {
    let ceiling = &Num::one() - matched;
    system.constrain(&(&ceiling - bit), bit, &Num::zero());
}

/// Requires `num` not to be zero, by its inverse: one wire, which `num` determines, and one constraint.
pub fn require_not_zero(system: &mut System, num: &Num) {
    let inverse = system.wire(num.value().inverse().unwrap_or(Fr::ZERO));
    system.constrain(num, &inverse, &Num::one());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::trial::Trial;

    fn trial(integer: &Integer, largest: &Integer) -> Trial {
        Trial::of(|system| {
            Digits::at_most(system, integer, largest);
        })
    }

    #[test]
    fn bounds_are_exact() {
        let bounds = [LARGEST_SCALAR, LARGEST_ELEMENT, BigInt::from(13u64), BigInt::from(1u64)];
        for largest in bounds {
            assert!(trial(&BigInt::from(0u64), &largest).is_satisfied());
            assert!(trial(&largest, &largest).is_satisfied());
            for i in (0..largest.num_bits()).filter(|i| !largest.get_bit(*i as usize)) {
                let mut raised = largest;
                raised.add_with_carry(&(BigInt::from(1u64) << i));
                assert!(!trial(&raised, &largest).is_satisfied(), "bit {i}");
            }
        }
    }

    #[test]
    fn small_bounds_agree_with_integers() {
        for largest in 1..40u64 {
            for integer in 0..(largest + 1).next_power_of_two() {
                let satisfied = trial(&BigInt::from(integer), &BigInt::from(largest)).is_satisfied();
                assert_eq!(satisfied, integer <= largest, "{integer} of {largest}");
            }
        }
    }

    #[test]
    fn digits_give_the_integer_back() {
        for integer in [
            BigInt::from(0u64),
            BigInt::from(0x1234_5678_9abc_def1u64),
            LARGEST_SCALAR,
        ] {
            let mut system = System::witness();
            let digits = Digits::at_most(&mut system, &integer, &LARGEST_SCALAR);
            assert_eq!(digits.value().value().into_bigint(), integer);
        }
    }

    #[test]
    fn elements_have_one_form() {
        let decomposed = |integer: Integer| {
            let trial = Trial::of(|system| {
                let num = system.input(Fr::from(5u64));
                let digits = Digits::at_most(system, &integer, &LARGEST_ELEMENT);
                system.equal(&digits.value(), &num);
            });
            trial.is_satisfied()
        };
        let mut aliased = Fr::MODULUS;
        aliased.add_with_carry(&BigInt::from(5u64));
        assert!(decomposed(BigInt::from(5u64)) && !decomposed(aliased));
        for value in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(77u64).inverse().unwrap()] {
            let trial = Trial::of(|system| {
                let num = system.input(value);
                assert_eq!(Digits::of(system, &num).value().value(), value);
            });
            assert!(trial.is_satisfied());
        }
    }

    #[test]
    fn bits_are_bits() {
        let trial = trial(&BigInt::from(3u64), &LARGEST_SCALAR);
        for wire in 1..=251 {
            let mut values = trial.assignment.values().to_vec();
            values[wire] = Fr::from(2u64);
            assert!(trial.shape.unsatisfied(&values).is_some(), "{wire}");
        }
    }

    #[test]
    fn cost() {
        let constraints = |largest| trial(&BigInt::from(0u64), &largest).constraints();
        assert_eq!(constraints(LARGEST_SCALAR), 251 + 125 + 84);
        assert_eq!(constraints(LARGEST_ELEMENT), 254 + 127 + 78);
    }

    #[test]
    fn zero_has_no_inverse() {
        for (value, satisfied) in [(0u64, false), (1, true), (7, true)] {
            let trial = Trial::of(|system| {
                let num = system.input(Fr::from(value));
                require_not_zero(system, &num);
            });
            assert_eq!(trial.is_satisfied(), satisfied);
        }
    }
}
