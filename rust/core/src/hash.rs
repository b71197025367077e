//! H and F of the format, ABI encoding of what they hash, domain tags, and the salts of one seed.

use crate::poseidon::Fr;
use ark_ff::PrimeField;
use hkdf::Hkdf;
use keccak_asm::Keccak256;
use sha2::Sha256;

/// One Solidity value. Every unsigned width encodes alike, and an `address` is a `uint160`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abi<'a> {
    String(&'a str),
    Bytes(&'a [u8]),
    Bytes32([u8; 32]),
    Address([u8; 20]),
    Uint(u64),
    /// A static or dynamic tuple.
    Tuple(Vec<Abi<'a>>),
    /// `T[]`, of values of one type.
    List(Vec<Abi<'a>>),
}

impl Abi<'_> {
    fn is_dynamic(&self) -> bool {
        match self {
            Abi::String(_) | Abi::Bytes(_) | Abi::List(_) => true,
            Abi::Tuple(members) => members.iter().any(Abi::is_dynamic),
            _ => false,
        }
    }

    /// Bytes that the value takes in the head of the tuple around it.
    fn head_len(&self) -> usize {
        match self {
            Abi::Tuple(members) if !self.is_dynamic() => members.iter().map(Abi::head_len).sum(),
            _ => 32,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Abi::String(text) => write_bytes(text.as_bytes(), out),
            Abi::Bytes(bytes) => write_bytes(bytes, out),
            Abi::Bytes32(word) => out.extend_from_slice(word),
            Abi::Address(address) => {
                out.extend_from_slice(&[0; 12]);
                out.extend_from_slice(address);
            }
            Abi::Uint(number) => write_uint(*number, out),
            Abi::Tuple(members) => write_members(members, out),
            Abi::List(members) => {
                write_uint(members.len() as u64, out);
                write_members(members, out);
            }
        }
    }
}

fn write_uint(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 24]);
    out.extend_from_slice(&number.to_be_bytes());
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_uint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
    out.resize(out.len() + bytes.len().next_multiple_of(32) - bytes.len(), 0);
}

fn write_members(members: &[Abi], out: &mut Vec<u8>) {
    let mut tails = Vec::new();
    let heads_len: usize = members.iter().map(Abi::head_len).sum();
    for member in members {
        if member.is_dynamic() {
            write_uint((heads_len + tails.len()) as u64, out);
            member.write(&mut tails);
        } else {
            member.write(out);
        }
    }
    out.append(&mut tails);
}

/// `abi.encode(values…)`. Source: Solidity's ABI specification, "Formal Specification of the Encoding".
pub fn abi_encode(values: &[Abi]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * values.len());
    write_members(values, &mut out);
    out
}

pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// H(name; values…) = keccak256(abi.encode("chartseal/1/" + name, values…)).
pub fn digest(name: &str, values: &[Abi]) -> [u8; 32] {
    let name = format!("chartseal/1/{name}");
    let mut all = Vec::with_capacity(values.len() + 1);
    all.push(Abi::String(&name));
    all.extend_from_slice(values);
    keccak256(&abi_encode(&all))
}

/// F(name; values…) = uint256(H(…)) >> 8, as a field element.
pub fn field_element(name: &str, values: &[Abi]) -> Fr {
    Fr::from_be_bytes_mod_order(&digest(name, values)[..31])
}

/// HKDF-SHA256 with the empty salt, into an array (all lengths of the format are far below HKDF's limit).
pub(crate) fn hkdf<const N: usize>(extracted: &Hkdf<Sha256>, info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    extracted
        .expand_multi_info(info, &mut out)
        .expect("at most 8,160 bytes");
    out
}

/// The salts of one seal, all derived from its 32-byte seed; the extract step is done once.
pub struct SeedSalts {
    extracted: Hkdf<Sha256>,
}

impl SeedSalts {
    pub fn new(seed: &[u8; 32]) -> Self {
        Self {
            extracted: Hkdf::new(None, seed),
        }
    }

    /// Salt of the leaf of the field `name`.
    pub fn field(&self, name: &str) -> [u8; 32] {
        hkdf(&self.extracted, &[b"chartseal/1/field\0", name.as_bytes()])
    }

    /// Salt of the claim at `index`: 31 bytes, read as a big-endian integer.
    pub fn claim(&self, index: u16) -> Fr {
        let salt: [u8; 31] = hkdf(&self.extracted, &[b"chartseal/1/claim\0", &index.to_be_bytes()]);
        Fr::from_be_bytes_mod_order(&salt)
    }

    /// Salt of the EAS off-chain attestation, version 2.
    pub fn eas(&self) -> [u8; 32] {
        hkdf(&self.extracted, &[b"chartseal/1/eas"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_their_names_hashed() {
        use crate::tags::{CLAIM, CRED, HOLDER, ISSUER, NULL, POLICY, PSEUD, SET, SLOT};
        let named = [
            ("claim", CLAIM),
            ("holder", HOLDER),
            ("slot", SLOT),
            ("policy", POLICY),
            ("set", SET),
            ("cred", CRED),
            ("issuer", ISSUER),
            ("null", NULL),
            ("pseud", PSEUD),
        ];
        for (name, tag) in named {
            assert_eq!(field_element(&format!("tag/{name}"), &[]), tag, "{name}");
        }
        assert_eq!(field_element("claim-key/holder", &[]), crate::tags::HOLDER_CLAIM_KEY);
    }

    #[test]
    fn bytes_pad_to_whole_words() {
        for (len, words) in [(0, 2), (1, 3), (31, 3), (32, 3), (33, 4), (64, 4)] {
            assert_eq!(abi_encode(&[Abi::Bytes(&vec![7; len])]).len(), 32 * words, "{len}");
        }
    }

    #[test]
    fn dynamic_tuples_in_lists_carry_offsets() {
        // eth_abi.encode(["(uint256,bytes32[])[]"], [[(1, [b"\x02" * 32])]])
        let nested = Abi::List(vec![Abi::Tuple(vec![
            Abi::Uint(1),
            Abi::List(vec![Abi::Bytes32([2; 32])]),
        ])]);
        let encoded = abi_encode(&[nested]);
        let offsets: Vec<u8> = encoded.chunks(32).map(|word| word[31]).collect();
        assert_eq!(offsets, [32, 1, 32, 1, 64, 1, 2]);
    }

    #[test]
    fn salts_differ_by_name_index_and_seed() {
        let salts = SeedSalts::new(&[0x5e; 32]);
        assert_ne!(salts.field("a"), salts.field("b"));
        assert_ne!(salts.claim(0), salts.claim(1));
        assert_ne!(salts.eas(), SeedSalts::new(&[0x5f; 32]).eas());
    }
}
