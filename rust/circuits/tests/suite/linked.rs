//! linked-K from its inputs in JSON to satisfied constraints, and what its inputs may not be.

use ark_ff::Field;
use chartseal_algebra::babyjub::{SecretScalar, field_to_be_bytes};
use chartseal_algebra::{poseidon, tags};
use chartseal_circuits::inputs::to_hex;
use chartseal_circuits::{Circuit, Fr};
use serde_json::{Value, json};

fn hex(element: Fr) -> String {
    to_hex(&field_to_be_bytes(&element))
}

fn path(leaves: &[Fr], depth: usize, index: usize) -> Vec<[String; 3]> {
    let path = poseidon::tree_path(leaves, depth, index);
    path.into_iter().map(|siblings| siblings.map(hex)).collect()
}

fn int(value: u64) -> Fr {
    Fr::from(value)
}

/// Claims of key 1000 + i, value 10 i and salt 5000 + i.
fn claim_leaves() -> Vec<Fr> {
    (0..20)
        .map(|i| poseidon::hash(&[tags::CLAIM, int(1000 + i), int(10 * i), int(5000 + i)]))
        .collect()
}

/// (low, high) of the set of 30 and 50.
fn pairs() -> [(Fr, Fr); 3] {
    let end = int(2).pow([248]) + int(1);
    [(int(0), int(31)), (int(31), int(51)), (int(51), end)]
}

fn set_leaves() -> Vec<Fr> {
    pairs()
        .iter()
        .map(|(low, high)| poseidon::hash(&[tags::SET, *low, *high]))
        .collect()
}

fn predicate(op: u8, claim: u64, lo: u64, hi: u64, neighbours: Option<usize>) -> Value {
    let set = neighbours.map(|at| {
        let (low, high) = pairs()[at];
        json!({"index": at, "low": hex(low), "high": hex(high), "path": path(&set_leaves(), 6, at)})
    });
    let set_root = neighbours.map_or(int(0), |_| poseidon::tree_root(&set_leaves(), 6));
    json!({
        "op": op, "key": hex(int(1000 + claim)), "lo": hex(int(lo)), "hi": hex(int(hi)), "setRoot": hex(set_root),
        "claim": {
            "index": claim, "key": hex(int(1000 + claim)), "value": hex(int(10 * claim)),
            "salt": hex(int(5000 + claim)), "path": path(&claim_leaves(), 3, claim as usize),
        },
        "set": set,
    })
}

fn equal() -> Value {
    predicate(1, 4, 40, 40, None)
}

fn every_operation() -> [Value; 5] {
    [
        equal(),
        predicate(2, 4, 41, 41, None),
        predicate(3, 4, 40, 49, None),
        predicate(4, 5, 0, 0, Some(2)),
        predicate(5, 4, 0, 0, Some(1)),
    ]
}

fn inputs(predicates: &[Value]) -> Vec<u8> {
    json!({"context": hex(int(77)), "predicates": predicates})
        .to_string()
        .into_bytes()
}

fn slot_hash(predicate: &Value) -> Fr {
    let element = |name: &str| {
        let text = predicate[name].as_str().unwrap();
        serde_json::from_value::<chartseal_circuits::inputs::Element>(json!(text))
            .unwrap()
            .0
    };
    let op = int(predicate["op"].as_u64().unwrap());
    poseidon::hash(&[
        tags::SLOT,
        op,
        element("key"),
        element("lo"),
        element("hi"),
        element("setRoot"),
    ])
}

fn empty_hash() -> Fr {
    poseidon::hash(&[tags::SLOT, int(0), int(0), int(0), int(0), int(0)])
}

fn satisfies(circuit: Circuit, predicates: &[Value]) -> bool {
    let assignment = circuit.assign(&inputs(predicates), None).unwrap();
    let claims_root = poseidon::tree_root(&claim_leaves(), 3);
    assert_eq!(
        (assignment.publics()[0], assignment.publics()[2]),
        (claims_root, int(77))
    );
    circuit.shape().unsatisfied(assignment.values()).is_none()
}

#[test]
fn every_operation_is_proved() {
    let operations = every_operation();
    let member = predicate(4, 3, 0, 0, Some(0));
    assert!(
        !satisfies(Circuit::Linked1, &[member]),
        "30 + 1 is the low of the next leaf"
    );
    for (at, operation) in operations.iter().enumerate() {
        let assignment = Circuit::Linked1
            .assign(&inputs(std::slice::from_ref(operation)), None)
            .unwrap();
        assert_eq!(assignment.publics()[1], slot_hash(operation));
        assert_eq!(Circuit::Linked1.shape().unsatisfied(assignment.values()), None, "{at}");
    }
    for used in 2..=4 {
        let slots = &operations[..used];
        let assignment = Circuit::Linked4.assign(&inputs(slots), None).unwrap();
        let mut hashes: Vec<Fr> = slots.iter().map(slot_hash).collect();
        hashes.resize(4, empty_hash());
        assert_eq!(
            assignment.publics()[1],
            poseidon::hash(&[&[tags::POLICY], &hashes[..]].concat())
        );
        assert_eq!(
            Circuit::Linked4.shape().unsatisfied(assignment.values()),
            None,
            "{used}"
        );
    }
    let mut reordered = operations[1..].to_vec();
    reordered.reverse();
    assert!(satisfies(Circuit::Linked4, &reordered));
}

#[test]
fn what_does_not_hold_is_not_proved() {
    for wrong in [
        predicate(1, 4, 41, 41, None),
        predicate(2, 4, 40, 40, None),
        predicate(3, 4, 41, 49, None),
        predicate(3, 4, 49, 30, None),
        predicate(4, 4, 0, 0, Some(1)),
        predicate(5, 5, 0, 0, Some(1)),
        predicate(5, 5, 0, 0, Some(2)),
    ] {
        assert!(
            !satisfies(Circuit::Linked1, std::slice::from_ref(&wrong)),
            "{}",
            wrong["op"]
        );
        assert!(!satisfies(Circuit::Linked4, &[equal(), wrong]));
    }
}

/// The constraints do not leave the context to whoever has a proof: it stands in a constraint of its own, with no other wire.
#[test]
fn the_context_stands_in_a_constraint_of_its_own() {
    for circuit in [Circuit::Linked1, Circuit::Linked4] {
        let context: Vec<_> = circuit
            .shape()
            .constraints
            .iter()
            .filter(|each| {
                let terms = [&each.a, &each.b, &each.c];
                terms.iter().any(|terms| terms.iter().any(|(wire, _)| *wire == 3))
            })
            .collect();
        assert_eq!(context.len(), 1);
        assert_eq!((context[0].a.len(), context[0].b.len(), context[0].c.len()), (1, 0, 0));
    }
}

#[test]
fn public_inputs_are_the_witnesss() {
    let assignment = Circuit::Linked1.assign(&inputs(&[equal()]), None).unwrap();
    for public in [1, 2] {
        let mut values = assignment.values().to_vec();
        values[public] += int(1);
        assert!(Circuit::Linked1.shape().unsatisfied(&values).is_some());
    }
}

fn refusal(circuit: Circuit, predicates: &[Value]) -> &'static str {
    circuit
        .assign(&inputs(predicates), None)
        .err()
        .expect("malformed inputs")
        .code
}

#[test]
fn other_numbers_of_predicates_are_refused() {
    let many = |count| vec![equal(); count];
    for count in [0, 2, 4] {
        assert_eq!(refusal(Circuit::Linked1, &many(count)), "inputs_malformed");
    }
    for count in [0, 1, 5] {
        assert_eq!(refusal(Circuit::Linked4, &many(count)), "inputs_malformed");
    }
}

#[test]
fn malformed_predicates_are_refused() {
    let changed = |pointer: &str, value: Value| {
        let mut predicate = every_operation()[4].clone();
        *predicate.pointer_mut(pointer).unwrap() = value;
        refusal(Circuit::Linked1, &[predicate])
    };
    for (pointer, value) in [
        ("/op", json!(0)),
        ("/op", json!(6)),
        ("/op", json!(1)),
        ("/op", json!(256)),
        ("/op", json!("5")),
        ("/set", Value::Null),
        ("/set/index", json!(4096)),
        ("/claim/index", json!(64)),
        ("/claim/key", json!(hex(int(1)))),
        ("/claim/path", json!([])),
        ("/lo", json!("0x01")),
    ] {
        assert_eq!(changed(pointer, value), "inputs_malformed", "{pointer}");
    }
    assert_eq!(refusal(Circuit::Linked1, &[json!({})]), "inputs_malformed");
}

#[test]
fn linked_statements_take_no_secret() {
    let secret = SecretScalar::generate().unwrap();
    let refused = Circuit::Linked1.assign(&inputs(&[equal()]), Some(&secret));
    assert_eq!(refused.err().unwrap().code, "secret_needless");
}
