//! Setup, proving and verification over a small circuit: what holds verifies, whatever is altered ends in a typed error.

use chartseal_circuits::Fr;
use chartseal_circuits::groth16::batch::{self, Claimed};
use chartseal_circuits::groth16::verifier::{PROOF_BYTES, read_proof, write_proof};
use chartseal_circuits::groth16::{Control, Prover, Verifier, key, setup, verification_key};
use chartseal_circuits::system::{Assignment, Num, Shape, System};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

const NAME: &str = "toy";
const DEPTH: usize = 40;

/// y = x^(2^40) + x, z = bit · x; y and z public. Both full-size values and bits occur.
fn describe(mut system: System, x: u64, bit: u64, offset: u64) -> System {
    let (x_value, bit_value) = (Fr::from(x), Fr::from(bit));
    let power = (0..DEPTH).fold(x_value, |power, _| power * power);
    let y = system.public(power + x_value + Fr::from(offset));
    let z = system.public(bit_value * x_value);
    let (x, bit) = (system.wire(x_value), system.wire(bit_value));
    let power = (0..DEPTH).fold(x.clone(), |power, _| system.multiply(&power, &power));
    system.equal(&(&power + &x), &y);
    system.constrain(&bit, &(&bit - &Num::one()), &Num::zero());
    system.constrain(&bit, &x, &z);
    system
}

fn assignment(x: u64, bit: u64) -> Assignment {
    describe(System::witness(), x, bit, 0).into_assignment()
}

static SHAPE: LazyLock<Shape> = LazyLock::new(|| describe(System::with_constraints(), 0, 0, 0).into_shape());
static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| key::write(NAME, &SHAPE, &setup::development_key(NAME, &SHAPE, b"a seed")));
static PROVER: LazyLock<Prover> = LazyLock::new(|| Prover::new(NAME, &SHAPE, &FILE).unwrap());

fn inputs(assignment: &Assignment) -> Vec<Vec<u8>> {
    use chartseal_algebra::babyjub::field_to_be_bytes;
    assignment
        .publics()
        .iter()
        .map(|input| field_to_be_bytes(input).to_vec())
        .collect()
}

fn proved(x: u64, bit: u64) -> (Vec<Vec<u8>>, Vec<u8>) {
    let assignment = assignment(x, bit);
    let proof = PROVER.prove(&assignment, &Control::default()).unwrap();
    (inputs(&assignment), write_proof(&proof))
}

fn verifier() -> &'static Verifier {
    PROVER.verifier()
}

fn code(result: chartseal_circuits::error::Result<()>) -> &'static str {
    result.unwrap_err().code
}

#[test]
fn what_holds_verifies() {
    for (x, bit) in [(3, 0), (5, 1), (0, 1)] {
        let (inputs, proof) = proved(x, bit);
        assert_eq!(proof.len(), PROOF_BYTES);
        assert_eq!(verifier().verify(&inputs, &proof), Ok(()));
    }
}

#[test]
fn proofs_of_one_assignment_differ() {
    assert_ne!(proved(3, 1).1, proved(3, 1).1);
}

#[test]
fn what_does_not_hold_is_not_proved() {
    for wrong in [
        describe(System::witness(), 3, 2, 0),
        describe(System::witness(), 3, 1, 1),
        System::witness(),
    ] {
        let refused = PROVER.prove(&wrong.into_assignment(), &Control::default());
        assert_eq!(refused.unwrap_err().code, "statement_unsatisfied");
    }
}

#[test]
fn a_cancelled_run_makes_nothing_and_stages_are_told() {
    let stages = std::sync::Mutex::new(Vec::new());
    let flag = AtomicBool::new(false);
    let told = |name: &'static str| {
        stages.lock().unwrap().push(name);
        name != "never"
    };
    let control = Control {
        cancelled: Some(&flag),
        progress: Some(&told),
    };
    PROVER.prove(&assignment(3, 1), &control).unwrap();
    assert!(stages.lock().unwrap().contains(&"quotient"));
    flag.store(true, Ordering::Relaxed);
    assert_eq!(PROVER.prove(&assignment(3, 1), &control).unwrap_err().code, "cancelled");
}

#[test]
fn a_seed_makes_one_key_with_any_number_of_threads() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| key::write(NAME, &SHAPE, &setup::development_key(NAME, &SHAPE, b"a seed")))
    };
    assert!(with(1) == *FILE && with(3) == *FILE);
    let other = setup::development_key(NAME, &SHAPE, b"another seed");
    assert_ne!(other.vk, setup::development_key(NAME, &SHAPE, b"a seed").vk);
    assert_ne!(other.vk, setup::development_key("yot", &SHAPE, b"another seed").vk);
}

#[test]
fn every_flipped_byte_of_a_proof_is_refused() {
    let (inputs, proof) = proved(3, 1);
    for at in 0..proof.len() {
        for bit in [1, 0x80] {
            let mut altered = proof.clone();
            altered[at] ^= bit;
            let code = code(verifier().verify(&inputs, &altered));
            assert!(["proof_malformed", "proof_invalid"].contains(&code), "{at}: {code}");
        }
    }
    for length in [0, 1, PROOF_BYTES - 1, PROOF_BYTES + 1] {
        let mut cut = proof.clone();
        cut.resize(length, 0);
        assert_eq!(code(verifier().verify(&inputs, &cut)), "proof_malformed");
    }
}

#[test]
fn every_flipped_byte_of_the_inputs_is_refused() {
    let (inputs, proof) = proved(3, 1);
    for input in 0..inputs.len() {
        for at in 0..32 {
            let mut altered = inputs.clone();
            altered[input][at] ^= 0x80;
            let code = code(verifier().verify(&altered, &proof));
            assert!(["input_out_of_range", "proof_invalid"].contains(&code), "{at}: {code}");
        }
    }
    assert_eq!(code(verifier().verify(&inputs[1..], &proof)), "inputs_wrong_number");
    let mut short = inputs.clone();
    short[1].pop();
    let refused = verifier().verify(&short, &proof).unwrap_err();
    assert_eq!(
        (refused.code, refused.path.as_str()),
        ("input_out_of_range", "inputs[1]")
    );
}

/// The integer r more names the same element, so a contract would take one nullifier twice.
#[test]
fn an_input_plus_r_is_refused() {
    use ark_ff::{BigInteger, PrimeField};
    let (mut inputs, proof) = proved(3, 1);
    let mut larger = Fr::from(3u64).into_bigint();
    assert!(!larger.add_with_carry(&Fr::MODULUS));
    assert_eq!(inputs[1], Fr::from(3u64).into_bigint().to_bytes_be());
    inputs[1] = larger.to_bytes_be();
    assert_eq!(code(verifier().verify(&inputs, &proof)), "input_out_of_range");
}

/// Groth16 lets anyone make other bytes of a proof: that is why they identify nothing.
#[test]
fn malleated_proofs_hold_for_the_same_inputs_alone() {
    use ark_ec::CurveGroup;
    let (inputs, proof) = proved(3, 1);
    let mut negated = read_proof(&proof).unwrap();
    (negated.a, negated.b) = (-negated.a, -negated.b);
    let delta = setup::development_key(NAME, &SHAPE, b"a seed").vk.delta_g2;
    let mut moved = read_proof(&proof).unwrap();
    moved.b = (moved.b + delta * Fr::from(7u64)).into_affine();
    moved.c = (moved.c + moved.a * Fr::from(7u64)).into_affine();
    let other = proved(5, 1).0;
    for malleated in [negated, moved] {
        let bytes = write_proof(&malleated);
        assert_ne!(bytes, proof);
        assert_eq!(verifier().verify(&inputs, &bytes), Ok(()));
        assert_eq!(code(verifier().verify(&other, &bytes)), "proof_invalid");
    }
}

#[test]
fn the_identity_is_no_part_of_a_proof() {
    let (inputs, proof) = proved(3, 1);
    for part in [0..64, 64..192, 192..256] {
        let mut altered = proof.clone();
        altered[part].fill(0);
        assert_eq!(code(verifier().verify(&inputs, &altered)), "proof_malformed");
    }
}

#[test]
fn every_flipped_byte_of_a_key_is_refused() {
    let codes = ["key_malformed", "key_altered"];
    for at in 0..FILE.len() {
        let mut altered = FILE.clone();
        altered[at] ^= 0x10;
        let refused = Prover::new(NAME, &SHAPE, &altered).err().expect("refused");
        assert!(codes.contains(&refused.code), "{at}");
    }
    for length in [0, 1, 31, 32, 60, 100, FILE.len() - 1, FILE.len() + 1] {
        let mut cut = FILE.clone();
        cut.resize(length, 0);
        let refused = Prover::new(NAME, &SHAPE, &cut).err().expect("refused");
        assert!(codes.contains(&refused.code), "{length}");
    }
}

/// A hash at the end that fits again: whoever alters a key can make it.
fn rehashed(mut file: Vec<u8>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let body = file.len() - 32;
    let hash = Sha256::digest(&file[..body]);
    file[body..].copy_from_slice(&hash);
    file
}

#[test]
fn a_key_altered_with_its_hash_makes_no_proof() {
    for (at, byte) in [(200, 1), (FILE.len() - 100, 1), (FILE.len() - 33, 0xff)] {
        let mut altered = FILE.clone();
        altered[at] ^= byte;
        match Prover::new(NAME, &SHAPE, &rehashed(altered)) {
            Err(refused) => assert_eq!(refused.code, "key_malformed", "{at}"),
            Ok(prover) => {
                let refused = prover.prove(&assignment(3, 1), &Control::default());
                assert_eq!(refused.unwrap_err().code, "proving_failed", "{at}");
            }
        }
    }
}

#[test]
fn a_key_of_another_circuit_is_refused() {
    let refused = |name: &str, shape: &Shape| Prover::new(name, shape, &FILE).err().expect("refused").code;
    assert_eq!(refused("yot", &SHAPE), "key_other_circuit");
    let mut other = SHAPE.clone();
    other.constraints.pop();
    assert_eq!(refused(NAME, &other), "key_other_circuit");
    let mut other = SHAPE.clone();
    other.constraints[0].a[0].1 += Fr::from(1u64);
    assert_eq!(refused(NAME, &other), "key_other_circuit");
}

#[test]
fn verification_keys_come_back_and_every_flipped_byte_is_refused() {
    let made = setup::development_key(NAME, &SHAPE, b"a seed").vk;
    let bytes = verification_key::write(&made);
    assert_eq!(verification_key::read(&bytes, 2).unwrap(), made);
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert_eq!(
            verification_key::read(&altered, 2).unwrap_err().code,
            "key_malformed",
            "{at}"
        );
    }
    assert_eq!(verification_key::read(&bytes, 3).unwrap_err().code, "key_other_circuit");
    assert_eq!(
        verification_key::read(&bytes[1..], 2).unwrap_err().code,
        "key_malformed"
    );
}

#[test]
fn a_batch_names_its_first_bad_member() {
    let proofs: Vec<_> = (0..100).map(|x| proved(x, x & 1)).collect();
    let batch = |proofs: &[(Vec<Vec<u8>>, Vec<u8>)]| {
        let claimed = |(inputs, proof)| Claimed {
            verifier: verifier(),
            inputs,
            proof,
        };
        let all: Vec<Claimed<'_>> = proofs
            .iter()
            .map(|(inputs, proof)| claimed((&inputs[..], &proof[..])))
            .collect();
        batch::verify(&all)
    };
    assert_eq!(batch(&proofs), Ok(()));
    assert_eq!(batch(&[]), Ok(()));
    for bad in [0, 1, 57, 99] {
        let mut altered = proofs.clone();
        altered[bad].1 = proofs[(bad + 1) % 100].1.clone();
        let refused = batch(&altered).unwrap_err();
        assert_eq!(
            (refused.code, refused.path),
            ("proof_invalid", format!("proofs[{bad}]"))
        );
    }
    let mut altered = proofs.clone();
    altered[80].1[0] = 0xff;
    assert_eq!(batch(&altered).unwrap_err().path, "proofs[80]");
    altered[90].0[1][0] = 0xff;
    altered[7].1 = proofs[8].1.clone();
    assert_eq!(batch(&altered).unwrap_err().path, "proofs[7]", "the first of three");
    let mut altered = proofs.clone();
    altered[9].0[1][0] = 0xff;
    assert_eq!(batch(&altered).unwrap_err().path, "proofs[9].inputs[1]");
}

/// Two proofs that fail in opposite ways pass a sum of their equations, but for the random powers.
#[test]
fn errors_that_cancel_out_are_found() {
    use ark_ec::CurveGroup;
    let (inputs, proof) = proved(3, 1);
    let shifted = |sign: Fr| {
        let mut proof = read_proof(&proof).unwrap();
        proof.c = (proof.c + ark_bn254::G1Affine::new(1.into(), 2.into()) * sign).into_affine();
        write_proof(&proof)
    };
    let proofs = [shifted(Fr::from(1u64)), shifted(-Fr::from(1u64))];
    let claimed: Vec<Claimed<'_>> = proofs
        .iter()
        .map(|proof| Claimed {
            verifier: verifier(),
            inputs: &inputs,
            proof,
        })
        .collect();
    assert_eq!(batch::verify(&claimed).unwrap_err().path, "proofs[0]");
}

#[test]
fn a_batch_may_hold_several_keys() {
    let other = key::write(NAME, &SHAPE, &setup::development_key(NAME, &SHAPE, b"another seed"));
    let other = Prover::new(NAME, &SHAPE, &other).unwrap();
    let assignment = assignment(5, 0);
    let theirs = (
        inputs(&assignment),
        write_proof(&other.prove(&assignment, &Control::default()).unwrap()),
    );
    let ours = proved(3, 1);
    let claimed = |swapped: bool| {
        let keys = [verifier(), other.verifier()];
        let one = |key: usize, (inputs, proof)| Claimed {
            verifier: keys[key ^ usize::from(swapped)],
            inputs,
            proof,
        };
        vec![
            one(0, (&ours.0[..], &ours.1[..])),
            one(1, (&theirs.0[..], &theirs.1[..])),
        ]
    };
    assert_eq!(batch::verify(&claimed(false)), Ok(()));
    assert_eq!(batch::verify(&claimed(true)).unwrap_err().path, "proofs[0]");
}
