//! Multiples of points by scalars in bits: of a fixed point, and of a point of the witness.
//!
//! Both add in Montgomery form, whose sums are right only for P ≠ Q ([`super::curve`]). Why no witness, whatever it holds,
//! reaches P = Q: scalars are written in odd digits, two bits b₀, b₁ giving D = σ₀ + 2·σ₁ ∈ {±1, ±3} with σ = 2·b − 1, so
//! that no digit is zero and multiples stay odd. Σ σᵢ·2ⁱ over n bits of k is 2·k − 2ⁿ + 1. ℓ is an odd prime between 2^250
//! and 2^251.
//!
//! **Fixed point P**, of order ℓ, over 251 bits; H = P/2 modulo ℓ. Sum the windows from the lowest: after window i (bits
//! 2i, 2i + 1) the sum is m·H with m odd, |m| ≤ 4^(i+1) − 1. The next window is D·4^(i+1)·H, and
//! |m| < 4^(i+1) ≤ |D|·4^(i+1), |m| + |D|·4^(i+1) < 4^(i+2) ≤ 2^250 < ℓ for the 125 windows of bits 0 to 249,
//! so m ± D·4^(i+1) is neither zero nor a multiple of ℓ: neither P = Q nor P = −Q occurs, and no sum is the identity. Bit
//! 250 and the rest of the identity above, (σ₂₅₀·2^250 + 2^251 − 1)·H, are one of two constant points, added completely. So
//! the product is right for all 2^251 scalars, ℓ, 0 and their neighbours included. (Digits 1 to 4 with a fixed offset, the
//! usual way, meet P = Q at a real scalar; nothing here rests on a discrete logarithm that nobody knows.)
//!
//! **Point V of the witness**, of order ℓ or 2·ℓ, which the caller shows, over the 127 digits of 254 bits c, from the
//! highest. From V on, m ← 4·m + D makes the multiple before window w = 1, 2, … m·V with m = 2·(the highest 2·(w − 1) bits
//! of c) + 1, odd and at most 2^(2w−1) − 1; at the end it is 2·c + 1. In window w:
//! - doubling m·V: v = 0 leaves it unsatisfied;
//! - P + Q with P = 2·m·V and Q = D·V: P = Q needs 2·m − D ≡ 0 modulo ℓ. The left side is odd, so it is not 0; it is at
//!   least −1 and at most 2^(2w) + 1, which is below ℓ up to w = 125. In windows 126 and 127 P ≠ ±Q is proved, for one
//!   constraint each;
//! - P = −Q, and (P + Q) + P with P + Q = −P, leave it unsatisfied, since 2·m·V is of odd order and so not of order 2; P +
//!   Q = P would mean that Q is the identity;
//! - 3·V = 2·V + V: 2·V = ±V would mean order 1 or 3;
//! - the end: a sum of order 2, (0, 0), has no Edwards form and is refused, for one constraint.
//!
//! So every satisfied witness has the right multiple. What is refused although right: c for which P = ±Q in windows 126 and
//! 127, or a sum is the identity; some dozens of the 2^254, and c is a hash.

use super::curve::{Edwards, Montgomery};
use super::scalar::{Digit, Digits, require_not_zero, sign};
use crate::system::{Num, System};
use ark_bn254::Fr;
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::Field;
use chartseal_algebra::babyjub::{Scalar, normalized};
use std::sync::LazyLock;
use taceo_ark_babyjubjub::{EdwardsAffine, EdwardsProjective};

/// Windows of a fixed point's multiples: bits 0 to 249.
const WINDOWS: usize = 125;

/// The last windows of [`ladder`], in which P = Q is not out of reach by size.
const WINDOWS_TO_CHECK: usize = 2;

/// The multiples of a fixed point that its digits choose from.
pub struct FixedPoint {
    /// 1 and 3 times 4^i/2 times the point, as (u, v).
    windows: Vec<[(Fr, Fr); 2]>,
    /// What bit 250 adds, zero or one, and the constant with it, as (x, y).
    last: [(Fr, Fr); 2],
}

/// B8, circomlib's base point of order ℓ.
pub static BASE: LazyLock<FixedPoint> = LazyLock::new(|| FixedPoint::new(EdwardsProjective::generator()));

impl FixedPoint {
    /// Of a point of order ℓ, which the caller's code fixes.
    pub fn new(point: EdwardsProjective) -> Self {
        let half = point * Scalar::from(2u64).inverse().expect("odd order");
        let mut power = half;
        let mut multiples = Vec::with_capacity(2 * WINDOWS);
        for _ in 0..WINDOWS {
            let double = power + power;
            multiples.extend([power, double + power]);
            power = double + double;
        }
        // power is now 2^250·H.
        let middle = power + power - half;
        let affine = normalized(&multiples);
        Self {
            windows: affine
                .chunks_exact(2)
                .map(|pair| [montgomery(&pair[0]), montgomery(&pair[1])])
                .collect(),
            last: [middle - power, middle + power].map(|point| coordinates(&point.into_affine())),
        }
    }

    /// k times the point, for every k of 251 bits. Cost: 380 and the digits.
    pub fn times(&self, system: &mut System, digits: &Digits) -> Edwards {
        let top = digits.top.as_ref().expect("251 bits");
        assert_eq!(digits.pairs.len(), WINDOWS, "251 bits");
        let mut windows = self.windows.iter().zip(&digits.pairs);
        let (first, digit) = windows.next().expect("125 windows");
        let mut sum = chosen(first, digit);
        for (window, digit) in windows {
            sum = sum.add(system, &chosen(window, digit));
        }
        let [zero, one] = self.last;
        let last = Edwards {
            x: blend(zero.0, one.0, top),
            y: blend(zero.1, one.1, top),
        };
        sum.to_edwards(system).add(system, &last)
    }
}

/// ±1 or ±3 times a window's power: sums of the digit's bits, so that the choice is free.
///
/// v is odd in the signs, hence (v₃ − v₁)/2·σ₀ + (v₃ + v₁)/2·σ₁; u is the same for D and −D.
fn chosen(window: &[(Fr, Fr); 2], digit: &Digit) -> Montgomery {
    let [(u1, v1), (u3, v3)] = *window;
    let half = Fr::from(2u64).inverse().expect("odd order");
    Montgomery {
        u: blend(u1, u3, &digit.is_even()),
        v: Num::sum([
            ((v3 - v1) * half, &sign(&digit.low)),
            ((v3 + v1) * half, &sign(&digit.high)),
        ]),
    }
}

/// The constant that a bit chooses.
fn blend(zero: Fr, one: Fr, bit: &Num) -> Num {
    Num::sum([(zero, &Num::one()), (one - zero, bit)])
}

fn coordinates(point: &EdwardsAffine) -> (Fr, Fr) {
    (point.x, point.y)
}

/// Of a point of order ℓ.
fn montgomery(point: &EdwardsAffine) -> (Fr, Fr) {
    let one = Fr::from(1u64);
    let u = (one + point.y) * (one - point.y).inverse().expect("not the identity");
    (u, u * point.x.inverse().expect("not of order 2"))
}

/// (2·c + 1)·V for the 254 bits c and a point V of order ℓ or 2·ℓ, which the caller shows. Cost: 1,532 and the digits,
/// whose products count there.
pub fn ladder(system: &mut System, point: &Montgomery, digits: &Digits) -> Edwards {
    let windows = digits.pairs.len();
    assert!(windows == 127 && digits.top.is_none(), "254 bits");
    let mut double = point.double(system);
    let triple = double.add(system, point);
    let mut sum = point.clone();
    for (i, digit) in digits.pairs.iter().rev().enumerate() {
        if i > 0 {
            double = sum.double(system);
        }
        let chosen = odd_multiple(system, point, &triple, digit);
        if i + WINDOWS_TO_CHECK >= windows {
            double.require_apart(system, &chosen);
        }
        sum = double.double_and_add(system, &chosen);
    }
    require_not_zero(system, &sum.v);
    sum.to_edwards(system)
}

/// D·V. Cost: 3.
fn odd_multiple(system: &mut System, point: &Montgomery, triple: &Montgomery, digit: &Digit) -> Montgomery {
    let is_triple = digit.is_even();
    let mut between = |one: &Num, three: &Num| {
        let step = system.multiply(&is_triple, &(three - one));
        &step + one
    };
    let (u, magnitude) = (between(&point.u, &triple.u), between(&point.v, &triple.v));
    Montgomery {
        u,
        v: system.multiply(&sign(&digit.high), &magnitude),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::scalar::{Integer, LARGEST_ELEMENT, LARGEST_SCALAR};
    use crate::gadgets::trial::Trial;
    use ark_ec::AffineRepr;
    use ark_ff::{BigInt, BigInteger, PrimeField, Zero};
    use chartseal_algebra::babyjub::times_public;

    /// 2^n − 1.
    fn ones(n: usize) -> Integer {
        BigInteger::from_bits_le(&vec![true; n])
    }

    fn minus(mut left: Integer, right: &Integer) -> Integer {
        assert!(!left.sub_with_borrow(right));
        left
    }

    fn random(seed: u64) -> Scalar {
        Scalar::from(seed) / Scalar::from(1_000_003u64)
    }

    fn times(point: &EdwardsAffine, integer: &Integer) -> (Fr, Fr) {
        coordinates(&times_public(point, &integer.0).into_affine())
    }

    #[test]
    fn the_order_is_where_the_argument_wants_it() {
        assert!(ones(250) < LARGEST_SCALAR && LARGEST_SCALAR < ones(251));
        let bound = minus(LARGEST_SCALAR, &ones(250));
        assert!(bound > BigInt::from(4u64));
    }

    /// 0, 1, ℓ − 1, and integers of 251 bits that no scalar is written as: ℓ, 2^251 − 1, and 2^251 − ℓ, which an encoding
    /// with one offset for all digits cannot multiply by.
    fn scalars() -> Vec<Integer> {
        let mut scalars: Vec<Integer> = (1..5).map(|seed| random(seed).into_bigint()).collect();
        scalars.extend([0u64, 1, 2, 3, 4, 5].map(BigInt::from));
        let half = (LARGEST_SCALAR) >> 1;
        scalars.extend([half, minus(half, &BigInt::from(1u64)), LARGEST_SCALAR, Scalar::MODULUS]);
        scalars.extend([
            ones(251),
            ones(250),
            minus(ones(251), &LARGEST_SCALAR),
            minus(ones(251), &Scalar::MODULUS),
        ]);
        scalars
    }

    #[test]
    fn multiples_of_fixed_points_agree() {
        let other = EdwardsProjective::generator() * random(9);
        let other_point = (FixedPoint::new(other), other.into_affine());
        for scalar in scalars() {
            for (fixed, point) in [(&*BASE, EdwardsAffine::generator()), (&other_point.0, other_point.1)] {
                let expected = times(&point, &scalar);
                let trial = Trial::of(|system| {
                    let digits = Digits::at_most(system, &scalar, &ones(251));
                    let product = fixed.times(system, &digits);
                    assert_eq!((product.x.value(), product.y.value()), expected, "{scalar}");
                });
                assert!(trial.is_satisfied(), "{scalar}");
                assert_eq!(trial.constraints(), 251 + 125 + 380);
            }
        }
    }

    fn ladder_trial(point: &EdwardsAffine, integer: &Integer, expected: Option<(Fr, Fr)>) -> Trial {
        Trial::of(|system| {
            let (u, v) = montgomery(point);
            let point = Montgomery {
                u: system.input(u),
                v: system.input(v),
            };
            let digits = Digits::at_most(system, integer, &ones(254));
            let product = ladder(system, &point, &digits);
            if let Some(expected) = expected {
                assert_eq!((product.x.value(), product.y.value()), expected, "{integer}");
            }
        })
    }

    #[test]
    fn multiples_of_points_of_the_witness_agree() {
        let base = (EdwardsProjective::generator() * random(3)).into_affine();
        let of_order_two = EdwardsAffine::new_unchecked(Fr::zero(), -Fr::from(1u64));
        let outside = (base + of_order_two).into_affine();
        let mut integers: Vec<Integer> = (1..5)
            .map(|seed| (Fr::from(seed) / Fr::from(77u64)).into_bigint())
            .collect();
        integers.extend([0u64, 1, 2, 3, 7].map(BigInt::from));
        integers.extend([LARGEST_SCALAR, ones(250), LARGEST_ELEMENT, Fr::MODULUS, ones(254)]);
        for integer in integers {
            for point in [base, outside] {
                let mut odd = integer << 1;
                odd.add_with_carry(&BigInt::from(1u64));
                let trial = ladder_trial(&point, &integer, Some(times(&point, &odd)));
                assert!(trial.is_satisfied(), "{integer}");
                assert_eq!(trial.constraints(), 254 + 127 + 1532);
            }
        }
    }

    /// 2·c + 1 = ℓ: a multiple of order 2 where the point's order is 2·ℓ, the identity where it is ℓ.
    #[test]
    fn ends_without_edwards_form_are_refused() {
        let base = (EdwardsProjective::generator() * random(3)).into_affine();
        let outside = (base + EdwardsAffine::new_unchecked(Fr::zero(), -Fr::from(1u64))).into_affine();
        for point in [base, outside] {
            assert!(!ladder_trial(&point, &(LARGEST_SCALAR >> 1), None).is_satisfied());
        }
    }

    /// c = 16·top + 4·digit for which 2·m = ℓ ± D in window 126, m being 2·top + 1: P = Q, where any slope would do, and P
    /// = −Q.
    #[test]
    fn exceptional_integers_are_refused() {
        let base = (EdwardsProjective::generator() * random(3)).into_affine();
        assert!(!ladder_trial(&base, &Scalar::MODULUS, None).is_satisfied());
        let mut refused = 0;
        for (digit, odd) in [(0u64, -3i64), (1, -1), (2, 1), (3, 3)] {
            for twice in [shifted(Scalar::MODULUS, odd), shifted(Scalar::MODULUS, -odd)] {
                let m = twice >> 1;
                if m.is_odd() {
                    let integer = plus((m >> 1) << 4, &BigInt::from(digit << 2));
                    assert!(!ladder_trial(&base, &integer, None).is_satisfied());
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 4);
    }

    fn shifted(integer: Integer, by: i64) -> Integer {
        let distance = BigInt::from(by.unsigned_abs());
        match by < 0 {
            true => minus(integer, &distance),
            false => plus(integer, &distance),
        }
    }

    fn plus(mut left: Integer, right: &Integer) -> Integer {
        assert!(!left.add_with_carry(right));
        left
    }

    #[test]
    fn a_point_of_order_two_is_refused() {
        let trial = Trial::of(|system| {
            let point = Montgomery {
                u: system.wire(Fr::zero()),
                v: system.wire(Fr::zero()),
            };
            let digits = Digits::at_most(system, &BigInt::from(5u64), &ones(254));
            ladder(system, &point, &digits);
        });
        assert!(!trial.is_satisfied());
    }
}
