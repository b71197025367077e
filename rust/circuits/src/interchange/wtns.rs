//! `.wtns`: the values of all wires, for snarkjs as a peer in tests and benches. The file holds a witness in clear.

use crate::interchange::r1cs::write_prime;
use crate::interchange::sections::{ELEMENT, Writer, short};
use crate::system::Assignment;
use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};

const HEADER: u32 = 1;
const VALUES: u32 = 2;

/// The file.
pub fn write(assignment: &Assignment) -> Vec<u8> {
    let values = assignment.values();
    let mut writer = Writer::new(b"wtns", 2, 2, 128 + values.len() * ELEMENT);
    writer.section(HEADER);
    write_prime::<Fr>(&mut writer);
    writer.u32(short(values.len()));
    writer.section(VALUES);
    for value in values {
        writer.put(&value.into_bigint().to_bytes_le());
    }
    writer.finish()
}
