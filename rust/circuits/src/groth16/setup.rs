//! Development keys: made from a public seed in seconds, so whoever knows the seed forges proofs under them.
//!
//! The same seed gives the same bytes on every machine and for any number of threads: the generator takes nothing but
//! ChaCha20's output, and points are written in affine form.

use crate::groth16::ProvingKey;
use crate::groth16::reduction::CircomReduction;
use crate::system::{Shape, Terms};
use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The key that a seed gives a circuit.
pub fn development_key(circuit: &str, shape: &Shape, seed: &[u8]) -> ProvingKey {
    let mut hash = Sha256::new_with_prefix(b"chartseal/1/development-key\0");
    hash.update((circuit.len() as u64).to_be_bytes());
    hash.update(circuit);
    hash.update(seed); // each circuit has its own toxic waste
    let mut random = ChaCha20Rng::from_seed(hash.finalize().into());
    let key =
        Groth16::<Bn254, CircomReduction>::generate_random_parameters_with_reduction(Described(shape), &mut random);
    key.expect("constraints without values, in a domain that BN254 has")
}

/// A shape as arkworks' generator takes it.
struct Described<'a>(&'a Shape);

impl ConstraintSynthesizer<Fr> for Described<'_> {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let missing = || Err(SynthesisError::AssignmentMissing);
        for _ in 0..self.0.publics {
            let _ = system.new_input_variable(missing)?;
        }
        for _ in self.0.publics + 1..self.0.wires {
            let _ = system.new_witness_variable(missing)?;
        }
        let combination =
            |terms: &Terms| LinearCombination(terms.iter().map(|(wire, c)| (*c, self.variable(*wire))).collect());
        for constraint in &self.0.constraints {
            let [a, b, c] = [&constraint.a, &constraint.b, &constraint.c].map(combination);
            system.enforce_r1cs_constraint(|| a, || b, || c)?;
        }
        Ok(())
    }
}

impl Described<'_> {
    fn variable(&self, wire: u32) -> Variable {
        let wire = wire as usize;
        match wire.checked_sub(self.0.publics + 1) {
            Some(private) => Variable::witness(private),
            None if wire == 0 => Variable::One,
            None => Variable::instance(wire),
        }
    }
}
