//! A proving key's file: read in milliseconds, and refused when it is cut, altered or another circuit's.
//!
//! ```text
//! magic 16 | version u32 | length of the name u32, name | SHA-256 of the .r1cs 32
//! alpha, beta, delta (G1) | beta, gamma, delta (G2) | inputs (G1) | a (G1) | b (G1) | b (G2) | l (G1) | h (G1) | SHA-256 of all before 32
//! ```
//! Integers are little-endian. A coordinate is 32 bytes: the little-endian limbs of its Montgomery form, which take no
//! arithmetic to read; the identity is zeros. How many points there are follows from the constraints. The hash at the end
//! finds damage; who made a key, the manifest's hash of the whole file tells.

use crate::groth16::{ProvingKey, VerifyingKey};
use crate::interchange::r1cs;
use crate::system::Shape;
use ark_bn254::{Fq, Fq2};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, PrimeField};
use chartseal_algebra::error::{Error, Kind, Result};
use sha2::{Digest, Sha256};
use std::array::from_fn;

const MAGIC: &[u8; 16] = b"chartseal-prover";
const VERSION: u32 = 1;
const HASH: usize = 32;
const COORDINATE: usize = 32;

/// How many points each part of a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Public inputs, the constant counted.
    pub inputs: usize,
    pub wires: usize,
    /// Size of the domain: the power of two that holds the constraints and a row for each input.
    pub domain: usize,
}

impl Counts {
    pub fn of(shape: &Shape) -> Self {
        let inputs = shape.publics + 1;
        Self {
            inputs,
            wires: shape.wires,
            domain: (shape.constraints.len() + inputs).next_power_of_two(),
        }
    }

    fn bytes(self) -> usize {
        let g1 = 3 + self.inputs + 2 * self.wires + (self.wires - self.inputs) + self.domain;
        let g2 = 3 + self.wires;
        2 * COORDINATE * g1 + 4 * COORDINATE * g2
    }
}

/// The file of a key.
pub fn write(circuit: &str, shape: &Shape, key: &ProvingKey) -> Vec<u8> {
    let mut bytes = header(circuit, shape);
    bytes.reserve_exact(Counts::of(shape).bytes() + HASH);
    for point in [&key.vk.alpha_g1, &key.beta_g1, &key.delta_g1] {
        point.put(&mut bytes);
    }
    for point in [&key.vk.beta_g2, &key.vk.gamma_g2, &key.vk.delta_g2] {
        point.put(&mut bytes);
    }
    for points in [&key.vk.gamma_abc_g1, &key.a_query, &key.b_g1_query] {
        points.iter().for_each(|point| point.put(&mut bytes));
    }
    key.b_g2_query.iter().for_each(|point| point.put(&mut bytes));
    for points in [&key.l_query, &key.h_query] {
        points.iter().for_each(|point| point.put(&mut bytes));
    }
    let hash = Sha256::digest(&bytes);
    bytes.extend_from_slice(&hash);
    bytes
}

fn header(circuit: &str, shape: &Shape) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(circuit.len() as u32).to_le_bytes());
    bytes.extend_from_slice(circuit.as_bytes());
    bytes.extend_from_slice(&r1cs::hash(shape));
    bytes
}

/// The key of a circuit out of its file. That its points are points of their groups was checked before it was written; here
/// its hash is.
///
/// # Errors
/// Kind `CircuitKey`: `key_malformed` for what is no such file; `key_altered` for one that was cut or altered;
/// `key_other_circuit` for another circuit's, or another version's of the circuit.
pub fn read(circuit: &str, shape: &Shape, bytes: &[u8]) -> Result<ProvingKey> {
    let Some((body, hash)) = bytes.split_last_chunk::<HASH>() else {
        return Err(malformed());
    };
    if !body.starts_with(MAGIC) || body.get(MAGIC.len()..MAGIC.len() + 4) != Some(&VERSION.to_le_bytes()) {
        return Err(malformed());
    }
    if Sha256::digest(body)[..] != hash[..] {
        return Err(refused("key_altered", "the proving key's file was cut or altered"));
    }
    let Some(points) = body.strip_prefix(&header(circuit, shape)[..]) else {
        return Err(other_circuit());
    };
    read_points(Counts::of(shape), points)
}

fn read_points(counts: Counts, bytes: &[u8]) -> Result<ProvingKey> {
    if bytes.len() != counts.bytes() {
        return Err(malformed());
    }
    let mut reader = Reader(bytes);
    let [alpha_g1, beta_g1, delta_g1] = reader.some()?;
    let [beta_g2, gamma_g2, delta_g2] = reader.some()?;
    Ok(ProvingKey {
        vk: VerifyingKey {
            alpha_g1,
            beta_g2,
            gamma_g2,
            delta_g2,
            gamma_abc_g1: reader.many(counts.inputs)?,
        },
        beta_g1,
        delta_g1,
        a_query: reader.many(counts.wires)?,
        b_g1_query: reader.many(counts.wires)?,
        b_g2_query: reader.many(counts.wires)?,
        l_query: reader.many(counts.wires - counts.inputs)?,
        h_query: reader.many(counts.domain)?,
    })
}

pub(super) fn malformed() -> Error {
    refused("key_malformed", "the proving key's file is malformed")
}

fn other_circuit() -> Error {
    refused(
        "key_other_circuit",
        "the proving key is another circuit's, or of other constraints",
    )
}

fn refused(code: &'static str, detail: &str) -> Error {
    Error::new(Kind::CircuitKey, code, "", detail)
}

fn limbs_to_bytes(limbs: [u64; 4]) -> [u8; COORDINATE] {
    from_fn(|i| limbs[i / 8].to_le_bytes()[i % 8])
}

/// A point in the file's form.
trait Stored: Sized {
    fn put(&self, into: &mut Vec<u8>);
    /// None for a coordinate that is not below q.
    fn take(bytes: &mut Reader<'_>) -> Option<Self>;
}

impl Stored for Fq {
    fn put(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&limbs_to_bytes(self.0.0));
    }

    fn take(bytes: &mut Reader<'_>) -> Option<Self> {
        let (word, rest) = bytes.0.split_first_chunk::<COORDINATE>()?;
        bytes.0 = rest;
        let montgomery = BigInt(from_fn(|i| u64::from_le_bytes(from_fn(|j| word[8 * i + j]))));
        (montgomery < Self::MODULUS).then(|| Self::new_unchecked(montgomery))
    }
}

impl Stored for Fq2 {
    fn put(&self, into: &mut Vec<u8>) {
        self.c0.put(into);
        self.c1.put(into);
    }

    fn take(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(Self::new(Fq::take(bytes)?, Fq::take(bytes)?))
    }
}

impl<P: SWCurveConfig<BaseField: Stored>> Stored for Affine<P> {
    fn put(&self, into: &mut Vec<u8>) {
        self.x.put(into);
        self.y.put(into);
    }

    fn take(bytes: &mut Reader<'_>) -> Option<Self> {
        Some(Self::new_unchecked(
            P::BaseField::take(bytes)?,
            P::BaseField::take(bytes)?,
        ))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn some<T: Stored, const N: usize>(&mut self) -> Result<[T; N]> {
        let points = self.many(N)?;
        points.try_into().map_err(|_| malformed())
    }

    fn many<T: Stored>(&mut self, count: usize) -> Result<Vec<T>> {
        (0..count).map(|_| T::take(self).ok_or_else(malformed)).collect()
    }
}
