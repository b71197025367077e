//! Σ scalar · base over many bases, as Pippenger has it, with affine additions that share their inversions.
//!
//! Scalars are cut into signed digits of a few bits. For each position the bases are put in the order of their digits; a bucket's
//! bases are added in pairs, pairs of pairs and so on, all buckets at once, so that one inversion serves thousands of additions:
//! some six multiplications each, where projective ones take ten. The weighted sum of the buckets is made of plain sums too, of
//! rows and columns of a square of buckets. Digits and orders depend on the scalars alone: several sums over one witness share
//! them. Bits and other small scalars cost little by themselves: their higher digits are zero.
//!
//! Times depend on the scalars. A prover works for its own holder, on its own machine; where an attacker shares that machine,
//! timing is a channel (as in every Groth16 prover that the formats know).

use crate::groth16::{Control, parallel};
use ark_bn254::Fr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AdditiveGroup, AffineRepr};
use ark_ff::{BigInteger, Field, PrimeField, Zero};
use chartseal_algebra::error::Result;
use zeroize::{Zeroize, Zeroizing};

/// Bits of a digit: with 2^10 buckets, best for the sizes of our circuits.
const WIDTH: usize = 11;
/// Digits of a scalar below r/2, which has 253 bits.
pub const POSITIONS: usize = 253usize.div_ceil(WIDTH);
/// A digit's absolute value is this at most, but for the highest, which passes no carry on; 0 has no bucket.
const LARGEST: usize = 1 << (WIDTH - 1);
/// Buckets stand in a square of so many columns.
const COLUMNS: usize = 1 << (WIDTH / 2);
/// Bytes of points that are added side by side: with what that takes, they stay in a core's second cache.
const SCRATCH: usize = 1 << 19;
/// Scalars that one task cuts.
const CHUNK: usize = 1 << 10;

/// For each position, which scalars go into which bucket. Erased when dropped: it is the scalars.
pub struct Digits {
    positions: Vec<Order>,
    /// Of how many scalars.
    count: usize,
}

#[derive(Default)]
struct Order {
    /// Index · 2 + 1 for a negative digit, by bucket.
    entries: Vec<u32>,
    /// Where each bucket's entries end.
    ends: Vec<u32>,
}

impl Drop for Digits {
    fn drop(&mut self) {
        for order in &mut self.positions {
            order.entries.zeroize();
            order.ends.zeroize();
        }
    }
}

impl Digits {
    pub fn of(scalars: &[Fr]) -> Self {
        let chunks: Vec<&[Fr]> = scalars.chunks(CHUNK).collect();
        let cut = parallel::map(&chunks, |chunk| {
            Zeroizing::new(chunk.iter().map(cut).collect::<Vec<_>>())
        });
        let positions: Vec<usize> = (0..POSITIONS).collect();
        let order = |position: &usize| {
            let digits = cut
                .iter()
                .flat_map(|chunk| chunk.iter())
                .map(|digits| digits[*position]);
            Order::of(
                digits,
                if position + 1 == POSITIONS {
                    2 * LARGEST
                } else {
                    LARGEST
                },
            )
        };
        Self {
            positions: parallel::map(&positions, order),
            count: scalars.len(),
        }
    }
}

/// Signed digits, the lowest first: Σ digit · 2^(WIDTH · position).
fn cut(scalar: &Fr) -> [i16; POSITIONS] {
    let mut digits = [0; POSITIONS];
    let mut integer = scalar.into_bigint();
    let is_negative = integer > Fr::MODULUS_MINUS_ONE_DIV_TWO;
    if is_negative {
        let positive = integer;
        integer = Fr::MODULUS;
        integer.sub_with_borrow(&positive);
    }
    let mut carry = 0;
    for (position, digit) in digits.iter_mut().enumerate() {
        let (limb, shift) = (position * WIDTH / 64, position * WIDTH % 64);
        let high = integer
            .0
            .get(limb + 1)
            .map_or(0, |next| next.checked_shl(64 - shift as u32).unwrap_or(0));
        let bits = (integer.0[limb] >> shift | high) & ((1 << WIDTH) - 1);
        let value = bits as i32 + carry;
        carry = i32::from(value > LARGEST as i32 && position + 1 < POSITIONS);
        let value = value - (carry << WIDTH);
        *digit = if is_negative { -value } else { value } as i16;
    }
    integer.zeroize();
    digits
}

impl Order {
    /// By counting.
    fn of(digits: impl Iterator<Item = i16> + Clone, buckets: usize) -> Self {
        let mut ends = vec![0u32; buckets + 1];
        for digit in digits.clone() {
            ends[digit.unsigned_abs() as usize] += 1;
        }
        ends[0] = 0;
        let mut sum = 0;
        for end in &mut ends {
            (*end, sum) = (sum, sum + *end);
        }
        let mut entries = vec![0; sum as usize];
        for (index, digit) in digits.enumerate().filter(|(_, digit)| *digit != 0) {
            let at = &mut ends[digit.unsigned_abs() as usize];
            entries[*at as usize] = (index as u32) << 1 | u32::from(digit < 0);
            *at += 1;
        }
        ends.remove(0);
        Self { entries, ends }
    }
}

/// Σ scalar · base over the scalars from `first` on, one for each base.
///
/// # Errors
/// `cancelled`.
pub fn sum<P: SWCurveConfig>(
    bases: &[Affine<P>],
    digits: &Digits,
    first: usize,
    control: &Control<'_>,
) -> Result<Projective<P>> {
    if digits.count != first + bases.len() {
        return Err(crate::inputs::malformed("there are not as many scalars as bases"));
    }
    let sums = parallel::map(&digits.positions, |order| {
        control.check()?;
        Ok(weighted(&buckets(bases, order, first)))
    });
    let mut total = Projective::zero();
    for sum in sums.into_iter().rev() {
        for _ in 0..WIDTH {
            total.double_in_place();
        }
        total += sum?;
    }
    Ok(total)
}

/// Of each digit, the sum of its bases.
fn buckets<P: SWCurveConfig>(bases: &[Affine<P>], order: &Order, first: usize) -> Vec<Option<Affine<P>>> {
    let room = SCRATCH / size_of::<Affine<P>>();
    let mut groups = Groups::with_capacity(room.min(order.entries.len()), order.ends.len());
    let mut sums = Vec::with_capacity(order.ends.len());
    let mut start = 0;
    for end in &order.ends {
        let entries = order.entries[start as usize..*end as usize].iter();
        groups.push(entries.filter_map(|entry| {
            let base = bases[((entry >> 1) as usize).checked_sub(first)?];
            (!base.is_zero()).then(|| if entry & 1 == 1 { -base } else { base })
        }));
        if groups.points.len() >= room {
            groups.sum_into(&mut sums);
        }
        start = *end;
    }
    groups.sum_into(&mut sums);
    sums
}

/// Σ (i + 1) · bucket i, where i = row · COLUMNS + column: COLUMNS · Σ row · its sum, and Σ (column + 1) · its sum.
fn weighted<P: SWCurveConfig>(buckets: &[Option<Affine<P>>]) -> Projective<P> {
    let rows = buckets.len() / COLUMNS;
    let mut groups = Groups::with_capacity(2 * buckets.len(), rows + COLUMNS);
    for row in buckets.chunks(COLUMNS) {
        groups.push(row.iter().copied().flatten());
    }
    for column in 0..COLUMNS {
        groups.push(buckets[column..].iter().step_by(COLUMNS).copied().flatten());
    }
    let mut sums = Vec::with_capacity(rows + COLUMNS);
    groups.sum_into(&mut sums);
    let mut sum = ramp(&sums[1..rows]);
    for _ in 0..COLUMNS.ilog2() {
        sum.double_in_place();
    }
    sum + ramp(&sums[rows..])
}

/// Σ (i + 1) · point i.
fn ramp<P: SWCurveConfig>(points: &[Option<Affine<P>>]) -> Projective<P> {
    let (mut running, mut sum) = (Projective::<P>::zero(), Projective::zero());
    for point in points.iter().rev() {
        if let Some(point) = point {
            running += point;
        }
        sum += running;
    }
    sum
}

/// Groups of points, one after another; none is the identity.
struct Groups<P: SWCurveConfig> {
    points: Vec<Affine<P>>,
    lengths: Vec<u32>,
    denominators: Vec<P::BaseField>,
    products: Vec<P::BaseField>,
}

impl<P: SWCurveConfig> Groups<P> {
    fn with_capacity(points: usize, groups: usize) -> Self {
        Self {
            points: Vec::with_capacity(points),
            lengths: Vec::with_capacity(groups),
            denominators: Vec::with_capacity(points / 2),
            products: Vec::with_capacity(points / 2),
        }
    }

    fn push(&mut self, group: impl Iterator<Item = Affine<P>>) {
        let before = self.points.len();
        self.points.extend(group);
        self.lengths.push((self.points.len() - before) as u32);
    }

    /// Each group's sum, none where it is the identity; the groups are gone then.
    fn sum_into(&mut self, sums: &mut Vec<Option<Affine<P>>>) {
        while self.lengths.iter().any(|length| *length > 1) {
            self.invert();
            self.halve();
        }
        let mut points = self.points.drain(..);
        let sum = |length| if length == 0 { None } else { points.next() };
        sums.extend(self.lengths.drain(..).map(sum));
    }

    /// Inverts the denominators of all pairs' slopes at once. Source: Montgomery (1987), 10.3.1.
    fn invert(&mut self) {
        self.denominators.clear();
        self.products.clear();
        let mut product = P::BaseField::ONE;
        let mut rest = &self.points[..];
        for length in &self.lengths {
            let (group, others) = rest.split_at(*length as usize);
            for pair in group.chunks_exact(2) {
                let denominator = denominator(&pair[0], &pair[1]);
                self.products.push(product);
                product *= &denominator;
                self.denominators.push(denominator);
            }
            rest = others;
        }
        let mut inverse = product.inverse().expect("no denominator is zero");
        for (denominator, product) in self.denominators.iter_mut().zip(&self.products).rev() {
            let own = inverse * product;
            inverse *= &*denominator;
            *denominator = own;
        }
    }

    /// Adds neighbours in each group, in place: what is written was read before.
    fn halve(&mut self) {
        let (mut read, mut written) = (0, 0);
        let mut inverses = self.denominators.iter();
        for length in &mut self.lengths {
            let begun = written;
            for (_, inverse) in (0..*length / 2).zip(&mut inverses) {
                let (left, right) = (self.points[read], self.points[read + 1]);
                read += 2;
                if let Some(sum) = added(&left, &right, inverse) {
                    self.points[written] = sum;
                    written += 1;
                }
            }
            if *length % 2 == 1 {
                self.points[written] = self.points[read];
                (read, written) = (read + 1, written + 1);
            }
            *length = (written - begun) as u32;
        }
        self.points.truncate(written);
    }
}

/// Of the slope of the line through both points, or of the tangent; 1 where the sum is the identity.
#[inline]
fn denominator<P: SWCurveConfig>(left: &Affine<P>, right: &Affine<P>) -> P::BaseField {
    let across = right.x - left.x;
    if !across.is_zero() {
        return across;
    }
    match left.y == right.y && !left.y.is_zero() {
        true => left.y.double(),
        false => P::BaseField::ONE,
    }
}

/// left + right, `inverse` being that of their [`denominator`]; none for the identity.
#[inline]
fn added<P: SWCurveConfig>(left: &Affine<P>, right: &Affine<P>, inverse: &P::BaseField) -> Option<Affine<P>> {
    let slope = if left.x != right.x {
        (right.y - left.y) * inverse
    } else if left.y == right.y && !left.y.is_zero() {
        let square = left.x.square();
        (square.double() + square + P::COEFF_A) * inverse
    } else {
        return None;
    };
    let x = slope.square() - left.x - right.x;
    Some(Affine::new_unchecked(x, slope * (left.x - x) - left.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
    use ark_ec::CurveGroup;

    fn naive<P: SWCurveConfig<ScalarField = Fr>>(bases: &[Affine<P>], scalars: &[Fr]) -> Projective<P> {
        bases.iter().zip(scalars).map(|(base, scalar)| *base * *scalar).sum()
    }

    fn scalars(count: u64) -> Vec<Fr> {
        let mut scalar = Fr::from(0x9e37_79b9_7f4a_7c15u64);
        let mut next = || {
            scalar = scalar.square() + Fr::ONE;
            scalar
        };
        (0..count).map(|_| next()).collect()
    }

    /// Of every kind: full, bits, small, negative, around what a digit and a half of the field hold.
    fn mixed(count: u64) -> Vec<Fr> {
        let half = Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO);
        let edges = [
            Fr::ZERO,
            Fr::ONE,
            -Fr::ONE,
            half,
            half + Fr::ONE,
            Fr::from(1024u64),
            Fr::from(1025u64),
        ];
        let more = [
            Fr::from(u64::MAX),
            -Fr::from(1024u64),
            Fr::from(1u64 << 11),
            Fr::from(2047u64),
        ];
        let all: Vec<Fr> = edges.into_iter().chain(more).chain(scalars(7)).collect();
        (0..count as usize).map(|at| all[at % all.len()]).collect()
    }

    fn multiples<P: SWCurveConfig<ScalarField = Fr>>(of: &[Fr]) -> Vec<Affine<P>> {
        of.iter().map(|scalar| (P::GENERATOR * *scalar).into_affine()).collect()
    }

    #[test]
    fn equals_one_product_after_another() {
        for count in [0, 1, 2, 3, 50, 700] {
            let bases = multiples(&scalars(count));
            for scalars in [mixed(count), scalars(count)] {
                let sum: G1Projective = super::sum(&bases, &Digits::of(&scalars), 0, &Control::default()).unwrap();
                assert_eq!(sum, naive(&bases, &scalars), "{count}");
            }
        }
        let bases = multiples(&scalars(60));
        let sum: G2Projective = super::sum(&bases, &Digits::of(&mixed(60)), 0, &Control::default()).unwrap();
        assert_eq!(sum, naive(&bases, &mixed(60)));
    }

    /// Equal bases double, opposite ones vanish, and columns that a circuit does not use are the identity.
    #[test]
    fn bases_may_be_equal_opposite_or_the_identity() {
        let (one, other) = (
            G1Affine::generator(),
            (G1Affine::generator() * Fr::from(5u64)).into_affine(),
        );
        let kinds = [one, one, -one, G1Affine::zero(), other, one, -other, -one];
        let bases: Vec<G1Affine> = (0..400).map(|at| kinds[at * at % 7 % kinds.len()]).collect();
        for scalars in [
            mixed(400),
            vec![Fr::ONE; 400],
            vec![Fr::from(3u64); 400],
            vec![-Fr::ONE; 400],
        ] {
            let sum: G1Projective = super::sum(&bases, &Digits::of(&scalars), 0, &Control::default()).unwrap();
            assert_eq!(sum, naive(&bases, &scalars));
        }
        let nothing = vec![G2Affine::zero(); 9];
        let sum: G2Projective = super::sum(&nothing, &Digits::of(&mixed(9)), 0, &Control::default()).unwrap();
        assert!(sum.is_zero());
    }

    #[test]
    fn bases_may_begin_later_than_scalars() {
        let bases: Vec<G1Affine> = multiples(&scalars(30));
        let sum: G1Projective = super::sum(&bases[4..], &Digits::of(&mixed(30)), 4, &Control::default()).unwrap();
        assert_eq!(sum, naive(&bases[4..], &mixed(30)[4..]));
    }

    #[test]
    fn digits_make_up_their_scalar() {
        for scalar in mixed(20).into_iter().chain(scalars(200)) {
            let radix = Fr::from(1u64 << WIDTH);
            let signed = |digit: &i16| Fr::from(i64::from(*digit));
            let sum = cut(&scalar)
                .iter()
                .rev()
                .fold(Fr::ZERO, |sum, digit| sum * radix + signed(digit));
            assert_eq!(sum, scalar);
        }
    }
}
