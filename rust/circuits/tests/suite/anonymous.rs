//! anonymous-K from a made-up world to satisfied constraints, and every attack on it, named, as an unsatisfied witness.

use crate::common::{self, WORD_BITS, World, hex};
use chartseal_algebra::babyjub::field_to_be_bytes;
use chartseal_circuits::inputs::to_hex;
use chartseal_circuits::{Circuit, Fr};
use serde_json::{Value, json};

/// The part that refuses what `prover` holds where a verifier expects `publics`; none where all is well.
fn refusal(prover: &World, publics: &[Fr; 7]) -> Option<&'static str> {
    let values = common::values(prover.circuit(), &prover.inputs(), prover.holder, publics);
    common::unsatisfied(prover.circuit().shape(), &values)
}

/// The verifier knows the world as it is.
fn judge(world: &World) -> Option<&'static str> {
    refusal(world, &world.publics())
}

/// The part that refuses inputs where a verifier expects the world as it is.
fn given(world: &World, inputs: &Value) -> Option<&'static str> {
    let values = common::values(world.circuit(), inputs, world.holder, &world.publics());
    common::unsatisfied(world.circuit().shape(), &values)
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

/// A revocation elsewhere in the list is nobody else's.
#[test]
fn other_revocations_change_nothing() {
    let mut world = World::new(1, 1);
    let (issuer, index) = (world.issuer, world.credential.index);
    for other in [index - 1, index + 1, index + WORD_BITS, index + 3 * WORD_BITS] {
        world.issuers[issuer].revoke(other);
    }
    assert_eq!(judge(&world), None);
}

#[test]
fn limits_are_met() {
    let mut world = World::new(1, 1);
    world.now = world.credential.expiry;
    world.issuers[1].not_after = world.credential.sealed_at;
    world.number = world.credential.uses - 1;
    assert_eq!(judge(&world), None);
    (world.credential.expiry, world.issuers[1].not_after) = (u64::MAX, u64::MAX);
    (world.credential.uses, world.number) = (u16::MAX, u16::MAX - 1);
    assert_eq!(judge(&world), None);
}

#[test]
fn a_withdrawn_issuer_is_refused() {
    let before = World::new(1, 1);
    let mut after = before.clone();
    after.issuers.remove(before.issuer);
    assert_eq!(refusal(&before, &after.publics()), Some("issuer"));
}

#[test]
fn an_issuer_that_was_never_accredited_is_refused() {
    let world = World::new(1, 1);
    let mut made_up = world.clone();
    made_up.signer = 99;
    made_up.issuers[1].key = common::secret(99).public().coordinates();
    assert_eq!(judge(&made_up), None);
    assert_eq!(refusal(&made_up, &world.publics()), Some("issuer"));
}

/// Mallory registers the key of an honest issuer, with a list of its own on which nothing is revoked.
#[test]
fn another_issuers_key_copied_is_refused() {
    let mut world = World::new(1, 1);
    let mut mallory = common::issuer(1, 77);
    (mallory.key, mallory.list) = (world.issuers[1].key, world.issuers[1].list);
    world.issuers.push(mallory);
    world.issuers[1].revoke(world.credential.index);
    assert_eq!(judge(&world), Some("status"));
    let mut copied = world.clone();
    copied.issuer = 7;
    let mut inputs = copied.inputs();
    assert_eq!(given(&copied, &inputs), Some("issuer"));
    inputs["credential"]["attester"] = json!(hex(world.issuers[7].attester));
    assert_eq!(given(&copied, &inputs), Some("signature"));
}

/// The issuer's next list is empty still; the credential is of the one before, where it is revoked.
#[test]
fn a_second_list_is_refused() {
    let mut world = World::new(1, 1);
    let mut next = world.issuers[1].clone();
    next.list += 1;
    world.issuers.push(next);
    world.issuers[1].revoke(world.credential.index);
    let mut other = world.clone();
    other.issuer = 7;
    let mut inputs = other.inputs();
    assert_eq!(given(&other, &inputs), Some("issuer"));
    inputs["credential"]["list"] = json!(world.issuers[7].list);
    assert_eq!(given(&other, &inputs), Some("signature"));
}

#[test]
fn a_revoked_credential_is_refused() {
    for index in [0, 249, 250, 1_249] {
        let mut world = World::new(1, 1);
        world.credential.index = index;
        assert_eq!(judge(&world), None);
        world.issuers[1].revoke(index);
        assert_eq!(judge(&world), Some("status"));
    }
}

/// The list from before the revocation, under today's trust root.
#[test]
fn a_stale_status_list_is_refused() {
    let before = World::new(1, 1);
    let mut after = before.clone();
    after.issuers[1].revoke(before.credential.index);
    assert_eq!(refusal(&before, &after.publics()), Some("issuer"));
}

/// Another index of the list, which is not revoked.
#[test]
fn another_index_is_refused() {
    let mut world = World::new(1, 1);
    let index = world.credential.index;
    world.issuers[1].revoke(index);
    let mut inputs = world.inputs();
    inputs["credential"]["index"] = json!(index + 1);
    assert_eq!(given(&world, &inputs), Some("signature"));
}

#[test]
fn an_expired_credential_is_refused() {
    let mut world = World::new(1, 1);
    world.now = world.credential.expiry + 1;
    assert_eq!(judge(&world), Some("time"));
    let mut backdated = world.clone();
    backdated.now = world.credential.expiry;
    assert_eq!(refusal(&backdated, &world.publics()), Some("time"));
}

#[test]
fn a_seal_after_its_issuers_time_is_refused() {
    let mut world = World::new(1, 1);
    world.issuers[1].not_after = world.credential.sealed_at - 1;
    assert_eq!(judge(&world), Some("time"));
    let mut inputs = world.inputs();
    inputs["issuer"]["notAfter"] = json!(u64::MAX);
    assert_eq!(given(&world, &inputs), Some("issuer"));
    let mut inputs = world.inputs();
    inputs["credential"]["sealedAt"] = json!(world.credential.sealed_at - 1);
    assert_eq!(given(&world, &inputs), Some("signature"));
}

#[test]
fn a_use_beyond_the_last_is_refused() {
    for (uses, number, refused) in [
        (1, 0, None),
        (1, 1, Some("use")),
        (3, 3, Some("use")),
        (0, 0, Some("use")),
    ] {
        let mut world = World::new(1, 1);
        (world.credential.uses, world.number) = (uses, number);
        assert_eq!(judge(&world), refused, "{uses} {number}");
    }
    let world = World::new(1, 1);
    let mut inputs = world.inputs();
    inputs["credential"]["uses"] = json!(100);
    assert_eq!(given(&world, &inputs), Some("signature"));
}

#[test]
fn a_second_nullifier_of_one_use_is_refused() {
    let world = World::new(1, 1);
    let mut again = world.clone();
    again.credential.claim_id += Fr::from(1u64);
    let mut inputs = world.inputs();
    inputs["credential"]["claimId"] = json!(hex(again.credential.claim_id));
    let values = common::values(world.circuit(), &inputs, world.holder, &again.publics());
    assert_eq!(common::unsatisfied(world.circuit().shape(), &values), Some("signature"));
    assert_eq!(refusal(&world, &again.publics()), Some("use"));
    let mut third = world.clone();
    third.number += 1;
    assert_eq!(refusal(&world, &third.publics()), Some("use"));
}

#[test]
fn another_holders_record_is_refused() {
    let (world, mut thief) = (World::new(1, 1), World::new(1, 1));
    thief.holder += 1;
    let values = common::values(world.circuit(), &world.inputs(), thief.holder, &thief.publics());
    assert_eq!(common::unsatisfied(world.circuit().shape(), &values), Some("signature"));
}

/// Claims of one record under the credential of another.
#[test]
fn records_of_two_holders_are_refused() {
    let world = World::new(1, 1);
    let mut other = world.clone();
    other.holder += 1;
    other.claims[0].1 = common::commitment(other.holder);
    other.claims[4].1 += Fr::from(1u64);
    let mut inputs = world.inputs();
    inputs["predicates"] = other.inputs()["predicates"].clone();
    assert_eq!(given(&world, &inputs), Some("signature"));
    assert_ne!(world.publics()[6], other.publics()[6], "their pseudonyms differ");
    assert_eq!(
        refusal(&world, &{
            let mut publics = world.publics();
            publics[6] = other.publics()[6];
            publics
        }),
        Some("pseudonym")
    );
}

#[test]
fn a_claim_of_no_record_is_refused() {
    let world = World::new(1, 1);
    let mut inputs = world.inputs();
    inputs["predicates"][0]["claim"]["value"] = json!(hex(Fr::from(5_000u64)));
    assert_eq!(given(&world, &inputs), Some("signature"));
}

#[test]
fn values_outside_the_policy_are_refused() {
    for slot in [(3, 4, 4_002, u64::MAX), (3, 4, 0, 4_000), (1, 4, 4_000, 0)] {
        let mut world = World::new(1, 1);
        world.slots = vec![slot];
        assert!(judge(&world).is_some());
    }
}

/// What a verifier expects in any one place is not what was proved: another policy, scope, context, time, root; the
/// negative of each; 0.
#[test]
fn every_public_input_is_bound() {
    for slots in [1, 4] {
        let world = World::new(2, slots);
        let right = world.publics();
        for at in 0..7 {
            for other in [
                right[at] + Fr::from(1u64),
                right[at] - Fr::from(1u64),
                -right[at],
                Fr::from(0u64),
            ] {
                let mut publics = right;
                publics[at] = other;
                assert!(refusal(&world, &publics).is_some(), "{at}");
            }
        }
    }
}

fn refused_inputs(change: impl Fn(&mut Value)) -> &'static str {
    let world = World::new(1, 1);
    let mut inputs = world.inputs();
    change(&mut inputs);
    let secret = common::secret(world.holder);
    let result = world.circuit().assign(inputs.to_string().as_bytes(), Some(&secret));
    result.err().map_or("", |error| error.code)
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let packed = |bytes: [u8; 2]| {
        let mut point = [0; 32];
        (point[0], point[31]) = (bytes[0], bytes[1]);
        to_hex(&point)
    };
    let of_order_two = {
        let mut bytes = field_to_be_bytes(&-Fr::from(1u64));
        bytes.reverse();
        to_hex(&bytes)
    };
    for key in [packed([1, 0]), packed([1, 0x80]), packed([0, 0xff]), of_order_two] {
        assert_eq!(
            refused_inputs(|inputs| inputs["credential"]["key"] = json!(key)),
            "inputs_malformed"
        );
    }
    let (index, leaf) = (json!(1_024_000), json!(4_096));
    assert_eq!(
        refused_inputs(|inputs| inputs["credential"]["index"] = index.clone()),
        "inputs_malformed"
    );
    assert_eq!(
        refused_inputs(|inputs| inputs["issuer"]["index"] = leaf.clone()),
        "inputs_malformed"
    );
    let wide = json!(hex(Fr::from(ark_ff::BigInt::<4>([0, 0, 1 << 32, 0]))));
    assert_eq!(
        refused_inputs(|inputs| inputs["credential"]["attester"] = wide.clone()),
        "inputs_malformed"
    );
    let signature = json!(to_hex(&[0xff; 64]));
    assert_eq!(
        refused_inputs(|inputs| inputs["credential"]["signature"] = signature.clone()),
        "inputs_malformed"
    );
    assert_eq!(
        refused_inputs(|inputs| inputs["use"] = json!(65_536)),
        "inputs_malformed"
    );
    assert_eq!(
        refused_inputs(|inputs| inputs["predicates"] = json!([])),
        "inputs_malformed"
    );
    let twice = |inputs: &mut Value| {
        let predicate = inputs["predicates"][0].clone();
        inputs["predicates"] = json!([predicate.clone(), predicate]);
    };
    assert_eq!(refused_inputs(twice), "inputs_malformed");
    assert_eq!(refused_inputs(|_| ()), "");
    let world = World::new(1, 1);
    let error = world
        .circuit()
        .assign(world.inputs().to_string().as_bytes(), None)
        .err()
        .unwrap();
    assert_eq!(error.code, "secret_missing");
}

#[test]
fn one_holder_has_one_pseudonym_in_a_context() {
    let (first, mut second) = (World::new(1, 1), World::new(2, 1));
    (second.holder, second.context) = (first.holder, first.context);
    second.claims[0].1 = common::commitment(second.holder);
    assert_eq!(judge(&second), None);
    assert_eq!(first.publics()[6], second.publics()[6]);
    let holder = |world: &World| {
        let publics = [world.claims_root(), world.context, world.publics()[6]];
        let values = common::values(Circuit::Holder, &world.holder_inputs(), world.holder, &publics);
        common::unsatisfied(Circuit::Holder.shape(), &values)
    };
    assert_eq!((holder(&first), holder(&second)), (None, None));
    let mut other = second.clone();
    other.holder += 1;
    assert_eq!(holder(&other), Some("claim"));
}
