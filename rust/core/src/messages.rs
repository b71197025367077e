//! What holders sign: a disclosure's digest, and field elements for [`crate::eddsa`].

use crate::hash::{Abi, digest, field_element, keccak256};
use crate::poseidon::Fr;
use crate::wallet::SealingAddress;

/// One record of a disclosure, as its digest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DisclosedRecord {
    /// Who sealed it, and the seal's uid: together its identity.
    pub attester: [u8; 20],
    pub uid: [u8; 32],
    /// keccak256 of the seal's signature bytes.
    pub signature_hash: [u8; 32],
    /// Of the opened fields.
    pub leaf_hashes: Vec<[u8; 32]>,
}

/// One proof of a disclosure: hash of its verification key, and its public inputs, big-endian.
pub type DisclosedProof = ([u8; 32], Vec<[u8; 32]>);

/// H("disclosure"; records, proofs), typed (address,bytes32,bytes32,bytes32[])[] and (bytes32,uint256[])[]. Whatever the
/// order given, records and proofs ascend, and so do the leaf hashes of a record.
pub fn disclosure_digest(mut records: Vec<DisclosedRecord>, mut proofs: Vec<DisclosedProof>) -> [u8; 32] {
    records.iter_mut().for_each(|record| record.leaf_hashes.sort_unstable());
    records.sort_unstable();
    proofs.sort_unstable();
    let words = |words: &[[u8; 32]]| Abi::List(words.iter().copied().map(Abi::Bytes32).collect());
    let record = |record: &DisclosedRecord| {
        Abi::Tuple(vec![
            Abi::Address(record.attester),
            Abi::Bytes32(record.uid),
            Abi::Bytes32(record.signature_hash),
            words(&record.leaf_hashes),
        ])
    };
    let proof = |(key, inputs): &DisclosedProof| Abi::Tuple(vec![Abi::Bytes32(*key), words(inputs)]);
    let lists = [
        Abi::List(records.iter().map(record).collect()),
        Abi::List(proofs.iter().map(proof).collect()),
    ];
    digest("disclosure", &lists)
}

/// M = F("holder-signature"; bytes32 digest, bytes32 subject, bytes32 keccak256(audience), bytes32 nonce, uint64 expiry),
/// which each subject of a disclosure signs.
///
/// `audience` is the authenticated origin or key that the request came from; `expiry` is in Unix seconds.
pub fn holder_message(digest: &[u8; 32], subject: &[u8; 32], audience: &str, nonce: &[u8; 32], expiry: u64) -> Fr {
    let audience = keccak256(audience.as_bytes());
    let words = [*digest, *subject, audience, *nonce].map(Abi::Bytes32);
    field_element("holder-signature", &[&words[..], &[Abi::Uint(expiry)]].concat())
}

/// F("registration"; bytes32 challenge, bytes address, bytes32 keccak256(origin), uint64 expiry), which the spend key
/// signs before a provider seals to the address.
///
/// `challenge` is the provider's, fresh; `origin` its authenticated origin; `expiry` is in Unix seconds.
pub fn registration_message(challenge: &[u8; 32], address: &SealingAddress, origin: &str, expiry: u64) -> Fr {
    let values = [
        Abi::Bytes32(*challenge),
        Abi::Bytes(&address.to_bytes()),
        Abi::Bytes32(keccak256(origin.as_bytes())),
        Abi::Uint(expiry),
    ];
    field_element("registration", &values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::Wallet;

    #[test]
    fn every_part_counts() {
        let message = holder_message(&[1; 32], &[2; 32], "https://a.example", &[3; 32], 4);
        let others = [
            holder_message(&[0; 32], &[2; 32], "https://a.example", &[3; 32], 4),
            holder_message(&[1; 32], &[0; 32], "https://a.example", &[3; 32], 4),
            holder_message(&[1; 32], &[2; 32], "https://b.example", &[3; 32], 4),
            holder_message(&[1; 32], &[2; 32], "https://a.example", &[0; 32], 4),
            holder_message(&[1; 32], &[2; 32], "https://a.example", &[3; 32], 5),
        ];
        assert!(others.iter().all(|other| *other != message));
    }

    #[test]
    fn order_does_not_change_a_disclosure_but_every_part_does() {
        let record = |uid: u8, leaves: &[u8]| DisclosedRecord {
            attester: [1; 20],
            uid: [uid; 32],
            signature_hash: [3; 32],
            leaf_hashes: leaves.iter().map(|byte| [*byte; 32]).collect(),
        };
        let digest = disclosure_digest(vec![record(1, &[4, 5]), record(2, &[6])], vec![]);
        assert_eq!(
            disclosure_digest(vec![record(2, &[6]), record(1, &[5, 4])], vec![]),
            digest
        );
        assert_ne!(
            disclosure_digest(vec![record(1, &[4]), record(2, &[5, 6])], vec![]),
            digest
        );
        assert_ne!(
            disclosure_digest(vec![record(1, &[4, 5]), record(2, &[6])], vec![([7; 32], vec![])]),
            digest
        );
    }

    #[test]
    fn registrations_name_the_address() {
        let wallet = Wallet::from_seed(&[0x22; 64]).unwrap();
        let message =
            |address| registration_message(&[1; 32], &wallet.address(address, 0).unwrap(), "https://a.example", 4);
        assert_ne!(message(0), message(1));
    }
}
