//! linked-K: the claims under an opened root satisfy a policy.

use crate::inputs;
use crate::system::System;
use ark_bn254::Fr;
use chartseal_algebra::error::Result;

pub const PUBLICS: [&str; 3] = ["claimsRoot", "policyHash", "context"];

pub struct Statement<const K: usize> {
    publics: [Fr; 3],
}

impl<const K: usize> Statement<K> {
    pub fn new(inputs: &inputs::Linked, _: ()) -> Result<Self> {
        let _ = inputs;
        Ok(Self::blank())
    }

    pub fn blank() -> Self {
        Self {
            publics: [Fr::from(0u64); 3],
        }
    }

    pub fn describe(&self, system: &mut System) {
        for value in self.publics {
            system.public(value);
        }
    }
}
