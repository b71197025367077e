//! anonymous-K: some record, sealed by some issuer under a trust root for the holder of a secret, satisfies a policy.

use crate::inputs;
use crate::system::System;
use ark_bn254::Fr;
use chartseal_algebra::babyjub::SecretScalar;
use chartseal_algebra::error::Result;

pub const PUBLICS: [&str; 7] = [
    "trustRoot",
    "now",
    "policyHash",
    "scope",
    "context",
    "nullifier",
    "pseudonym",
];

pub struct Statement<const K: usize> {
    publics: [Fr; 7],
}

impl<const K: usize> Statement<K> {
    pub fn new(inputs: &inputs::Anonymous, secret: &SecretScalar) -> Result<Self> {
        let _ = (inputs, secret);
        Ok(Self::blank())
    }

    pub fn blank() -> Self {
        Self {
            publics: [Fr::from(0u64); 7],
        }
    }

    pub fn describe(&self, system: &mut System) {
        for value in self.publics {
            system.public(value);
        }
    }
}
