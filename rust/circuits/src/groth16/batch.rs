//! Checks many proofs at once, by a random linear combination of their equations.
//!
//! Each proof's equation is raised to a random power of 128 bits. Where one does not hold, the product holds for at most one in
//! 2^128 choices of its power, so proofs pass together only if each would pass alone. All proofs of a key share the pairings but
//! for e(A, B), and all of them the final exponentiation. Source: Bellare, Garay and Rabin, "Fast batch verification"
//! (Eurocrypt 1998), the small exponents test; the groups have prime order, which it needs.

use crate::groth16::parallel;
use crate::groth16::verifier::{G2Prepared, Unverified, Verifier, invalid};
use ark_bn254::{Bn254, Fq12, Fr, G1Affine, G1Projective};
use ark_ec::pairing::{MillerLoopOutput, Pairing};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::Zero;
use chartseal_algebra::error::{Error, Kind, Result};

/// Proofs that one task takes: their Miller loops share the squarings.
const CHUNK: usize = 16;

/// A proof under a key, as its bytes came.
pub struct Claimed<'a> {
    pub verifier: &'a Verifier,
    pub inputs: &'a [Vec<u8>],
    pub proof: &'a [u8],
}

struct Member<'a> {
    verifier: &'a Verifier,
    read: Unverified,
}

/// Checks all of them.
///
/// # Errors
/// Kind `Proof`, as [`Verifier::verify`] would say of the first that does not hold, with the path `proofs[i]`; kind `Proving`,
/// `no_randomness`.
pub fn verify(claimed: &[Claimed<'_>]) -> Result<()> {
    let read = parallel::map(claimed, |one| {
        let read = one.verifier.read(one.inputs, one.proof)?;
        Ok(Member {
            verifier: one.verifier,
            read,
        })
    });
    let mut members = Vec::with_capacity(read.len());
    let mut unreadable = Ok(());
    for (at, one) in read.into_iter().enumerate() {
        match one {
            Ok(member) => members.push(member),
            Err(error) => {
                unreadable = Err(placed(at, error));
                break;
            }
        }
    }
    match first_invalid(&members)? {
        Some(at) => Err(invalid(&format!("proofs[{at}]"))),
        None => unreadable,
    }
}

fn placed(at: usize, error: Error) -> Error {
    let within = if error.path.is_empty() { "" } else { "." };
    Error {
        path: format!("proofs[{at}]{within}{}", error.path),
        ..error
    }
}

fn first_invalid(members: &[Member<'_>]) -> Result<Option<usize>> {
    if members.is_empty() || hold(members)? {
        return Ok(None);
    }
    let (mut first, mut last) = (0, members.len()); // the first that does not hold lies in first..last
    while last - first > 1 {
        let middle = first.midpoint(last);
        match hold(&members[first..middle])? {
            true => first = middle,
            false => last = middle,
        }
    }
    Ok(Some(first))
}

fn hold(members: &[Member<'_>]) -> Result<bool> {
    if let [one] = members {
        return Ok(one.verifier.check(&one.read.inputs, &one.read.proof).is_ok());
    }
    let powers = random_powers(members.len())?;
    let weighted: Vec<(&Member<'_>, u128)> = members.iter().zip(powers).collect();
    let chunks: Vec<&[(&Member<'_>, u128)]> = weighted.chunks(CHUNK).collect();
    let mut product: Fq12 = parallel::map(&chunks, |chunk| first_pairings(chunk)).iter().product();
    for verifier in keys(members) {
        product *= shared_pairings(verifier, &weighted);
    }
    let result = Bn254::final_exponentiation(MillerLoopOutput(product));
    Ok(result.is_some_and(|result| result.is_zero()))
}

/// Each key once.
fn keys<'a>(members: &[Member<'a>]) -> Vec<&'a Verifier> {
    let mut keys: Vec<&Verifier> = Vec::new();
    for member in members {
        if !keys.iter().any(|key| key.hash() == member.verifier.hash()) {
            keys.push(member.verifier);
        }
    }
    keys
}

/// The Miller loop of Π e(power · A, B).
fn first_pairings(chunk: &[(&Member<'_>, u128)]) -> Fq12 {
    let power = |(member, power): &(&Member<'_>, u128)| times(&member.read.proof.a, *power);
    let a = G1Projective::normalize_batch(&chunk.iter().map(power).collect::<Vec<_>>());
    Bn254::multi_miller_loop(a, chunk.iter().map(|(member, _)| member.read.proof.b)).0
}

/// The Miller loop of e(−Σ power · α, β) e(Σ power · publics, −γ) e(Σ power · C, −δ) over the proofs of one key.
fn shared_pairings(verifier: &Verifier, weighted: &[(&Member<'_>, u128)]) -> Fq12 {
    let (mut one, mut inputs) = (Fr::zero(), Vec::new());
    let mut of_key: Vec<&(&Member<'_>, u128)> = Vec::new();
    for member in weighted {
        if member.0.verifier.hash() == verifier.hash() {
            of_key.push(member);
        }
    }
    for (member, power) in &of_key {
        let power = Fr::from(*power);
        one += power;
        inputs.resize(member.read.inputs.len(), Fr::zero());
        for (sum, input) in inputs.iter_mut().zip(&member.read.inputs) {
            *sum += power * input;
        }
    }
    let chunks: Vec<&[&(&Member<'_>, u128)]> = of_key.chunks(CHUNK).collect();
    let parts = parallel::map(&chunks, |chunk| {
        let terms = chunk.iter().map(|(member, power)| times(&member.read.proof.c, *power));
        terms.sum::<G1Projective>()
    });
    let c = parts.into_iter().sum::<G1Projective>().into_affine();
    let minus_alpha = (-(verifier.alpha * one)).into_affine();
    let points = [minus_alpha, verifier.public_point(one, &inputs), c];
    let keys: [G2Prepared; 3] = [&verifier.beta, &verifier.minus_gamma, &verifier.minus_delta].map(Clone::clone);
    Bn254::multi_miller_loop(points, keys).0
}

fn times(point: &G1Affine, power: u128) -> G1Projective {
    let limbs = [power as u64, (power >> 64) as u64];
    point.into_group().mul_bigint(limbs)
}

/// One for each, never 0.
fn random_powers(count: usize) -> Result<Vec<u128>> {
    let mut bytes = vec![0; 16 * count];
    getrandom::fill(&mut bytes).map_err(|_| {
        Error::new(
            Kind::Proving,
            "no_randomness",
            "",
            "the operating system gives no randomness",
        )
    })?;
    let (words, _) = bytes.as_chunks::<16>();
    Ok(words.iter().map(|word| u128::from_le_bytes(*word).max(1)).collect())
}
