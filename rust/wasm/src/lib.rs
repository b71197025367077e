//! The circuits for a browser: bytes in, bytes out, errors with their codes. `web/` wraps it for pages.

use ark_ec::CurveGroup;
use chartseal_algebra::babyjub::{SecretScalar, field_from_be_bytes, field_to_be_bytes};
use chartseal_algebra::error::{Error, Kind};
use chartseal_circuits::groth16::msm::Digits;
use chartseal_circuits::groth16::prover::{Part, Sums};
use chartseal_circuits::groth16::{self as engine, Control, points, verifier};
use chartseal_circuits::system::Assignment;
use chartseal_circuits::{Circuit, Fr};
use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// A JavaScript Error with our stable code as its `code`.
fn to_js(error: Error) -> JsValue {
    let thrown = js_sys::Error::new(&error.to_string());
    // Setting a property of an error that was just made cannot fail.
    let _ = Reflect::set(&thrown, &"code".into(), &error.code.into());
    thrown.into()
}

/// A proof (256 bytes) and its public inputs (32 bytes each, one after another).
#[wasm_bindgen]
pub struct Proof {
    proof: Vec<u8>,
    inputs: Vec<u8>,
}

#[wasm_bindgen]
impl Proof {
    #[wasm_bindgen(getter)]
    pub fn proof(&self) -> Vec<u8> {
        self.proof.clone()
    }

    #[wasm_bindgen(getter)]
    pub fn inputs(&self) -> Vec<u8> {
        self.inputs.clone()
    }
}

impl Proof {
    fn of(assignment: &Assignment, proof: &engine::Proof) -> Self {
        Self {
            proof: verifier::write_proof(proof),
            inputs: write_scalars(assignment.publics()),
        }
    }
}

/// One circuit's prover, from its proving key's file.
#[wasm_bindgen]
pub struct Prover {
    circuit: Circuit,
    prover: engine::Prover<'static>,
}

#[wasm_bindgen]
impl Prover {
    /// Throws `circuit_unknown`, `key_malformed`, `key_altered`, `key_other_circuit`.
    #[wasm_bindgen(constructor)]
    pub fn new(circuit: &str, key: &[u8]) -> Result<Prover, JsValue> {
        let circuit = Circuit::from_name(circuit).map_err(to_js)?;
        let prover = engine::Prover::new(circuit.name(), circuit.shape(), key).map_err(to_js)?;
        Ok(Self { circuit, prover })
    }

    /// Proves the statement of inputs in JSON; `secret` is the holder's spend secret, 32 bytes little-endian, where the circuit
    /// takes one.
    ///
    /// Throws `inputs_malformed`, `secret_missing`, `secret_needless`, `secret_not_canonical`, `statement_unsatisfied`.
    pub fn prove(&self, inputs: &str, secret: Option<Vec<u8>>) -> Result<Proof, JsValue> {
        let secret = read_secret(secret)?;
        let assignment = self.circuit.assign(inputs.as_bytes(), secret.as_ref());
        let assignment = assignment.map_err(to_js)?;
        let proof = self.prover.prove(&assignment, &Control::default()).map_err(to_js)?;
        Ok(Proof::of(&assignment, &proof))
    }
}

/// A proof in pieces, for several threads without common memory: one assigns and begins with the quotient, others sum, the
/// first finishes. Pieces tell about the witness: they stay in the page, unlogged, and are erased.
#[wasm_bindgen]
impl Prover {
    /// As `prove`, up to the values of all wires.
    ///
    /// Throws as `prove`, `statement_unsatisfied` excepted.
    pub fn assign(&self, inputs: &str, secret: Option<Vec<u8>>) -> Result<Witness, JsValue> {
        let secret = read_secret(secret)?;
        let assignment = self.circuit.assign(inputs.as_bytes(), secret.as_ref());
        assignment.map(Witness).map_err(to_js)
    }

    /// The scalars of the part `h`.
    ///
    /// Throws `statement_unsatisfied`.
    pub fn quotient(&self, witness: &Witness) -> Result<Vec<u8>, JsValue> {
        let quotient = self.prover.quotient(&witness.0, &Control::default());
        Ok(write_scalars(&quotient.map_err(to_js)?))
    }

    /// One of the five sums, `a`, `b1`, `b2`, `h` or `l`, as a point.
    ///
    /// Throws `inputs_malformed`: no such part, or not as many scalars as it takes.
    pub fn part(&self, part: &str, scalars: Vec<u8>) -> Result<Vec<u8>, JsValue> {
        let scalars = Zeroizing::new(scalars);
        let digits = Digits::of(&read_scalars(&scalars)?);
        let control = Control::default();
        let mut point = Vec::new();
        let part = match part {
            "a" => Part::A,
            "b1" => Part::B,
            "h" => Part::H,
            "l" => Part::L,
            "b2" => {
                let sum = self.prover.twisted_sum(&digits, &control).map_err(to_js)?;
                points::write_g2(&sum.into_affine(), &mut point);
                return Ok(point);
            }
            _ => return Err(malformed()),
        };
        let sum = self.prover.sum(part, &digits, &control).map_err(to_js)?;
        points::write_g1(&sum.into_affine(), &mut point);
        Ok(point)
    }

    /// The proof of the points of `a`, `b1`, `b2`, `h` and `l`, one after another.
    ///
    /// Throws `proving_failed`, `no_randomness`.
    pub fn finish(&self, witness: &Witness, parts: &[u8]) -> Result<Proof, JsValue> {
        let sums = read_sums(parts).ok_or_else(malformed)?;
        let proof = self.prover.finish(&witness.0, &sums).map_err(to_js)?;
        Ok(Proof::of(&witness.0, &proof))
    }
}

/// The values of all wires, the holder's secret among them. Erased when freed.
#[wasm_bindgen]
pub struct Witness(Assignment);

#[wasm_bindgen]
impl Witness {
    /// The values, 32 bytes each, for the parts but `h`.
    #[wasm_bindgen(getter)]
    pub fn scalars(&self) -> Vec<u8> {
        write_scalars(self.0.values())
    }
}

/// wasm-bindgen copies the bytes to the page and frees them.
fn write_scalars(scalars: &[Fr]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * scalars.len()); // growing would leave pieces behind
    scalars
        .iter()
        .for_each(|scalar| bytes.extend_from_slice(&field_to_be_bytes(scalar)));
    bytes
}

fn read_scalars(bytes: &[u8]) -> Result<Zeroizing<Vec<Fr>>, JsValue> {
    let (words, rest) = bytes.as_chunks::<32>();
    let scalars: Option<Vec<Fr>> = words.iter().map(|word| field_from_be_bytes(word).ok()).collect();
    scalars
        .filter(|_| rest.is_empty())
        .map(Zeroizing::new)
        .ok_or_else(malformed)
}

fn read_sums(bytes: &[u8]) -> Option<Sums> {
    let mut rest = bytes;
    let g1 = |rest: &mut &[u8]| Some(points::read_g1(take(rest)?)?.into());
    let (a, b) = (g1(&mut rest)?, g1(&mut rest)?);
    let b2 = points::read_g2(take(&mut rest)?)?.into();
    let (h, l) = (g1(&mut rest)?, g1(&mut rest)?);
    rest.is_empty().then_some(Sums { a, b, b2, h, l })
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

fn malformed() -> JsValue {
    let detail = "a piece of a proof is not of its form";
    to_js(Error::new(Kind::Proving, "inputs_malformed", "", detail))
}

fn read_secret(secret: Option<Vec<u8>>) -> Result<Option<SecretScalar>, JsValue> {
    let Some(bytes) = secret.map(Zeroizing::new) else {
        return Ok(None);
    };
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| {
        to_js(Error::new(
            Kind::Proving,
            "inputs_malformed",
            "",
            "a spend secret has 32 bytes",
        ))
    })?);
    SecretScalar::from_le_bytes(&bytes).map(Some).map_err(to_js)
}

/// One verification key.
#[wasm_bindgen]
pub struct Verifier(engine::Verifier);

#[wasm_bindgen]
impl Verifier {
    /// Throws `circuit_unknown`, `key_malformed`.
    #[wasm_bindgen(constructor)]
    pub fn new(circuit: &str, key: &[u8]) -> Result<Verifier, JsValue> {
        let circuit = Circuit::from_name(circuit).map_err(to_js)?;
        let verifier = engine::Verifier::new(circuit.name(), circuit.publics().len(), key);
        verifier.map(Self).map_err(to_js)
    }

    /// The key's hash, by which verifiers pin it: 32 bytes.
    #[wasm_bindgen(getter)]
    pub fn hash(&self) -> Vec<u8> {
        self.0.hash().to_vec()
    }

    /// Returns when the proof holds for the public inputs (32 bytes each, one after another).
    ///
    /// Throws `proof_malformed`, `input_out_of_range`, `inputs_wrong_number`, `proof_invalid`.
    pub fn verify(&self, inputs: &[u8], proof: &[u8]) -> Result<(), JsValue> {
        let words: Vec<&[u8]> = inputs.chunks(32).collect();
        self.0.verify(&words, proof).map_err(to_js)
    }
}
