//! holder: one wallet's secret stands behind a record's claims and behind a pseudonym.
//!
//! **Public**: claimsRoot, context, pseudonym. **Private**: the spend secret s, the salt of claim 0 and its path.
//!
//! Proves that the prover knows s, 0 < s < ℓ, such that
//! 1. claim 0 under claimsRoot is P(tagClaim, F("claim-key/holder"), P(tagHolder, Sx, Sy), salt) with S = s·B8, at index 0;
//! 2. pseudonym = P(tagPseud, s, context), the same s.
//!
//! So proofs with one context and one pseudonym are about records of one holder, whoever sealed them, and say nothing else
//! about the holder: another context gives another pseudonym. Both hashes stand on s itself, not on S modulo ℓ, which is
//! why s is proved canonical ([`crate::gadgets::secret`]).
//!
//! **The verifier checks outside**: that claimsRoot is the opened `chartseal.claims` of a record that it verified, not 0;
//! that context is the one it recomputes from its own audience and nonce (formats 8); that all three are below r; and
//! compares pseudonyms of proofs under one context only.
//!
//! Widths: every private value is a field element that a hash under claimsRoot fixes; only s has a range. The salt is free
//! of any check: claimsRoot fixes it.

use crate::gadgets::{merkle, poseidon, scalar::Integer, secret::Secret};
use crate::inputs::{self, CLAIM_DEPTH};
use crate::system::{Num, System};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, PrimeField};
use chartseal_algebra::babyjub::SecretScalar;
use chartseal_algebra::{poseidon as native, tags};
use zeroize::Zeroize;

pub const PUBLICS: [&str; 3] = ["claimsRoot", "context", "pseudonym"];

/// The statement about values: of a record and its holder, or of nobody.
#[derive(Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Statement {
    publics: [Fr; 3],
    secret: Integer,
    salt: Fr,
    path: inputs::Path<CLAIM_DEPTH>,
}

impl Statement {
    pub fn new(inputs: &inputs::Holder, secret: &SecretScalar) -> Self {
        let integer = secret.scalar().into_bigint();
        let (x, y) = secret.public().coordinates();
        let commitment = native::hash(&[tags::HOLDER, x, y]);
        let leaf = native::hash(&[tags::CLAIM, tags::HOLDER_CLAIM_KEY, commitment, inputs.salt.0]);
        let path = inputs.path.map(|siblings| siblings.map(|sibling| sibling.0));
        Self {
            publics: [
                native::root_of_path(leaf, 0, &path),
                inputs.context.0,
                pseudonym(&integer, inputs.context.0),
            ],
            secret: integer,
            salt: inputs.salt.0,
            path: inputs.path,
        }
    }

    pub fn blank() -> Self {
        Self {
            publics: [Fr::ZERO; 3],
            secret: Integer::from(0u64),
            salt: Fr::ZERO,
            path: Default::default(),
        }
    }

    pub fn describe(&self, system: &mut System) {
        let [claims_root, context, pseudonym] = self.publics.map(|value| system.public(value));
        system.part("secret");
        let secret = Secret::new(system, &self.secret);
        system.part("claim");
        require_claim(system, &secret.commitment, self.salt, &self.path, &claims_root);
        system.part("pseudonym");
        secret.require_pseudonym(system, &context, &pseudonym);
    }
}

/// Requires claim 0 under the root to be the commitment.
fn require_claim(system: &mut System, commitment: &Num, salt: Fr, path: &inputs::Path<CLAIM_DEPTH>, claims_root: &Num) {
    let known = [
        Num::constant(tags::CLAIM),
        Num::constant(tags::HOLDER_CLAIM_KEY),
        commitment.clone(),
    ];
    let mut boxes: Vec<Num> = (0..3).map(|at| poseidon::boxed(system, 4, at, &known[at])).collect();
    boxes.push(poseidon::free(system, 4, 3, salt));
    let leaf = poseidon::finish(system, &boxes, None);
    let first = [(); 2 * CLAIM_DEPTH].map(|()| Num::zero());
    let root = merkle::root(system, &leaf, &first, path);
    system.equal(&root, claims_root);
}

/// P(tagPseud, s, context).
pub(super) fn pseudonym(secret: &Integer, context: Fr) -> Fr {
    native::hash(&[tags::PSEUD, element(secret), context])
}

/// An integer modulo r.
pub(super) fn element(integer: &Integer) -> Fr {
    Fr::from_le_bytes_mod_order(&ark_ff::BigInteger::to_bytes_le(integer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Element;
    use chartseal_algebra::babyjub::Scalar;

    const SALT: u64 = 99;

    /// A record of the holder of `seed`, among other claims, and a statement about it.
    fn statement(seed: u8, context: u64) -> Statement {
        let secret = SecretScalar::from_wide_le_bytes(&[seed; 64]).unwrap();
        let (x, y) = secret.public().coordinates();
        let commitment = native::hash(&[tags::HOLDER, x, y]);
        let mut leaves: Vec<Fr> = (0..9u64).map(|i| native::hash(&[Fr::from(i)])).collect();
        leaves[0] = native::hash(&[tags::CLAIM, tags::HOLDER_CLAIM_KEY, commitment, Fr::from(SALT)]);
        let path = native::tree_path(&leaves, CLAIM_DEPTH, 0);
        let inputs = inputs::Holder {
            context: Element(Fr::from(context)),
            salt: Element(Fr::from(SALT)),
            path: std::array::from_fn(|level| path[level].map(Element)),
        };
        let statement = Statement::new(&inputs, &secret);
        assert_eq!(statement.publics[0], native::tree_root(&leaves, CLAIM_DEPTH));
        statement
    }

    /// The part whose constraint is the first that is not satisfied; empty when all are.
    fn unsatisfied(statement: &Statement) -> &'static str {
        let (mut shape, mut values) = (System::with_constraints(), System::witness());
        Statement::blank().describe(&mut shape);
        statement.describe(&mut values);
        let shape = shape.into_shape();
        let first = shape.unsatisfied(values.into_assignment().values());
        first.map_or("", |constraint| shape.part_of(constraint))
    }

    #[test]
    fn a_holder_of_a_record_satisfies_it() {
        for seed in 1..4 {
            assert_eq!(unsatisfied(&statement(seed, 7)), "");
        }
    }

    #[test]
    fn another_context_has_another_pseudonym() {
        let (first, second) = (statement(1, 7), statement(1, 8));
        assert_eq!(first.publics[0], second.publics[0]);
        assert_ne!(first.publics[2], second.publics[2]);
        let mut moved = statement(1, 7);
        moved.publics[1] = second.publics[1];
        assert_eq!(unsatisfied(&moved), "pseudonym");
    }

    #[test]
    fn another_holders_record_is_refused() {
        let mut stolen = statement(1, 7);
        stolen.secret = statement(2, 7).secret;
        stolen.publics[2] = pseudonym(&stolen.secret, Fr::from(7u64));
        assert_eq!(unsatisfied(&stolen), "claim");
    }

    #[test]
    fn a_pseudonym_of_another_form_of_the_secret_is_refused() {
        let honest = statement(1, 7);
        for order in [Scalar::MODULUS, Fr::MODULUS] {
            let mut aliased = statement(1, 7);
            ark_ff::BigInteger::add_with_carry(&mut aliased.secret, &order);
            aliased.publics[2] = pseudonym(&aliased.secret, Fr::from(7u64));
            assert_ne!(unsatisfied(&aliased), "");
            aliased.secret = honest.secret;
            assert_eq!(
                unsatisfied(&aliased).is_empty(),
                aliased.publics[2] == honest.publics[2]
            );
        }
    }

    #[test]
    fn a_claim_elsewhere_is_refused() {
        let mut other = statement(1, 7);
        other.salt += Fr::from(1u64);
        assert_eq!(unsatisfied(&other), "claim");
        let mut other = statement(1, 7);
        other.path[1][2].0 += Fr::from(1u64);
        assert_eq!(unsatisfied(&other), "claim");
    }
}
