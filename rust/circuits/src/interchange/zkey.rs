//! `.zkey`: a proving key as snarkjs keeps it. Imported where a ceremony ends; exported so that snarkjs proves with our keys.
//!
//! Reading takes sizes from the circuit, never from the file, so that no file makes it allocate more than the circuit needs.
//! A file holds the coefficients of A and B, which must be the circuit's; those of C it does not hold: that the points
//! belong to them, and to the phase-1 file, is what `snarkjs zkey verify` checks on our own `.r1cs`, and it is part of a ceremony's
//! `export`.

use crate::interchange::points::{self, Group};
use crate::interchange::r1cs::write_prime;
use crate::interchange::sections::{ELEMENT, Reader, Sections, Writer, malformed, short};
use crate::system::Shape;
use ark_bn254::{Bn254, Fq, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ec::short_weierstrass::Affine;
use ark_ff::{Field, One};
use ark_groth16::{ProvingKey, VerifyingKey};
use chartseal_algebra::error::{Error, Kind, Result};
#[cfg(feature = "parallel")]
use rayon::prelude::*;

const VERSION: u32 = 1;
const GROTH16: u32 = 1;

const PROTOCOL: u32 = 1;
const HEADER: u32 = 2;
const IC: u32 = 3;
const COEFFICIENTS: u32 = 4;
const A: u32 = 5;
const B1: u32 = 6;
const B2: u32 = 7;
const C: u32 = 8;
const H: u32 = 9;
const CONTRIBUTIONS: u32 = 10;

/// Bytes of the section of contributions that are read: some thousand of them.
pub const LONGEST_CONTRIBUTIONS: usize = 1 << 20;

/// Bytes of all heads, rounded up.
const ROOM: usize = 2_048;

/// Size of the domain of a circuit's polynomials.
pub fn domain(shape: &Shape) -> usize {
    (shape.constraints.len() + shape.publics + 1).next_power_of_two()
}

/// Most bytes that a file for this circuit has.
pub fn longest(shape: &Shape) -> usize {
    let terms: usize = shape.constraints.iter().map(|each| each.a.len() + each.b.len()).sum();
    let coefficients = (terms + shape.publics + 1) * (12 + ELEMENT);
    let points = 10 * shape.wires * ELEMENT + 2 * domain(shape) * ELEMENT;
    ROOM + coefficients + points + LONGEST_CONTRIBUTIONS
}

/// The key in a file, checked: every point in its group, every size and coefficient the circuit's, both halves of β and of δ one.
///
/// # Errors
/// Kind `CircuitKey`: `key_malformed`; `key_other_circuit` where the file is one, but of other constraints.
pub fn read(shape: &Shape, bytes: &[u8]) -> Result<ProvingKey<Bn254>> {
    if bytes.len() > longest(shape) {
        return Err(malformed("file", "the file is too long for the circuit"));
    }
    let sections = Sections::read(bytes, b"zkey", VERSION)?;
    if sections.get(PROTOCOL, "protocol")? != GROTH16.to_le_bytes() {
        return Err(malformed("protocol", "the key is not one of Groth16"));
    }
    let head = Head::read(shape, sections.get(HEADER, "header")?)?;
    if sections.get(COEFFICIENTS, "coefficients")? != coefficients(shape) {
        return Err(other_circuit("coefficients"));
    }
    if sections.get(CONTRIBUTIONS, "contributions")?.len() > LONGEST_CONTRIBUTIONS {
        return Err(malformed("contributions", "there are too many contributions"));
    }
    let private = shape.wires - shape.publics - 1;
    let gamma_abc_g1 = all(sections.get(IC, "IC")?, shape.publics + 1, Identity::Refused, "IC")?;
    let vk = VerifyingKey {
        alpha_g1: head.alpha_g1,
        beta_g2: head.beta_g2,
        gamma_g2: head.gamma_g2,
        delta_g2: head.delta_g2,
        gamma_abc_g1,
    };
    let key = ProvingKey {
        vk,
        beta_g1: head.beta_g1,
        delta_g1: head.delta_g1,
        a_query: all(sections.get(A, "A")?, shape.wires, Identity::Allowed, "A")?,
        b_g1_query: all(sections.get(B1, "B1")?, shape.wires, Identity::Allowed, "B1")?,
        b_g2_query: all(sections.get(B2, "B2")?, shape.wires, Identity::Allowed, "B2")?,
        h_query: all(sections.get(H, "H")?, domain(shape), Identity::Refused, "H")?,
        l_query: all(sections.get(C, "C")?, private, Identity::Allowed, "C")?,
    };
    require_halves(&key)?;
    Ok(key)
}

/// The file of a key of ours: without a ceremony's contributions, so that snarkjs proves with it and verifies nothing about it.
///
/// # Errors
/// Kind `CircuitKey`, `key_other_circuit`: the key's lengths are not the circuit's.
pub fn write(shape: &Shape, key: &ProvingKey<Bn254>) -> Result<Vec<u8>> {
    let (wires, domain) = (shape.wires, domain(shape));
    let lengths = [key.a_query.len(), key.b_g1_query.len(), key.b_g2_query.len()];
    let rest = (key.vk.gamma_abc_g1.len(), key.l_query.len(), key.h_query.len());
    if lengths != [wires; 3] || rest != (shape.publics + 1, wires - shape.publics - 1, domain) {
        return Err(other_circuit("key"));
    }
    let mut writer = Writer::new(b"zkey", VERSION, 10, longest(shape) - LONGEST_CONTRIBUTIONS);
    writer.section(PROTOCOL);
    writer.u32(GROTH16);
    writer.section(HEADER);
    write_head(&mut writer, shape, key);
    writer.section(IC);
    write_points(&mut writer, &key.vk.gamma_abc_g1);
    writer.section(COEFFICIENTS);
    writer.put(&coefficients(shape));
    for (number, points) in [(A, &key.a_query), (B1, &key.b_g1_query)] {
        writer.section(number);
        write_points(&mut writer, points);
    }
    writer.section(B2);
    write_points(&mut writer, &key.b_g2_query);
    for (number, points) in [(C, &key.l_query), (H, &key.h_query)] {
        writer.section(number);
        write_points(&mut writer, points);
    }
    writer.section(CONTRIBUTIONS);
    writer.put(&[0; 64]); // the hash of the circuit that a ceremony begins with
    writer.u32(0);
    Ok(writer.finish())
}

fn other_circuit(path: &'static str) -> Error {
    Error::new(
        Kind::CircuitKey,
        "key_other_circuit",
        path,
        "the key is of another circuit",
    )
}

/// Fields, sizes and single points.
struct Head {
    alpha_g1: G1Affine,
    beta_g1: G1Affine,
    beta_g2: G2Affine,
    gamma_g2: G2Affine,
    delta_g1: G1Affine,
    delta_g2: G2Affine,
}

impl Head {
    fn read(shape: &Shape, bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, "header");
        let mut primes = Writer::new(b"....", 0, 0, 2 * ELEMENT);
        write_prime::<Fq>(&mut primes);
        write_prime::<Fr>(&mut primes);
        let primes = primes.finish();
        if reader.take(2 * (4 + ELEMENT))? != &primes[primes.len() - 2 * (4 + ELEMENT)..] {
            return Err(malformed("header", "the key is over another curve"));
        }
        let sizes = [reader.u32()?, reader.u32()?, reader.u32()?];
        if sizes != [shape.wires, shape.publics, domain(shape)].map(short) {
            return Err(other_circuit("header"));
        }
        let head = Self {
            alpha_g1: single(&mut reader, "alpha")?,
            beta_g1: single(&mut reader, "beta")?,
            beta_g2: single(&mut reader, "beta")?,
            gamma_g2: single(&mut reader, "gamma")?,
            delta_g1: single(&mut reader, "delta")?,
            delta_g2: single(&mut reader, "delta")?,
        };
        reader.end()?;
        Ok(head)
    }
}

/// β and δ stand in both groups, as one number each.
fn require_halves(key: &ProvingKey<Bn254>) -> Result<()> {
    match Bn254::pairing(key.beta_g1, key.vk.delta_g2) == Bn254::pairing(key.delta_g1, key.vk.beta_g2) {
        true => Ok(()),
        false => Err(malformed("header", "beta or delta is not the same in both groups")),
    }
}

fn single<P: Group>(reader: &mut Reader<'_>, what: &'static str) -> Result<Affine<P>> {
    let point = points::load(reader.take(points::length::<P>())?, what)?;
    match point.is_zero() {
        true => Err(malformed(what, "a point is the identity")),
        false => Ok(point),
    }
}

/// Whether a point may be the identity: a wire that stands in no row has it; what binds a public input never has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    Allowed,
    Refused,
}

fn all<P: Group>(bytes: &[u8], count: usize, identity: Identity, what: &'static str) -> Result<Vec<Affine<P>>> {
    let length = points::length::<P>();
    if bytes.len() != count * length {
        return Err(malformed(what, "a section has not the circuit's length"));
    }
    let load = |bytes: &[u8]| match points::load(bytes, what)? {
        point if point.is_zero() && identity == Identity::Refused => Err(malformed(what, "a point is the identity")),
        point => Ok(point),
    };
    #[cfg(feature = "parallel")]
    return bytes.par_chunks_exact(length).map(load).collect();
    #[cfg(not(feature = "parallel"))]
    return bytes.chunks_exact(length).map(load).collect();
}

fn write_head(writer: &mut Writer, shape: &Shape, key: &ProvingKey<Bn254>) {
    write_prime::<Fq>(writer);
    write_prime::<Fr>(writer);
    for size in [shape.wires, shape.publics, domain(shape)] {
        writer.u32(short(size));
    }
    write_points(writer, &[key.vk.alpha_g1, key.beta_g1]);
    write_points(writer, &[key.vk.beta_g2, key.vk.gamma_g2]);
    write_points(writer, &[key.delta_g1]);
    write_points(writer, &[key.vk.delta_g2]);
}

fn write_points<P: Group>(writer: &mut Writer, all: &[Affine<P>]) {
    let mut bytes = Vec::with_capacity(all.len() * points::length::<P>());
    for point in all {
        points::store(point, &mut bytes);
    }
    writer.put(&bytes);
}

/// The section of coefficients as snarkjs makes it from our `.r1cs`: A and B row by row, each times R² (R = 2^256, the factor of
/// Montgomery's form), then the rows that bind the public inputs.
fn coefficients(shape: &Shape) -> Vec<u8> {
    let terms: usize = shape.constraints.iter().map(|each| each.a.len() + each.b.len()).sum();
    let count = terms + shape.publics + 1;
    let mut bytes = Vec::with_capacity(4 + count * (12 + ELEMENT));
    bytes.extend_from_slice(&short(count).to_le_bytes());
    let factor = Fr::from(2u64).pow([256]);
    let mut row = |matrix: u32, constraint: usize, wire: u32, value: Fr| {
        for number in [matrix, short(constraint), wire] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        // One factor R here, the other is the limbs' own.
        bytes.extend((value * factor).0.0.iter().flat_map(|limb| limb.to_le_bytes()));
    };
    for (number, constraint) in shape.constraints.iter().enumerate() {
        for (matrix, terms) in [(0, &constraint.a), (1, &constraint.b)] {
            for (wire, value) in terms {
                row(matrix, number, *wire, *value);
            }
        }
    }
    for wire in 0..=shape.publics {
        row(0, shape.constraints.len() + wire, short(wire), Fr::one());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;
    use ark_ec::CurveGroup;

    fn shape(times: u64) -> Shape {
        let mut system = System::with_constraints();
        let y = system.public(Fr::from(0u64));
        let x = system.wire(Fr::from(0u64));
        let square = system.multiply(&x, &x);
        system.constrain(&square.scale(Fr::from(times)), &x, &y);
        system.into_shape()
    }

    /// A key of the right form: multiples of the generators, which prove nothing.
    fn key(shape: &Shape) -> ProvingKey<Bn254> {
        let g1 = |times: usize| (G1Affine::generator() * Fr::from(times as u64)).into_affine();
        let g2 = |times: usize| (G2Affine::generator() * Fr::from(times as u64)).into_affine();
        let vk = VerifyingKey {
            alpha_g1: g1(2),
            beta_g2: g2(3),
            gamma_g2: g2(4),
            delta_g2: g2(5),
            gamma_abc_g1: (1..=shape.publics + 1).map(g1).collect(),
        };
        ProvingKey {
            vk,
            beta_g1: g1(3),
            delta_g1: g1(5),
            a_query: (0..shape.wires).map(g1).collect(),
            b_g1_query: (0..shape.wires).map(g1).collect(),
            b_g2_query: (0..shape.wires).map(g2).collect(),
            h_query: (1..=domain(shape)).map(g1).collect(),
            l_query: (0..shape.wires - shape.publics - 1).map(g1).collect(),
        }
    }

    fn code(shape: &Shape, bytes: &[u8]) -> &'static str {
        read(shape, bytes).map_or_else(|error| error.code, |_| "accepted")
    }

    #[test]
    fn what_is_written_is_read() {
        let shape = shape(1);
        let key = key(&shape);
        let bytes = write(&shape, &key).unwrap();
        assert!(bytes.len() <= longest(&shape) - LONGEST_CONTRIBUTIONS);
        assert_eq!(read(&shape, &bytes), Ok(key));
    }

    #[test]
    fn another_circuits_key_is_refused() {
        let bytes = write(&shape(1), &key(&shape(1))).unwrap();
        assert_eq!(code(&shape(2), &bytes), "key_other_circuit");
        let mut more = shape(1);
        more.wires += 1;
        assert_eq!(code(&more, &bytes), "key_other_circuit");
        assert_eq!(write(&more, &key(&shape(1))).unwrap_err().code, "key_other_circuit");
    }

    #[test]
    fn cut_and_lengthened_files_are_refused() {
        let shape = shape(1);
        let bytes = write(&shape, &key(&shape)).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(code(&shape, &bytes[..length]), "key_malformed", "{length}");
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(code(&shape, &longer), "key_malformed");
    }

    /// No bit may change unnoticed but those of what a ceremony says about itself, which `zkey verify` reads.
    #[test]
    fn every_flipped_bit_is_refused() {
        let shape = shape(1);
        let bytes = write(&shape, &key(&shape)).unwrap();
        let contributions = bytes.len() - 68;
        for at in 0..contributions {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            assert_ne!(code(&shape, &altered), "accepted", "{at}");
        }
    }

    #[test]
    fn points_that_bind_nothing_are_refused() {
        let shape = shape(1);
        let mut unbound = key(&shape);
        unbound.vk.gamma_abc_g1[1] = G1Affine::identity();
        assert_eq!(code(&shape, &write(&shape, &unbound).unwrap()), "key_malformed");
        let mut halves = key(&shape);
        halves.delta_g1 = halves.beta_g1;
        assert_eq!(code(&shape, &write(&shape, &halves).unwrap()), "key_malformed");
        let mut open = key(&shape);
        open.vk.gamma_g2 = G2Affine::identity();
        assert_eq!(code(&shape, &write(&shape, &open).unwrap()), "key_malformed");
    }

    /// On the twist but outside the subgroup of order r, whose cofactor is not one.
    #[test]
    fn points_outside_the_subgroup_are_refused() {
        let shape = shape(1);
        let mut key = key(&shape);
        let outside = (0u64..)
            .filter_map(|x| G2Affine::get_point_from_x_unchecked(ark_bn254::Fq2::from(x), false))
            .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .unwrap();
        key.b_g2_query[1] = outside;
        assert_eq!(code(&shape, &write(&shape, &key).unwrap()), "key_malformed");
    }
}
