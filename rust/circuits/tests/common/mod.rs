//! A made-up issuer, trust tree, status list, credential and record, from a seed: everything that an anonymous or holder
//! proof is about, computed with the native functions alone.
//!
//! Fields are what the world is like; [`World::inputs`] is what a wallet gives a prover about it. Attacks change one or the
//! other.

#![allow(dead_code)] // each test program uses some of it

use ark_ff::{BigInteger, PrimeField};
use chartseal_algebra::babyjub::{SecretScalar, field_to_be_bytes};
use chartseal_algebra::{eddsa, poseidon, tags};
use chartseal_circuits::inputs::to_hex;
use chartseal_circuits::system::Shape;
use chartseal_circuits::{Circuit, Fr};
use serde_json::{Value, json};

pub const CLAIM_DEPTH: usize = 3;
pub const TREE_DEPTH: usize = 6;
pub const WORD_BITS: u32 = 250;

/// A field element for each pair of numbers.
pub fn random(seed: u64, number: u64) -> Fr {
    poseidon::hash(&[Fr::from(seed), Fr::from(number), Fr::from(0x7e57u64)])
}

pub fn hex(element: Fr) -> String {
    to_hex(&field_to_be_bytes(&element))
}

pub fn path(leaves: &[Fr], depth: usize, index: usize) -> Vec<[String; 3]> {
    let path = poseidon::tree_path(leaves, depth, index);
    path.into_iter().map(|siblings| siblings.map(hex)).collect()
}

/// One issuer under a trust root: attester, key, list, notAfter, the list's words.
#[derive(Clone)]
pub struct Issuer {
    pub attester: Fr,
    pub key: (Fr, Fr),
    pub list: u32,
    pub not_after: u64,
    pub words: Vec<Fr>,
}

impl Issuer {
    pub fn leaf(&self) -> Fr {
        poseidon::hash(&[
            tags::ISSUER,
            self.attester,
            self.key.0,
            self.key.1,
            Fr::from(self.list),
            Fr::from(self.not_after),
            poseidon::tree_root(&self.words, TREE_DEPTH),
        ])
    }

    /// Sets the bit of an index.
    pub fn revoke(&mut self, index: u32) {
        let bit = ark_ff::BigInt::<4>::from(1u64) << (index % WORD_BITS);
        self.words[(index / WORD_BITS) as usize] += Fr::from_bigint(bit).expect("250 bits");
    }
}

/// What an issuer signs about a record, but the root and the holder.
#[derive(Clone)]
pub struct Credential {
    pub attester: Fr,
    pub list: u32,
    pub index: u32,
    pub claim_id: Fr,
    pub uses: u16,
    pub sealed_at: u64,
    pub expiry: u64,
}

/// Slots say of claim `.1` that `.2` ≤ value ≤ `.3` (operation 3) or that it equals `.2` (1).
pub type Slot = (u8, usize, u64, u64);

#[derive(Clone)]
pub struct World {
    pub seed: u64,
    /// Seeds of the holder's and of the issuer's secret.
    pub holder: u64,
    pub signer: u64,
    pub issuers: Vec<Issuer>,
    /// Which of them sealed the record.
    pub issuer: usize,
    pub credential: Credential,
    /// (key, value, salt); the first is the holder's.
    pub claims: Vec<(Fr, Fr, Fr)>,
    pub slots: Vec<Slot>,
    pub now: u64,
    pub scope: Fr,
    pub context: Fr,
    pub number: u16,
}

pub fn secret(seed: u64) -> SecretScalar {
    let halves = [random(seed, 1_001), random(seed, 1_002)].map(|half| field_to_be_bytes(&half));
    SecretScalar::from_wide_le_bytes(&std::array::from_fn(|i| halves[i / 32][i % 32])).unwrap()
}

/// P(tagHolder, Sx, Sy).
pub fn commitment(holder: u64) -> Fr {
    let (x, y) = secret(holder).public().coordinates();
    poseidon::hash(&[tags::HOLDER, x, y])
}

/// The secret as the circuits hash it.
pub fn element(secret: &SecretScalar) -> Fr {
    Fr::from_le_bytes_mod_order(&secret.to_le_bytes())
}

impl World {
    /// Seven issuers with lists of five words, a record of twenty claims, a policy of `slots` slots that it satisfies.
    pub fn new(seed: u64, slots: usize) -> Self {
        let issuers: Vec<Issuer> = (0..7).map(|i| issuer(seed, 10 * seed + i)).collect();
        let issuer = (seed % 7) as usize;
        let (signer, holder) = (10 * seed + issuer as u64, seed + 5_000);
        let sealed_at = 1_798_675_200 + seed;
        let credential = Credential {
            attester: issuers[issuer].attester,
            list: issuers[issuer].list,
            index: (seed * 97 % 1_250) as u32,
            claim_id: random(seed, 3),
            uses: 3,
            sealed_at,
            expiry: sealed_at + 1_000_000,
        };
        let value = |i: u64| Fr::from(i * 1_000 + seed);
        let mut claims: Vec<_> = (0..20)
            .map(|i| (random(7, i), value(i), random(seed, 100 + i)))
            .collect();
        (claims[0].0, claims[0].1) = (tags::HOLDER_CLAIM_KEY, commitment(holder));
        let all = [
            (3, 4, 4_000, u64::MAX),
            (1, 19, 19_000 + seed, 0),
            (3, 1, 0, 1_999),
            (3, 9, 0, u64::MAX),
        ];
        Self {
            seed,
            holder,
            signer,
            issuers,
            issuer,
            credential,
            claims,
            slots: all[..slots].to_vec(),
            now: sealed_at + 1_000,
            scope: random(seed, 4),
            context: random(seed, 5),
            number: 1,
        }
    }

    pub fn circuit(&self) -> Circuit {
        match self.slots.len() {
            1 => Circuit::Anonymous1,
            _ => Circuit::Anonymous4,
        }
    }

    pub fn claim_leaves(&self) -> Vec<Fr> {
        let leaf = |(key, value, salt): &(Fr, Fr, Fr)| poseidon::hash(&[tags::CLAIM, *key, *value, *salt]);
        self.claims.iter().map(leaf).collect()
    }

    pub fn claims_root(&self) -> Fr {
        poseidon::tree_root(&self.claim_leaves(), CLAIM_DEPTH)
    }

    pub fn issuer_leaves(&self) -> Vec<Fr> {
        self.issuers.iter().map(Issuer::leaf).collect()
    }

    pub fn trust_root(&self) -> Fr {
        poseidon::tree_root(&self.issuer_leaves(), TREE_DEPTH)
    }

    /// What the issuer signs.
    pub fn message(&self) -> Fr {
        let credential = &self.credential;
        poseidon::hash(&[
            tags::CRED,
            credential.attester,
            Fr::from(credential.list),
            Fr::from(credential.index),
            self.claims_root(),
            commitment(self.holder),
            credential.claim_id,
            Fr::from(credential.uses),
            Fr::from(credential.sealed_at),
            Fr::from(credential.expiry),
        ])
    }

    pub fn signature(&self) -> eddsa::Signature {
        eddsa::sign_with(&secret(self.signer), self.message(), &[7; 32]).unwrap()
    }

    fn slot_hash(&self, slot: &Slot) -> Fr {
        let (lo, hi) = bounds(slot);
        let op = Fr::from(u64::from(slot.0));
        poseidon::hash(&[tags::SLOT, op, self.claims[slot.1].0, lo, hi, Fr::from(0u64)])
    }

    pub fn policy_hash(&self) -> Fr {
        let empty = poseidon::hash(&[
            tags::SLOT,
            0u64.into(),
            0u64.into(),
            0u64.into(),
            0u64.into(),
            0u64.into(),
        ]);
        let mut hashes: Vec<Fr> = self.slots.iter().map(|slot| self.slot_hash(slot)).collect();
        if hashes.len() == 1 {
            return hashes[0];
        }
        hashes.resize(4, empty);
        poseidon::hash(&[tags::POLICY, hashes[0], hashes[1], hashes[2], hashes[3]])
    }

    /// The public inputs that a verifier expects.
    pub fn publics(&self) -> [Fr; 7] {
        let holder = element(&secret(self.holder));
        let spent = [
            tags::NULL,
            holder,
            self.credential.claim_id,
            self.scope,
            Fr::from(self.number),
        ];
        [
            self.trust_root(),
            Fr::from(self.now),
            self.policy_hash(),
            self.scope,
            self.context,
            poseidon::hash(&spent),
            poseidon::hash(&[tags::PSEUD, holder, self.context]),
        ]
    }

    fn predicate(&self, slot: &Slot) -> Value {
        let (key, value, salt) = self.claims[slot.1];
        let (lo, hi) = bounds(slot);
        json!({
            "op": slot.0, "key": hex(key), "lo": hex(lo), "hi": hex(hi), "setRoot": hex(Fr::from(0u64)), "set": null,
            "claim": {
                "index": slot.1, "key": hex(key), "value": hex(value), "salt": hex(salt),
                "path": path(&self.claim_leaves(), CLAIM_DEPTH, slot.1),
            },
        })
    }

    /// What a prover of an anonymous statement is given, as JSON.
    pub fn inputs(&self) -> Value {
        let (issuer, credential) = (&self.issuers[self.issuer], &self.credential);
        let word = (credential.index / WORD_BITS) as usize;
        json!({
            "now": self.now, "scope": hex(self.scope), "context": hex(self.context), "use": self.number,
            "predicates": self.slots.iter().map(|slot| self.predicate(slot)).collect::<Vec<_>>(),
            "credential": {
                "attester": hex(credential.attester), "list": credential.list, "index": credential.index,
                "claimId": hex(credential.claim_id), "uses": credential.uses, "sealedAt": credential.sealed_at,
                "expiry": credential.expiry, "key": to_hex(&secret(self.signer).public().pack()),
                "signature": to_hex(&self.signature()),
            },
            "issuer": {
                "index": self.issuer, "notAfter": issuer.not_after,
                "path": path(&self.issuer_leaves(), TREE_DEPTH, self.issuer),
            },
            "status": {"word": hex(issuer.words[word]), "path": path(&issuer.words, TREE_DEPTH, word)},
        })
    }

    /// What a prover of a linked statement is given, as JSON.
    pub fn linked_inputs(&self) -> Value {
        json!({"context": hex(self.context), "predicates": self.inputs()["predicates"]})
    }

    /// What a prover of the holder statement is given, as JSON.
    pub fn holder_inputs(&self) -> Value {
        let path = path(&self.claim_leaves(), CLAIM_DEPTH, 0);
        json!({"context": hex(self.context), "salt": hex(self.claims[0].2), "path": path})
    }
}

fn bounds(slot: &Slot) -> (Fr, Fr) {
    let hi = if slot.0 == 1 { slot.2 } else { slot.3 };
    (Fr::from(slot.2), Fr::from(hi))
}

/// An issuer whose key is that of the secret of seed `key`.
pub fn issuer(seed: u64, key: u64) -> Issuer {
    let attester = random(seed, 200 + key).into_bigint().to_bytes_le();
    Issuer {
        attester: Fr::from_le_bytes_mod_order(&attester[..20]),
        key: secret(key).public().coordinates(),
        list: (key % 3) as u32,
        not_after: 1_900_000_000 + key,
        words: vec![Fr::from(0u64); 5],
    }
}

/// All wires for inputs, the public ones replaced by what the verifier expects.
pub fn values(circuit: Circuit, inputs: &Value, holder: u64, publics: &[Fr]) -> Vec<Fr> {
    let secret = secret(holder);
    let secret = (!circuit.name().starts_with("linked")).then_some(&secret);
    let assignment = circuit.assign(inputs.to_string().as_bytes(), secret).unwrap();
    let mut values = assignment.values().to_vec();
    values[1..=publics.len()].copy_from_slice(publics);
    values
}

/// The part of the description whose constraint is the first that is not satisfied; none where all are.
pub fn unsatisfied(shape: &Shape, values: &[Fr]) -> Option<&'static str> {
    shape.unsatisfied(values).map(|constraint| shape.part_of(constraint))
}
