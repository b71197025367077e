//! anonymous-K from a made-up world to satisfied constraints, and every attack on it, named, as an unsatisfied witness.

mod common;

use chartseal_circuits::Fr;
use common::World;

/// The part that refuses what `prover` holds where a verifier expects `publics`; none where all is well.
fn refusal(prover: &World, publics: &[Fr; 7]) -> Option<&'static str> {
    let values = common::values(prover.circuit(), &prover.inputs(), prover.holder, publics);
    common::unsatisfied(prover.circuit().shape(), &values)
}

/// The verifier knows the world as it is.
fn judge(world: &World) -> Option<&'static str> {
    refusal(world, &world.publics())
}

#[test]
fn presentations_of_records_satisfy() {
    for seed in 0..4 {
        for slots in [1, 2, 3, 4] {
            let world = World::new(seed, slots);
            assert_eq!(judge(&world), None, "{seed} {slots}");
            let secret = common::secret(world.holder);
            let assignment = world
                .circuit()
                .assign(world.inputs().to_string().as_bytes(), Some(&secret))
                .unwrap();
            assert_eq!(assignment.publics(), world.publics());
        }
    }
}
