//! Checks proofs, one by one or many at once.

use crate::groth16::points::{G1_BYTES, G2_BYTES, read_g1, read_g2, write_g1, write_g2};
use crate::groth16::{Proof, verification_key};
use ark_bn254::{Bn254, Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ec::pairing::{Pairing, PairingOutput};
use ark_ff::Field;
use chartseal_algebra::babyjub::field_from_be_bytes;
use chartseal_algebra::error::{Error, Kind, Result};

pub(super) type G2Prepared = <Bn254 as Pairing>::G2Prepared;

/// A proof's bytes: A (64), B (128), C (64).
pub const PROOF_BYTES: usize = 2 * G1_BYTES + G2_BYTES;

/// A verification key, prepared.
pub struct Verifier {
    circuit: String,
    hash: [u8; 32],
    pub(super) alpha: G1Affine,
    pub(super) beta: G2Prepared,
    alpha_beta: PairingOutput<Bn254>,
    pub(super) minus_gamma: G2Prepared,
    pub(super) minus_delta: G2Prepared,
    constant: G1Affine,
    inputs: Vec<G1Affine>,
}

/// Public inputs and a proof, read and not yet verified.
#[derive(Clone, Debug)]
pub struct Unverified {
    pub inputs: Vec<Fr>,
    pub proof: Proof,
}

impl Verifier {
    /// From a verification key's bytes; `publics` is the circuit's number of public inputs.
    ///
    /// # Errors
    /// Kind `CircuitKey`, as [`verification_key::read`].
    pub fn new(circuit: &str, publics: usize, key: &[u8]) -> Result<Self> {
        let read = verification_key::read(key, publics)?;
        let (constant, inputs) = read.gamma_abc_g1.split_first().expect("the constant's point was read");
        Ok(Self {
            circuit: circuit.to_owned(),
            hash: verification_key::hash(circuit, key),
            alpha: read.alpha_g1,
            beta: read.beta_g2.into(),
            alpha_beta: Bn254::pairing(read.alpha_g1, read.beta_g2),
            minus_gamma: (-read.gamma_g2).into(),
            minus_delta: (-read.delta_g2).into(),
            constant: *constant,
            inputs: inputs.to_vec(),
        })
    }

    pub fn circuit(&self) -> &str {
        &self.circuit
    }

    /// The key's hash.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Reads public inputs (32 bytes each, big-endian) and a proof.
    ///
    /// # Errors
    /// Kind `Proof`: `inputs_wrong_number`, `input_out_of_range` for one of another length or not below r, `proof_malformed`.
    pub fn read(&self, inputs: &[impl AsRef<[u8]>], proof: &[u8]) -> Result<Unverified> {
        if inputs.len() != self.inputs.len() {
            let detail = format!(
                "{} takes {} public inputs, not {}",
                self.circuit,
                self.inputs.len(),
                inputs.len()
            );
            return Err(refused("inputs_wrong_number", "", &detail));
        }
        let element = |(at, bytes): (usize, &_)| read_input(at, AsRef::<[u8]>::as_ref(bytes));
        Ok(Unverified {
            inputs: inputs.iter().enumerate().map(element).collect::<Result<_>>()?,
            proof: read_proof(proof)?,
        })
    }

    /// Checks one proof.
    ///
    /// # Errors
    /// Those of [`Verifier::read`], and `proof_invalid`.
    pub fn verify(&self, inputs: &[impl AsRef<[u8]>], proof: &[u8]) -> Result<()> {
        let read = self.read(inputs, proof)?;
        self.check(&read.inputs, &read.proof)
    }

    /// Checks a proof whose points are points of their groups: e(A, B) = e(α, β) · e(Σ input · point, γ) · e(C, δ).
    ///
    /// # Errors
    /// `inputs_wrong_number`, `proof_invalid`.
    pub fn check(&self, inputs: &[Fr], proof: &Proof) -> Result<()> {
        if inputs.len() != self.inputs.len() {
            return Err(refused(
                "inputs_wrong_number",
                "",
                "the circuit takes another number of public inputs",
            ));
        }
        let publics = self.public_point(Fr::ONE, inputs);
        let left = Bn254::multi_miller_loop(
            [proof.a, publics, proof.c],
            [proof.b.into(), self.minus_gamma.clone(), self.minus_delta.clone()],
        );
        match Bn254::final_exponentiation(left) {
            Some(product) if product == self.alpha_beta => Ok(()),
            _ => Err(invalid("")),
        }
    }

    /// one · constant's point + Σ input · point.
    pub(super) fn public_point(&self, one: Fr, inputs: &[Fr]) -> G1Affine {
        let terms = self.inputs.iter().zip(inputs).map(|(point, input)| *point * *input);
        (self.constant * one + terms.sum::<G1Projective>()).into_affine()
    }
}

fn read_input(at: usize, bytes: &[u8]) -> Result<Fr> {
    let fixed = bytes.try_into().ok();
    let element = fixed.and_then(|bytes| field_from_be_bytes(bytes).ok());
    element.ok_or_else(|| {
        refused(
            "input_out_of_range",
            &format!("inputs[{at}]"),
            "a public input is 32 bytes, an integer below the field's order",
        )
    })
}

/// A (64 bytes), B (128), C (64), as EIP-197 orders coordinates.
pub fn write_proof(proof: &Proof) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PROOF_BYTES);
    write_g1(&proof.a, &mut bytes);
    write_g2(&proof.b, &mut bytes);
    write_g1(&proof.c, &mut bytes);
    bytes
}

/// # Errors
/// `proof_malformed`: another length, or a point that is not canonical, off the curve, outside the subgroup, or the identity.
pub fn read_proof(bytes: &[u8]) -> Result<Proof> {
    let bytes: &[u8; PROOF_BYTES] = bytes.try_into().map_err(|_| {
        refused(
            "proof_malformed",
            "",
            &format!("a proof has {PROOF_BYTES} bytes, not {}", bytes.len()),
        )
    })?;
    let read = || {
        let (a, rest) = bytes.split_first_chunk::<G1_BYTES>()?;
        let (b, c) = rest.split_first_chunk::<G2_BYTES>()?;
        Some(Proof {
            a: read_g1(a)?,
            b: read_g2(b)?,
            c: read_g1(c.try_into().ok()?)?,
        })
    };
    read().ok_or_else(|| refused("proof_malformed", "", "the proof holds what is no point of its group"))
}

pub(super) fn invalid(path: &str) -> Error {
    refused("proof_invalid", path, "the proof does not hold for these public inputs")
}

fn refused(code: &'static str, path: &str, detail: &str) -> Error {
    Error::new(Kind::Proof, code, path, detail)
}
