//! linked-K: the claims under an opened root satisfy a policy.

use crate::gadgets::predicate::Policy;
use crate::inputs;
use crate::system::System;
use ark_bn254::Fr;
use chartseal_algebra::error::Result;

pub const PUBLICS: [&str; 3] = ["claimsRoot", "policyHash", "context"];

/// Proves: for every used slot of the policy some claim under `claimsRoot` has the slot's key and a value for which the slot
/// holds (formats 7; [`Policy`] says how).
///
/// Public: `claimsRoot`, of the record's claims; `policyHash`; `context`, of the presentation. Witness: the policy's slots, their
/// claims' values, salts and places in the tree, neighbours in sets. K = 1 is for policies of one slot, K = 4 for two to four.
///
/// Takes for granted, so that a verifier must check: `claimsRoot` is not 0, below r, and equal to the `chartseal.claims` that a
/// verified record opens (its issuer vouches that the claims were lifted by the rules); `policyHash` is that of a policy which
/// it reads in words, with sets built from readable members; `context` is recomputed from audience, nonces, expiry, chain,
/// contract and payee; every public input is below r. The holder's signature covers the public inputs: the proof itself knows no
/// secret of the holder's.
///
/// Two slots may open the same claim, and slots of equal keys different claims: policies whose slots must speak of one element
/// do not compile unless a qualifier ties them.
pub struct Statement<const K: usize> {
    policy: Policy<K>,
    context: Fr,
}

impl<const K: usize> Statement<K> {
    /// # Errors
    /// Kind `Proving`, `inputs_malformed`: another number of predicates, or one that is not of its form.
    pub fn new(inputs: &inputs::Linked, _: ()) -> Result<Self> {
        Ok(Self {
            policy: Policy::new(&inputs.predicates)?,
            context: inputs.context.0,
        })
    }

    pub fn blank() -> Self {
        Self {
            policy: Policy::blank(),
            context: Fr::from(0u64),
        }
    }

    pub fn describe(&self, system: &mut System) {
        let claims_root = system.public(self.policy.claims_root());
        let policy_hash = system.public(self.policy.hash());
        let context = system.public(self.context);
        system.bind(&context);
        self.policy.require(system, &claims_root, &policy_hash);
    }
}
