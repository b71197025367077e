//! Claims: what a record affirms, in the form that predicates test (formats 7, table B).

mod kinds;
mod lift;
mod table;
mod tree;

use crate::error::{Error, Kind, Result};
use crate::field::Field;
use crate::hash::{Abi, SeedSalts, field_element};
use crate::poseidon::{Fr, hash, tree_root};
use crate::tags;
use ark_ff::{BigInteger, PrimeField};
use std::collections::BTreeMap;

/// Levels of the tree of claims, of arity 4.
pub const DEPTH: usize = 3;
/// Claims besides the holder's.
pub const MOST: usize = 63;

/// One claim; claim 0 is the holder's, of kind `holder`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Element path without indices, choices by base name.
    pub path: String,
    /// Table B's sense.
    pub sense: String,
    pub qualifier_system: String,
    pub qualifier_code: String,
    pub kind: &'static str,
    /// A code's system, a quantity's UCUM unit or a currency.
    pub unit: String,
    /// Decimal places of the value.
    pub scale: u8,
    pub key: Fr,
    pub value: Fr,
}

/// A record's claims in the order of their leaves, and the elements left out because there were too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    pub claims: Vec<Claim>,
    pub dropped: Vec<String>,
}

/// Lifts the claims of a record of that type and `about`. `holder` is the holder's commitment P(tagHolder, Sx, Sy); `test`
/// lets records marked HTEST through; `fields` may hold control fields, which are not read.
pub fn lift(resource_type: &str, about: &str, fields: &[Field], holder: Fr, test: bool) -> Lifted {
    let (mut claims, dropped) = fit(lift::elements(resource_type, about, fields, test));
    claims.sort_by_key(|claim| (claim.key, claim.value));
    claims.insert(0, holder_claim(holder));
    Lifted { claims, dropped }
}

/// Claim 0: the commitment to the holder's key.
fn holder_claim(holder: Fr) -> Claim {
    Claim {
        path: String::new(),
        sense: String::new(),
        qualifier_system: String::new(),
        qualifier_code: String::new(),
        kind: "holder",
        unit: String::new(),
        scale: 0,
        key: field_element("claim-key/holder", &[]),
        value: holder,
    }
}

/// Drops whole elements, the fullest first, later ones before earlier ones, times last, until the tree holds the rest.
fn fit(mut elements: Vec<lift::Element>) -> (Vec<Claim>, Vec<String>) {
    let mut dropped = Vec::new();
    loop {
        let mut unique = BTreeMap::new();
        for (i, claim) in elements.iter().flat_map(|element| &element.claims).enumerate() {
            unique.entry((claim.key, claim.value)).or_insert(i);
        }
        if unique.len() <= MOST {
            let all: Vec<Claim> = elements.into_iter().flat_map(|element| element.claims).collect();
            return (unique.into_values().map(|i| all[i].clone()).collect(), dropped);
        }
        let fullest = (0..elements.len()).max_by_key(|i| (!elements[*i].is_time(), elements[*i].unique(), *i));
        let gone = elements.remove(fullest.expect("more than 63 claims come from some element"));
        dropped.push(format!("{}.{}", gone.resource_type, gone.name));
    }
}

/// key = F("claim-key"; …).
fn key(claim: &Claim) -> Fr {
    let part = |text| Abi::String(text);
    field_element(
        "claim-key",
        &[
            part(&claim.path),
            part(&claim.sense),
            part(&claim.qualifier_system),
            part(&claim.qualifier_code),
            part(claim.kind),
            part(&claim.unit),
            Abi::Uint(u64::from(claim.scale)),
        ],
    )
}

/// P(tagClaim, key, value, salt) of every claim, salts from the seed by index.
pub fn leaves(claims: &[Claim], salts: &SeedSalts) -> Vec<Fr> {
    let indexed = (0u16..).zip(claims);
    indexed
        .map(|(index, claim)| hash(&[tags::CLAIM, claim.key, claim.value, salts.claim(index)]))
        .collect()
}

/// The root that `chartseal.claims` holds, as 32 bytes big-endian.
pub fn root(claims: &[Claim], salts: &SeedSalts) -> [u8; 32] {
    to_bytes(&tree_root(&leaves(claims, salts), DEPTH))
}

/// Root over the holder's claim alone, for a record whose salts are marked: nothing else may be lifted from it.
pub fn holder_only(holder: Fr) -> Lifted {
    Lifted {
        claims: vec![holder_claim(holder)],
        dropped: Vec::new(),
    }
}

pub fn to_bytes(element: &Fr) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&element.into_bigint().to_bytes_be());
    bytes
}

/// A field element from 32 bytes big-endian.
///
/// # Errors
/// `field_element_range`: not below r.
pub fn from_bytes(bytes: &[u8; 32]) -> Result<Fr> {
    let element = Fr::from_be_bytes_mod_order(bytes);
    if to_bytes(&element) == *bytes {
        return Ok(element);
    }
    Err(Error::new(
        Kind::Encoding,
        "field_element_range",
        "",
        "not a canonical element of the scalar field",
    ))
}
