//! Salted leaves: one named, typed value hashed exactly as EAS private data does.
//!
//! A leaf is `keccak256(keccak256(abi.encode(string type, string name, bytes abi.encode([type], [value]), bytes32 salt)))`.
//! Hashing twice keeps a leaf from being read as an inner node.
//! Sources: eas-sdk 2.10 `private-data.ts`; OpenZeppelin merkle-tree 1.0.8; Solidity's contract ABI specification.

use keccak_asm::{Digest as _, Keccak256};

use crate::error::{Error, Kind, Result};
use crate::field::{Field, Value};

/// 32 bytes: a keccak256 output, a salt or an ABI word.
pub type Digest = [u8; 32];

const WORD: usize = 32;

/// The Solidity types whose encoding the core knows; arrays and tuples come in as bytes already encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbiType {
    String,
    Bytes,
    Bool,
    Address,
    /// Bits: 8 to 256 in steps of 8.
    Uint(u16),
    /// Bits: 8 to 256 in steps of 8.
    Int(u16),
    /// Bytes: 1 to 32.
    FixedBytes(u8),
}

/// A value before it is checked against its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbiValue<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Bool(bool),
    /// An integer as a 256-bit two's complement word, and whether it is below zero.
    Integer {
        word: Digest,
        negative: bool,
    },
}

impl AbiType {
    /// Reads one spelling; `None` for arrays, tuples and anything that is no such type. `uint` and `int` mean 256 bits.
    pub fn parse(spelling: &str) -> Option<Self> {
        match spelling {
            "string" => Some(Self::String),
            "bytes" => Some(Self::Bytes),
            "bool" => Some(Self::Bool),
            "address" => Some(Self::Address),
            "uint" => Some(Self::Uint(256)),
            "int" => Some(Self::Int(256)),
            _ => Self::parse_sized(spelling),
        }
    }

    fn parse_sized(spelling: &str) -> Option<Self> {
        let (base, size) = spelling.split_at(spelling.find(|c: char| c.is_ascii_digit())?);
        if size.starts_with('0') {
            return None;
        }
        let size: u16 = size.parse().ok()?;
        match base {
            "uint" if size.is_multiple_of(8) && size <= 256 => Some(Self::Uint(size)),
            "int" if size.is_multiple_of(8) && size <= 256 => Some(Self::Int(size)),
            "bytes" if size <= 32 => Some(Self::FixedBytes(size as u8)),
            _ => None,
        }
    }

    /// `abi.encode([type], [value])`, or a `field_encoding` error where the value does not fit.
    pub fn encode(self, value: &AbiValue<'_>) -> Result<Vec<u8>> {
        match (self, value) {
            (Self::String, AbiValue::Text(text)) => Ok(encode_dynamic(text.as_bytes())),
            (Self::Bytes, AbiValue::Bytes(bytes)) => Ok(encode_dynamic(bytes)),
            (Self::Bool, AbiValue::Bool(flag)) => Ok(uint_word(u64::from(*flag)).to_vec()),
            (Self::Address, AbiValue::Bytes(bytes)) if bytes.len() == 20 => Ok(pad_left(bytes).to_vec()),
            (Self::FixedBytes(size), AbiValue::Bytes(bytes)) if bytes.len() == usize::from(size) => {
                Ok(pad_right(bytes).to_vec())
            }
            (Self::Uint(bits), AbiValue::Integer { word, negative: false }) if fits(word, bits, 0) => Ok(word.to_vec()),
            (Self::Int(bits), AbiValue::Integer { word, negative }) if fits_signed(word, bits, *negative) => {
                Ok(word.to_vec())
            }
            _ => Err(Error::new(
                Kind::Encoding,
                "field_encoding",
                "",
                "the value does not fit its ABI type",
            )),
        }
    }
}

fn fits(word: &Digest, bits: u16, filler: u8) -> bool {
    word[..WORD - usize::from(bits / 8)].iter().all(|byte| *byte == filler)
}

fn fits_signed(word: &Digest, bits: u16, negative: bool) -> bool {
    let sign = word[WORD - usize::from(bits / 8)] & 0x80 != 0;
    sign == negative && fits(word, bits, if negative { 0xff } else { 0 })
}

/// keccak256 of the parts, one after the other.
pub fn keccak256(parts: &[&[u8]]) -> Digest {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// An unsigned integer as an ABI word.
pub fn uint_word(value: u64) -> Digest {
    pad_left(&value.to_be_bytes())
}

/// At most 32 bytes at the end of a word, as addresses and integers stand.
pub fn pad_left(bytes: &[u8]) -> Digest {
    let mut word = [0; WORD];
    word[WORD - bytes.len()..].copy_from_slice(bytes);
    word
}

fn pad_right(bytes: &[u8]) -> Digest {
    let mut word = [0; WORD];
    word[..bytes.len()].copy_from_slice(bytes);
    word
}

fn int_word(value: i64) -> Digest {
    let mut word = [if value < 0 { 0xff } else { 0 }; WORD];
    word[WORD - 8..].copy_from_slice(&value.to_be_bytes());
    word
}

/// Length, then the bytes, filled with zeros to whole words: a dynamic value's tail.
fn push_tail(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&uint_word(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(WORD), 0);
}

fn tail_size(length: usize) -> usize {
    WORD + length.next_multiple_of(WORD)
}

fn encode_dynamic(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(WORD + tail_size(bytes.len()));
    out.extend_from_slice(&uint_word(WORD as u64));
    push_tail(&mut out, bytes);
    out
}

/// `abi.encode([type], [value])` of a record's value; every [`Value`] fits its type by construction.
pub fn encode_value(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => encode_dynamic(text.as_bytes()),
        Value::Bool(flag) => uint_word(u64::from(*flag)).to_vec(),
        Value::Int(number) => int_word(*number).to_vec(),
        Value::Uint(number) => uint_word(*number).to_vec(),
        Value::Bytes32(bytes) => bytes.to_vec(),
    }
}

/// The leaf of a value that is already encoded; `abi_type` is hashed as it is spelled.
pub fn leaf_hash_encoded(abi_type: &str, name: &str, encoded: &[u8], salt: &Digest) -> Digest {
    let head = 4 * WORD;
    let name_at = head + tail_size(abi_type.len());
    let value_at = name_at + tail_size(name.len());
    let mut out = Vec::with_capacity(value_at + tail_size(encoded.len()));
    for offset in [head, name_at, value_at] {
        out.extend_from_slice(&uint_word(offset as u64));
    }
    out.extend_from_slice(salt);
    for part in [abi_type.as_bytes(), name.as_bytes(), encoded] {
        push_tail(&mut out, part);
    }
    keccak256(&[&keccak256(&[&out])])
}

/// The leaf of one field under its salt.
pub fn leaf_hash(field: &Field, salt: &Digest) -> Digest {
    leaf_hash_encoded(field.value.abi_type(), &field.name, &encode_value(&field.value), salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: &[u8]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn metformin_leaf() {
        let field = Field::new("medication", Value::String("metformin 500 mg".into()));
        let leaf = leaf_hash(&field, &[0x11; 32]);
        assert_eq!(
            hex(&leaf),
            "ef88bdefe7730462bab4f4501729c00e1f179186eb61e33f26355e225a71ac31"
        );
        assert_ne!(leaf_hash(&field, &[0x12; 32]), leaf);
    }

    #[test]
    fn spellings() {
        assert_eq!(AbiType::parse("uint256"), Some(AbiType::Uint(256)));
        assert_eq!(AbiType::parse("int"), Some(AbiType::Int(256)));
        assert_eq!(AbiType::parse("bytes32"), Some(AbiType::FixedBytes(32)));
        for wrong in [
            "uint7", "uint264", "uint08", "uint0", "bytes0", "bytes33", "string ", "String", "uint8[]", "é8", "",
        ] {
            assert_eq!(AbiType::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn integers_at_their_limits() {
        let integer = |value: i64| AbiValue::Integer {
            word: int_word(value),
            negative: value < 0,
        };
        for (kind, good, bad) in [
            (AbiType::Uint(8), 255, 256),
            (AbiType::Uint(8), 0, -1),
            (AbiType::Int(8), 127, 128),
            (AbiType::Int(8), -128, -129),
            (AbiType::Int(16), -129, 32768),
        ] {
            assert!(kind.encode(&integer(good)).is_ok(), "{kind:?} {good}");
            assert!(kind.encode(&integer(bad)).is_err(), "{kind:?} {bad}");
        }
        let all_ones = AbiValue::Integer {
            word: [0xff; 32],
            negative: false,
        };
        assert!(AbiType::Uint(256).encode(&all_ones).is_ok());
        assert!(AbiType::Int(256).encode(&all_ones).is_err());
    }

    #[test]
    fn bytes_of_the_wrong_length() {
        for (kind, length) in [(AbiType::Address, 20), (AbiType::FixedBytes(4), 4)] {
            assert!(kind.encode(&AbiValue::Bytes(&vec![1; length])).is_ok());
            assert!(kind.encode(&AbiValue::Bytes(&vec![1; length - 1])).is_err());
            assert!(kind.encode(&AbiValue::Bytes(&vec![1; length + 1])).is_err());
        }
        assert!(AbiType::String.encode(&AbiValue::Bytes(b"x")).is_err());
    }
}
