//! What a prover is given, as JSON: field elements and words as `0x` and 64 hex digits, big-endian; small numbers as numbers.
//!
//! Paths come from [`chartseal_algebra::poseidon::tree_path`]; nothing in here is trusted: an input that does not fit ends in a
//! typed error, one that does not satisfy the statement in no proof.

use ark_bn254::Fr;
use chartseal_algebra::babyjub::{field_from_be_bytes, field_to_be_bytes};
use chartseal_algebra::error::{Error, Kind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Levels of the tree of claims.
pub const CLAIM_DEPTH: usize = 3;
/// Levels of sets, status lists and trust roots.
pub const TREE_DEPTH: usize = 6;

/// Most bytes of JSON that are read.
pub const LARGEST_INPUTS: usize = 1 << 16;

/// A field element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Zeroize)]
pub struct Element(pub Fr);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = from_hex::<32>(&text).ok_or_else(|| serde::de::Error::custom("expected 0x and 64 hex digits"))?;
        let element = field_from_be_bytes(&bytes);
        element
            .map(Self)
            .map_err(|_| serde::de::Error::custom("expected an integer below the field's order"))
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(&field_to_be_bytes(&self.0)))
    }
}

/// N bytes as `0x` and hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Zeroize)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        from_hex(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("expected 0x and {} hex digits", 2 * N)))
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let digit = |at: usize| char::from(digits[at]).to_digit(16).map(|digit| digit as u8);
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
    }
    Some(bytes)
}

/// `0x` and hex digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The siblings of a leaf, from the leaves up.
pub type Path<const DEPTH: usize> = [[Element; 3]; DEPTH];

/// One slot of a policy, with what satisfies it. `op`: 1 equal, 2 not equal, 3 range, 4 member, 5 not member; parts that the
/// operation does not use are 0.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
    pub op: u8,
    pub key: Element,
    pub lo: Element,
    pub hi: Element,
    pub set_root: Element,
    pub claim: Claim,
    /// For operations 4 and 5.
    pub set: Option<Neighbours>,
}

/// A claim of the record, opened to the prover.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// 0 to 63.
    pub index: u8,
    pub key: Element,
    pub value: Element,
    pub salt: Element,
    pub path: Path<CLAIM_DEPTH>,
}

/// The leaf (low, high) of a set's tree: low = value + 1 for a member, low < value + 1 < high for what is not one.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Neighbours {
    /// 0 to 4,095.
    pub index: u16,
    pub low: Element,
    pub high: Element,
    pub path: Path<TREE_DEPTH>,
}

/// The issuer's credential over a record's claims (formats 8).
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// An address: 160 bits.
    pub attester: Element,
    pub list: u32,
    /// In the status list: below 1,024,000.
    pub index: u32,
    pub claim_id: Element,
    /// 16 bits.
    pub uses: u16,
    /// Unix seconds.
    pub sealed_at: u64,
    /// Unix seconds; 2^64 − 1 for never.
    pub expiry: u64,
    /// The issuer's proving key, packed.
    pub key: Hex<32>,
    /// packPoint(R) ‖ LE(S).
    pub signature: Hex<64>,
}

/// Where the issuer stands under the trust root.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// 0 to 4,095.
    pub index: u16,
    /// Unix seconds; 2^64 − 1 for never.
    pub not_after: u64,
    pub path: Path<TREE_DEPTH>,
}

/// The word of the status list that holds the credential's bit.
#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    pub word: Element,
    pub path: Path<TREE_DEPTH>,
}

#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Holder {
    pub context: Element,
    /// Of claim 0.
    pub salt: Element,
    /// Of claim 0.
    pub path: Path<CLAIM_DEPTH>,
}

#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Linked {
    pub context: Element,
    /// One for linked-1, two to four for linked-4, in the policy's order.
    pub predicates: Vec<Predicate>,
}

#[derive(Clone, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Anonymous {
    /// Start of the trust root's epoch, Unix seconds.
    pub now: u64,
    pub scope: Element,
    pub context: Element,
    /// One for anonymous-1, two to four for anonymous-4, in the policy's order.
    pub predicates: Vec<Predicate>,
    pub credential: Credential,
    pub issuer: Issuer,
    pub status: Status,
    /// Which of the credential's uses is spent: below `uses`.
    pub r#use: u16,
}

/// Reads inputs of one kind.
///
/// # Errors
/// Kind `Proving`, `inputs_malformed`: too long, not JSON, or another shape. The message has no value.
pub fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T> {
    if json.len() > LARGEST_INPUTS {
        return Err(malformed("the inputs are too long"));
    }
    serde_json::from_slice(json).map_err(|error| {
        malformed(&format!(
            "the inputs are not of their form (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

pub(crate) fn malformed(detail: &str) -> Error {
    Error::new(Kind::Proving, "inputs_malformed", "", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_canonical() {
        let read_one = |text: &str| super::read::<Element>(format!("\"{text}\"").as_bytes());
        let one = format!("0x{:064x}", 1);
        assert_eq!(read_one(&one), Ok(Element(Fr::from(1u64))));
        assert_eq!(
            serde_json::to_string(&Element(Fr::from(1u64))).unwrap(),
            format!("\"{one}\"")
        );
        let order = "0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";
        for wrong in ["0x01", &one[2..], order, &format!("0x{}", "g".repeat(64))] {
            assert_eq!(read_one(wrong).unwrap_err().code, "inputs_malformed", "{wrong}");
        }
    }
}
