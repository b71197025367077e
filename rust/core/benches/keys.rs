//! Microseconds of the key operations, one `name value` a line; `benches/keys.py` sets them beside their peers.

use chartseal_core::babyjub::Point;
use chartseal_core::poseidon::{self, Fr};
use chartseal_core::wallet::Wallet;
use chartseal_core::{delivery, eddsa};
use light_poseidon::{Poseidon, PoseidonHasher};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: u32 = 2_000;

/// Prints the best of five means, since other work on the machine only ever adds.
fn time<T>(name: &str, mut run: impl FnMut() -> T) {
    run();
    let mean = |_| {
        let begun = Instant::now();
        for _ in 0..ROUNDS / 5 {
            black_box(run());
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS / 5)
    };
    let best = (0..5).map(mean).fold(f64::INFINITY, f64::min);
    println!("{name} {best:.2}");
}

fn main() {
    for count in [2, 4, 5] {
        let inputs: Vec<Fr> = (0..count).map(|i| poseidon::hash(&[Fr::from(i)])).collect();
        let mut peer = Poseidon::<Fr>::new_circom(count as usize).expect("a width it has");
        time(&format!("poseidon_{count}"), || poseidon::hash(black_box(&inputs)));
        time(&format!("light_poseidon_{count}"), || {
            peer.hash(black_box(&inputs)).expect("the right count")
        });
    }
    let wallet = Wallet::from_seed(&[0x22; 64]).expect("a wallet");
    let address = wallet.address(0, 0).expect("an address");
    let (public, message) = (wallet.spend().public(), Fr::from(42));
    let signature = eddsa::sign(wallet.spend(), message).expect("a signature");
    let enc = delivery::deliver(&address).expect("a delivery").enc;
    let view_secret = wallet.view_secret(0, 0);
    time("unpack_point", || Point::unpack(black_box(&public.pack())));
    time("sign", || eddsa::sign(wallet.spend(), message));
    time("verify", || eddsa::verify(&public, message, &signature));
    time("deliver", || delivery::deliver(&address));
    time("receive", || delivery::receive(&view_secret, &address, &enc));
}
