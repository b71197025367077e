//! Microseconds a resource of each step of sealing, over the NDJSON lines of standard input; one core.

use chartseal_core::abi::leaf_hash;
use chartseal_core::fhir::{self, Resource, Rules};
use chartseal_core::field::Field;
use chartseal_core::hash::SeedSalts;
use chartseal_core::seal::{Issuer, Order, Recipient, prepare};
use chartseal_core::secp::Secret;
use chartseal_core::wallet::Wallet;
use chartseal_core::{claims, delivery, slots, tree};
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

/// Prints what `step` takes for each of `items`, in microseconds.
fn time<T, R>(name: &str, items: &[T], mut step: impl FnMut(&T) -> R) {
    let start = Instant::now();
    for item in items {
        black_box(step(item));
    }
    println!("{name} {}", start.elapsed().as_secs_f64() * 1e6 / items.len() as f64);
}

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("UTF-8 lines");
    let lines: Vec<&str> = input.lines().collect();
    let rules = Rules::default();
    let read = |line: &&str| fhir::read(line.as_bytes(), &rules);
    let resources: Vec<Resource> = lines.iter().filter_map(|line| read(line).ok()).collect();
    let recipient = Recipient::new(
        &Wallet::from_seed(&[0x22; 64])
            .and_then(|w| w.address(0, 0))
            .expect("a wallet")
            .to_bytes(),
    )
    .expect("an address");
    let issuer = Issuer::new([1; 32], [3; 20], [2; 32], String::new());
    let order = Order {
        full_url: "",
        time: 1_798_675_200,
        expiration: 0,
        amends: [0; 32],
        claim_id: None,
        entries: &[],
        seed: None,
        ikm: None,
    };
    let secret = Secret::new(&[0x11; 32]).expect("a key");
    time("read", &lines, read);
    time("slots", &resources, |r| slots::compute(&r.resource_type, &r.fields));
    let lift = |r: &Resource| claims::lift(&r.resource_type, "patient", &r.fields, recipient.holder, false);
    time("lift", &resources, lift);
    time("lift_and_root", &resources, |r| {
        claims::root(&lift(r).claims, &SeedSalts::new(&[3; 32]))
    });
    time("salts_and_leaves", &resources, |r| {
        let salts = SeedSalts::new(&[3; 32]);
        let leaf = |field: &Field| leaf_hash(field, &salts.field(&field.name));
        tree::root(&r.fields.iter().map(leaf).collect::<Vec<_>>())
    });
    time("deliver", &resources, |_| delivery::deliver(&recipient.address));
    time("prepare", &resources, |r| {
        prepare(
            &r.resource_type,
            r.fields.clone(),
            r.test,
            &order,
            &recipient,
            &issuer,
            &|_| None,
        )
        .map(|u| u.uid)
    });
    time("sign", &resources, |_| secret.sign(&[7; 32]));
}
