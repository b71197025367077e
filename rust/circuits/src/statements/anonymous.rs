//! anonymous-K: some record, sealed by some issuer under a trust root for the holder of a secret, satisfies a policy.
//!
//! **Public**: trustRoot, now, policyHash, scope, context, nullifier, pseudonym. **Private**: everything else: the spend
//! secret s, the credential (attester, list, index, claimsRoot, claimId, uses, sealedAt, expiry), the issuer's key and
//! signature, its leaf's notAfter, statusRoot and path, the status word and its path, which use is spent, the policy's
//! slots with their claims.
//!
//! Proves that the prover knows such, with
//! 1. **holder**: 0 < s < ℓ, S = s·B8, holder = P(tagHolder, Sx, Sy) ([`crate::gadgets::secret`]);
//! 2. **signature**: one of P(tagCred, attester, list, index, claimsRoot, holder, claimId, uses, sealedAt, expiry) under
//!    (Ax, Ay) ([`crate::gadgets::eddsa`]);
//! 3. **issuer**: P(tagIssuer, attester, Ax, Ay, list, notAfter, statusRoot) is a leaf under trustRoot, with the same
//!    attester, list and key; sealedAt ≤ notAfter;
//! 4. **status**: bit `index` under statusRoot is 0 ([`crate::gadgets::status`]);
//! 5. **time**: expiry ≥ now;
//! 6. **policy**: the claims under claimsRoot satisfy the policy of policyHash ([`Policy`]);
//! 7. **use**: nullifier = P(tagNull, s, claimId, scope, i) with i < uses, the same s and claimId;
//! 8. **pseudonym** = P(tagPseud, s, context), the same s.
//!
//! **The verifier checks outside**: that all seven are below r; trustRoot is the newest epoch's, or the one before, of an
//! authority that it trusts for the role; `now` is that epoch's start; policyHash is that of a policy it reads in words;
//! context and scope are those it recomputes (formats 8), and scope = context where no use is spent; that the nullifier is
//! new where one is; and compares pseudonyms under one context only. What stands in a trust root is the authority's to get
//! right: keys in the subgroup, registered once, with proof of possession; malformed keys are left out (formats 8), which
//! is where this statement has A's membership in the subgroup from.
//!
//! **Widths**, value by value. A signature or a leaf fixes its values as field elements; where they are compared as
//! integers, p − 1 must not pass for −1.
//! - `sealedAt` is range-checked (64 bits): else an issuer whose key has run out could sign −1. notAfter − sealedAt has 64
//!   bits, so sealedAt ≤ notAfter as integers, whatever a leaf has as notAfter.
//! - `now` is public and range-checked (64 bits), so that no verifier has to; expiry − now has 64 bits, so now ≤ expiry as
//!   integers: expiry needs no check of its own.
//! - `use` i is the prover's choice and range-checked (16 bits): else i = −1 would be a further nullifier. uses − 1 − i has
//!   16 bits, so i < uses as integers, whatever the issuer signed as uses.
//! - `index` is word · 250 + position with 12 and 8 bits, the same in the message and in the list.
//! - `attester`, `list`, `claimId`, `claimsRoot` and `holder` are only hashed or compared for equality: the signature
//!   vouches for them as field elements, and nothing depends on their width.
//! - claims: what an operation needs is [`crate::gadgets::predicate`]'s.

use super::holder::{element, pseudonym};
use crate::gadgets::curve::Edwards;
use crate::gadgets::eddsa::{self, Signature};
use crate::gadgets::predicate::Policy;
use crate::gadgets::scalar::Integer;
use crate::gadgets::secret::Secret;
use crate::gadgets::status::{Place, WORD_BITS};
use crate::gadgets::{bits, merkle, poseidon};
use crate::inputs::{self, Element, TREE_DEPTH, malformed};
use crate::system::{Num, System};
use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, PrimeField};
use chartseal_algebra::babyjub::{Point, SecretScalar};
use chartseal_algebra::error::Result;
use chartseal_algebra::{poseidon as native, tags};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub const PUBLICS: [&str; 7] = [
    "trustRoot",
    "now",
    "policyHash",
    "scope",
    "context",
    "nullifier",
    "pseudonym",
];

const TIME_BITS: usize = 64;
const USE_BITS: usize = 16;
const ADDRESS_BITS: u32 = 160;
/// Bits of a status list.
const LIST_LENGTH: u32 = (WORD_BITS as u32) << (2 * TREE_DEPTH);

/// The statement about values: of a presentation, or of nobody.
#[derive(ZeroizeOnDrop)]
pub struct Statement<const K: usize> {
    public: Public,
    secret: Integer,
    credential: Credential,
    key: (Fr, Fr),
    #[zeroize(skip)] // public wherever it is shown, and no secret of the holder's
    signature: Signature,
    #[zeroize(skip)] // erases itself
    issuer: inputs::Issuer,
    #[zeroize(skip)] // erases itself
    status: inputs::Status,
    number: Fr,
    #[zeroize(skip)] // erases itself
    policy: Policy<K>,
}

/// The public inputs but policyHash, which is the policy's.
#[derive(Clone, Default, Zeroize)]
struct Public {
    trust_root: Fr,
    now: Fr,
    scope: Fr,
    context: Fr,
    nullifier: Fr,
    pseudonym: Fr,
}

/// What the issuer signed, but claimsRoot, which is the policy's, and holder, which is the secret's. Field elements, since
/// a witness may hold anything.
#[derive(Clone, Default, Zeroize)]
struct Credential {
    attester: Fr,
    list: Fr,
    /// A word's number and a position in it, of the status list.
    place: (u32, u32),
    claim_id: Fr,
    uses: Fr,
    sealed_at: Fr,
    expiry: Fr,
}

impl<const K: usize> Statement<K> {
    /// # Errors
    /// Kind `Proving`, `inputs_malformed`: an attester of more than 160 bits, an index outside its list or tree, a key or
    /// signature that is none, another number of predicates, or one that is not of its form.
    pub fn new(inputs: &inputs::Anonymous, secret: &SecretScalar) -> Result<Self> {
        check(inputs)?;
        let key = Point::unpack(&inputs.credential.key.0).map_err(|_| malformed("the issuer's key is malformed"))?;
        let mut statement = Self {
            public: Public {
                now: Fr::from(inputs.now),
                scope: inputs.scope.0,
                context: inputs.context.0,
                ..Public::default()
            },
            secret: secret.scalar().into_bigint(),
            credential: Credential::new(&inputs.credential),
            key: key.coordinates(),
            signature: Signature::read(&inputs.credential.signature.0)?,
            issuer: inputs.issuer.clone(),
            status: inputs.status.clone(),
            number: Fr::from(inputs.r#use),
            policy: Policy::new(&inputs.predicates)?,
        };
        statement.publish();
        Ok(statement)
    }

    pub fn blank() -> Self {
        Self {
            public: Public::default(),
            secret: Integer::from(0u64),
            credential: Credential::default(),
            key: (Fr::ZERO, Fr::ZERO),
            signature: Signature::default(),
            issuer: inputs::Issuer {
                index: 0,
                not_after: 0,
                path: [[Element::default(); 3]; TREE_DEPTH],
            },
            status: inputs::Status {
                word: Element::default(),
                path: [[Element::default(); 3]; TREE_DEPTH],
            },
            number: Fr::ZERO,
            policy: Policy::blank(),
        }
    }

    /// The public inputs that follow from the others and the witness.
    fn publish(&mut self) {
        let (credential, secret) = (&self.credential, element(&self.secret));
        let (word, _) = credential.place;
        let status_root = native::root_of_path(self.status.word.0, word as usize, &siblings(&self.status.path));
        let leaf = native::hash(&[
            tags::ISSUER,
            credential.attester,
            self.key.0,
            self.key.1,
            credential.list,
            Fr::from(self.issuer.not_after),
            status_root,
        ]);
        let spent = [tags::NULL, secret, credential.claim_id, self.public.scope, self.number];
        self.public.trust_root =
            native::root_of_path(leaf, usize::from(self.issuer.index), &siblings(&self.issuer.path));
        self.public.nullifier = native::hash(&spent);
        self.public.pseudonym = pseudonym(&self.secret, self.public.context);
    }

    pub fn describe(&self, system: &mut System) {
        let trust_root = system.public(self.public.trust_root);
        let now = system.public(self.public.now);
        let policy_hash = system.public(self.policy.hash());
        let [scope, context] = [self.public.scope, self.public.context].map(|value| system.public(value));
        let nullifier = system.public(self.public.nullifier);
        let pseudonym = system.public(self.public.pseudonym);
        system.part("secret");
        let secret = Secret::new(system, &self.secret);
        system.part("credential");
        let credential = Wires::new(system, &self.credential, self.policy.claims_root());
        let message = credential.message(system, &secret.commitment);
        let key = Edwards {
            x: system.input(self.key.0),
            y: system.input(self.key.1),
        };
        eddsa::verify(system, &key, &message, &self.signature);
        let not_after = self.require_issuer(system, &credential, &key, &trust_root);
        system.part("time");
        bits::decompose(system, &credential.sealed_at, TIME_BITS);
        bits::at_most(system, &credential.sealed_at, &not_after, TIME_BITS);
        bits::decompose(system, &now, TIME_BITS);
        bits::at_most(system, &now, &credential.expiry, TIME_BITS);
        system.part("use");
        let number = system.input(self.number);
        bits::decompose(system, &number, USE_BITS);
        bits::less_than(system, &number, &credential.uses, USE_BITS);
        secret.require_nullifier(system, [&credential.claim_id, &scope, &number], &nullifier);
        system.part("pseudonym");
        secret.require_pseudonym(system, &context, &pseudonym);
        self.policy.require(system, &credential.claims_root, &policy_hash);
    }

    /// Requires the credential's bit to be clear, and its issuer to stand under the trust root; gives notAfter.
    fn require_issuer(&self, system: &mut System, credential: &Wires, key: &Edwards, trust_root: &Num) -> Num {
        system.part("status");
        let status_root = credential.place.root_where_clear(system, &self.status);
        system.part("issuer");
        let not_after = system.input(Fr::from(self.issuer.not_after));
        let leaf = [
            &Num::constant(tags::ISSUER),
            &credential.attester,
            &key.x,
            &key.y,
            &credential.list,
            &not_after,
            &status_root,
        ];
        let leaf = poseidon::hash(system, &leaf.map(Num::clone));
        let root = merkle::root_anywhere(system, &leaf, usize::from(self.issuer.index), &self.issuer.path);
        system.equal(&root, trust_root);
        not_after
    }
}

impl Credential {
    fn new(credential: &inputs::Credential) -> Self {
        Self {
            attester: credential.attester.0,
            list: Fr::from(credential.list),
            place: (credential.index / WORD_BITS as u32, credential.index % WORD_BITS as u32),
            claim_id: credential.claim_id.0,
            uses: Fr::from(credential.uses),
            sealed_at: Fr::from(credential.sealed_at),
            expiry: Fr::from(credential.expiry),
        }
    }
}

/// A credential's parts in the circuit.
struct Wires {
    attester: Num,
    list: Num,
    place: Place,
    claims_root: Num,
    claim_id: Num,
    uses: Num,
    sealed_at: Num,
    expiry: Num,
}

impl Wires {
    fn new(system: &mut System, credential: &Credential, claims_root: Fr) -> Self {
        Self {
            attester: system.input(credential.attester),
            list: system.input(credential.list),
            place: Place::at(system, credential.place.0, credential.place.1),
            claims_root: system.input(claims_root),
            claim_id: system.input(credential.claim_id),
            uses: system.input(credential.uses),
            sealed_at: system.input(credential.sealed_at),
            expiry: system.input(credential.expiry),
        }
    }

    /// What the issuer signed.
    fn message(&self, system: &mut System, holder: &Num) -> Num {
        let message = [
            &Num::constant(tags::CRED),
            &self.attester,
            &self.list,
            &self.place.index(),
            &self.claims_root,
            holder,
            &self.claim_id,
            &self.uses,
            &self.sealed_at,
            &self.expiry,
        ];
        poseidon::hash(system, &message.map(Num::clone))
    }
}

/// What must be known to fit before anything is computed with it.
fn check(inputs: &inputs::Anonymous) -> Result<()> {
    match () {
        () if inputs.credential.attester.0.into_bigint() >> ADDRESS_BITS != Integer::from(0u64) => {
            Err(malformed("the attester is no address"))
        }
        () if inputs.credential.index >= LIST_LENGTH => Err(malformed("the index is outside the status list")),
        () if inputs.issuer.index >> (2 * TREE_DEPTH) != 0 => Err(malformed("the issuer's index is too large")),
        () => Ok(()),
    }
}

fn siblings<const DEPTH: usize>(path: &inputs::Path<DEPTH>) -> [[Fr; 3]; DEPTH] {
    path.map(|level| level.map(|sibling| sibling.0))
}

#[cfg(test)]
mod tests;
