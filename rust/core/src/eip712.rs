//! EIP-712 digests, and the UIDs of EAS off-chain attestations.
//!
//! Sources: EIP-712; eas-sdk 2.10 `offchain.ts` and `typed-data-handler.ts`. The SDK's `Offchain.getDomainSeparator` omits
//! the domain's typehash and is not followed: what it signs, through ethers, has it.

use rayon::prelude::*;

use crate::abi::{Digest, keccak256, pad_left, uint_word};
use crate::error::{Error, Kind, Result};
use crate::secp::{Address, Secret, Signature};

const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const LEGACY_MEMBERS: &str =
    "(bytes32 schema,address recipient,uint64 time,uint64 expirationTime,bool revocable,bytes32 refUID,bytes data)";
const VERSION1_TYPE: &str = "Attest(uint16 version,bytes32 schema,address recipient,uint64 time,uint64 expirationTime,bool revocable,bytes32 refUID,bytes data)";
const VERSION2_TYPE: &str = "Attest(uint16 version,bytes32 schema,address recipient,uint64 time,uint64 expirationTime,bool revocable,bytes32 refUID,bytes data,bytes32 salt)";

/// UID of the schema `bytes32 privateData`, resolver zero, revocable: every seal's schema.
pub const PRIVATE_DATA_SCHEMA: Digest = [
    0x20, 0x35, 0x1f, 0x97, 0x3f, 0xde, 0xc1, 0x47, 0x89, 0x24, 0xc8, 0x9d, 0xfa, 0x53, 0x3d, 0x8f, 0x87, 0x2d, 0xef,
    0xa1, 0x08, 0xd9, 0xc3, 0xc6, 0x51, 0x22, 0x67, 0xd7, 0xe7, 0xe5, 0xdb, 0xc2,
];

/// Which contract on which chain a signature is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub name: String,
    pub version: String,
    pub chain_id: u64,
    pub contract: Address,
}

impl Domain {
    /// The domain of off-chain attestations under one deployment of EAS.
    pub fn offchain(version: &str, chain_id: u64, contract: Address) -> Self {
        Self {
            name: "EAS Attestation".into(),
            version: version.into(),
            chain_id,
            contract,
        }
    }

    pub fn separator(&self) -> Digest {
        struct_hash(
            DOMAIN_TYPE,
            &[
                keccak256(&[self.name.as_bytes()]),
                keccak256(&[self.version.as_bytes()]),
                uint_word(self.chain_id),
                pad_left(&self.contract),
            ],
        )
    }
}

/// hashStruct of EIP-712: keccak256(typehash ‖ members); a dynamic member comes as its keccak256.
pub fn struct_hash(encode_type: &str, members: &[Digest]) -> Digest {
    keccak256(&[&keccak256(&[encode_type.as_bytes()]), members.as_flattened()])
}

/// What is signed: keccak256(0x1901 ‖ separator ‖ struct hash).
pub fn digest(separator: &Digest, struct_hash: &Digest) -> Digest {
    keccak256(&[b"\x19\x01", separator, struct_hash])
}

/// The form of an off-chain attestation. ethers derives the primary type from the type table, so that of the SDK's three
/// legacy tables two sign alike: `Attestation(…)` and `Attest(…)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Legacy,
    LegacyAttest,
    Version1,
    Version2,
}

impl Form {
    /// The number in the package and, from 1 on, in the signed message.
    pub fn version(self) -> u16 {
        match self {
            Form::Legacy | Form::LegacyAttest => 0,
            Form::Version1 => 1,
            Form::Version2 => 2,
        }
    }
}

/// What an off-chain attestation says. Times are Unix seconds; expiration 0 is none; `salt` counts in version 2 only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    pub schema: Digest,
    pub recipient: Address,
    pub time: u64,
    pub expiration: u64,
    pub revocable: bool,
    pub ref_uid: Digest,
    pub data: Vec<u8>,
    pub salt: Digest,
}

impl Attestation {
    /// The seal of a record's root: revocable, no recipient, no reference.
    pub fn seal(root: &Digest, time: u64, expiration: u64, salt: Digest) -> Self {
        Self {
            schema: PRIVATE_DATA_SCHEMA,
            recipient: [0; 20],
            time,
            expiration,
            revocable: true,
            ref_uid: [0; 32],
            data: root.to_vec(),
            salt,
        }
    }

    pub fn struct_hash(&self, form: Form) -> Digest {
        let members = [
            uint_word(u64::from(form.version())),
            self.schema,
            pad_left(&self.recipient),
            uint_word(self.time),
            uint_word(self.expiration),
            uint_word(u64::from(self.revocable)),
            self.ref_uid,
            keccak256(&[&self.data]),
            self.salt,
        ];
        match form {
            Form::Legacy => struct_hash(&format!("Attestation{LEGACY_MEMBERS}"), &members[1..8]),
            Form::LegacyAttest => struct_hash(&format!("Attest{LEGACY_MEMBERS}"), &members[1..8]),
            Form::Version1 => struct_hash(VERSION1_TYPE, &members[..8]),
            Form::Version2 => struct_hash(VERSION2_TYPE, &members),
        }
    }

    /// keccak256 of the packed parts. The schema enters as the ASCII of its lower-case hex, unlike in the contract.
    pub fn uid(&self, form: Form) -> Digest {
        let version = form.version().to_be_bytes();
        keccak256(&[
            if form.version() > 0 { &version } else { &[] },
            hex_text(&self.schema).as_bytes(),
            &self.recipient,
            &[0; 20],
            &self.time.to_be_bytes(),
            &self.expiration.to_be_bytes(),
            &[u8::from(self.revocable)],
            &self.ref_uid,
            &self.data,
            if form == Form::Version2 { &self.salt } else { &[] },
            &[0; 4],
        ])
    }
}

fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble"));
        }
        text
    })
}

/// A signed attestation without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub uid: Digest,
    pub digest: Digest,
    pub signature: Signature,
}

/// Signs under the domain whose separator is given.
pub fn sign(separator: &Digest, attestation: &Attestation, form: Form, secret: &Secret) -> Signed {
    let digest = digest(separator, &attestation.struct_hash(form));
    Signed {
        uid: attestation.uid(form),
        digest,
        signature: secret.sign(&digest),
    }
}

/// Signs each, over all cores.
pub fn sign_many(separator: &Digest, attestations: &[Attestation], form: Form, secret: &Secret) -> Vec<Signed> {
    attestations
        .par_iter()
        .map(|attestation| sign(separator, attestation, form, secret))
        .collect()
}

/// The signer of an attestation whose uid must be the one its content gives.
pub fn recover(
    separator: &Digest,
    attestation: &Attestation,
    form: Form,
    uid: &Digest,
    signature: &[u8],
) -> Result<Address> {
    if attestation.uid(form) != *uid {
        return Err(Error::new(
            Kind::Signature,
            "uid_mismatch",
            "",
            "the uid is not that of the content",
        ));
    }
    crate::secp::recover(&digest(separator, &attestation.struct_hash(form)), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 + 2 * at..4 + 2 * at], 16).unwrap())
    }

    // eas-sdk 2.10: key 32 × 0x11, Ethereum mainnet, contract 0.26.
    fn case() -> (Digest, Attestation) {
        let contract = bytes("0xA1207F3BBa224E2c9c3c6D5aF63D0eb1582Ce587");
        let root = bytes("0x78c2508dead3c8b9a3ee67a9ae257d8ed2bc6c494fe67cb749ab581031b2df40");
        (
            Domain::offchain("0.26", 1, contract).separator(),
            Attestation::seal(&root, 1_700_000_000, 0, [0x22; 32]),
        )
    }

    #[test]
    fn a_seal_as_the_sdk_makes_it() {
        let (separator, attestation) = case();
        assert_eq!(
            separator,
            bytes("0x1e367da6ea164a43325d190a21d930b07320893c3111d49f526e61936fe937a2")
        );
        let signed = sign(
            &separator,
            &attestation,
            Form::Version2,
            &Secret::new(&[0x11; 32]).unwrap(),
        );
        assert_eq!(
            signed.digest,
            bytes("0xebe49d564dd50c0c37a4e722edb5bc71a877638cd941dbd6a4786eb1ad08ec28")
        );
        assert_eq!(
            signed.uid,
            bytes("0x561fa57f4c56437fe2a25763dd4ea38ef5f3d80ecd2c6383ad1a49ed197aeeee")
        );
        assert_eq!(
            signed.signature[..32],
            bytes::<32>("0x209f3b89ca08c3c5cfff3b9e0a873f07a6647534078e6075dbcae20d11de3055")
        );
        assert_eq!(signed.signature[64], 28);
    }

    #[test]
    fn only_the_signed_content_recovers() {
        let (separator, attestation) = case();
        let secret = Secret::new(&[0x11; 32]).unwrap();
        for form in [Form::Legacy, Form::LegacyAttest, Form::Version1, Form::Version2] {
            let signed = sign(&separator, &attestation, form, &secret);
            assert_eq!(
                recover(&separator, &attestation, form, &signed.uid, &signed.signature).unwrap(),
                secret.address()
            );
            let mut other = attestation.clone();
            other.time += 1;
            assert_eq!(
                recover(&separator, &other, form, &signed.uid, &signed.signature)
                    .unwrap_err()
                    .code,
                "uid_mismatch"
            );
            assert_ne!(
                recover(&separator, &other, form, &other.uid(form), &signed.signature).ok(),
                Some(secret.address())
            );
        }
    }
}
