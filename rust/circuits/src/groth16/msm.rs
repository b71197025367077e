//! Sums of scalar multiples of many points.

use crate::groth16::Control;
use ark_bn254::Fr;
use ark_ec::scalar_mul::variable_base::VariableBaseMSM;
use ark_ff::PrimeField;
use chartseal_algebra::error::Result;

const CHUNK: usize = 1 << 12;

/// Σ scalar · base.
pub fn sum<G: VariableBaseMSM<ScalarField = Fr>>(
    bases: &[G::MulBase],
    scalars: &[<Fr as PrimeField>::BigInt],
    control: &Control<'_>,
) -> Result<G> {
    let mut sum = G::zero();
    for (bases, scalars) in bases.chunks(CHUNK).zip(scalars.chunks(CHUNK)) {
        control.check()?;
        sum += G::msm_bigint(bases, scalars);
    }
    Ok(sum)
}
