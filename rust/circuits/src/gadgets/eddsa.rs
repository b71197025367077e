//! EdDSA-Poseidon by circomlib's equation: S·B8 = R + 8·c·A, c = P(R, A, M) without a tag, S < ℓ, c the one integer below
//! r.
//!
//! Proves of a key A, a message M and a signature (R, S) of the witness, whatever they are:
//! - A is on the curve, and 4·A neither the identity nor of order 2, so that A has a part of order ℓ: low orders, the
//!   identity among them, are refused;
//! - R is S·B8 − 8·c·A, and not the identity. R is only ever that difference, so it is on the curve and in the subgroup
//!   without being checked, and the equation needs no cofactor of its own: multiplying both sides by 8 would accept R + T
//!   for T of low order, which the native verifier refuses;
//! - S and S + ℓ, c and c + r: one form each, by comparison of the bits.
//!
//! It does not prove that A is in the subgroup of order ℓ. The 8 takes away what A has of low order, so A = A′ + T is a key
//! of whoever knows A′'s secret, and of nobody else, c being the hash of this very A. Statements need more, one A for one
//! issuer: they take A from a leaf of the trust root, from which the authority leaves out keys that are malformed (formats
//! 8).
//!
//! What is computed: V = 4·A, then (2·c + 1)·V = 8·c·A + V in odd digits ([`super::multiples`]), then
//! R = (S·B8 + V) − (2·c + 1)·V by complete sums.

use super::curve::Edwards;
use super::multiples::{BASE, ladder};
use super::poseidon;
use super::scalar::{Digits, Integer, LARGEST_SCALAR, require_not_zero};
use crate::system::{Num, System};
use ark_bn254::Fr;
use ark_ff::BigInt;
use chartseal_algebra::babyjub::unpack_on_curve;
use chartseal_algebra::eddsa;
use chartseal_algebra::error::Result;
use std::array::from_fn;

/// (R, S), as a witness brings them.
#[derive(Clone, Default)]
pub struct Signature {
    /// (x, y) of R.
    pub commitment: (Fr, Fr),
    pub response: Integer,
}

impl Signature {
    /// Reads packPoint(R) ‖ LE(S).
    ///
    /// # Errors
    /// `inputs_malformed`: R is not canonical or not on the curve, S not below ℓ.
    pub fn read(bytes: &eddsa::Signature) -> Result<Self> {
        let malformed = |_| crate::inputs::malformed("the credential's signature is malformed");
        let commitment = unpack_on_curve(&from_fn(|i| bytes[i])).map_err(malformed)?;
        let response: Integer = BigInt(from_fn(|i| u64::from_le_bytes(from_fn(|j| bytes[32 + 8 * i + j]))));
        match response > LARGEST_SCALAR {
            true => Err(crate::inputs::malformed("the credential's signature is malformed")),
            false => Ok(Self {
                commitment: (commitment.x, commitment.y),
                response,
            }),
        }
    }
}

/// Proves `signature` to be one of `message` under `key`. Cost: 3,180.
pub fn verify(system: &mut System, key: &Edwards, message: &Num, signature: &Signature) {
    system.part("signature");
    let commitment = Edwards {
        x: system.input(signature.commitment.0),
        y: system.input(signature.commitment.1),
    };
    require_not_zero(system, &commitment.x); // of the subgroup, the identity alone has x = 0
    let hashed = [&commitment.x, &commitment.y, &key.x, &key.y, message].map(Num::clone);
    let challenge = poseidon::hash(system, &hashed);
    let challenge = Digits::of(system, &challenge);
    let response = Digits::at_most(system, &signature.response, &LARGEST_SCALAR);
    let fourfold = key.checked_double(system).double(system);
    let point = fourfold.to_montgomery(system);
    let subtrahend = ladder(system, &point, &challenge);
    let minuend = BASE.times(system, &response).add(system, &fourfold);
    minuend.add_to(system, &subtrahend.negate(), &commitment);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::trial::Trial;
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
    use chartseal_algebra::babyjub::{Point, Scalar, SecretScalar, base_times, times_public};
    use taceo_ark_babyjubjub::EdwardsAffine;

    fn secret(seed: u8) -> SecretScalar {
        SecretScalar::from_wide_le_bytes(&[seed; 64]).unwrap()
    }

    fn trial(key: (Fr, Fr), message: Fr, signature: &Signature) -> Trial {
        Trial::of(|system| {
            let message = system.input(message);
            let key = Edwards {
                x: system.input(key.0),
                y: system.input(key.1),
            };
            verify(system, &key, &message, signature);
        })
    }

    fn signed(seed: u8, message: Fr) -> (Point, Signature) {
        let bytes = eddsa::sign(&secret(seed), message).unwrap();
        (secret(seed).public(), Signature::read(&bytes).unwrap())
    }

    #[test]
    fn only_the_signed_message_verifies() {
        for seed in 1..6 {
            let message = Fr::from(u64::from(seed)).inverse().unwrap();
            let (key, signature) = signed(seed, message);
            let trial = trial(key.coordinates(), message, &signature);
            assert!(trial.is_satisfied());
            assert_eq!(trial.constraints(), 3180);
            let other_key = secret(seed + 1).public();
            let (_, other) = signed(seed, message + Fr::ONE);
            for (key, message, signature) in [
                (key, message + Fr::ONE, &signature),
                (other_key, message, &signature),
                (key, message, &other),
            ] {
                assert!(!self::trial(key.coordinates(), message, signature).is_satisfied());
            }
        }
    }

    #[test]
    fn a_response_above_the_order_is_refused() {
        let (key, mut signature) = signed(7, Fr::from(42u64));
        signature.response.add_with_carry(&Scalar::MODULUS);
        assert!(!trial(key.coordinates(), Fr::from(42u64), &signature).is_satisfied());
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&key.pack());
        bytes[32..].copy_from_slice(&signature.response.to_bytes_le());
        assert_eq!(Signature::read(&bytes).err().unwrap().code, "inputs_malformed");
    }

    /// Keys and commitments made by whoever knows the secret, with parts of low order or none of high order.
    #[test]
    fn points_of_low_order_are_refused_or_change_nothing() {
        let message = Fr::from(42u64);
        let of_order_two = EdwardsAffine::new_unchecked(Fr::ZERO, -Fr::ONE);
        let sign_as = |key: EdwardsAffine, shift: EdwardsAffine| {
            let nonce = Scalar::from(12_345u64);
            let commitment = (base_times(&nonce) + shift).into_affine();
            let challenge = chartseal_algebra::poseidon::hash(&[commitment.x, commitment.y, key.x, key.y, message]);
            let challenge = Scalar::from_le_bytes_mod_order(&challenge.into_bigint().to_bytes_le());
            let response = nonce + challenge * Scalar::from(8u64) * secret(7).scalar();
            let signature = Signature {
                commitment: (commitment.x, commitment.y),
                response: response.into_bigint(),
            };
            trial((key.x, key.y), message, &signature).is_satisfied()
        };
        let (key, identity) = (*secret(7).public().affine(), EdwardsAffine::zero());
        assert!(sign_as(key, identity));
        assert!(!sign_as(key, of_order_two), "R outside the subgroup");
        assert!(
            sign_as((key + of_order_two).into_affine(), identity),
            "A's own secret, see the module"
        );
        assert!(
            !sign_as(EdwardsAffine::new_unchecked(key.x, key.y + Fr::ONE), identity),
            "A off the curve"
        );
    }

    #[test]
    fn keys_of_low_order_are_refused() {
        let eight = (2u8..)
            .filter_map(|y| unpack_on_curve(&from_fn(|i| if i == 0 { y } else { 0 })).ok())
            .map(|point| times_public(&point, &Scalar::MODULUS.0).into_affine())
            .find(|point| !times_public(point, &[4, 0, 0, 0]).into_affine().is_zero())
            .unwrap();
        for k in 0..8 {
            let key = times_public(&eight, &[k, 0, 0, 0]).into_affine();
            // S·B8 = R holds, since 8·c·A is the identity.
            let commitment = base_times(&Scalar::from(9u64)).into_affine();
            let signature = Signature {
                commitment: (commitment.x, commitment.y),
                response: BigInt::from(9u64),
            };
            assert!(!trial((key.x, key.y), Fr::ONE, &signature).is_satisfied());
        }
    }

    #[test]
    fn the_identity_as_commitment_is_refused() {
        let (key, message) = (secret(7).public(), Fr::from(42u64));
        let (x, y) = key.coordinates();
        let challenge = chartseal_algebra::poseidon::hash(&[Fr::ZERO, Fr::ONE, x, y, message]);
        let challenge = Scalar::from_le_bytes_mod_order(&challenge.into_bigint().to_bytes_le());
        let signature = Signature {
            commitment: (Fr::ZERO, Fr::ONE),
            response: (challenge * Scalar::from(8u64) * secret(7).scalar()).into_bigint(),
        };
        assert!(!trial(key.coordinates(), message, &signature).is_satisfied());
    }

    #[test]
    fn unreadable_signatures_are_refused() {
        let mut bytes = [0xff; 64];
        assert_eq!(Signature::read(&bytes).err().unwrap().code, "inputs_malformed");
        bytes[..32].copy_from_slice(&secret(7).public().pack());
        assert_eq!(Signature::read(&bytes).err().unwrap().code, "inputs_malformed");
    }
}
