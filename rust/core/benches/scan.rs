//! Seconds of scanning `CHARTSEAL_BENCH_ANNOUNCEMENTS` for one address, and of X25519 alone by the same library on as
//! many keys, both over all cores; `benches/scanning.py` sets them beside each other.

use chartseal_core::view::{ANNOUNCEMENT, ViewKey};
use chartseal_core::wallet::Wallet;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;
use x25519_dalek::{PublicKey, StaticSecret};

const ROUNDS: usize = 3;

/// Prints the best of some runs, since other work on the machine only ever adds.
fn time(name: &str, run: impl Fn() -> usize) {
    let seconds = |_| {
        let begun = Instant::now();
        black_box(run());
        begun.elapsed().as_secs_f64()
    };
    let best = (0..ROUNDS).map(seconds).fold(f64::INFINITY, f64::min);
    println!("{name} {best:.4}");
}

fn main() {
    let count = std::env::var("CHARTSEAL_BENCH_ANNOUNCEMENTS").map_or(100_000, |text| text.parse().expect("a count"));
    let mut announcements = vec![0; ANNOUNCEMENT * count];
    getrandom::fill(&mut announcements).expect("random bytes"); // any 32 bytes are a point of the curve or its twist
    let wallet = Wallet::from_seed(&[0x22; 64]).expect("a wallet");
    let address = wallet.address(0, 0).expect("an address");
    let secret = wallet.view_secret(0, 0);
    let key = ViewKey::new(&secret, address).expect("a view key");
    let alone = StaticSecret::from(*secret);
    let (entries, _) = announcements.as_chunks::<ANNOUNCEMENT>();
    let shared = |entry: &[u8; ANNOUNCEMENT]| {
        let (enc, _) = entry.split_first_chunk::<32>().expect("it has 34 bytes");
        usize::from(alone.diffie_hellman(&PublicKey::from(*enc)).as_bytes()[0])
    };
    time("scan", || key.scan(&announcements).expect("whole announcements").len());
    time("x25519", || entries.par_iter().map(shared).sum());
}
