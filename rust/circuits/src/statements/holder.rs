//! holder: one wallet's secret stands behind a record's claims and behind a pseudonym.

use crate::inputs;
use crate::system::System;
use ark_bn254::Fr;
use chartseal_algebra::babyjub::SecretScalar;

pub const PUBLICS: [&str; 3] = ["claimsRoot", "context", "pseudonym"];

pub struct Statement {
    publics: [Fr; 3],
}

impl Statement {
    pub fn new(inputs: &inputs::Holder, secret: &SecretScalar) -> Self {
        let _ = (inputs, secret);
        Self::blank()
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
