//! The holder's spend secret s and what is derived from it.
//!
//! s is proved to be an integer, 0 < s < ℓ, by its 251 bits; those same bits give the holder's point S = s·B8, and their
//! sum, below r and so one field element, is what nullifier and pseudonym hash. With s + ℓ, or any s + k·ℓ or s + r, the
//! point would be the same and the nullifier another: a second use of what is spent once. The holder's commitment is over
//! the point, so it binds s only modulo ℓ; 0 < s < ℓ does the rest.

use super::multiples::BASE;
use super::poseidon;
use super::scalar::{Digits, Integer, LARGEST_SCALAR, require_not_zero};
use crate::system::{Num, System};
use chartseal_algebra::tags;

/// s, as a wire, and the commitment that others know its owner by.
pub struct Secret {
    scalar: Num,
    /// P(tagHolder, Sx, Sy).
    pub commitment: Num,
}

impl Secret {
    /// Proves 0 < s < ℓ. Cost: 1,100.
    pub fn new(system: &mut System, integer: &Integer) -> Self {
        let digits = Digits::at_most(system, integer, &LARGEST_SCALAR);
        let value = digits.value();
        let scalar = system.settle(&value);
        require_not_zero(system, &scalar);
        let point = BASE.times(system, &digits);
        let commitment = poseidon::hash(system, &[Num::constant(tags::HOLDER), point.x, point.y]);
        Self { scalar, commitment }
    }

    /// Requires `pseudonym` to be P(tagPseud, s, context).
    pub fn require_pseudonym(&self, system: &mut System, context: &Num, pseudonym: &Num) {
        let inputs = [Num::constant(tags::PSEUD), self.scalar.clone(), context.clone()];
        poseidon::hash_to(system, &inputs, pseudonym);
    }

    /// Requires `nullifier` to be P(tagNull, s, claimId, scope, use).
    pub fn require_nullifier(&self, system: &mut System, [claim_id, scope, number]: [&Num; 3], nullifier: &Num) {
        let tag = Num::constant(tags::NULL);
        let inputs = [&tag, &self.scalar, claim_id, scope, number].map(Num::clone);
        poseidon::hash_to(system, &inputs, nullifier);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::trial::Trial;
    use ark_bn254::Fr;
    use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};
    use chartseal_algebra::babyjub::{Scalar, SecretScalar};
    use chartseal_algebra::poseidon as native;

    const SCOPE: [u64; 3] = [31, 47, 2];

    /// Of the integer, what nullifier, pseudonym and commitment would be if it were a secret.
    fn expected(integer: &Integer) -> (Fr, Fr, Fr) {
        let field = Fr::from_le_bytes_mod_order(&integer.to_bytes_le());
        let [claim_id, scope, number] = SCOPE.map(Fr::from);
        let scalar = Scalar::from_le_bytes_mod_order(&integer.to_bytes_le());
        let commitment = match SecretScalar::new(scalar) {
            Ok(secret) => secret.public().coordinates(),
            Err(_) => (Fr::ZERO, Fr::ONE),
        };
        (
            native::hash(&[tags::NULL, field, claim_id, scope, number]),
            native::hash(&[tags::PSEUD, field, scope]),
            native::hash(&[tags::HOLDER, commitment.0, commitment.1]),
        )
    }

    fn trial(integer: &Integer) -> Trial {
        let (nullifier, pseudonym, commitment) = expected(integer);
        Trial::of(|system| {
            let publics = [nullifier, pseudonym, commitment].map(|value| system.public(value));
            let [claim_id, scope, number] = SCOPE.map(|value| system.input(Fr::from(value)));
            let secret = Secret::new(system, integer);
            system.equal(&secret.commitment, &publics[2]);
            secret.require_pseudonym(system, &scope, &publics[1]);
            secret.require_nullifier(system, [&claim_id, &scope, &number], &publics[0]);
        })
    }

    #[test]
    fn secrets_give_what_the_formats_say() {
        let mut integers: Vec<Integer> = (1..4u64)
            .map(|i| Scalar::from(i).inverse().unwrap().into_bigint())
            .collect();
        integers.extend([BigInt::from(1u64), LARGEST_SCALAR]);
        for integer in integers {
            assert!(trial(&integer).is_satisfied());
        }
    }

    /// s + ℓ has the same point and commitment, s + r the same nullifier's preimage as s; zero has no point that counts.
    #[test]
    fn other_forms_of_a_secret_are_refused() {
        for secret in [Scalar::ONE, Scalar::from(1_000_003u64).inverse().unwrap()] {
            let mut shifted = secret.into_bigint();
            for _ in 0..9 {
                shifted.add_with_carry(&Scalar::MODULUS);
                assert!(!trial(&shifted).is_satisfied());
            }
            let mut wrapped = secret.into_bigint();
            wrapped.add_with_carry(&Fr::MODULUS);
            assert!(!trial(&wrapped).is_satisfied());
        }
        assert!(!trial(&BigInt::from(0u64)).is_satisfied());
        assert!(!trial(&Scalar::MODULUS).is_satisfied());
    }
}
