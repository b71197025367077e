//! The sealed record's file form: one line of JSON with the seal as eas-sdk writes it, all fields but pads, and the seed.

use crate::abi::Digest;
use crate::control::PAD;
use crate::credential::{Credential, Terms};
use crate::field::{Field, Value};
use crate::seal::Unsigned;
use crate::secp::Signature;
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::value::RawValue;

/// What is the same in all seals of one issuer, as JSON.
pub struct Envelope {
    /// EIP-712's domain object.
    pub domain: Box<RawValue>,
    /// The types object of off-chain attestations, version 2.
    pub types: Box<RawValue>,
    /// The attester's address with its checksum.
    pub signer: String,
}

/// 0x text of bytes.
struct Hex<'a>(&'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(2 + 2 * self.0.len());
        text.push_str("0x");
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        serializer.serialize_str(&text)
    }
}

/// [name, ABI type, value]; integers as decimal text.
struct Row<'a>(&'a Field);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(3))?;
        row.serialize_element(&self.0.name)?;
        row.serialize_element(self.0.value.abi_type())?;
        match &self.0.value {
            Value::String(text) => row.serialize_element(text)?,
            Value::Bool(flag) => row.serialize_element(flag)?,
            Value::Int(number) => row.serialize_element(&number.to_string())?,
            Value::Uint(number) => row.serialize_element(&number.to_string())?,
            Value::Bytes32(word) => row.serialize_element(&Hex(word))?,
        }
        row.end()
    }
}

struct Rows<'a>(&'a [Field]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter(|field| !field.name.starts_with(PAD)).map(Row))
    }
}

struct Detached<'a>(&'a [(String, String)]);

impl Serialize for Detached<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}

#[derive(serde::Serialize)]
struct Record<'a> {
    format: &'static str,
    kind: &'static str,
    r#for: &'a str,
    enc: Hex<'a>,
    tag: Hex<'a>,
    seed: Hex<'a>,
    seal: Seal<'a>,
    fields: Rows<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detached: Option<Detached<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    dropped: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Signed<'a>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed<'a> {
    list: u32,
    index: u32,
    claim_id: Hex<'a>,
    uses: u16,
    key: Hex<'a>,
    signature: Hex<'a>,
}

impl<'a> Signed<'a> {
    fn new(credential: &'a Credential, terms: &'a Terms) -> Self {
        Self {
            list: credential.place.list,
            index: credential.place.index,
            claim_id: Hex(&terms.claim_id),
            uses: terms.uses,
            key: Hex(&credential.key),
            signature: Hex(&credential.signature),
        }
    }
}

#[derive(serde::Serialize)]
struct Seal<'a> {
    sig: Sig<'a>,
    signer: &'a str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Sig<'a> {
    version: u16,
    uid: Hex<'a>,
    domain: &'a RawValue,
    primary_type: &'static str,
    message: Message<'a>,
    types: &'a RawValue,
    signature: Parts<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    version: u16,
    schema: Hex<'a>,
    recipient: &'static str,
    time: String,
    expiration_time: String,
    revocable: bool,
    #[serde(rename = "refUID")]
    ref_uid: Hex<'a>,
    data: Hex<'a>,
    salt: Hex<'a>,
}

#[derive(serde::Serialize)]
struct Parts<'a> {
    v: u8,
    r: Hex<'a>,
    s: Hex<'a>,
}

/// The line, without its end. `address` is the text of the sealing address, `detached` the values that travel beside the
/// fields, `credential` what was signed of the record's terms.
pub fn to_json(
    record: &Unsigned,
    address: &str,
    detached: &[(String, String)],
    signature: &Signature,
    credential: Option<&Credential>,
    envelope: &Envelope,
) -> Vec<u8> {
    let attestation = &record.attestation;
    let zero: Digest = [0; 32];
    debug_assert_eq!((attestation.recipient, attestation.ref_uid), ([0; 20], zero));
    let record = Record {
        format: "chartseal/1",
        kind: "sealed-record",
        r#for: address,
        enc: Hex(&record.enc),
        tag: Hex(&record.tag),
        seed: Hex(&*record.seed),
        seal: Seal {
            sig: Sig {
                version: 2,
                uid: Hex(&record.uid),
                domain: &envelope.domain,
                primary_type: "Attest",
                message: Message {
                    version: 2,
                    schema: Hex(&attestation.schema),
                    recipient: "0x0000000000000000000000000000000000000000",
                    time: attestation.time.to_string(),
                    expiration_time: attestation.expiration.to_string(),
                    revocable: attestation.revocable,
                    ref_uid: Hex(&attestation.ref_uid),
                    data: Hex(&attestation.data),
                    salt: Hex(&attestation.salt),
                },
                types: &envelope.types,
                signature: Parts {
                    v: signature[64],
                    r: Hex(&signature[..32]),
                    s: Hex(&signature[32..64]),
                },
            },
            signer: &envelope.signer,
        },
        fields: Rows(&record.fields),
        detached: (!detached.is_empty()).then_some(Detached(detached)),
        dropped: &record.dropped,
        credential: credential
            .zip(record.terms.as_ref())
            .map(|(credential, terms)| Signed::new(credential, terms)),
    };
    serde_json::to_vec(&record).expect("text, numbers and lists")
}
