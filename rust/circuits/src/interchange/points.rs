//! Points of BN254 as snarkjs keeps them: coordinates in Montgomery form, little-endian, all zero for the identity.

use crate::interchange::sections::{ELEMENT, malformed};
use ark_bn254::Fq;
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, Field, PrimeField, Zero};
use chartseal_algebra::error::Result;

/// A curve over the base field or its extension: BN254's two groups.
pub trait Group: SWCurveConfig<BaseField: Field<BasePrimeField = Fq>> {}

impl<P: SWCurveConfig<BaseField: Field<BasePrimeField = Fq>>> Group for P {}

/// Bytes of a point.
pub fn length<P: Group>() -> usize {
    2 * P::BaseField::extension_degree() as usize * ELEMENT
}

/// A point out of [`length`] bytes, on the curve and in the subgroup; the identity is one too.
///
/// # Errors
/// `key_malformed`: a coordinate is no field element, or the point is not in the group.
pub fn load<P: Group>(bytes: &[u8], what: &'static str) -> Result<Affine<P>> {
    let (x, y) = bytes.split_at(bytes.len() / 2);
    let (x, y) = (coordinate::<P>(x, what)?, coordinate::<P>(y, what)?);
    if x.is_zero() && y.is_zero() {
        return Ok(Affine::identity());
    }
    let point = Affine::<P>::new_unchecked(x, y);
    match point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve() {
        true => Ok(point),
        false => Err(malformed(what, "a point is not in its group")),
    }
}

pub fn store<P: Group>(point: &Affine<P>, bytes: &mut Vec<u8>) {
    let (x, y) = point.xy().unwrap_or_default();
    for coordinate in [x, y] {
        for element in coordinate.to_base_prime_field_elements() {
            bytes.extend(element.0.0.iter().flat_map(|limb| limb.to_le_bytes()));
        }
    }
}

fn coordinate<P: Group>(bytes: &[u8], what: &'static str) -> Result<P::BaseField> {
    let elements: Vec<Fq> = bytes
        .chunks_exact(ELEMENT)
        .map(|word| element(word, what))
        .collect::<Result<_>>()?;
    P::BaseField::from_base_prime_field_elems(elements).ok_or_else(|| malformed(what, "the file is cut"))
}

/// An element in Montgomery form, taken as it is.
fn element(word: &[u8], what: &'static str) -> Result<Fq> {
    let mut limbs = BigInt::<4>::default();
    for (limb, part) in limbs.0.iter_mut().zip(word.chunks_exact(8)) {
        *limb = u64::from_le_bytes(part.try_into().expect("eight bytes"));
    }
    // In Montgomery form too an element is what it is only below the order.
    match limbs < Fq::MODULUS {
        true => Ok(Fq::new_unchecked(limbs)),
        false => Err(malformed(what, "a coordinate is not below the field's order")),
    }
}
