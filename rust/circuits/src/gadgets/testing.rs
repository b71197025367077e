//! What the gadgets' tests share: a gadget run both ways, and witnesses tampered with.

use crate::Fr;
use crate::system::{Num, Shape, System};
use chartseal_algebra::poseidon;

pub struct Gadget {
    pub shape: Shape,
    pub values: Vec<Fr>,
    pub output: Fr,
}

/// A random field element for each seed.
pub fn random(seed: u64) -> Fr {
    poseidon::hash(&[Fr::from(seed), Fr::from(0x7e57u64)])
}

/// Runs a description for its constraints and for its witness, without judging the witness.
pub fn run(describe: impl Fn(&mut System) -> Num) -> Gadget {
    let mut system = System::with_constraints();
    let output = describe(&mut system).value();
    let shape = system.into_shape();
    let mut system = System::witness();
    describe(&mut system);
    let values = system.into_assignment().values().to_vec();
    assert_eq!(values.len(), shape.wires, "both runs make the same wires");
    Gadget { shape, values, output }
}

/// [`run`], requiring that the witness satisfies the constraints.
pub fn check(describe: impl Fn(&mut System) -> Num) -> Gadget {
    let gadget = run(describe);
    assert_eq!(gadget.shape.unsatisfied(&gadget.values), None);
    gadget
}

/// Whether a description's witness satisfies its constraints.
pub fn holds(describe: impl Fn(&mut System)) -> bool {
    let gadget = run(|system| {
        describe(system);
        Num::zero()
    });
    gadget.shape.unsatisfied(&gadget.values).is_none()
}

impl Gadget {
    /// The wires whose change by itself leaves every constraint satisfied: changed by one, negated, or at random.
    pub fn free_wires(&self) -> Vec<usize> {
        let mut touching = vec![Vec::new(); self.values.len()];
        for constraint in &self.shape.constraints {
            let terms = constraint.a.iter().chain(&constraint.b).chain(&constraint.c);
            terms.for_each(|(wire, _)| touching[*wire as usize].push(constraint.clone()));
        }
        let mut survives = |wire: &usize| {
            let value = self.values[*wire];
            let shape = Shape {
                constraints: std::mem::take(&mut touching[*wire]),
                ..Shape::default()
            };
            let mut changed = self.values.clone();
            [value + Fr::from(1u64), -value, random(*wire as u64)]
                .into_iter()
                .any(|other| {
                    changed[*wire] = other;
                    other != value && shape.unsatisfied(&changed).is_none()
                })
        };
        (1..self.values.len()).filter(&mut survives).collect()
    }
}
