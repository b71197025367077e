//! A verification key's bytes and hash: alpha, beta, gamma, delta and one point for each public input and the constant.

use crate::groth16::VerifyingKey;
use crate::groth16::points::{G1_BYTES, G2_BYTES, read_g1, read_g2, write_g1, write_g2};
use ark_bn254::{G1Affine, G2Affine};
use chartseal_algebra::error::{Error, Kind, Result};
use sha3::{Digest, Keccak256};

/// More public inputs than any circuit has.
const MOST_PUBLICS: usize = 64;

/// alpha (64 bytes), beta, gamma, delta (128 each), then 64 for each input and one, as EIP-197 orders coordinates.
pub fn write(key: &VerifyingKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size(key.gamma_abc_g1.len()));
    write_g1(&key.alpha_g1, &mut bytes);
    for point in [&key.beta_g2, &key.gamma_g2, &key.delta_g2] {
        write_g2(point, &mut bytes);
    }
    for point in &key.gamma_abc_g1 {
        write_g1(point, &mut bytes);
    }
    bytes
}

fn size(terms: usize) -> usize {
    G1_BYTES + 3 * G2_BYTES + terms * G1_BYTES
}

/// Reads the key of a circuit with so many public inputs.
///
/// # Errors
/// Kind `CircuitKey`: `key_other_circuit` for another number of inputs; `key_malformed` for any other length, and for a point
/// that is not canonical, off the curve, outside the subgroup, or the identity; `key_unsafe` for one under which anybody makes
/// proofs.
pub fn read(bytes: &[u8], publics: usize) -> Result<VerifyingKey> {
    if (2..=MOST_PUBLICS).any(|other| other != publics + 1 && bytes.len() == size(other)) {
        return Err(refused(
            "key_other_circuit",
            "the verification key is for another number of inputs",
        ));
    }
    if bytes.len() != size(publics + 1) {
        return Err(refused("key_malformed", "the verification key has a wrong length"));
    }
    let malformed = || {
        refused(
            "key_malformed",
            "the verification key holds what is no point of its group",
        )
    };
    let (first, rest) = bytes.split_at(G1_BYTES);
    let (middle, last) = rest.split_at(3 * G2_BYTES);
    let alpha = g1(first).ok_or_else(malformed)?;
    let mut twisted = middle
        .chunks_exact(G2_BYTES)
        .map(|point| g2(point).ok_or_else(malformed));
    let mut next = || twisted.next().unwrap_or_else(|| Err(malformed()));
    let key = VerifyingKey {
        alpha_g1: alpha,
        beta_g2: next()?,
        gamma_g2: next()?,
        delta_g2: next()?,
        gamma_abc_g1: last
            .chunks_exact(G1_BYTES)
            .map(|point| g1(point).ok_or_else(malformed))
            .collect::<Result<_>>()?,
    };
    require_safe(&key)?;
    Ok(key)
}

/// Refuses a key whose delta is gamma or its negative: C then takes up whatever the public inputs are, and anybody proves
/// anything. So it is of a key before the first contribution of its ceremony.
fn require_safe(key: &VerifyingKey) -> Result<()> {
    match key.delta_g2.x == key.gamma_g2.x {
        false => Ok(()),
        true => Err(refused(
            "key_unsafe",
            "nobody has contributed to the key: anybody can forge proofs under it",
        )),
    }
}

fn g1(bytes: &[u8]) -> Option<G1Affine> {
    read_g1(bytes.try_into().ok()?)
}

fn g2(bytes: &[u8]) -> Option<G2Affine> {
    read_g2(bytes.try_into().ok()?)
}

/// keccak256(abi.encode("chartseal/1/verification-key", string circuit, bytes key)): "the key's hash" everywhere.
pub fn hash(circuit: &str, key: &[u8]) -> [u8; 32] {
    let parts: [&[u8]; 3] = [b"chartseal/1/verification-key", circuit.as_bytes(), key];
    let padded = |part: &[u8]| part.len().next_multiple_of(32);
    let mut hash = Keccak256::new();
    let mut offset = 32 * parts.len();
    for part in parts {
        hash.update(word(offset));
        offset += 32 + padded(part);
    }
    for part in parts {
        hash.update(word(part.len()));
        hash.update(part);
        hash.update(vec![0; padded(part) - part.len()]);
    }
    hash.finalize().into()
}

/// An integer as the ABI writes it.
fn word(value: usize) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&(value as u64).to_be_bytes());
    word
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::CircuitKey, code, "", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groth16::setup::development_key;
    use crate::system::System;
    use ark_bn254::Fr;

    #[test]
    fn a_key_that_nobody_contributed_to_is_refused() {
        let mut system = System::with_constraints();
        let (x, y) = (system.public(Fr::from(4u64)), system.wire(Fr::from(2u64)));
        system.constrain(&y, &y, &x);
        let key = development_key("square", &system.into_shape(), b"seed").vk;
        assert!(read(&write(&key), 1).is_ok());
        for delta in [key.gamma_g2, -key.gamma_g2] {
            let unsafe_key = VerifyingKey {
                delta_g2: delta,
                ..key.clone()
            };
            assert_eq!(read(&write(&unsafe_key), 1).unwrap_err().code, "key_unsafe");
        }
    }
}
