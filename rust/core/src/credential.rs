//! The credential: what an issuer signs of a record for proofs that show neither the record nor the issuer.
//!
//! A circuit checks the signature and never shows what it is over; so the message holds what a proof must not be free to
//! choose: whose record it is, where its revocation stands, when it was sealed, how often it may be used.

use crate::abi::Digest;
use crate::claims;
use crate::eddsa::{self, Signature, Signer, no_randomness};
use crate::error::Result;
use crate::field::{Field, Value};
use crate::hash::hkdf;
use crate::poseidon::{Fr, hash};
use crate::tags;
use ark_ff::PrimeField;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Expiry of what never expires.
pub const NEVER: u64 = u64::MAX;

/// Bytes of a claimId: one short of a field element's.
pub type ClaimId = [u8; 31];

/// A record's place in its issuer's status lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub list: u32,
    /// Below 1,024,000.
    pub index: u32,
}

/// What a record brings to its credential. Times are Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `chartseal.claims`.
    pub claims_root: Digest,
    /// The holder's commitment.
    pub holder: Fr,
    /// Stable for the event, bound to the holder.
    pub claim_id: ClaimId,
    /// How often the event may be used.
    pub uses: u16,
    /// The seal's time.
    pub sealed_at: u64,
    /// The seal's expiration, or [`NEVER`].
    pub expiry: u64,
}

/// P(tagCred, attester, list, index, claimsRoot, holder, claimId, uses, sealedAt, expiry).
///
/// # Errors
/// `field_element_range`: the claims' root is not below r.
pub fn message(attester: &[u8; 20], place: Place, terms: &Terms) -> Result<Fr> {
    Ok(hash(&[
        tags::CRED,
        Fr::from_be_bytes_mod_order(attester),
        Fr::from(place.list),
        Fr::from(place.index),
        claims::from_bytes(&terms.claims_root)?,
        terms.holder,
        Fr::from_be_bytes_mod_order(&terms.claim_id),
        Fr::from(terms.uses),
        Fr::from(terms.sealed_at),
        Fr::from(terms.expiry),
    ]))
}

/// A record's credential as the sealed record keeps it.
pub struct Credential {
    pub place: Place,
    /// The issuer's proving key, packed.
    pub key: [u8; 32],
    pub signature: Signature,
}

/// Signs a record's credential.
///
/// # Errors
/// As [`message`]; `no_randomness`.
pub fn issue(key: &Signer, attester: &[u8; 20], place: Place, terms: &Terms) -> Result<Credential> {
    let message = message(attester, place, terms)?;
    Ok(Credential {
        place,
        key: key.public().pack(),
        signature: key.sign(message)?,
    })
}

/// Checks that `key` signed these terms at this place.
///
/// # Errors
/// As [`message`], [`crate::babyjub::Point::unpack`] and [`eddsa::verify`].
pub fn verify(credential: &Credential, attester: &[u8; 20], terms: &Terms) -> Result<()> {
    let public = crate::babyjub::Point::unpack(&credential.key)?;
    let message = message(attester, credential.place, terms)?;
    eddsa::verify(&public, message, &credential.signature)
}

/// The secret behind an issuer's claimIds: HKDF(person secret, "chartseal/1/claim-id", 32).
pub fn claim_secret(person_secret: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let extracted = Hkdf::<Sha256>::new(None, person_secret);
    Zeroizing::new(hkdf(&extracted, &[b"chartseal/1/claim-id"]))
}

/// What names a record's event, however it is exported: its http(s) URL without the version; else the base, type and id; else
/// its fullUrl. Empty where nothing does.
///
/// An export names its entries by URL or by a urn:uuid that may be new each time, and a use must not come back with it.
pub fn event_url(resource_type: &str, fields: &[Field], full_url: &str, base: &str) -> String {
    if full_url.starts_with("http://") || full_url.starts_with("https://") {
        let versioned = full_url.split_once("/_history/");
        return versioned.map_or(full_url, |(url, _)| url).to_owned();
    }
    let name = format!("{resource_type}.id");
    let id = fields.iter().find(|field| field.name.split('+').next() == Some(&name));
    match id.map(|field| &field.value) {
        Some(Value::String(id)) => format!("{base}{resource_type}/{id}"),
        _ => full_url.to_owned(),
    }
}

/// The first 31 bytes of HMAC-SHA256(secret, holder ‖ [`event_url`]): the same when an event is sealed again for its holder, another
/// for another holder. Without a URL nothing tells one event from another, and it is random.
///
/// # Errors
/// `no_randomness`.
pub fn claim_id(secret: &[u8; 32], holder: &Fr, event_url: &str) -> Result<ClaimId> {
    let mut id = [0; 31];
    if event_url.is_empty() {
        getrandom::fill(&mut id).map_err(|_| no_randomness())?;
        return Ok(id);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(&claims::to_bytes(holder));
    mac.update(event_url.as_bytes());
    id.copy_from_slice(&mac.finalize().into_bytes()[..31]);
    Ok(id)
}

/// How often what a record states may be used: a prescription once and for each repeat that it allows, at most 65,535 times
/// in all; anything else once. A number that an extension or a modifier qualifies counts for nothing.
pub fn uses(resource_type: &str, fields: &[Field]) -> u16 {
    const REPEATS: &str = "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed";
    const MODIFIERS: [&str; 3] = [
        "MedicationRequest.modifierExtension",
        "MedicationRequest.dispenseRequest.modifierExtension",
        "MedicationRequest.implicitRules",
    ];
    let is_modified = |field: &Field| MODIFIERS.iter().any(|each| field.name.starts_with(each));
    if resource_type != "MedicationRequest" || fields.iter().any(is_modified) {
        return 1;
    }
    // A value with a twin is named NAME+n, so that it is not found.
    match fields
        .iter()
        .find(|field| field.name == REPEATS)
        .map(|field| &field.value)
    {
        Some(Value::Int(repeats @ 0..)) => u16::try_from(repeats.saturating_add(1)).unwrap_or(u16::MAX),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::babyjub::SecretScalar;

    const ATTESTER: [u8; 20] = [0x19; 20];
    const PLACE: Place = Place { list: 1, index: 5 };

    fn terms() -> Terms {
        Terms {
            claims_root: [1; 32],
            holder: Fr::from(7u64),
            claim_id: [0x77; 31],
            uses: 1,
            sealed_at: 1_798_675_200,
            expiry: NEVER,
        }
    }

    #[test]
    fn only_what_was_signed_verifies() {
        let key = Signer::new(SecretScalar::from_wide_le_bytes(&[7; 64]).unwrap());
        let credential = issue(&key, &ATTESTER, PLACE, &terms()).unwrap();
        assert_eq!(verify(&credential, &ATTESTER, &terms()), Ok(()));
        let others = [
            Terms {
                claims_root: [2; 32],
                ..terms()
            },
            Terms {
                holder: Fr::from(8u64),
                ..terms()
            },
            Terms {
                claim_id: [0x78; 31],
                ..terms()
            },
            Terms { uses: 2, ..terms() },
            Terms {
                sealed_at: 1_798_675_201,
                ..terms()
            },
            Terms {
                expiry: NEVER - 1,
                ..terms()
            },
        ];
        for other in &others {
            assert_eq!(
                verify(&credential, &ATTESTER, other).unwrap_err().code,
                "signature_invalid"
            );
        }
        assert_eq!(
            verify(&credential, &[0x18; 20], &terms()).unwrap_err().code,
            "signature_invalid"
        );
        for place in [Place { list: 0, ..PLACE }, Place { index: 6, ..PLACE }] {
            let moved = Credential { place, ..credential };
            assert_eq!(
                verify(&moved, &ATTESTER, &terms()).unwrap_err().code,
                "signature_invalid"
            );
        }
    }

    #[test]
    fn a_root_that_no_circuit_takes_is_refused() {
        let above = Terms {
            claims_root: [0xff; 32],
            ..terms()
        };
        assert_eq!(
            message(&ATTESTER, PLACE, &above).unwrap_err().code,
            "field_element_range"
        );
    }

    #[test]
    fn an_event_has_one_url_however_it_is_exported() {
        let fields = [Field::new("MedicationRequest.id", Value::String("7".into()))];
        let url =
            |fields: &[Field], full_url: &str| event_url("MedicationRequest", fields, full_url, "https://h.example/");
        let own = "https://h.example/MedicationRequest/7";
        for full_url in ["", "urn:uuid:1", "urn:uuid:2", own, &format!("{own}/_history/3")] {
            assert_eq!(url(&fields, full_url), own);
        }
        assert_eq!(
            url(&fields, "https://other.example/MedicationRequest/7"),
            "https://other.example/MedicationRequest/7"
        );
        let twin = [Field::new("MedicationRequest.id+1", Value::String("7".into()))];
        assert_eq!(url(&twin, "urn:uuid:1"), own);
        assert_eq!(
            (url(&[], "urn:uuid:1"), url(&[], "")),
            ("urn:uuid:1".into(), String::new())
        );
    }

    #[test]
    fn claim_ids_follow_event_and_holder() {
        let id = |secret: u8, holder: u64, url: &str| claim_id(&[secret; 32], &Fr::from(holder), url).unwrap();
        let first = id(1, 7, "https://a.example/MedicationRequest/1");
        assert_eq!(first, id(1, 7, "https://a.example/MedicationRequest/1"));
        let others = [
            id(2, 7, "https://a.example/MedicationRequest/1"),
            id(1, 8, "https://a.example/MedicationRequest/1"),
            id(1, 7, "https://a.example/MedicationRequest/2"),
        ];
        assert!(others.iter().all(|other| *other != first));
        assert_ne!(id(1, 7, ""), id(1, 7, ""));
    }

    fn allowed(fields: &[(&str, Value)]) -> u16 {
        let fields: Vec<Field> = fields
            .iter()
            .map(|(name, value)| Field::new(*name, value.clone()))
            .collect();
        uses("MedicationRequest", &fields)
    }

    #[test]
    fn repeats_are_uses_where_nothing_qualifies_them() {
        const NAME: &str = "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed";
        for (repeats, expected) in [
            (0, 1),
            (3, 4),
            (65_533, 65_534),
            (65_534, 65_535),
            (65_535, 65_535),
            (i64::MAX, 65_535),
        ] {
            assert_eq!(allowed(&[(NAME, Value::Int(repeats))]), expected, "{repeats}");
        }
        assert_eq!(allowed(&[]), 1);
        assert_eq!(allowed(&[(NAME, Value::Int(-1))]), 1);
        assert_eq!(allowed(&[(&format!("{NAME}+1"), Value::Int(3))]), 1);
        let modifier = "MedicationRequest.dispenseRequest.modifierExtension[0].url";
        assert_eq!(
            allowed(&[(NAME, Value::Int(3)), (modifier, Value::String(String::new()))]),
            1
        );
        let contained = [Field::new(NAME, Value::Int(3))];
        assert_eq!(uses("MedicationDispense", &contained), 1);
    }
}
