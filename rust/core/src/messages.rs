//! What holders sign: field elements for [`crate::eddsa`].

use crate::hash::{Abi, field_element, keccak256};
use crate::poseidon::Fr;
use crate::wallet::SealingAddress;

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
    fn registrations_name_the_address() {
        let wallet = Wallet::from_seed(&[0x22; 64]).unwrap();
        let message =
            |address| registration_message(&[1; 32], &wallet.address(address, 0).unwrap(), "https://a.example", 4);
        assert_ne!(message(0), message(1));
    }
}
