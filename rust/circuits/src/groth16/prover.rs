//! Makes proofs: a key and its circuit's matrices, kept for many assignments.

use crate::groth16::msm::Digits;
use crate::groth16::parallel::{self, join};
use crate::groth16::reduction::quotient;
use crate::groth16::{Control, Proof, ProvingKey, Verifier, key, msm, verification_key};
use crate::system::{Assignment, Shape, Terms};
use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::PrimeField;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use chartseal_algebra::error::{Error, Kind, Result};
use zeroize::Zeroizing;

/// Rows that one task takes.
const CHUNK: usize = 512;

/// Proves one circuit's statements under one key.
pub struct Prover {
    key: ProvingKey,
    matrices: [Rows; 3],
    domain: Radix2EvaluationDomain<Fr>,
    inputs: usize,
    verifier: Verifier,
}

impl Prover {
    /// From a proving key's file.
    ///
    /// # Errors
    /// Kind `CircuitKey`, as [`key::read`].
    pub fn new(circuit: &str, shape: &Shape, file: &[u8]) -> Result<Self> {
        let key = key::read(circuit, shape, file)?;
        let verifier = Verifier::new(circuit, shape.publics, &verification_key::write(&key.vk))?;
        let rows = |side: fn(&crate::system::Constraint) -> &Terms| Rows::of(shape.constraints.iter().map(side));
        Ok(Self {
            matrices: [rows(|row| &row.a), rows(|row| &row.b), rows(|row| &row.c)],
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
        let values = assignment.values();
        if values.len() != self.key.a_query.len() {
            return Err(unsatisfied());
        }
        let digits = Digits::of(values);
        let witness = || {
            let key = &self.key;
            let sum = |stage, bases, first| -> Result<G1Projective> {
                control.stage(stage)?;
                msm::sum(bases, &digits, first, control)
            };
            let twisted = || -> Result<G2Projective> {
                control.stage("b in G2")?;
                msm::sum(&key.b_g2_query, &digits, 0, control)
            };
            let (b2, (a, (b, l))) = join(twisted, || {
                join(
                    || sum("a", &key.a_query, 0),
                    || join(|| sum("b", &key.b_g1_query, 0), || sum("l", &key.l_query, self.inputs)),
                )
            });
            Ok((b2?, a?, b?, l?))
        };
        let quotient = || -> Result<G1Projective> {
            control.stage("quotient")?;
            let quotient = self.quotient(values, control)?;
            control.stage("h")?;
            msm::sum(&self.key.h_query, &Digits::of(&quotient), 0, control)
        };
        let (h, sums) = join(quotient, witness);
        let h = h?; // an unsatisfied statement is told before anything else
        let (b2, a, b, l) = sums?;
        control.stage("check")?;
        let (r, s) = (blinding()?, blinding()?);
        let a = a + self.key.vk.alpha_g1 + self.key.delta_g1 * *r;
        let b = b + self.key.beta_g1 + self.key.delta_g1 * *s;
        let b2 = b2 + self.key.vk.beta_g2 + self.key.vk.delta_g2 * *s;
        let c = a * *s + b * *r - self.key.delta_g1 * (*r * *s) + l + h;
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

    /// Of the constraints at these values, once they are seen to hold.
    fn quotient(&self, values: &[Fr], control: &Control<'_>) -> Result<Zeroizing<Vec<Fr>>> {
        let room = self.domain.size();
        let [mut a, b, c] = [0, 1, 2].map(|at| self.matrices[at].times(values, room));
        if !(a.iter().zip(b.iter()).zip(c.iter())).all(|((a, b), c)| *a * b == *c) {
            return Err(unsatisfied());
        }
        let rows = self.matrices[0].ends.len();
        a[rows..rows + self.inputs].copy_from_slice(&values[..self.inputs]);
        control.check()?;
        Ok(quotient(&self.domain, a, b))
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

/// One side of all constraints.
struct Rows {
    ends: Vec<u32>,
    terms: Terms,
}

impl Rows {
    fn of<'a>(rows: impl Iterator<Item = &'a Terms>) -> Self {
        let (mut ends, mut terms) = (Vec::new(), Terms::new());
        for row in rows {
            terms.extend_from_slice(row);
            ends.push(terms.len() as u32);
        }
        Self { ends, terms }
    }

    /// Each row's sum, and zeros to fill the room.
    fn times(&self, values: &[Fr], room: usize) -> Zeroizing<Vec<Fr>> {
        let starts: Vec<usize> = (0..self.ends.len()).step_by(CHUNK).collect();
        let row = |at: usize| -> Fr {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
            let terms = &self.terms[start..self.ends[at] as usize];
            terms.iter().map(|(wire, c)| values[*wire as usize] * c).sum()
        };
        let chunks = parallel::map(&starts, |start| {
            let end = self.ends.len().min(start + CHUNK);
            Zeroizing::new((*start..end).map(row).collect::<Vec<Fr>>())
        });
        let mut all = Zeroizing::new(Vec::with_capacity(room));
        chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
        all.resize(room, Fr::default());
        all
    }
}
