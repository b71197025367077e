//! `.r1cs`: a circuit's constraints, as `snarkjs groth16 setup` takes them. Its SHA-256 is what names a circuit in manifests
//! and key files: the same constraints give the same bytes.
//!
//! Wires are numbered as iden3's format has them (one, public, private), coefficients are canonical and little-endian, and
//! rows ascend by wire. Every private wire is told as a private input, since the file cannot say which of them follow.

use crate::interchange::sections::{ELEMENT, Writer, short};
use crate::system::{Shape, Terms};
use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use sha2::{Digest, Sha256};

const HEADER: u32 = 1;
const CONSTRAINTS: u32 = 2;
const LABELS: u32 = 3;

/// Bytes of the head and of the sections' numbers and lengths, rounded up.
const ROOM: usize = 256;

/// The file.
pub fn write(shape: &Shape) -> Vec<u8> {
    let mut writer = Writer::new(b"r1cs", 1, 3, room(shape));
    writer.section(HEADER);
    write_prime::<Fr>(&mut writer);
    writer.u32(short(shape.wires));
    writer.u32(0); // circom's outputs, which are public too
    writer.u32(short(shape.publics));
    writer.u32(short(shape.wires - shape.publics - 1));
    writer.u64(shape.wires as u64);
    writer.u32(short(shape.constraints.len()));
    writer.section(CONSTRAINTS);
    for constraint in &shape.constraints {
        for terms in [&constraint.a, &constraint.b, &constraint.c] {
            write_terms(&mut writer, terms);
        }
    }
    writer.section(LABELS);
    for wire in 0..shape.wires {
        writer.u64(wire as u64);
    }
    writer.finish()
}

/// SHA-256 of the file.
pub fn hash(shape: &Shape) -> [u8; 32] {
    Sha256::digest(write(shape)).into()
}

/// A field's order, with the number of its bytes before it.
pub(super) fn write_prime<F: PrimeField>(writer: &mut Writer) {
    writer.u32(short(ELEMENT));
    writer.put(&F::MODULUS.to_bytes_le());
}

fn write_terms(writer: &mut Writer, terms: &Terms) {
    writer.u32(short(terms.len()));
    for (wire, coefficient) in terms {
        writer.u32(*wire);
        writer.put(&coefficient.into_bigint().to_bytes_le());
    }
}

fn room(shape: &Shape) -> usize {
    let rows = |terms: &Terms| 4 + terms.len() * (4 + ELEMENT);
    let constraints = shape
        .constraints
        .iter()
        .map(|each| rows(&each.a) + rows(&each.b) + rows(&each.c));
    ROOM + constraints.sum::<usize>() + 8 * shape.wires
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;

    /// x · x = y, y public: byte for byte as the format says.
    #[test]
    fn a_small_file_is_as_the_format_says() {
        let mut system = System::with_constraints();
        let y = system.public(Fr::from(0u64));
        let x = system.wire(Fr::from(0u64));
        system.constrain(&x, &x, &y.scale(-Fr::from(1u64)));
        let bytes = write(&system.into_shape());

        let order = "010000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430";
        let minus_one = "000000f093f5e1439170b97948e833285d588181b64550b829a031e1724e6430";
        let one = format!("01{}", "00".repeat(31));
        let header = format!("20000000{order}03000000000000000100000001000000030000000000000001000000");
        let row = |wire: u8, coefficient: &str| format!("01000000{wire:02x}000000{coefficient}");
        let constraint = [row(2, &one), row(2, &one), row(1, minus_one)].concat();
        let labels = "000000000000000001000000000000000200000000000000";
        let section = |number: u8, hex: &str| format!("{number:02x}000000{:02x}00000000000000{hex}", hex.len() / 2);
        let expected = [
            "723163730100000003000000".to_owned(),
            section(1, &header),
            section(2, &constraint),
            section(3, labels),
        ];
        assert_eq!(crate::inputs::to_hex(&bytes), format!("0x{}", expected.concat()));
    }
}
