//! Tables are made on first use, by a thread that needs no worker of the pool.
#![cfg(feature = "parallel")]

use chartseal_algebra::babyjub::{Scalar, base_times};
use chartseal_circuits::gadgets::multiples::BASE;
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

/// All workers are busy when the table is begun, and then wait for it.
fn ends(first_use: fn()) -> bool {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let workers = thread::spawn(move || {
            rayon::broadcast(|_| {
                thread::sleep(Duration::from_millis(400));
                first_use();
            });
        });
        thread::sleep(Duration::from_millis(100));
        first_use();
        workers.join().unwrap();
        done.send(()).unwrap();
    });
    finished.recv_timeout(Duration::from_secs(60)).is_ok()
}

#[test]
fn making_a_table_waits_for_no_worker() {
    assert!(ends(|| {
        let _ = base_times(&Scalar::from(7u64));
    }));
    assert!(ends(|| {
        LazyLock::force(&BASE);
    }));
}
