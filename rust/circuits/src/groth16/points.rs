//! Points as EIP-196 and EIP-197 write them: coordinates of 32 bytes, big-endian, of G2 the imaginary part first.
//!
//! The identity is refused everywhere: no honest key or proof holds it, but with a chance of about 1 in 2^254.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, PrimeField};
use std::array::from_fn;

/// Bytes of a point of G1.
pub const G1_BYTES: usize = 64;
/// Bytes of a point of G2.
pub const G2_BYTES: usize = 128;

pub fn write_g1(point: &G1Affine, into: &mut Vec<u8>) {
    write_coordinates(&[point.x, point.y], into);
}

pub fn write_g2(point: &G2Affine, into: &mut Vec<u8>) {
    write_coordinates(&[point.x.c1, point.x.c0, point.y.c1, point.y.c0], into);
}

/// None for a coordinate that is not canonical, a point off the curve, and the identity. G1 is the whole curve.
pub fn read_g1(bytes: &[u8; G1_BYTES]) -> Option<G1Affine> {
    let [x, y] = read_coordinates(bytes)?;
    let point = G1Affine::new_unchecked(x, y);
    is_member(&point).then_some(point)
}

/// As [`read_g1`], and None for a point outside the subgroup.
pub fn read_g2(bytes: &[u8; G2_BYTES]) -> Option<G2Affine> {
    let [x1, x0, y1, y0] = read_coordinates(bytes)?;
    let point = G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1));
    is_member(&point).then_some(point)
}

/// On the curve, in the subgroup of order r, and not the identity.
pub fn is_member<A: Membership>(point: &A) -> bool {
    !point.is_zero() && point.is_in_group()
}

/// What arkworks gives both groups without a common trait.
pub trait Membership: AffineRepr {
    /// On the curve and in the subgroup of order r; the identity is.
    fn is_in_group(&self) -> bool;
}

impl<P: ark_ec::short_weierstrass::SWCurveConfig> Membership for ark_ec::short_weierstrass::Affine<P> {
    fn is_in_group(&self) -> bool {
        self.is_on_curve() && self.is_in_correct_subgroup_assuming_on_curve()
    }
}

fn write_coordinates(coordinates: &[Fq], into: &mut Vec<u8>) {
    for coordinate in coordinates {
        into.extend_from_slice(&coordinate.into_bigint().to_bytes_be());
    }
}

fn read_coordinates<const N: usize>(bytes: &[u8]) -> Option<[Fq; N]> {
    let mut coordinates = [Fq::default(); N];
    for (coordinate, word) in coordinates.iter_mut().zip(bytes.chunks_exact(32)) {
        let limb = |i: usize| u64::from_be_bytes(from_fn(|j| word[24 - 8 * i + j]));
        *coordinate = Fq::from_bigint(BigInt(from_fn(limb)))?;
    }
    Some(coordinates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::CurveGroup;
    use ark_ff::AdditiveGroup;

    #[test]
    fn points_come_back() {
        let (mut g1, mut g2) = (Vec::new(), Vec::new());
        write_g1(&G1Affine::generator(), &mut g1);
        write_g2(&G2Affine::generator(), &mut g2);
        assert_eq!(g1[31], 1);
        // Source: EIP-197's example of a generator, whose first word is x's imaginary part.
        assert_eq!(g2[..4], [0x19, 0x8e, 0x93, 0x93]);
        let (g1, g2): ([u8; G1_BYTES], [u8; G2_BYTES]) = (g1.try_into().unwrap(), g2.try_into().unwrap());
        assert_eq!(read_g1(&g1), Some(G1Affine::generator()));
        assert_eq!(read_g2(&g2), Some(G2Affine::generator()));
    }

    #[test]
    fn what_is_no_point_of_the_group_is_refused() {
        assert_eq!(read_g1(&[0; G1_BYTES]), None, "the identity");
        assert_eq!(read_g2(&[0; G2_BYTES]), None, "the identity");
        let mut off_curve = [0; G1_BYTES];
        (off_curve[31], off_curve[63]) = (1, 3);
        assert_eq!(read_g1(&off_curve), None);
        let mut large = [0; G1_BYTES];
        large[..32].copy_from_slice(&(Fq::MODULUS).to_bytes_be());
        large[31] += 1; // q + 1 is the generator's x
        large[63] = 2;
        assert_eq!(read_g1(&large), None, "not canonical");
    }

    #[test]
    fn a_point_outside_the_subgroup_is_refused() {
        let outside = (1u64..)
            .find_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
            .unwrap();
        assert!(outside.is_on_curve() && !outside.is_in_correct_subgroup_assuming_on_curve());
        let mut bytes = Vec::new();
        write_g2(&outside, &mut bytes);
        assert_eq!(read_g2(&bytes.try_into().unwrap()), None);
        let inside = (G2Affine::generator().into_group().double()).into_affine();
        assert!(is_member(&inside));
    }
}
