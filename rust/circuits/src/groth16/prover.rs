//! Makes proofs: a key and its circuit's constraints, kept for many assignments.

use crate::groth16::msm::Digits;
use crate::groth16::parallel::{self, join};
use crate::groth16::reduction::quotient;
use crate::groth16::{Control, Proof, ProvingKey, Verifier, key, msm, verification_key};
use crate::system::{Assignment, Constraint, Shape, Terms};
use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::PrimeField;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use chartseal_algebra::error::{Error, Kind, Result};
use zeroize::Zeroizing;

/// Rows that one task takes.
const CHUNK: usize = 512;

/// The sums of a proof that are in G1: which of the key's bases they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    A,
    B,
    /// Over the quotient.
    H,
    L,
}

/// A proof's five sums before blinding. They tell about the witness, and do not leave the prover.
pub struct Sums {
    pub a: G1Projective,
    pub b: G1Projective,
    pub b2: G2Projective,
    pub h: G1Projective,
    pub l: G1Projective,
}

/// Proves one circuit's statements under one key.
pub struct Prover<'a> {
    key: ProvingKey,
    shape: &'a Shape,
    domain: Radix2EvaluationDomain<Fr>,
    inputs: usize,
    verifier: Verifier,
}

/// One side of a constraint.
type Side = fn(&Constraint) -> &Terms;

impl<'a> Prover<'a> {
    /// From a proving key's file.
    ///
    /// # Errors
    /// Kind `CircuitKey`, as [`key::read`].
    pub fn new(circuit: &str, shape: &'a Shape, file: &[u8]) -> Result<Self> {
        let key = key::read(circuit, shape, file)?;
        let verifier = Verifier::new(circuit, shape.publics, &verification_key::write(&key.vk))?;
        Ok(Self {
            shape,
            domain: Radix2EvaluationDomain::new(key.h_query.len()).ok_or_else(key::malformed)?,
            inputs: shape.publics + 1,
            verifier,
            key,
        })
    }

    /// The verifier of what this prover makes.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A proof for an assignment of this circuit, checked before it leaves. Two proofs of one assignment have nothing in common but
    /// their public inputs.
    ///
    /// # Errors
    /// Kind `Proving`: `statement_unsatisfied`, `cancelled`, `no_randomness`; `proving_failed` where the key is spoilt.
    pub fn prove(&self, assignment: &Assignment, control: &Control<'_>) -> Result<Proof> {
        let values = self.values(assignment)?;
        let digits = Digits::of(values);
        let witness = || {
            let sum = |part| self.sum(part, &digits, control);
            let twisted = || self.twisted_sum(&digits, control);
            let (b2, (a, (b, l))) = join(twisted, || {
                join(|| sum(Part::A), || join(|| sum(Part::B), || sum(Part::L)))
            });
            Ok((b2?, a?, b?, l?))
        };
        let quotient = || -> Result<G1Projective> {
            let quotient = self.quotient(assignment, control)?;
            self.sum(Part::H, &Digits::of(&quotient), control)
        };
        let (h, sums) = join(quotient, witness);
        let h = h?; // an unsatisfied statement is told before anything else
        let (b2, a, b, l) = sums?;
        control.stage("check")?;
        self.finish(assignment, &Sums { a, b, b2, h, l })
    }

    /// Of the constraints at these values, once they are seen to hold: the scalars of [`Part::H`].
    ///
    /// # Errors
    /// Kind `Proving`: `statement_unsatisfied`, `cancelled`.
    pub fn quotient(&self, assignment: &Assignment, control: &Control<'_>) -> Result<Zeroizing<Vec<Fr>>> {
        control.stage("quotient")?;
        let values = self.values(assignment)?;
        let room = self.domain.size();
        let sides: [Side; 3] = [|row| &row.a, |row| &row.b, |row| &row.c];
        let [mut a, b, c] = sides.map(|side| self.times(side, values, room));
        if !(a.iter().zip(b.iter()).zip(c.iter())).all(|((a, b), c)| *a * b == *c) {
            return Err(unsatisfied());
        }
        let rows = self.shape.constraints.len();
        a[rows..rows + self.inputs].copy_from_slice(&values[..self.inputs]);
        control.check()?;
        Ok(quotient(&self.domain, a, b))
    }

    /// One of the sums in G1: of all values, or for [`Part::H`] of the quotient.
    ///
    /// # Errors
    /// Kind `Proving`: `cancelled`.
    pub fn sum(&self, part: Part, scalars: &Digits, control: &Control<'_>) -> Result<G1Projective> {
        let key = &self.key;
        let (stage, bases, first) = match part {
            Part::A => ("a", &key.a_query, 0),
            Part::B => ("b", &key.b_g1_query, 0),
            Part::H => ("h", &key.h_query, 0),
            Part::L => ("l", &key.l_query, self.inputs),
        };
        control.stage(stage)?;
        msm::sum(bases, scalars, first, control)
    }

    /// The sum in G2, of all values.
    ///
    /// # Errors
    /// Kind `Proving`: `cancelled`.
    pub fn twisted_sum(&self, scalars: &Digits, control: &Control<'_>) -> Result<G2Projective> {
        control.stage("b in G2")?;
        msm::sum(&self.key.b_g2_query, scalars, 0, control)
    }

    /// The proof of its five sums, blinded and checked.
    ///
    /// # Errors
    /// Kind `Proving`: `no_randomness`, `proving_failed`.
    pub fn finish(&self, assignment: &Assignment, sums: &Sums) -> Result<Proof> {
        let (r, s) = (blinding()?, blinding()?);
        let a = sums.a + self.key.vk.alpha_g1 + self.key.delta_g1 * *r;
        let b = sums.b + self.key.beta_g1 + self.key.delta_g1 * *s;
        let b2 = sums.b2 + self.key.vk.beta_g2 + self.key.vk.delta_g2 * *s;
        let c = a * *s + b * *r - self.key.delta_g1 * (*r * *s) + sums.l + sums.h;
        let proof = Proof {
            a: a.into_affine(),
            b: b2.into_affine(),
            c: c.into_affine(),
        };
        // What a damaged key or a fault in the machine spoils would tell about the witness.
        let checked = self.verifier.check(assignment.publics(), &proof);
        checked.map_err(|_| failed())?;
        Ok(proof)
    }

    /// One side of all constraints at these values, and zeros to fill the room.
    fn times(&self, side: Side, values: &[Fr], room: usize) -> Zeroizing<Vec<Fr>> {
        let dot = |row: &Constraint| -> Fr { side(row).iter().map(|(wire, c)| values[*wire as usize] * c).sum() };
        let chunks: Vec<&[Constraint]> = self.shape.constraints.chunks(CHUNK).collect();
        let sums = parallel::map(&chunks, |chunk| {
            Zeroizing::new(chunk.iter().map(dot).collect::<Vec<Fr>>())
        });
        let mut all = Zeroizing::new(Vec::with_capacity(room));
        sums.iter().for_each(|chunk| all.extend_from_slice(chunk));
        all.resize(room, Fr::default());
        all
    }

    fn values<'v>(&self, assignment: &'v Assignment) -> Result<&'v [Fr]> {
        let values = assignment.values();
        match values.len() == self.key.a_query.len() {
            true => Ok(values),
            false => Err(unsatisfied()),
        }
    }
}

/// Uniform, from the operating system.
fn blinding() -> Result<Zeroizing<Fr>> {
    let mut wide = Zeroizing::new([0; 64]);
    getrandom::fill(&mut *wide).map_err(|_| {
        Error::new(
            Kind::Proving,
            "no_randomness",
            "",
            "the operating system gives no randomness",
        )
    })?;
    Ok(Zeroizing::new(Fr::from_le_bytes_mod_order(&*wide)))
}

fn failed() -> Error {
    Error::new(
        Kind::Proving,
        "proving_failed",
        "",
        "the proof that was made does not hold: the proving key is not the circuit's, or the machine erred",
    )
}

fn unsatisfied() -> Error {
    Error::new(
        Kind::Proving,
        "statement_unsatisfied",
        "",
        "the inputs do not satisfy the statement",
    )
}
