//! One shaped resource to a sealed record: control fields, claims, salts, leaves, root, and the seal that an issuer signs.
//!
//! `prepare` does all but the signature, so that keys in memory, an HSM or a KMS can give it; `check` is the holder's side.

use crate::abi::{Digest, leaf_hash};
use crate::claims;
use crate::control::{self, Inputs, Target};
use crate::credential::{self, ClaimId, Terms};
use crate::delivery::deliver_with;
use crate::eddsa::no_randomness;
use crate::eip712::{Attestation, Form, digest};
use crate::error::{Error, Kind, Result};
use crate::field::{Field, Value};
use crate::hash::SeedSalts;
use crate::poseidon::Fr;
use crate::slots::CONTROL;
use crate::tree;
use crate::wallet::{SealingAddress, holder_commitment};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// What is the same in all seals of one issuer.
pub struct Issuer {
    /// EIP-712 separator of the deployment whose seals they are.
    pub separator: Digest,
    pub attester: [u8; 20],
    /// Key of `chartseal.person`.
    pub person_secret: Zeroizing<[u8; 32]>,
    /// Key of claimIds.
    pub claim_secret: Zeroizing<[u8; 32]>,
    /// FHIR base URL with its final slash; empty where unknown.
    pub base: String,
}

impl Issuer {
    pub fn new(separator: Digest, attester: [u8; 20], person_secret: [u8; 32], base: String) -> Self {
        Self {
            separator,
            attester,
            claim_secret: credential::claim_secret(&person_secret),
            person_secret: Zeroizing::new(person_secret),
            base,
        }
    }
}

/// For whom a record is sealed.
pub struct Recipient {
    pub address: SealingAddress,
    pub holder: Fr,
}

impl Recipient {
    /// # Errors
    /// Those of [`SealingAddress::from_bytes`].
    pub fn new(address: &[u8; 64]) -> Result<Self> {
        let address = SealingAddress::from_bytes(address)?;
        let holder = holder_commitment(&address.spend);
        Ok(Self { address, holder })
    }
}

/// What is said of one seal besides the resource. Times are Unix seconds; expiration 0 is none.
pub struct Order<'a> {
    pub full_url: &'a str,
    pub time: u64,
    pub expiration: u64,
    /// Uid of the seal that this one replaces, or zeros.
    pub amends: Digest,
    /// Of the record that this one replaces, for the same holder; else it follows from the event.
    pub claim_id: Option<ClaimId>,
    /// Roots of a document's entries.
    pub entries: &'a [Digest],
    /// Seed of the salts; fresh where it is not given.
    pub seed: Option<[u8; 32]>,
    /// Keying material of the delivery; fresh where it is not given.
    pub ikm: Option<[u8; 32]>,
}

/// A record that lacks nothing but the issuer's signature over `digest`.
pub struct Unsigned {
    pub resource_type: String,
    /// All leaves, pads included.
    pub fields: Vec<Field>,
    /// Elements whose claims found no room.
    pub dropped: Vec<String>,
    pub seed: Zeroizing<[u8; 32]>,
    /// Keying material of the delivery: who keeps it can deliver the record again.
    pub ikm: Zeroizing<[u8; 32]>,
    /// HPKE's encapsulated key, from which the holder recomputes the subject.
    pub enc: [u8; 32],
    /// The view tag, published with `enc`: the holder's scan for own records looks at it first.
    pub tag: [u8; 2],
    pub root: Digest,
    pub attestation: Attestation,
    pub uid: Digest,
    pub digest: Digest,
    /// Of the credential; none of a test record, because a proof that does not show the record does not show that it is one.
    pub terms: Option<Terms>,
}

/// Seals the fields of a checked resource for `recipient`; `test` tells that it carries HTEST; `resolve` knows what its
/// references resolve to.
///
/// # Errors
/// `bundle_whole`: a Bundle without its entries' roots, or roots that belong to none; `no_randomness`; a field that
/// contradicts the resource type.
pub fn prepare(
    resource_type: &str,
    fields: Vec<Field>,
    test: bool,
    order: &Order,
    recipient: &Recipient,
    issuer: &Issuer,
    resolve: &dyn Fn(&str) -> Option<Target>,
) -> Result<Unsigned> {
    if (resource_type == "Bundle") == order.entries.is_empty() {
        let detail = "a Bundle is sealed by its entries, a document by itself too";
        return Err(Error::new(Kind::Fhir, "bundle_whole", resource_type, detail));
    }
    let seed = Zeroizing::new(order.seed.map_or_else(random, Ok)?);
    let ikm = Zeroizing::new(order.ikm.map_or_else(random, Ok)?);
    let delivery = deliver_with(&recipient.address, &ikm)?;
    let salts = SeedSalts::new(&seed);
    let about = control::about(resource_type, &fields, resolve);
    let lifted = claims::lift(resource_type, about, &fields, recipient.holder, test);
    let claims = claims::root(&lifted.claims, &salts);
    let terms = match test {
        true => None,
        false => Some(terms(resource_type, &fields, claims, order, recipient, issuer)?),
    };
    let patient = control::patient_url(resource_type, &fields, order.full_url, &issuer.base, resolve);
    let inputs = Inputs {
        resource_type,
        about,
        subject: delivery.subject,
        claims,
        full_url: order.full_url,
        person: patient.map_or([0; 32], |url| control::person(&issuer.person_secret, &url)),
        amends: order.amends,
        entries: order.entries,
        test,
    };
    let control = control::compute(&inputs, &fields)?;
    let mut all = fields;
    all.extend(control);
    let root = root(&all, &salts)?;
    let attestation = Attestation::seal(&root, order.time, order.expiration, salts.eas());
    Ok(Unsigned {
        resource_type: resource_type.to_owned(),
        fields: all,
        dropped: lifted.dropped,
        seed,
        ikm,
        enc: delivery.enc,
        tag: delivery.tag,
        root,
        uid: attestation.uid(Form::Version2),
        digest: digest(&issuer.separator, &attestation.struct_hash(Form::Version2)),
        attestation,
        terms,
    })
}

fn terms(
    resource_type: &str,
    fields: &[Field],
    claims_root: Digest,
    order: &Order,
    recipient: &Recipient,
    issuer: &Issuer,
) -> Result<Terms> {
    let holder = recipient.holder;
    let fresh = || {
        let event = credential::event_url(resource_type, fields, order.full_url, &issuer.base);
        credential::claim_id(&issuer.claim_secret, &holder, &event)
    };
    Ok(Terms {
        claims_root,
        holder,
        claim_id: order.claim_id.map_or_else(fresh, Ok)?,
        uses: credential::uses(resource_type, fields),
        sealed_at: order.time,
        expiry: if order.expiration == 0 {
            credential::NEVER
        } else {
            order.expiration
        },
    })
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(bytes)
}

/// Root over all leaves of a record, pads included, each under its salt.
fn root(fields: &[Field], salts: &SeedSalts) -> Result<Digest> {
    let leaves: Vec<Digest> = fields
        .iter()
        .map(|field| leaf_hash(field, &salts.field(&field.name)))
        .collect();
    tree::root(&leaves)
}

/// Recomputes everything of a record that its holder can: claims under `holder`, slots, labels, names, pads and the root,
/// which is returned for comparison with the seal's. What only the issuer knows (`about` of a resolved reference, `person`,
/// `fullUrl`, `amends`, the delivery's subject) is taken as it stands.
///
/// # Errors
/// `control_missing`, `claims_mismatch` and `control_mismatch` with the field's name; those of [`control::check`].
pub fn check(fields: &[Field], seed: &[u8; 32], holder: Fr, salts_sound: bool) -> Result<Digest> {
    let salts = SeedSalts::new(seed);
    let unpadded: Vec<Field> = fields
        .iter()
        .filter(|f| !f.name.starts_with(control::PAD))
        .cloned()
        .collect();
    control::check(&unpadded, true)?;
    let (control, resource): (Vec<Field>, Vec<Field>) = fields
        .iter()
        .cloned()
        .partition(|field| field.name.starts_with(CONTROL));
    let stated = Stated(
        control
            .iter()
            .map(|field| (field.name.as_str(), &field.value))
            .collect(),
    );
    let resource_type = stated.text("chartseal.resourceType")?;
    let (about, test) = (
        stated.text("chartseal.about")?,
        stated.text("chartseal.format")? == control::TEST_FORMAT,
    );
    let lifted = match salts_sound {
        true => claims::lift(resource_type, about, &resource, holder, test),
        false => claims::holder_only(holder),
    };
    let claims = stated.word("chartseal.claims")?;
    if claims != claims::root(&lifted.claims, &salts) {
        return Err(mismatch("claims_mismatch", "chartseal.claims"));
    }
    let inputs = Inputs {
        resource_type,
        about,
        subject: stated.word("chartseal.subject")?,
        claims,
        full_url: stated.text("chartseal.fullUrl")?,
        person: stated.word("chartseal.person")?,
        amends: stated.word("chartseal.amends")?,
        entries: &stated.entries()?,
        test,
    };
    let expected = control::compute(&inputs, &resource)?;
    compare(&expected, &control)?;
    root(fields, &salts)
}

/// Every expected control field stands with its value, and no other does.
fn compare(expected: &[Field], stated: &[Field]) -> Result<()> {
    let values: HashMap<&str, &Value> = stated.iter().map(|field| (field.name.as_str(), &field.value)).collect();
    let wrong = expected
        .iter()
        .find(|field| values.get(field.name.as_str()) != Some(&&field.value));
    if let Some(field) = wrong {
        return Err(mismatch("control_mismatch", &field.name));
    }
    if stated.len() != expected.len() {
        return Err(mismatch("control_mismatch", CONTROL));
    }
    Ok(())
}

fn mismatch(code: &'static str, name: &str) -> Error {
    Error::new(Kind::Record, code, name, "is not what the record's fields give")
}

/// The control fields as a record states them.
struct Stated<'a>(HashMap<&'a str, &'a Value>);

impl<'a> Stated<'a> {
    fn text(&self, name: &str) -> Result<&'a str> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Error::new(
                Kind::Record,
                "control_missing",
                name,
                "the record has no such text",
            )),
        }
    }

    fn word(&self, name: &str) -> Result<Digest> {
        match self.0.get(name) {
            Some(Value::Bytes32(word)) => Ok(*word),
            _ => Err(Error::new(
                Kind::Record,
                "control_missing",
                name,
                "the record has no such word",
            )),
        }
    }

    fn entries(&self) -> Result<Vec<Digest>> {
        let names = (0..).map(|i| format!("chartseal.entry[{i}]"));
        names
            .take_while(|name| self.0.contains_key(name.as_str()))
            .map(|name| self.word(&name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::Wallet;

    const SEED: [u8; 32] = [0x5e; 32];

    fn sealed(value: &str) -> (Unsigned, Recipient) {
        let address = Wallet::from_seed(&[0x22; 64]).unwrap().address(0, 0).unwrap();
        let recipient = Recipient::new(&address.to_bytes()).unwrap();
        let issuer = Issuer::new([1; 32], [2; 20], [0x66; 32], "https://issuer.example/fhir/".into());
        let order = Order {
            full_url: "",
            time: 1_798_675_200,
            expiration: 0,
            amends: [0; 32],
            claim_id: None,
            entries: &[],
            seed: Some(SEED),
            ikm: Some([0x44; 32]),
        };
        let fields = vec![
            Field::new("Observation.status", Value::String("final".into())),
            Field::new("Observation.code.text", Value::String("weight".into())),
            Field::new("Observation.valueQuantity.value", Value::String(value.into())),
        ];
        let unsigned = prepare("Observation", fields, false, &order, &recipient, &issuer, &|_| None).unwrap();
        (unsigned, recipient)
    }

    #[test]
    fn what_is_sealed_checks() {
        let (unsigned, recipient) = sealed("71.50");
        assert_eq!(unsigned.fields.len() % 16, 0);
        assert_eq!(
            check(&unsigned.fields, &SEED, recipient.holder, true),
            Ok(unsigned.root)
        );
        assert_ne!(sealed("71.5").0.root, unsigned.root);
    }

    #[test]
    fn every_altered_control_field_is_noticed() {
        let (unsigned, recipient) = sealed("71.50");
        for at in 0..unsigned.fields.len() {
            let name = &unsigned.fields[at].name;
            if ["subject", "fullUrl", "person", "amends", "about"]
                .iter()
                .any(|free| name.ends_with(free))
            {
                continue; // bound by the root alone
            }
            let mut fields = unsigned.fields.clone();
            fields[at].value = match &fields[at].value {
                Value::String(text) => Value::String(format!("{text}x")),
                _ => Value::Bytes32([9; 32]),
            };
            let result = check(&fields, &SEED, recipient.holder, true);
            assert_ne!(result, Ok(unsigned.root), "{at}");
            let mut fewer = unsigned.fields.clone();
            fewer.remove(at);
            assert!(
                check(&fewer, &SEED, recipient.holder, true) != Ok(unsigned.root),
                "{at}"
            );
        }
    }

    #[test]
    fn another_holder_or_seed_is_noticed() {
        let (unsigned, recipient) = sealed("71.50");
        let holder = recipient.holder + Fr::from(1u64);
        assert_eq!(
            check(&unsigned.fields, &SEED, holder, true).unwrap_err().code,
            "claims_mismatch"
        );
        assert!(check(&unsigned.fields, &[0x5f; 32], recipient.holder, true).is_err());
    }
}
