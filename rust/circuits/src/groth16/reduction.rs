//! From constraints to a quadratic arithmetic program as circom and snarkjs do it, so that their keys are ours and ours theirs.
//!
//! Like libsnark's reduction, which arkworks has, but for the quotient: the key holds Lagrange polynomials at the odd
//! (2n)-th roots of unity instead of powers, and the prover's quotient is A·B − C evaluated there. That saves one transform
//! and the division, since the even roots, where A·B − C is 0, need no term. Source: snarkjs 0.7, `zkey_new.js` and
//! `groth16_prove.js`.

use crate::groth16::parallel::join;
use ark_ff::PrimeField;
use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP, evaluate_constraint};
use ark_poly::EvaluationDomain;
use ark_relations::gr1cs::{ConstraintSystemRef, Matrix, Result, SynthesisError};
use zeroize::Zeroizing;

/// circom's, in arkworks' frame.
pub struct CircomReduction;

impl R1CSToQAP for CircomReduction {
    #[allow(clippy::type_complexity)]
    fn instance_map_with_evaluation<F: PrimeField, D: EvaluationDomain<F>>(
        system: ConstraintSystemRef<F>,
        t: &F,
    ) -> Result<(Vec<F>, Vec<F>, Vec<F>, F, usize, usize)> {
        LibsnarkReduction::instance_map_with_evaluation::<F, D>(system, t)
    }

    fn witness_map_from_matrices<F: PrimeField, D: EvaluationDomain<F>>(
        matrices: &[Matrix<F>],
        num_inputs: usize,
        num_constraints: usize,
        full_assignment: &[F],
    ) -> Result<Vec<F>> {
        let domain = D::new(num_constraints + num_inputs).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let evaluate = |matrix: &Matrix<F>| -> Zeroizing<Vec<F>> {
            let rows = matrix.iter().map(|row| evaluate_constraint(row, full_assignment));
            let mut values: Vec<F> = rows.collect();
            values.resize(domain.size(), F::zero());
            Zeroizing::new(values)
        };
        let [mut a, b, c] = [0, 1, 2].map(|at| evaluate(&matrices[at]));
        if !(a.iter().zip(b.iter()).zip(c.iter())).all(|((a, b), c)| *a * b == *c) {
            return Err(SynthesisError::Unsatisfiable);
        }
        a[num_constraints..num_constraints + num_inputs].copy_from_slice(&full_assignment[..num_inputs]);
        Ok(std::mem::take(&mut *quotient(&domain, a, b)))
    }

    /// L_{2i+1}(t) / δ for i < n, of the Lagrange polynomials over the 2n-th roots of unity.
    fn h_query_scalars<F: PrimeField, D: EvaluationDomain<F>>(
        max_power: usize,
        t: F,
        _: F,
        delta_inverse: F,
    ) -> std::result::Result<Vec<F>, SynthesisError> {
        // A·B − C has degree 2n − 2 at most, so as many powers say it all.
        let powers = std::iter::successors(Some(delta_inverse), |power| Some(*power * t));
        let mut scalars: Vec<F> = powers.take(2 * max_power + 1).collect();
        let domain = D::new(scalars.len()).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        domain.ifft_in_place(&mut scalars);
        Ok(scalars.into_iter().skip(1).step_by(2).collect())
    }
}

/// A·B − C at the odd 2n-th roots of unity, from the values of A and B at the n-th ones, where C is A·B.
pub fn quotient<F: PrimeField, D: EvaluationDomain<F>>(
    domain: &D,
    mut a: Zeroizing<Vec<F>>,
    mut b: Zeroizing<Vec<F>>,
) -> Zeroizing<Vec<F>> {
    let mut c = Zeroizing::new(a.iter().zip(b.iter()).map(|(a, b)| *a * b).collect::<Vec<F>>());
    let root = F::get_root_of_unity(2 * domain.size() as u64).expect("the domain's half-steps exist");
    let odd = domain.get_coset(root).expect("a root of unity is not zero");
    let shift = |values: &mut Vec<F>| {
        domain.ifft_in_place(values);
        odd.fft_in_place(values);
    };
    join(|| shift(&mut a), || join(|| shift(&mut b), || shift(&mut c)));
    for ((a, b), c) in a.iter_mut().zip(b.iter()).zip(c.iter()) {
        *a = *a * b - c;
    }
    a
}
