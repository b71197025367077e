//! Statements beside vectors on which two implementations apart from this one agree: policy hashes, set roots, claims
//! roots.
//!
//! The vectors lie outside the repository: in `CHARTSEAL_SHARED`, or in `shared` beside the checkout. Without them the
//! tests say so and pass.

use ark_ff::{AdditiveGroup, Field, PrimeField};
use chartseal_algebra::babyjub::{SecretScalar, field_to_be_bytes};
use chartseal_algebra::{eddsa, poseidon, tags};
use chartseal_circuits::gadgets::predicate::Policy;
use chartseal_circuits::inputs::{self, to_hex};
use chartseal_circuits::{Circuit, Fr};
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};
use std::path::PathBuf;
use std::str::FromStr;

fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let folder = std::env::var_os("CHARTSEAL_SHARED").map_or_else(beside, PathBuf::from);
    let folder = folder.join("vectors/formats");
    if !folder.is_dir() {
        eprintln!("skipped: no folder of shared vectors (set CHARTSEAL_SHARED)");
        return None;
    }
    Some(folder)
}

fn once() -> Option<Value> {
    let text = std::fs::read(folder()?.join("once.json")).unwrap();
    Some(serde_json::from_slice(&text).unwrap())
}

fn records() -> Vec<Value> {
    let Some(folder) = folder() else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join("records.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value) -> Fr {
    Fr::from_str(value.as_str().unwrap()).unwrap()
}

fn hex(element: Fr) -> String {
    to_hex(&field_to_be_bytes(&element))
}

/// F(name; strings…, words…): the top 248 bits of keccak256(abi.encode(…)).
fn hashed(name: &str, strings: &[&str], words: &[u8]) -> Fr {
    let word = |value: usize| field_to_be_bytes(&Fr::from(value as u64)).to_vec();
    let name = format!("chartseal/1/{name}");
    let strings: Vec<&str> = [name.as_str()].into_iter().chain(strings.iter().copied()).collect();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    for string in &strings {
        head.extend(word(32 * (strings.len() + words.len()) + tail.len()));
        tail.extend(word(string.len()));
        tail.extend(string.as_bytes());
        tail.resize(tail.len().next_multiple_of(32), 0);
    }
    words.iter().for_each(|value| head.extend(word(usize::from(*value))));
    let digest = Keccak256::digest([head, tail].concat());
    Fr::from_be_bytes_mod_order(&digest[..31])
}

/// (low, high) of a set.
fn pairs(members: &[Fr]) -> Vec<(Fr, Fr)> {
    let end = Fr::from(2u64).pow([248]);
    let mut shifted: Vec<Fr> = members.iter().chain([&end]).map(|member| *member + Fr::ONE).collect();
    shifted.sort_unstable_by_key(|value| value.into_bigint());
    shifted.insert(0, Fr::from(0u64));
    shifted.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

fn set_leaves(members: &[Fr]) -> Vec<Fr> {
    let leaf = |(low, high): (Fr, Fr)| poseidon::hash(&[tags::SET, low, high]);
    pairs(members).into_iter().map(leaf).collect()
}

fn path(leaves: &[Fr], depth: usize, index: usize) -> Vec<[String; 3]> {
    let path = poseidon::tree_path(leaves, depth, index);
    path.into_iter().map(|siblings| siblings.map(hex)).collect()
}

/// A predicate whose claim is claim `index` of the leaves.
fn predicate(op: u8, bounds: [Fr; 2], claim: (usize, Fr, Fr, Fr), leaves: &[Fr], members: &[Fr]) -> Value {
    let (index, key, value, salt) = claim;
    let at = pairs(members)
        .iter()
        .rposition(|(low, _)| low.into_bigint() <= (value + Fr::ONE).into_bigint());
    let set = (op >= 4).then(|| {
        let (low, high) = pairs(members)[at.unwrap()];
        json!({"index": at, "low": hex(low), "high": hex(high), "path": path(&set_leaves(members), 6, at.unwrap())})
    });
    let root = if op >= 4 {
        poseidon::tree_root(&set_leaves(members), 6)
    } else {
        Fr::from(0u64)
    };
    json!({
        "op": op, "key": hex(key), "lo": hex(bounds[0]), "hi": hex(bounds[1]), "setRoot": hex(root), "set": set,
        "claim": {"index": index, "key": hex(key), "value": hex(value), "salt": hex(salt), "path": path(leaves, 3, index)},
    })
}

/// One that no claim satisfies: for the policy's hash alone.
fn stated(op: u8, key: Fr, bounds: [Fr; 2], members: &[Fr]) -> Value {
    let zero = Fr::from(0u64);
    predicate(op, bounds, (0, key, zero, zero), &[zero], members)
}

fn policy_hash<const K: usize>(predicates: Vec<Value>) -> Fr {
    let inputs = json!({"context": hex(Fr::from(0u64)), "predicates": predicates}).to_string();
    let inputs: inputs::Linked = inputs::read(inputs.as_bytes()).unwrap();
    Policy::<K>::new(&inputs.predicates).unwrap().hash()
}

fn codes(system: &str, codes: &[&str]) -> Vec<Fr> {
    codes.iter().map(|code| hashed("code", &[system, code], &[])).collect()
}

const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
const ICD_10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const ZERO: [Fr; 2] = [Fr::ZERO; 2];

fn allergens() -> Vec<Fr> {
    codes(SNOMED, &["91936005", "294505008"])
}

#[test]
fn set_roots_agree() {
    let Some(once) = once() else { return };
    let root = |members: &[Fr]| poseidon::tree_root(&set_leaves(members), 6);
    assert_eq!(root(&allergens()), number(&once["sets"]["snomed"]));
    let tests = codes(LOINC, &["4548-4", "17856-6", "59261-8"]);
    assert_eq!(root(&tests), number(&once["sets"]["loinc"]));
}

#[test]
fn policy_hashes_agree() {
    let Some(once) = once() else { return };
    let key = |strings: [&str; 6], scale| hashed("claim-key", &strings, &[scale]);
    let [zero, half] = [0, 1u64 << 63].map(Fr::from);
    let a1c = key(["Observation.value", "", LOINC, "4548-4", "quantity-hi", "%"], 6);
    let day = key(["Observation.effective", "", "", "", "day-lo", ""], 0);
    let days = 46_141u64; // from 1900-01-01 to 2026-05-01
    let below = stated(3, a1c, [zero, half + Fr::from(6_999_999u64)], &[]);
    let since = stated(3, day, [half + Fr::from(days), Fr::from(u64::MAX)], &[]);
    assert_eq!(policy_hash::<4>(vec![below, since]), number(&once["policies"]["P1"]));
    let diagnosis = key(["Condition.code", "current", "", "", "packed", ICD_10_CM], 0);
    let packed = |text: [u8; 7]| Fr::from(text.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    let breast = [packed(*b"C50\0\0\0\0"), packed(*b"C50\xff\xff\xff\xff")];
    assert_eq!(
        policy_hash::<1>(vec![stated(3, diagnosis, breast, &[])]),
        number(&once["policies"]["P2"])
    );
    let allergy = key(["AllergyIntolerance.code", "current", "", "", "sole-code", SNOMED], 0);
    assert_eq!(
        policy_hash::<1>(vec![stated(5, allergy, ZERO, &allergens())]),
        number(&once["policies"]["P3"])
    );
}

/// Every record's claims lead to its root, and each claim of some is proved: equal to itself, unlike another, in or out of
/// sets.
#[test]
fn claims_of_records_are_proved() {
    for record in records() {
        let claims = record["expected"]["claims"].as_array().unwrap();
        let opened: Vec<(usize, Fr, Fr, Fr)> = claims
            .iter()
            .enumerate()
            .map(|(at, claim)| (at, number(&claim["key"]), number(&claim["value"]), salt(at)))
            .collect();
        let leaf = |(_, key, value, salt): &(usize, Fr, Fr, Fr)| poseidon::hash(&[tags::CLAIM, *key, *value, *salt]);
        let leaves: Vec<Fr> = opened.iter().map(leaf).collect();
        let root = poseidon::tree_root(&leaves, 3);
        assert_eq!(hex(root), record["expected"]["claimsRoot"].as_str().unwrap());
        let claim = opened[opened.len() / 2];
        let other = [claim.2 + Fr::ONE; 2];
        let predicates = [
            predicate(1, [claim.2; 2], claim, &leaves, &[]),
            predicate(2, other, claim, &leaves, &[]),
            predicate(4, ZERO, claim, &leaves, &[claim.2, other[0]]),
            predicate(5, ZERO, claim, &leaves, &allergens()),
        ];
        // The holder's commitment is wider than what sets hold.
        let provable = if claim.0 == 0 { &predicates[..2] } else { &predicates };
        for predicate in provable {
            let inputs = json!({"context": hex(Fr::ONE), "predicates": [predicate]}).to_string();
            let assignment = Circuit::Linked1.assign(inputs.as_bytes(), None).unwrap();
            assert_eq!(assignment.publics()[0], root);
            assert_eq!(Circuit::Linked1.shape().unsatisfied(assignment.values()), None);
        }
    }
}

/// The vectors' seed is 32 × 0x5e for every record.
fn salt(index: usize) -> Fr {
    let mut salt = [0; 31];
    let info = [b"chartseal/1/claim\0".as_slice(), &(index as u16).to_be_bytes()].concat();
    let derived = hkdf::Hkdf::<sha2::Sha256>::new(None, &[0x5e; 32]);
    derived.expand(&info, &mut salt).unwrap();
    Fr::from_be_bytes_mod_order(&salt)
}

fn unpadded<const N: usize>(hex: &str) -> [u8; N] {
    let digits = hex.strip_prefix("0x").unwrap();
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
}

/// The vectors' credential, wallet and issuer satisfy an anonymous statement whose public inputs are the vectors': so the
/// circuit has the formats' message, leaves and hashes, in their order. Source: README.md beside the vectors.
#[test]
fn the_credential_of_the_vectors_is_proved() {
    let Some(once) = once() else { return };
    let record = records()
        .into_iter()
        .find(|record| record["name"] == "AllergyIntolerance")
        .unwrap();
    let claims = record["expected"]["claims"].as_array().unwrap().iter().enumerate();
    let claims: Vec<_> = claims
        .map(|(at, claim)| (at, number(&claim["key"]), number(&claim["value"]), salt(at)))
        .collect();
    let leaf = |(_, key, value, salt): &(usize, Fr, Fr, Fr)| poseidon::hash(&[tags::CLAIM, *key, *value, *salt]);
    let leaves: Vec<Fr> = claims.iter().map(leaf).collect();
    let secret_of = |scalar: Fr| {
        let bytes = ark_ff::BigInteger::to_bytes_le(&scalar.into_bigint());
        let wide: [u8; 64] = std::array::from_fn(|i| bytes.get(i).copied().unwrap_or_default());
        SecretScalar::from_wide_le_bytes(&wide).unwrap()
    };
    let (wallet, issuer) = (
        secret_of(number(&once["wallet"]["spend"])),
        secret_of(hashed("test-issuer-key", &[], &[])),
    );
    let key = issuer.public();
    assert_eq!(
        key.coordinates(),
        (number(&once["issuer"]["Ax"]), number(&once["issuer"]["Ay"]))
    );
    let signature = eddsa::sign(&issuer, number(&once["credential"])).unwrap();
    let attester: [u8; 20] = unpadded(once["issuer"]["attester"].as_str().unwrap());
    let empty = [Fr::ZERO];
    let issuers = [number(&once["issuerLeaf"])];
    let inputs = json!({
        "now": 1_798_675_200u64, "scope": hex(hashed("test-scope", &[], &[])), "use": 0,
        "context": hex(hashed("test-context", &[], &[])),
        "predicates": [predicate(1, [claims[0].2; 2], claims[0], &leaves, &[])],
        "credential": {
            "attester": hex(Fr::from_be_bytes_mod_order(&attester)), "list": 0, "index": 5,
            "claimId": hex(Fr::from_be_bytes_mod_order(&[0x77; 31])), "uses": 1, "sealedAt": 1_798_675_200u64,
            "expiry": u64::MAX, "key": to_hex(&key.pack()), "signature": to_hex(&signature),
        },
        "issuer": {"index": 0, "notAfter": 1_830_000_000u64, "path": path(&issuers, 6, 0)},
        "status": {"word": hex(Fr::ZERO), "path": path(&empty, 6, 0)},
    });
    let assignment = Circuit::Anonymous1
        .assign(inputs.to_string().as_bytes(), Some(&wallet))
        .unwrap();
    let publics = assignment.publics();
    assert_eq!(publics[0], number(&once["trustRoot"]));
    assert_eq!(
        [publics[5], publics[6]],
        ["nullifier", "pseudonym"].map(|name| number(&once[name]))
    );
    assert_eq!(Circuit::Anonymous1.shape().unsatisfied(assignment.values()), None);
}
