//! secp256k1 signatures by libsecp256k1: RFC 6979, low s, r ‖ s ‖ v with v 27 or 28.
//!
//! One signature has one form here: a high s, another v or an r or s out of range is refused, not normalised.
//! Sources: RFC 6979; SEC 1 section 4.1; EIP-2.

use rayon::prelude::*;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey};
use zeroize::Zeroizing;

use crate::abi::{Digest, keccak256};
use crate::error::{Error, Kind, Result};

/// The last 20 bytes of keccak256 of a public key.
pub type Address = [u8; 20];

/// r ‖ s ‖ v.
pub type Signature = [u8; 65];

/// A signing key; it has no `Debug` and is overwritten when dropped.
pub struct Secret(secp256k1::SecretKey);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl Secret {
    /// 32 bytes big-endian, neither zero nor at or above the curve's order.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let wrong = || {
            Error::new(
                Kind::Key,
                "key_invalid",
                "",
                "a signing key is 32 bytes, not zero and below the curve's order",
            )
        };
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.try_into().map_err(|_| wrong())?);
        secp256k1::SecretKey::from_secret_bytes(*bytes)
            .map(Self)
            .map_err(|_| wrong())
    }

    pub fn address(&self) -> Address {
        address(&PublicKey::from_secret_key(&self.0))
    }

    pub fn sign(&self, digest: &Digest) -> Signature {
        let signed = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(*digest), &self.0);
        let (recovery, compact) = signed.serialize_compact();
        let mut signature = [0; 65];
        signature[..64].copy_from_slice(&compact);
        signature[64] = 27 + recovery.to_u8();
        signature
    }

    /// Signs each digest, over all cores.
    pub fn sign_many(&self, digests: &[Digest]) -> Vec<Signature> {
        digests.par_iter().map(|digest| self.sign(digest)).collect()
    }
}

fn address(key: &PublicKey) -> Address {
    let hash = keccak256(&[&key.serialize_uncompressed()[1..]]);
    hash[12..].try_into().expect("20 of 32 bytes")
}

/// The address that signed the digest.
///
/// v = 29 and 30 (an r above the order) are refused as EVM's ecrecover refuses them.
pub fn recover(digest: &Digest, signature: &[u8]) -> Result<Address> {
    let refused = |detail: &str| Error::new(Kind::Signature, "signature_invalid", "", detail);
    let (compact, recovery) = match signature {
        [compact @ .., v @ (27 | 28)] if compact.len() == 64 => (compact, RecoveryId::from_u8_masked(v - 27)),
        _ => return Err(refused("a signature is r, s and v, with v 27 or 28")),
    };
    let parsed =
        RecoverableSignature::from_compact(compact, recovery).map_err(|_| refused("r or s is out of range"))?;
    let (standard, mut low) = (parsed.to_standard(), parsed.to_standard());
    low.normalize_s();
    if standard != low {
        return Err(refused("s is in the upper half of the order"));
    }
    let key = parsed
        .recover(Message::from_digest(*digest))
        .map_err(|_| refused("no key gives this signature"))?;
    Ok(address(&key))
}

/// Recovers each pair's signer, over all cores.
pub fn recover_many(pairs: &[(Digest, Signature)]) -> Vec<Result<Address>> {
    pairs
        .par_iter()
        .map(|(digest, signature)| recover(digest, signature))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [u8; 32] = secp256k1::constants::CURVE_ORDER;

    fn negated(s: &[u8]) -> Vec<u8> {
        let mut borrow = 0i16;
        let mut out = vec![0; 32];
        for at in (0..32).rev() {
            let difference = i16::from(ORDER[at]) - i16::from(s[at]) - borrow;
            borrow = i16::from(difference < 0);
            out[at] = difference.rem_euclid(256) as u8;
        }
        out
    }

    #[test]
    fn signs_and_recovers() {
        let secret = Secret::new(&[0x11; 32]).unwrap();
        let signature = secret.sign(&[5; 32]);
        assert_eq!(recover(&[5; 32], &signature).unwrap(), secret.address());
        assert_ne!(recover(&[6; 32], &signature).ok(), Some(secret.address()));
        assert_eq!(secret.sign_many(&[[5; 32], [6; 32]])[0], signature);
    }

    #[test]
    fn one_form_only() {
        let signature = Secret::new(&[0x11; 32]).unwrap().sign(&[5; 32]);
        let mut high = signature;
        high[32..64].copy_from_slice(&negated(&signature[32..64]));
        high[64] = 55 - signature[64];
        assert!(recover(&[5; 32], &high).is_err());
        for v in [0, 1, 26, 29, 30, 255] {
            let mut other = signature;
            other[64] = v;
            assert!(recover(&[5; 32], &other).is_err());
        }
        assert!(recover(&[5; 32], &signature[..64]).is_err());
        let mut zero = signature;
        zero[..32].fill(0);
        assert!(recover(&[5; 32], &zero).is_err());
        zero[..32].copy_from_slice(&ORDER);
        assert!(recover(&[5; 32], &zero).is_err());
    }

    #[test]
    fn keys_out_of_range() {
        assert!(Secret::new(&[0; 32]).is_err());
        assert!(Secret::new(&ORDER).is_err());
        assert!(Secret::new(&[1; 31]).is_err());
        assert!(Secret::new(&[1; 33]).is_err());
    }
}
