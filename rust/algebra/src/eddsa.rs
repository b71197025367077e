//! EdDSA over Baby Jubjub with Poseidon, by circomlib's equation: S·B8 = R + 8·c·A, c = P(R, A, M).
//!
//! Unlike circomlib, keys are canonical scalars (not hashed and pruned), and the nonce is hedged: fresh randomness keeps a
//! fault or repeated state from reusing one, and the key and message keep a bad random source from doing so.

use crate::babyjub::{Point, Scalar, SecretScalar, base_times, field_to_be_bytes, times_public, unpack_on_curve};
use crate::error::{Error, Kind, Result};
use crate::poseidon::{self, Fr};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField};
use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha512};
use std::array::from_fn;
use zeroize::Zeroizing;

/// packPoint(R) ‖ LE(S).
pub type Signature = [u8; 64];

/// A key that signs often: its public point and its nonces' prefix are computed once. Erased when dropped.
pub struct Signer {
    secret: SecretScalar,
    public: Point,
    prefix: Zeroizing<[u8; 32]>,
}

impl Signer {
    pub fn new(secret: SecretScalar) -> Self {
        let (public, prefix) = (secret.public(), prefix(&secret));
        Self { secret, public, prefix }
    }

    pub fn public(&self) -> &Point {
        &self.public
    }

    /// Signs the field element `message`.
    ///
    /// # Errors
    /// `no_randomness`: the operating system gave none.
    pub fn sign(&self, message: Fr) -> Result<Signature> {
        respond(&self.secret, &self.public, &self.prefix, message, &*fresh()?)
    }
}

/// Signs the field element `message` under `secret`.
///
/// # Errors
/// `no_randomness`: the operating system gave none.
pub fn sign(secret: &SecretScalar, message: Fr) -> Result<Signature> {
    sign_with(secret, message, &*fresh()?)
}

/// [`sign`] with the 32 fresh random bytes given.
pub fn sign_with(secret: &SecretScalar, message: Fr, fresh: &[u8; 32]) -> Result<Signature> {
    respond(secret, &secret.public(), &prefix(secret), message, fresh)
}

fn fresh() -> Result<Zeroizing<[u8; 32]>> {
    let mut fresh = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *fresh).map_err(|_| no_randomness())?;
    Ok(fresh)
}

fn respond(
    secret: &SecretScalar,
    public: &Point,
    prefix: &[u8; 32],
    message: Fr,
    fresh: &[u8; 32],
) -> Result<Signature> {
    let nonce = nonce(prefix, public, message, fresh)?;
    let commitment = nonce.public();
    let challenge = challenge(&commitment.coordinates(), public, message);
    let response = Zeroizing::new(*nonce.scalar() + challenge * secret.scalar());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment.pack());
    signature[32..].copy_from_slice(&response.into_bigint().to_bytes_le());
    Ok(signature)
}

/// HKDF(LE32(x), "chartseal/1/nonce", 32).
fn prefix(secret: &SecretScalar) -> Zeroizing<[u8; 32]> {
    let secret_bytes = Zeroizing::new(secret.to_le_bytes());
    let mut prefix = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, &*secret_bytes)
        .expand(b"chartseal/1/nonce", &mut *prefix)
        .expect("at most 8,160 bytes");
    prefix
}

/// k = LE(SHA-512(prefix ‖ fresh ‖ pack(A) ‖ M)) mod ℓ, M big-endian.
fn nonce(prefix: &[u8; 32], public: &Point, message: Fr, fresh: &[u8; 32]) -> Result<SecretScalar> {
    let digest = Sha512::new()
        .chain_update(prefix)
        .chain_update(fresh)
        .chain_update(public.pack())
        .chain_update(field_to_be_bytes(&message))
        .finalize();
    SecretScalar::from_wide_le_bytes(&Zeroizing::new(digest.into()))
}

/// 8·c modulo ℓ.
fn challenge(commitment: &(Fr, Fr), public: &Point, message: Fr) -> Scalar {
    let (x, y) = public.coordinates();
    let challenge = poseidon::hash(&[commitment.0, commitment.1, x, y, message]);
    Scalar::from_le_bytes_mod_order(&challenge.into_bigint().to_bytes_le()) * Scalar::from(8)
}

/// Checks `signature` of `message` under `public`.
///
/// R is compared with S·B8 − 8·c·A, which is in the subgroup because `public` is; so is every R that passes.
///
/// # Errors
/// Kind `Signature`: `signature_malformed` (S ≥ ℓ, R not canonical, not on the curve or the identity) or
/// `signature_invalid`.
pub fn verify(public: &Point, message: Fr, signature: &Signature) -> Result<()> {
    let packed: [u8; 32] = from_fn(|i| signature[i]);
    let commitment = unpack_on_curve(&packed).map_err(|error| malformed(&error.detail))?;
    if commitment.is_zero() {
        return Err(malformed("R is the identity"));
    }
    let response = response(signature).ok_or_else(|| malformed("S is not below the order"))?;
    let challenge = challenge(&(commitment.x, commitment.y), public, message);
    let expected = base_times(&response) - times_public(public.affine(), &challenge.into_bigint().0);
    match expected.into_affine() == commitment {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Signature,
            "signature_invalid",
            "",
            "the signature does not verify",
        )),
    }
}

fn response(signature: &Signature) -> Option<Scalar> {
    Scalar::from_bigint(ark_ff::BigInt(from_fn(|i| {
        u64::from_le_bytes(from_fn(|j| signature[32 + 8 * i + j]))
    })))
}

fn malformed(detail: &str) -> Error {
    Error::new(Kind::Signature, "signature_malformed", "", detail)
}

/// The error of a system without randomness.
pub fn no_randomness() -> Error {
    Error::new(
        Kind::Key,
        "no_randomness",
        "",
        "the operating system gave no random bytes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, Field};

    fn secret(seed: u8) -> SecretScalar {
        SecretScalar::from_wide_le_bytes(&[seed; 64]).unwrap()
    }

    fn code(public: &Point, message: Fr, signature: &Signature) -> &'static str {
        verify(public, message, signature).unwrap_err().code
    }

    #[test]
    fn only_the_signed_message_verifies() {
        let (secret, message) = (secret(7), Fr::from(42));
        let public = secret.public();
        let signature = sign(&secret, message).unwrap();
        assert_eq!(verify(&public, message, &signature), Ok(()));
        assert_eq!(code(&public, message + Fr::ONE, &signature), "signature_invalid");
        assert_eq!(
            code(&self::secret(8).public(), message, &signature),
            "signature_invalid"
        );
    }

    #[test]
    fn a_prepared_key_signs_alike() {
        let (signer, message) = (Signer::new(secret(7)), Fr::from(42));
        assert_eq!(*signer.public(), secret(7).public());
        assert_eq!(verify(signer.public(), message, &signer.sign(message).unwrap()), Ok(()));
        let parts = respond(&signer.secret, &signer.public, &signer.prefix, message, &[9; 32]);
        assert_eq!(parts, sign_with(&secret(7), message, &[9; 32]));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (secret, message) = (secret(7), Fr::from(42));
        let public = secret.public();
        let signature = sign(&secret, message).unwrap();
        for bit in 0..512 {
            let mut tampered = signature;
            tampered[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&public, message, &tampered).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_response_above_the_order_is_refused() {
        let (secret, message) = (secret(7), Fr::from(42));
        let mut signature = sign(&secret, message).unwrap();
        let mut integer = ark_ff::BigInt(response(&signature).unwrap().into_bigint().0);
        integer.add_with_carry(&Scalar::MODULUS);
        signature[32..].copy_from_slice(&integer.to_bytes_le());
        assert_eq!(code(&secret.public(), message, &signature), "signature_malformed");
    }

    #[test]
    fn the_identity_as_commitment_is_refused() {
        let (secret, message) = (secret(7), Fr::from(42));
        let public = secret.public();
        let response = challenge(&(Fr::ZERO, Fr::ONE), &public, message) * secret.scalar();
        let mut signature = [0; 64];
        signature[0] = 1;
        signature[32..].copy_from_slice(&response.into_bigint().to_bytes_le());
        assert_eq!(code(&public, message, &signature), "signature_malformed");
    }

    #[test]
    fn nonces_follow_key_message_and_randomness() {
        let public = secret(7).public();
        let bytes = |seed, message: u64, fresh| {
            nonce(&prefix(&secret(seed)), &public, Fr::from(message), &[fresh; 32])
                .unwrap()
                .to_le_bytes()
        };
        let first = bytes(7, 1, 0);
        assert_eq!(first, bytes(7, 1, 0));
        assert!(
            [bytes(8, 1, 0), bytes(7, 2, 0), bytes(7, 1, 1)]
                .iter()
                .all(|other| *other != first)
        );
    }
}
