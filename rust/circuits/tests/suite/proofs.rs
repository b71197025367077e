//! Every circuit proved and verified under a key of its own, and by no other circuit's.

use crate::common::{World, secret};
use chartseal_algebra::babyjub::field_to_be_bytes;
use chartseal_circuits::Circuit;
use chartseal_circuits::groth16::verifier::write_proof;
use chartseal_circuits::groth16::{Control, Prover, key, setup};
use serde_json::json;

fn inputs(circuit: Circuit, world: &World) -> Vec<u8> {
    let json = match circuit {
        Circuit::Holder => world.holder_inputs(),
        Circuit::Anonymous1 | Circuit::Anonymous4 => world.inputs(),
        Circuit::Linked1 | Circuit::Linked4 => {
            let all = world.inputs();
            json!({"context": all["context"], "predicates": all["predicates"]})
        }
    };
    json.to_string().into_bytes()
}

fn is_proved(circuit: Circuit) {
    let shape = circuit.shape();
    let made = setup::development_key(circuit.name(), shape, b"a test's seed");
    let file = key::write(circuit.name(), shape, &made);
    let prover = Prover::new(circuit.name(), shape, &file).unwrap();
    let slots = if circuit.name().ends_with("-4") { 4 } else { 1 };
    let world = World::new(3, slots);
    let secret = (!circuit.name().starts_with("linked")).then(|| secret(world.holder));
    let assignment = circuit.assign(&inputs(circuit, &world), secret.as_ref()).unwrap();
    let proof = write_proof(&prover.prove(&assignment, &Control::default()).unwrap());
    let publics: Vec<_> = assignment.publics().iter().map(field_to_be_bytes).collect();
    assert_eq!(prover.verifier().verify(&publics, &proof), Ok(()));
    for at in 0..publics.len() {
        let mut altered = publics.clone();
        altered[at][31] ^= 1;
        let refused = prover.verifier().verify(&altered, &proof).unwrap_err();
        assert_eq!(refused.code, "proof_invalid", "{}", circuit.publics()[at]);
    }
    for other in Circuit::ALL.into_iter().filter(|other| *other != circuit) {
        let refused = Prover::new(other.name(), other.shape(), &file).err().expect("refused");
        assert_eq!(refused.code, "key_other_circuit");
    }
}

#[test]
fn holder_is_proved() {
    is_proved(Circuit::Holder);
}

#[test]
fn linked_is_proved() {
    is_proved(Circuit::Linked1);
    is_proved(Circuit::Linked4);
}

#[test]
fn anonymous_1_is_proved() {
    is_proved(Circuit::Anonymous1);
}

#[test]
fn anonymous_4_is_proved() {
    is_proved(Circuit::Anonymous4);
}

/// Whose salts and path are known proves nothing about the record without its holder's secret: another secret leads to another
/// root, which no issuer signed.
#[test]
fn another_secret_leads_to_another_root() {
    let (circuit, world) = (Circuit::Holder, World::new(3, 1));
    let root = |holder: u64| {
        let assignment = circuit.assign(&inputs(circuit, &world), Some(&secret(holder))).unwrap();
        assignment.publics()[0]
    };
    assert_eq!(root(world.holder), world.claims_root());
    assert_ne!(root(1), world.claims_root());
}
