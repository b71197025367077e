//! What a proof costs, circuit by circuit: wall time on all cores, witness included, and each stage on one core.
//!
//! `cargo bench -p chartseal-circuits --bench prove [CIRCUIT…]`

#[path = "../tests/common/mod.rs"]
mod common;

use chartseal_algebra::babyjub::field_to_be_bytes;
use chartseal_circuits::Circuit;
use chartseal_circuits::groth16::batch::{self, Claimed};
use chartseal_circuits::groth16::verifier::write_proof;
use chartseal_circuits::groth16::{Control, Prover, key, setup};
use common::{World, secret};
use serde_json::json;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
const STAGED: usize = 3;
const BATCH: usize = 1_000;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for circuit in Circuit::ALL {
        if asked.is_empty() || asked.iter().any(|name| name == circuit.name()) {
            report(circuit);
        }
    }
}

fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let begun = Instant::now();
    let result = black_box(work());
    (result, begun.elapsed())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What a wallet gives the prover of a circuit, over a world that satisfies it.
fn inputs(circuit: Circuit, world: &World) -> Vec<u8> {
    match circuit {
        Circuit::Holder => world.holder_inputs(),
        Circuit::Anonymous1 | Circuit::Anonymous4 => world.inputs(),
        Circuit::Linked1 | Circuit::Linked4 => {
            let all = world.inputs();
            json!({"context": all["context"], "predicates": all["predicates"]})
        }
    }
    .to_string()
    .into_bytes()
}

fn report(circuit: Circuit) {
    let slots = if matches!(circuit, Circuit::Linked4 | Circuit::Anonymous4) {
        4
    } else {
        1
    };
    let world = World::new(1, slots);
    let inputs = inputs(circuit, &world);
    let holder = secret(world.holder);
    let holder = (!matches!(circuit, Circuit::Linked1 | Circuit::Linked4)).then_some(&holder);
    let (shape, described) = timed(|| circuit.shape());
    let (made, setup) = timed(|| setup::development_key(circuit.name(), shape, b"bench"));
    let file = key::write(circuit.name(), shape, &made);
    drop(made);
    let (prover, loaded) = timed(|| Prover::new(circuit.name(), shape, &file).expect("a key of ours"));
    println!(
        "{}: {} constraints, {} wires, key {} bytes",
        circuit.name(),
        shape.constraints.len(),
        shape.wires,
        file.len()
    );
    println!(
        "  described {:.1} ms, key made {:.0} ms, loaded {:.1} ms",
        milliseconds(described),
        milliseconds(setup),
        milliseconds(loaded)
    );

    let prove = |control: &Control<'_>| {
        let assignment = circuit.assign(&inputs, holder).expect("well-formed inputs");
        let proof = prover.prove(&assignment, control).expect("a satisfied statement");
        let publics = assignment
            .publics()
            .iter()
            .map(|input| field_to_be_bytes(input).to_vec());
        (publics.collect::<Vec<_>>(), write_proof(&proof))
    };
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| timed(|| prove(&Control::default())).1).collect();
    times.sort_unstable();
    println!(
        "  witness and proof {:.1} ms at best, {:.1} ms in the middle",
        milliseconds(times[0]),
        milliseconds(times[ROUNDS / 2])
    );
    stages(&prove);
    verification(&prover, &prove(&Control::default()));
}

/// Where the time of a core goes, stages one after another: the least of some runs. Other work on the machine does not count.
fn stages<R>(prove: &(impl Fn(&Control<'_>) -> R + Sync)) {
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread");
    let mut least: Vec<(&str, Duration)> = Vec::new();
    for _ in 0..STAGED {
        let begun = Mutex::new(Vec::new());
        let tell = |name| {
            begun.lock().expect("not poisoned").push((name, thread_time()));
            true
        };
        let control = Control {
            cancelled: None,
            progress: Some(&tell),
        };
        one.install(|| {
            tell("witness");
            black_box(prove(&control));
            tell("end");
        });
        let begun = begun.into_inner().expect("not poisoned");
        for (at, pair) in begun.windows(2).enumerate() {
            let took = pair[1].1 - pair[0].1;
            match least.get_mut(at) {
                Some((_, best)) => *best = took.min(*best),
                None => least.push((pair[0].0, took)),
            }
        }
    }
    let sum: Duration = least.iter().map(|(_, time)| *time).sum();
    print!("  on one core {:.1} ms of it:", milliseconds(sum));
    for (name, time) in least {
        print!(" {name} {:.1}", milliseconds(time));
    }
    println!();
}

/// What this thread has had of a core, which Linux tells.
fn thread_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = told.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number first"))
}

fn verification(prover: &Prover<'_>, (publics, proof): &(Vec<Vec<u8>>, Vec<u8>)) {
    let verifier = prover.verifier();
    let best = (0..50)
        .map(|_| timed(|| verifier.verify(publics, proof).expect("holds")).1)
        .min();
    let claimed: Vec<Claimed<'_>> = (0..BATCH)
        .map(|_| Claimed {
            verifier,
            inputs: publics,
            proof,
        })
        .collect();
    let ((), batch) = timed(|| batch::verify(&claimed).expect("all hold"));
    println!(
        "  verified in {:.2} ms; {BATCH} at once, {:.0} a second",
        milliseconds(best.unwrap_or_default()),
        BATCH as f64 / batch.as_secs_f64()
    );
}
