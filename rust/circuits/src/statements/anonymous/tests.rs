//! Attacks by witnesses that no honest type holds: each is refused by the part named.

#[path = "../../../tests/common/mod.rs"]
mod common;

use super::*;
use crate::system::Shape;
use ark_ff::{BigInt, BigInteger, Field};
use chartseal_algebra::babyjub::Scalar;
use common::World;
use std::sync::LazyLock;

static SHAPE: LazyLock<Shape> = LazyLock::new(|| {
    let mut system = System::with_constraints();
    Statement::<1>::blank().describe(&mut system);
    system.into_shape()
});

fn statement(world: &World) -> Statement<1> {
    let inputs = world.inputs().to_string();
    Statement::new(&inputs::read(inputs.as_bytes()).unwrap(), &common::secret(world.holder)).unwrap()
}

/// The part that refuses a statement after a change and what follows from it in public; none where nothing does.
fn refusal(world: &World, change: impl Fn(&mut Statement<1>)) -> Option<&'static str> {
    let mut statement = statement(world);
    change(&mut statement);
    statement.publish();
    let mut system = System::witness();
    statement.describe(&mut system);
    common::unsatisfied(&SHAPE, system.into_assignment().values())
}

/// A statement about what the issuer signed, whatever it is.
fn signed(world: &World, change: impl Fn(&mut Credential)) -> Option<&'static str> {
    refusal(world, |statement| {
        change(&mut statement.credential);
        let credential = &statement.credential;
        let (word, position) = credential.place;
        let message = native::hash(&[
            tags::CRED,
            credential.attester,
            credential.list,
            Fr::from(WORD_BITS as u64 * u64::from(word) + u64::from(position)),
            world.claims_root(),
            common::commitment(world.holder),
            credential.claim_id,
            credential.uses,
            credential.sealed_at,
            credential.expiry,
        ]);
        let signature = chartseal_algebra::eddsa::sign(&common::secret(world.signer), message).unwrap();
        statement.signature = Signature::read(&signature).unwrap();
    })
}

fn world() -> World {
    World::new(3, 1)
}

#[test]
fn what_is_signed_is_what_counts() {
    assert_eq!(refusal(&world(), |_| ()), None);
    assert_eq!(signed(&world(), |_| ()), None);
    assert_eq!(signed(&world(), |credential| credential.claim_id = -Fr::ONE), None);
    assert_eq!(
        refusal(&world(), |statement| statement.credential.claim_id += Fr::ONE),
        Some("signature")
    );
}

/// s + k·ℓ has the same point, so the same commitment, and another nullifier.
#[test]
fn a_spend_secret_split_another_way_is_refused() {
    let mut secret = statement(&world()).secret;
    for _ in 0..8 {
        secret.add_with_carry(&Scalar::MODULUS);
        assert!(refusal(&world(), |statement| statement.secret = secret).is_some());
    }
    // One that fits 251 bits: the bits' comparison alone refuses it.
    let small = (1u64..).map(|holder| World { holder, ..world() }).find(|world| {
        let mut secret = common::secret(world.holder).scalar().into_bigint();
        secret.add_with_carry(&Scalar::MODULUS);
        secret.num_bits() == 251
    });
    let mut small = small.unwrap();
    small.claims[0].1 = common::commitment(small.holder);
    assert_eq!(refusal(&small, |_| ()), None);
    let add = |statement: &mut Statement<1>| assert!(!statement.secret.add_with_carry(&Scalar::MODULUS));
    assert_eq!(refusal(&small, add), Some("secret"));
}

#[test]
fn a_spend_secret_plus_the_fields_order_is_refused() {
    let add = |statement: &mut Statement<1>| assert!(!statement.secret.add_with_carry(&Fr::MODULUS));
    assert!(refusal(&world(), add).is_some());
}

#[test]
fn no_secret_is_refused() {
    assert_eq!(
        refusal(&world(), |statement| statement.secret = BigInt::from(0u64)),
        Some("secret")
    );
    assert_eq!(
        refusal(&world(), |statement| statement.secret = Scalar::MODULUS),
        Some("secret")
    );
}

#[test]
fn a_signature_with_another_form_of_its_response_is_refused() {
    let add = |statement: &mut Statement<1>| assert!(!statement.signature.response.add_with_carry(&Scalar::MODULUS));
    assert_eq!(refusal(&world(), add), Some("signature"));
}

#[test]
fn points_that_are_none_are_refused() {
    let off = |statement: &mut Statement<1>| statement.signature.commitment.1 += Fr::ONE;
    assert_eq!(refusal(&world(), off), Some("signature"));
    let identity = |statement: &mut Statement<1>| statement.signature.commitment = (Fr::ZERO, Fr::ONE);
    assert_eq!(refusal(&world(), identity), Some("signature"));
    for key in [
        (Fr::ZERO, Fr::ONE),
        (Fr::ZERO, -Fr::ONE),
        (Fr::ZERO, Fr::ZERO),
        (Fr::ONE, Fr::ONE),
    ] {
        assert_eq!(refusal(&world(), |statement| statement.key = key), Some("signature"));
    }
}

/// What an issuer may sign but no wallet accepts: −1 is neither before nor after anything, nor 2^64.
#[test]
fn times_wider_than_they_may_be_are_refused() {
    let wide = Fr::from(2u64).pow([64]);
    for value in [-Fr::ONE, wide, -Fr::from(u64::MAX)] {
        assert_eq!(
            signed(&world(), |credential| credential.sealed_at = value),
            Some("time")
        );
        assert_eq!(
            refusal(&world(), |statement| statement.public.now = value),
            Some("time")
        );
    }
    for value in [-Fr::ONE, Fr::from(world().now - 1), Fr::ZERO] {
        assert_eq!(signed(&world(), |credential| credential.expiry = value), Some("time"));
    }
    assert_eq!(
        signed(&world(), |credential| credential.expiry = Fr::from(u64::MAX)),
        None
    );
    assert_eq!(signed(&world(), |credential| credential.sealed_at = Fr::ZERO), None);
}

/// −1 is below 3, and would be a fourth use.
#[test]
fn uses_wider_than_they_may_be_are_refused() {
    for value in [-Fr::ONE, Fr::from(3u64), Fr::from(1u64 << 16), -Fr::from(65_533u64)] {
        assert_eq!(refusal(&world(), |statement| statement.number = value), Some("use"));
    }
    for value in [0u64, 1, 2] {
        assert_eq!(refusal(&world(), |statement| statement.number = Fr::from(value)), None);
    }
    for value in [-Fr::ONE, Fr::ZERO, Fr::ONE] {
        assert_eq!(signed(&world(), |credential| credential.uses = value), Some("use"));
    }
}

/// Index 255 is bit 5 of word 1, revoked. Word 0 with position 255 gives the same index, and bits 250 to 255 read revoked.
#[test]
fn an_aliased_index_is_refused() {
    let mut world = world();
    world.credential.index = 255;
    assert_eq!(refusal(&world, |_| ()), None);
    world.issuers[world.issuer].revoke(255);
    assert_eq!(refusal(&world, |_| ()), Some("status"));
    let issuer = &world.issuers[world.issuer];
    let path = native::tree_path(&issuer.words, TREE_DEPTH, 0);
    let first = inputs::Status {
        word: Element(issuer.words[0]),
        path: std::array::from_fn(|level| path[level].map(Element)),
    };
    let alias = |statement: &mut Statement<1>| {
        statement.credential.place = (0, 255);
        statement.status = first.clone();
    };
    assert_eq!(refusal(&world, alias), Some("status"));
}

/// Digits of paths are two bits each: a bit of 2 or 3 would name a fifth child.
#[test]
fn digits_over_three_are_refused() {
    let mut system = System::witness();
    statement(&world()).describe(&mut system);
    let values = system.into_assignment().values().to_vec();
    // The place's twenty bits follow attester and list.
    let credential = SHAPE.parts.iter().find(|(_, _, name)| *name == "credential").unwrap().0;
    for bit in credential + 2..credential + 22 {
        for digit in [2u64, 3, 4] {
            let mut changed = values.clone();
            changed[bit] = Fr::from(digit);
            assert_eq!(common::unsatisfied(&SHAPE, &changed), Some("credential"));
        }
    }
}
