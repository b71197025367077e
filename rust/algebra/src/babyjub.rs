//! Baby Jubjub points and scalars as circomlib has them: packing, refusals, and products with the base point B8.
//!
//! The curve is taceo-ark-babyjubjub's. Products with secret scalars take the same steps for every scalar; the field
//! arithmetic below them is arkworks'.

use crate::error::{Error, Kind, Result};
use crate::poseidon::Fr;
use ark_ec::twisted_edwards::TECurveConfig;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};
use std::array::from_fn;
use std::sync::LazyLock;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use taceo_ark_babyjubjub::{EdwardsAffine, EdwardsConfig, EdwardsProjective};
use zeroize::Zeroize;

/// An integer modulo ℓ, the order of B8.
pub use taceo_ark_babyjubjub::Fr as Scalar;

/// A public point: on the curve, in the subgroup of order ℓ, and not the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point(EdwardsAffine);

impl Point {
    /// Reads circomlib's `packPoint`: y little-endian, the top bit telling x > (r − 1)/2.
    ///
    /// # Errors
    /// Kind `Key`, one code for each refusal: y ≥ r, no such point, the identity, outside the subgroup.
    pub fn unpack(packed: &[u8; 32]) -> Result<Self> {
        Self::checked(unpack_on_curve(packed)?)
    }

    /// The point (x, y), refused as [`Point::unpack`] refuses.
    pub fn from_coordinates(x: Fr, y: Fr) -> Result<Self> {
        let point = EdwardsAffine::new_unchecked(x, y);
        match point.is_on_curve() {
            true => Self::checked(point),
            false => Err(refused("point_not_on_curve", "the point is not on Baby Jubjub")),
        }
    }

    fn checked(point: EdwardsAffine) -> Result<Self> {
        if point.is_zero() {
            return Err(refused("point_is_identity", "the point is the identity"));
        }
        if !times_public(&point, &Scalar::MODULUS.0).is_zero() {
            return Err(refused(
                "point_outside_subgroup",
                "the point is outside the subgroup of prime order",
            ));
        }
        Ok(Self(point))
    }

    /// A point that is in the subgroup by how it was made.
    ///
    /// # Errors
    /// `point_is_identity`.
    pub fn from_subgroup(point: EdwardsProjective) -> Result<Self> {
        match point.is_zero() {
            true => Err(refused("point_is_identity", "the point is the identity")),
            false => Ok(Self(point.into_affine())),
        }
    }

    /// circomlib's `packPoint`, 32 bytes.
    pub fn pack(&self) -> [u8; 32] {
        pack(&self.0)
    }

    /// (x, y).
    pub fn coordinates(&self) -> (Fr, Fr) {
        (self.0.x, self.0.y)
    }

    /// The point as arkworks has it.
    pub fn affine(&self) -> &EdwardsAffine {
        &self.0
    }
}

/// A secret scalar x, 0 < x < ℓ. Erased when dropped.
#[derive(zeroize::ZeroizeOnDrop)]
pub struct SecretScalar(Scalar);

impl SecretScalar {
    /// # Errors
    /// `secret_is_zero`: no key.
    pub fn new(scalar: Scalar) -> Result<Self> {
        match scalar.is_zero() {
            true => Err(refused("secret_is_zero", "the secret scalar is zero")),
            false => Ok(Self(scalar)),
        }
    }

    /// A little-endian integer below ℓ: x + ℓ has the same public key, and is refused.
    pub fn from_le_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let integer = ark_ff::BigInt(from_fn(|i| u64::from_le_bytes(from_fn(|j| bytes[8 * i + j]))));
        let scalar = Scalar::from_bigint(integer);
        Self::new(scalar.ok_or_else(|| refused("secret_not_canonical", "the secret scalar is not below the order"))?)
    }

    /// A little-endian integer of 64 bytes, reduced modulo ℓ.
    pub fn from_wide_le_bytes(bytes: &[u8; 64]) -> Result<Self> {
        Self::new(Scalar::from_le_bytes_mod_order(bytes))
    }

    /// A fresh one, from the operating system's randomness.
    ///
    /// # Errors
    /// `no_randomness`.
    pub fn generate() -> Result<Self> {
        let mut wide = zeroize::Zeroizing::new([0; 64]);
        getrandom::fill(&mut *wide).map_err(|_| crate::eddsa::no_randomness())?;
        Self::from_wide_le_bytes(&wide)
    }

    /// Little-endian, 32 bytes. The caller erases them.
    pub fn to_le_bytes(&self) -> [u8; 32] {
        let mut integer = self.0.into_bigint();
        let bytes = integer.to_bytes_le();
        integer.zeroize();
        let bytes = zeroize::Zeroizing::new(bytes);
        from_fn(|i| bytes[i])
    }

    /// x·B8.
    pub fn public(&self) -> Point {
        Point(base_times(&self.0).into_affine())
    }

    /// x + y modulo ℓ, refused when it is zero.
    pub fn plus(&self, other: &SecretScalar) -> Result<Self> {
        Self::new(self.0 + other.0)
    }

    /// The scalar itself, which its borrower does not keep.
    pub fn scalar(&self) -> &Scalar {
        &self.0
    }
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::Key, code, "", detail)
}

/// An integer below r, from 32 big-endian bytes, as a `bytes32` carries it.
pub fn field_from_be_bytes(bytes: &[u8; 32]) -> Result<Fr> {
    let integer = ark_ff::BigInt(from_fn(|i| u64::from_be_bytes(from_fn(|j| bytes[8 * (3 - i) + j]))));
    Fr::from_bigint(integer).ok_or_else(|| refused("not_a_field_element", "the integer is not below the field's order"))
}

/// 32 big-endian bytes.
pub fn field_to_be_bytes(element: &Fr) -> [u8; 32] {
    let limbs = element.into_bigint().0;
    from_fn(|i| limbs[3 - i / 8].to_be_bytes()[i % 8])
}

fn pack(point: &EdwardsAffine) -> [u8; 32] {
    let mut packed = field_to_be_bytes(&point.y);
    packed.reverse();
    packed[31] |= u8::from(is_negative(&point.x)) << 7;
    packed
}

/// circomlib calls x negative above (r − 1)/2.
fn is_negative(x: &Fr) -> bool {
    x.into_bigint() > Fr::MODULUS_MINUS_ONE_DIV_TWO
}

/// A packed point on the curve, in or out of the subgroup.
pub fn unpack_on_curve(packed: &[u8; 32]) -> Result<EdwardsAffine> {
    let mut bytes = *packed;
    bytes.reverse();
    let negative = bytes[0] & 0x80 != 0;
    bytes[0] &= 0x7f;
    let y = field_from_be_bytes(&bytes).map_err(|_| refused("point_not_canonical", "the point's y is not below r"))?;
    let y_squared = y.square();
    let ratio = (EdwardsConfig::COEFF_A - EdwardsConfig::COEFF_D * y_squared)
        .inverse()
        .map(|inverse| inverse * (Fr::ONE - y_squared));
    let root = ratio.and_then(|x_squared| x_squared.sqrt());
    let x = root.ok_or_else(|| refused("point_not_on_curve", "no point of Baby Jubjub has this y"))?;
    if x.is_zero() && negative {
        return Err(refused(
            "point_not_canonical",
            "the point's x is zero and marked negative",
        ));
    }
    Ok(EdwardsAffine::new_unchecked(
        if is_negative(&x) == negative { x } else { -x },
        y,
    ))
}

const WINDOW_BITS: usize = 4;
const WINDOWS: usize = 63; // ℓ has 251 bits

/// d · 16^i · B8 for every window i and digit d.
static BASE_TABLE: LazyLock<Vec<[EdwardsAffine; 1 << WINDOW_BITS]>> = LazyLock::new(|| {
    let mut power = EdwardsProjective::generator();
    let window = |_| {
        let mut row = [EdwardsProjective::zero(); 1 << WINDOW_BITS];
        for digit in 1..row.len() {
            row[digit] = row[digit - 1] + power;
        }
        power += row[row.len() - 1];
        let affine = normalized(&row);
        from_fn(|digit| affine[digit])
    };
    (0..WINDOWS).map(window).collect()
});

/// Points in affine form, for one inversion, on the calling thread alone.
///
/// arkworks' `normalize_batch` gives tasks to a pool wherever its feature `parallel` is on. A table is made on first use: while
/// one thread makes it and waits for a task, every worker may be waiting for the table.
pub fn normalized(points: &[EdwardsProjective]) -> Vec<EdwardsAffine> {
    let mut inverses: Vec<Fr> = points.iter().map(|point| point.z).collect();
    ark_ff::serial_batch_inversion_and_mul(&mut inverses, &Fr::ONE);
    let each = points.iter().zip(inverses);
    each.map(|(point, inverse)| EdwardsAffine::new_unchecked(point.x * inverse, point.y * inverse))
        .collect()
}

/// scalar · B8, reading the whole table row for each digit.
pub fn base_times(scalar: &Scalar) -> EdwardsProjective {
    let mut integer = scalar.into_bigint();
    let mut sum = EdwardsProjective::zero();
    for (window, row) in BASE_TABLE.iter().enumerate() {
        let bit = window * WINDOW_BITS;
        let digit = integer.0[bit / 64] >> (bit % 64) & 0xf;
        sum += select(row, digit);
    }
    integer.zeroize();
    sum
}

fn select(row: &[EdwardsAffine; 1 << WINDOW_BITS], digit: u64) -> EdwardsAffine {
    let mut chosen = row[0];
    for (index, entry) in row.iter().enumerate().skip(1) {
        let here = (index as u64).ct_eq(&digit);
        for limb in 0..4 {
            chosen.x.0.0[limb].conditional_assign(&entry.x.0.0[limb], here);
            chosen.y.0.0[limb].conditional_assign(&entry.y.0.0[limb], here);
        }
    }
    chosen
}

/// scalar · point in variable time, for public values only: signed digits of width 5 over odd multiples.
pub fn times_public(point: &EdwardsAffine, scalar: &[u64; 4]) -> EdwardsProjective {
    let digits = ark_ff::BigInt(*scalar).find_wnaf(5).expect("a width between 2 and 63");
    let double = EdwardsProjective::from(*point).double();
    let mut odd = [EdwardsProjective::from(*point); 8];
    for i in 1..8 {
        odd[i] = odd[i - 1] + double;
    }
    let mut sum = EdwardsProjective::zero();
    for digit in digits.into_iter().rev() {
        sum.double_in_place();
        match digit {
            0 => {}
            1.. => sum += odd[digit as usize / 2],
            _ => sum -= odd[digit.unsigned_abs() as usize / 2],
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    fn scalar(seed: u64) -> Scalar {
        Scalar::from_be_bytes_mod_order(&field_to_be_bytes(&crate::poseidon::hash(&[Fr::from(seed)])))
    }

    #[test]
    fn products_agree_with_arkworks() {
        let base = EdwardsAffine::generator();
        for scalar in (0..10).map(scalar).chain([Scalar::ONE, -Scalar::ONE, Scalar::zero()]) {
            let expected = base * scalar;
            assert_eq!(base_times(&scalar), expected);
            assert_eq!(times_public(&base, &scalar.into_bigint().0), expected);
        }
    }

    #[test]
    fn packed_points_come_back() {
        for seed in 0..20 {
            let point = SecretScalar::new(scalar(seed)).unwrap().public();
            assert_eq!(Point::unpack(&point.pack()), Ok(point));
            let (x, y) = point.coordinates();
            assert_eq!(Point::from_coordinates(x, y), Ok(point));
            assert_eq!(
                Point::from_coordinates(x + Fr::ONE, y).unwrap_err().code,
                "point_not_on_curve"
            );
        }
    }

    fn refusal(packed: [u8; 32]) -> &'static str {
        Point::unpack(&packed).unwrap_err().code
    }

    #[test]
    fn points_that_would_betray_are_refused() {
        let point = SecretScalar::new(scalar(1)).unwrap().public();
        let mut plus_r = pack(&point.0);
        plus_r[31] &= 0x7f;
        let y = num_bigint_add(plus_r, &Fr::MODULUS.to_bytes_le());
        assert_eq!(refusal(y), "point_not_canonical");
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(refusal(identity), "point_is_identity");
        identity[31] = 0x80;
        assert_eq!(refusal(identity), "point_not_canonical");
        let order_two = EdwardsAffine::new_unchecked(Fr::zero(), -Fr::ONE);
        assert_eq!(refusal(pack(&order_two)), "point_outside_subgroup");
        let outside = (EdwardsProjective::from(point.0) + order_two).into_affine();
        assert_eq!(refusal(pack(&outside)), "point_outside_subgroup");
        let off_curve = (2u8..)
            .map(|y| from_fn(|i| if i == 0 { y } else { 0 }))
            .find(|y| unpack_on_curve(y).is_err());
        assert_eq!(refusal(off_curve.unwrap()), "point_not_on_curve");
    }

    /// left + right, little-endian, where the sum fits 255 bits.
    fn num_bigint_add(left: [u8; 32], right: &[u8]) -> [u8; 32] {
        let mut carry = 0;
        from_fn(|i| {
            carry += u16::from(left[i]) + u16::from(right[i]);
            let byte = carry as u8;
            carry >>= 8;
            byte
        })
    }

    #[test]
    fn secrets_are_canonical_and_not_zero() {
        let bytes = SecretScalar::new(scalar(3)).unwrap().to_le_bytes();
        assert_eq!(
            SecretScalar::from_le_bytes(&bytes).map(|secret| secret.0),
            Ok(scalar(3))
        );
        let shifted = num_bigint_add(bytes, &Scalar::MODULUS.to_bytes_le());
        assert_eq!(
            SecretScalar::from_le_bytes(&shifted).err().unwrap().code,
            "secret_not_canonical"
        );
        assert_eq!(
            SecretScalar::from_le_bytes(&[0; 32]).err().unwrap().code,
            "secret_is_zero"
        );
    }
}
