"""Typed face of the Rust core (chartseal-core)."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, final

from chartseal.errors import CoreError, FhirError, LimitError

# --- keys: Baby Jubjub points are circomlib's packPoint, 32 bytes; field elements are 32 bytes big-endian, below r ---

@final
class Delivery:
    """The sender's side of one record: one HPKE context, hence one subject, tag, locator and ciphertext."""

    enc: bytes
    """32 bytes, HPKE's encapsulated key, kept in the sealed record."""
    subject: bytes
    """32 bytes, the record's one-time holder key, packed."""
    tag: bytes
    """2 bytes, the first filter of a scanning wallet."""
    locator: bytes
    """32 bytes, where the ciphertext lies."""
    announcement: bytes
    """34 bytes, enc ‖ tag: the only thing that is published."""

    def __new__(cls, address: bytes, ikm: bytes | None = None) -> Delivery:
        """Start a delivery to `address` (64 bytes); the ephemeral key is fresh, or DeriveKeyPair's of `ikm` (32 bytes).

        Raises:
            KeyFormatError: the address is malformed.
        """
    def seal(self, record: bytes) -> bytes:
        """Pad `record` (0x80, zeros up to Padmé's length) and encrypt it; once.

        Raises:
            KeyFormatError: `delivery_spent`.
        """

@final
class ViewKey:
    """The view secret of one sealing address: it finds and reads that address's records, and cannot sign."""

    def __new__(cls, secret: bytes, address: bytes) -> ViewKey:
        """Take the raw X25519 scalar (32 bytes) of the sealing address (64 bytes).

        Raises:
            KeyFormatError: `view_key_mismatch`: the secret is of another address; the address is malformed.
        """
    def receive(self, enc: bytes) -> tuple[bytes, bytes, bytes]:
        """(subject, tag, locator) of what `enc` delivers to the address.

        Raises:
            KeyFormatError: `enc_invalid`.
        """
    def open(self, enc: bytes, ciphertext: bytes) -> bytes:
        """Decrypt a delivered record.

        Raises:
            KeyFormatError: `enc_invalid`, `ciphertext_refused`.
        """
    def scan(self, announcements: bytes) -> list[int]:
        """Positions of the announcements (34 bytes each, joined) whose tag matches, over all cores.

        One in 65,536 of others' matches too: the record's subject decides.

        Raises:
            KeyFormatError: `announcements_malformed`: the last one is cut.
        """

@final
class ProvingKey:
    """An issuer's key over Baby Jubjub, for what circuits check."""

    def __new__(cls, secret: bytes) -> ProvingKey:
        """Take 32 bytes, little-endian, below the subgroup's order and not zero.

        Raises:
            KeyFormatError: not such a secret.
        """

    @staticmethod
    def generate_secret() -> bytes:
        """A fresh secret from the operating system."""

    def public(self) -> bytes:
        """The packed point: 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """EdDSA-Poseidon over a field element (32 bytes, big-endian): 64 bytes."""

@final
class Wallet:
    """A holder's keys from a BIP-39 seed of 64 bytes; `address` and `epoch` choose the view key."""

    def __new__(cls, seed: bytes) -> Wallet: ...
    def spend_public(self) -> bytes:
        """S, packed."""
    def address(self, address: int = 0, epoch: int = 0) -> bytes:
        """The sealing address, 64 bytes: pack(S) ‖ view public key."""
    def view_secret(self, address: int = 0, epoch: int = 0) -> bytes:
        """The raw X25519 scalar, 32 bytes; whoever has it finds and reads."""
    def view_key(self, address: int = 0, epoch: int = 0) -> ViewKey:
        """The view key of the address, which stays inside the core."""
    def scan(self, announcements: bytes, address: int = 0, epoch: int = 0) -> list[int]:
        """`ViewKey.scan` of the address."""
    def receive(self, enc: bytes, address: int = 0, epoch: int = 0) -> tuple[bytes, bytes, bytes]:
        """(subject, tag, locator) of what `enc` delivers to the address.

        Raises:
            KeyFormatError: `enc_invalid`.
        """
    def open(self, enc: bytes, ciphertext: bytes, address: int = 0, epoch: int = 0) -> bytes:
        """Decrypt a delivered record.

        Raises:
            KeyFormatError: `ciphertext_refused`.
        """
    def sign(self, message: bytes) -> bytes:
        """Sign a field element with the spend key: packPoint(R) ‖ LE(S), 64 bytes."""
    def sign_as(self, enc: bytes, subject: bytes, message: bytes, address: int = 0, epoch: int = 0) -> bytes:
        """Sign a field element with the one-time key `subject`, whose secret is recomputed from `enc`.

        Raises:
            KeyFormatError: `subject_not_ours`.
        """

def check_point(packed: bytes) -> tuple[bytes, bytes]:
    """(x, y) of a packed point.

    Raises:
        KeyFormatError: `point_not_canonical`, `point_not_on_curve`, `point_is_identity`, `point_outside_subgroup`.
    """

def disclosure_digest(
    records: list[tuple[bytes, bytes, bytes, list[bytes]]], proofs: list[tuple[bytes, list[bytes]]]
) -> bytes:
    """H("disclosure"; records, proofs): records are (attester, uid, keccak256 of the seal's signature, leaf hashes),
    proofs (verification key hash, public inputs as 32 bytes big-endian), both in any order.

    Raises:
        KeyFormatError: `wrong_length`.
    """

def format_address(address: bytes) -> str:
    """bech32m of 64 bytes, prefix `seal`. Raises KeyFormatError as `parse_address` does."""

def holder_commitment(spend: bytes) -> bytes:
    """P(tagHolder, Sx, Sy) of a packed spend key: the value of claim 0."""

def holder_message(digest: bytes, subject: bytes, audience: str, nonce: bytes, expiry: int) -> bytes:
    """M = F("holder-signature"; digest, subject, keccak256(audience), nonce, expiry in Unix seconds)."""

def parse_address(text: str) -> bytes:
    """The 64 bytes of a sealing address.

    Raises:
        KeyFormatError: `address_malformed`, `view_key_invalid`, or a refusal of the spend key's point.
    """

def poseidon_path(leaves: list[bytes], depth: int, index: int) -> list[list[bytes]]:
    """The siblings of the leaf at `index` in `poseidon_root`'s tree, from the leaves up: of every level the three other
    nodes, in their order.

    Raises:
        KeyFormatError: `tree_overfull` also for an index outside the tree; else as `poseidon_root`.
    """

def poseidon_root(leaves: list[bytes], depth: int) -> bytes:
    """The root of a tree of arity 4 over the leaves (32 bytes each, below r) from index 0; the others are zero.

    Raises:
        KeyFormatError: `tree_overfull`, or a leaf that is no field element.
    """

def poseidon_hash(inputs: list[bytes]) -> bytes:
    """Circomlib's Poseidon of 1 to 10 field elements."""

def registration_message(challenge: bytes, address: bytes, origin: str, expiry: int) -> bytes:
    """F("registration"; bytes32 challenge, bytes address, bytes32 keccak256(origin), uint64 expiry)."""

def verify_holder_signature(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature of a field element under a packed key, by circomlib's equation.

    Raises:
        KeyFormatError: `public` is refused as a point.
        SignatureError: `signature_malformed` or `signature_invalid`.
    """

# --- circuits: Groth16 over BN254; public inputs are 32 bytes big-endian, below r ---

@final
class Cancellation:
    """Stops proving from another thread."""

    def __new__(cls) -> Cancellation: ...
    def cancel(self) -> None:
        """From now on, whatever was given this one ends with `cancelled`."""

@final
class CircuitProver:
    """Proves one circuit's statements under one proving key, which is read once."""

    def __new__(cls, circuit: str, key: bytes) -> CircuitProver:
        """Read a proving key's file.

        Raises:
            CircuitKeyError: `circuit_unknown`, `key_malformed`, `key_altered` (its hash does not fit),
                `key_other_circuit`.
        """
    def prove(
        self,
        inputs: bytes,
        wallet: Wallet | None = None,
        progress: Callable[[str], None] | None = None,
        cancellation: Cancellation | None = None,
    ) -> tuple[bytes, list[bytes]]:
        """Prove a statement: (proof, 256 bytes; public inputs). The GIL is released.

        `inputs` is JSON; `wallet` gives the holder's secret to the circuits that take one. `progress` is told the name
        of each stage as it begins, from any thread, some of them at once; what it raises ends the run. The bytes of two
        proofs of one statement differ.

        Raises:
            ProvingError: `inputs_malformed`, `secret_missing`, `secret_needless`, `statement_unsatisfied`, `cancelled`,
                `proving_failed` (the key is spoilt), `no_randomness`.
        """

@final
class CircuitVerifier:
    """A verification key, prepared."""

    def __new__(cls, circuit: str, key: bytes) -> CircuitVerifier:
        """Read a verification key's bytes.

        Raises:
            CircuitKeyError: `circuit_unknown`, `key_malformed`, `key_other_circuit`.
        """
    @property
    def hash(self) -> bytes:
        """H("verification-key"; string circuit, bytes key), 32 bytes."""
    @property
    def circuit(self) -> str: ...
    def verify(self, inputs: list[bytes], proof: bytes) -> None:
        """Check one proof.

        Raises:
            ProofError: `proof_malformed`, `input_out_of_range`, `inputs_wrong_number`, `proof_invalid`.
        """

def circuit_names() -> list[str]: ...
def circuit_counts(circuit: str) -> tuple[int, int, int]:
    """Numbers of constraints, wires and public inputs."""

def circuit_publics(circuit: str) -> list[str]:
    """Names of the public inputs, in their order."""

def development_key(circuit: str, seed: bytes) -> tuple[bytes, bytes]:
    """(proving key's file, verification key) from a public seed: whoever knows the seed forges proofs.

    Raises:
        CircuitKeyError: `circuit_unknown`.
    """

def verify_proofs(proofs: list[tuple[CircuitVerifier, list[bytes], bytes]]) -> None:
    """Check many proofs at once, each (verifier, public inputs, proof), by a random combination of their equations.

    Raises:
        ProofError: as `CircuitVerifier.verify` says of the first that does not hold; `path` is `proofs[i]`, or a
            place in it.
    """

# --- interchange: constraints and keys in the forms of snarkjs ---

def circuit_r1cs(circuit: str) -> bytes:
    """A circuit's constraints as `.r1cs`; its SHA-256 names the circuit in manifests.

    Raises:
        CircuitKeyError: `circuit_unknown`.
    """

def export_zkey(circuit: str, proving_key: bytes) -> bytes:
    """A proving key's file as `.zkey`, without a ceremony's contributions: snarkjs proves with it.

    Raises:
        CircuitKeyError: as `CircuitProver`.
    """

def import_zkey(circuit: str, zkey: bytes) -> tuple[bytes, bytes]:
    """(proving key's file, verification key) of a `.zkey`; every point, size, and coefficient of A and B is checked.

    Those of C are not in such a file: `snarkjs zkey verify` checks them.

    Raises:
        CircuitKeyError: `circuit_unknown`, `key_malformed`, `key_other_circuit`.
    """

def witness_in_clear(circuit: str, inputs: bytes, secret: bytes | None = None) -> bytes:
    """All values of a statement's wires as `.wtns`, the holder's secret among them: for tests and benches beside
    snarkjs. `secret` is its 32 bytes, little-endian, which no wallet gives out.

    Raises:
        ProvingError: `inputs_malformed`, `secret_missing`, `secret_needless`.
        KeyFormatError: the secret is none.
    """

# --- attestation: EAS without a chain; digests are 32 bytes, addresses 20 ---

_Leaf: TypeAlias = tuple[str, str, str | bytes | bool | int, bytes]
_Message: TypeAlias = tuple[bytes, bytes, int, int, bool, bytes, bytes, bytes]

def check_json(text: bytes) -> None:
    """Raise ValueError unless `text` is one JSON value of at most 200 levels."""

def keccak256(data: bytes) -> bytes: ...
def encode_value(abi_type: str, value: str | bytes | bool | int) -> bytes:
    """`abi.encode([abi_type], [value])` for string, bytes, bool, address (20 bytes), intN, uintN and bytesN.

    Of any other spelling the value must be its encoded bytes, which come back as they are.

    Raises:
        FieldEncodingError: the value does not fit its type.
    """

def leaf_hashes(values: list[_Leaf]) -> list[bytes]:
    """The leaf of each (type, name, value, 32 bytes of salt); values as for `encode_value`."""

def implied_root(values: list[_Leaf], siblings: Sequence[bytes], flags: Sequence[bool]) -> bytes:
    """The root that opened leaves give with a multiproof; it proves nothing until it is compared.

    Raises:
        FieldEncodingError: `proof_empty`, `proof_duplicate` or `proof_shape`.
    """

def domain_separator(name: str, version: str, chain_id: int, contract: bytes) -> bytes: ...
def typed_data_digest(separator: bytes, encode_type: str, members: Sequence[bytes]) -> bytes:
    """EIP-712 digest of one flat struct, its members as 32-byte words (dynamic ones as their keccak256)."""

def offchain_hashes(separator: bytes, form_name: str, message: _Message) -> tuple[bytes, bytes]:
    """(uid, digest) of an off-chain attestation; the form is legacy, legacy-attest, version1 or version2."""

def offchain_sign_many(
    separator: bytes, form_name: str, messages: Sequence[_Message], key: SigningKey
) -> list[tuple[bytes, bytes]]:
    """(uid, signature) of each message, over all cores."""

def offchain_recover(separator: bytes, form_name: str, message: _Message, uid: bytes, signature: bytes) -> bytes:
    """The signer's address.

    Raises:
        SignatureError: `uid_mismatch`, or a signature that is malformed, has a high s or gives no key.
    """

def recover_address(digest: bytes, signature: bytes) -> bytes:
    """The address that signed; r, s, v with v 27 or 28 and a low s, or SignatureError."""

def recover_addresses(pairs: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
    """`recover_address` of each (digest, signature), over all cores; None where it is refused."""

@final
class MerkleTree:
    """OpenZeppelin's StandardMerkleTree over given leaf hashes."""

    def __new__(cls, leaves: Sequence[bytes]) -> MerkleTree: ...
    @staticmethod
    def of_values(values: list[_Leaf]) -> MerkleTree: ...
    @property
    def root(self) -> bytes: ...
    @property
    def nodes(self) -> list[bytes]:
        """All 2n-1 nodes, the root first."""

    def multiproof(self, indices: Sequence[int]) -> tuple[list[int], list[bytes], list[bool]]:
        """(indices in the proof's order, siblings, flags) that open the leaves given at `indices`.

        Raises:
            FieldEncodingError: `proof_empty`, `proof_duplicate` or `proof_index`.
        """

@final
class SigningKey:
    """A secp256k1 key that signs (RFC 6979, low s) and never shows itself."""

    def __new__(cls, secret: bytes) -> SigningKey: ...
    @property
    def address(self) -> bytes: ...
    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes: r, s, v with v 27 or 28."""

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]: ...

# --- record: a field is (name, ABI type, value); a value is str, bool, int or 32 bytes ---

def compute_slots(
    resource_type: str, fields: list[tuple[str, str, str | bool | int | bytes]]
) -> list[tuple[str, str, str | bool | int | bytes]]:
    """The slots fields of a resource's fields, outer containers first."""

def close_over(
    resource_type: str, fields: list[tuple[str, str, str | bool | int | bytes]], chosen: list[str]
) -> list[tuple[str, str]]:
    """(name, reason) of everything that opens when `chosen` do, in the order of the record."""

def recount_slots(
    resource_type: str, opened: list[tuple[str, str, str | bool | int | bytes]]
) -> list[tuple[str, list[tuple[str, bool, int, int, str]]]]:
    """(path, slots) of each shown container; a slot is name, travels, fields, shown, state."""

def lift_claims(
    fields: list[tuple[str, str, str | bool | int | bytes]], holder: bytes
) -> tuple[list[tuple[str, str, str, str, str, str, int, bytes, bytes]], list[str]]:
    """Claims (path, sense, qualifier system and code, kind, unit, scale, key, value) and dropped elements."""

def claims_root(fields: list[tuple[str, str, str | bool | int | bytes]], holder: bytes, seed: bytes) -> bytes:
    """Root of the claims, 32 bytes."""

def open_claims(
    fields: list[tuple[str, str, str | bool | int | bytes]], holder: bytes, seed: bytes
) -> list[tuple[tuple[str, str, str, str, str, str, int, bytes, bytes], bytes, bytes]]:
    """(claim as `lift_claims` gives it, salt, leaf) of each claim; salt and leaf are field elements."""

def credential_message(
    attester: bytes,
    *,
    list_number: int,
    index: int,
    claims_root: bytes,
    holder: bytes,
    claim_id: bytes,
    uses: int,
    sealed_at: int,
    expiry: int,
) -> bytes:
    """P(tagCred, attester, list, index, claimsRoot, holder, claimId, uses, sealedAt, expiry): 32 bytes.

    Raises:
        FieldEncodingError: `field_element_range`: root or holder is not below r.
    """

def credential_uses(resource_type: str, fields: list[tuple[str, str, str | bool | int | bytes]]) -> int:
    """How often what the fields state may be used: 1, or a prescription's repeats and once more; at most 65,535."""

def record_about(
    resource_type: str,
    fields: list[tuple[str, str, str | bool | int | bytes]],
    targets: list[tuple[str, str, str]],
) -> str:
    """`chartseal.about`; `targets` are (reference, resource type, absolute URL or nothing)."""

def patient_url(
    resource_type: str,
    fields: list[tuple[str, str, str | bool | int | bytes]],
    full_url: str,
    base: str,
    targets: list[tuple[str, str, str]],
) -> str | None:
    """Absolute URL of the Patient that the record is or is about; `base` ends with a slash."""

def person_mark(secret: bytes, patient_url: str) -> bytes:
    """`chartseal.person`: HMAC-SHA256 of the patient's URL under the issuer's 32-byte secret."""

def compute_control(
    resource_type: str,
    fields: list[tuple[str, str, str | bool | int | bytes]],
    *,
    about: str,
    subject: bytes,
    claims: bytes,
    full_url: str,
    person: bytes,
    amends: bytes,
    test: bool,
) -> list[tuple[str, str, str | bool | int | bytes]]:
    """All control fields, slots, names and pads included."""

def check_control(opened: list[tuple[str, str, str | bool | int | bytes]], *, allow_test: bool) -> str:
    """Check the opened control fields of one record; returns its resource type."""

# --- vault: records at rest, each under its own data key ---

def record_facts(
    lines: Sequence[bytes], wanted: frozenset[str]
) -> list[tuple[str, bytes | None, bytes, bytes, int, str, list[tuple[str, str]]] | None]:
    """Of each sealed record's line what whoever keeps it must know, over all cores; None where it is no such line.

    Sealing address, announcement (34 bytes, or None), attester (20), uid (32), the seal's time (Unix seconds), the
    package as JSON, and the texts of the fields whose path below the resource is wanted, in the record's order. In
    `wanted` an index is `[]`, in the answer it is as in the record. Nothing is verified.
    """

def index_terms(key: bytes, words: Sequence[bytes]) -> list[bytes]:
    """The first 16 bytes of HMAC-SHA256 over each word, over all cores."""

def encrypt_records(
    payloads: Sequence[bytes], associated: Sequence[bytes], infos: Sequence[bytes], reader: bytes
) -> list[tuple[bytes, bytes]]:
    """(ciphertext, wrapped data key) of each record, over all cores, for the X25519 public key `reader` (32 bytes).

    A ciphertext is a fresh nonce (12) and AES-256-GCM under a fresh data key, with `associated` bound to it. A wrapped
    key, 80 bytes, is HPKE's encapsulated key and the sealed data key, in the suite of deliveries, with its info.

    Raises:
        KeyFormatError: `reader_invalid`: a key of low order.
        ValueError: the sequences differ in length.
    """

def decrypt_records(secret: bytes, items: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> list[bytes | CoreError]:
    """The record of each (wrapped data key, info, ciphertext, associated), over all cores, or why it does not open.

    `secret` is the reader's raw X25519 scalar, 32 bytes. The errors are KeyFormatErrors: `data_key_refused` where the
    wrapped key is for another reader or info, or altered; `ciphertext_refused` where the rest is.
    """

def rewrap_keys(secret: bytes, reader: bytes, items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bytes | CoreError]:
    """The data key of each (wrapped data key, info, new info), wrapped anew for `reader`, or why it does not open.

    The ciphertexts stay as they are. Errors are as in `decrypt_records` and `encrypt_records`.
    """

def reader_public(secret: bytes) -> bytes:
    """X25519 public key of a raw secret, 32 bytes each."""

def seal_deliveries(items: Sequence[tuple[bytes, bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """(locator, ciphertext) of each (sealing address, keying material, record line), over all cores.

    The keying material (32 bytes) is that of the record's seal: the ciphertext is the same each time.

    Raises:
        KeyFormatError: an address is malformed.
    """

# --- sealing ---

@final
class SealIssuer:
    """What is the same in all seals of one issuer."""

    def __new__(
        cls,
        *,
        separator: bytes,
        attester: bytes,
        person_secret: bytes,
        base: str,
        domain_json: str,
        types_json: str,
        signer: str,
    ) -> SealIssuer:
        """`base` ends with a slash or is empty; the JSON texts and `signer` stand in each record as they are."""

@final
class SealRecipient:
    """For whom records are sealed: a sealing address (64 bytes), read once."""

    def __new__(cls, address: bytes) -> SealRecipient:
        """Raises KeyFormatError as `parse_address` does."""

@final
class UnsignedRecord:
    """A record that lacks nothing but the issuer's signature over `digest`."""

    @property
    def resource_type(self) -> str: ...
    @property
    def digest(self) -> bytes:
        """What is signed, 32 bytes."""

    @property
    def uid(self) -> bytes: ...
    @property
    def root(self) -> bytes: ...
    @property
    def address(self) -> bytes:
        """Whom it is sealed to: a sealing address, 64 bytes."""

    @property
    def ikm(self) -> bytes:
        """Keying material of its delivery, 32 bytes, secret: with it the record can be delivered again."""

    @property
    def takes_credential(self) -> bool:
        """Whether it may get one: test records do not."""

@final
class ReadingRules:
    """What the issuer's configuration lets through, as `read_resource` takes it."""

    def __new__(
        cls, *, test: bool, modifier_extensions: Sequence[str], implicit_rules: Sequence[str]
    ) -> ReadingRules: ...

def outlines(texts: Sequence[bytes]) -> list[tuple[str, str | None, str | None, list[str], list[str]] | None]:
    """`outline` of each text, over all cores; None where it has none."""

@final
class SealOrder:
    """One resource for one recipient; `entries` are the roots of a document Bundle's entries."""

    def __new__(cls, text: bytes, recipient: SealRecipient, full_url: str, entries: Sequence[bytes]) -> SealOrder: ...

def prepare_records(
    orders: Sequence[SealOrder],
    issuer: SealIssuer,
    references: References,
    rules: ReadingRules,
    *,
    time: int,
    expirations: dict[str, int],
) -> list[UnsignedRecord | CoreError]:
    """Read and seal each resource, over all cores; what is refused gives its error. Times are Unix seconds."""

def finish_records(
    records: Sequence[UnsignedRecord],
    signatures: Sequence[bytes],
    issuer: SealIssuer,
    proving: ProvingKey | None = None,
    places: Sequence[tuple[int, int] | None] = ...,
) -> list[bytes]:
    """Each sealed record as one line of JSON, without its end, over all cores; a signature has 65 bytes.

    Under a proving key there is a place for each record: (list, index), at which it gets a credential, or None.
    """

def prepare_fields(
    resource_type: str,
    fields: list[tuple[str, str, str | bool | int | bytes]],
    recipient: SealRecipient,
    issuer: SealIssuer,
    *,
    detached: list[tuple[str, str]],
    test: bool,
    full_url: str,
    time: int,
    expiration: int,
    amends: bytes,
    entries: list[bytes],
    claim_id: bytes | None = None,
    seed: bytes | None = None,
    ikm: bytes | None = None,
) -> UnsignedRecord:
    """Seal the fields of one checked resource; `claim_id` (31 bytes) is a replaced record's; `seed` and `ikm` (32 bytes
    each) come from the system where not given.

    Raises:
        RecordError: a field contradicts the resource type.
        KeyFormatError: `no_randomness`.
    """

def check_record(
    fields: list[tuple[str, str, str | bool | int | bytes]], seed: bytes, holder: bytes, *, salts_sound: bool = True
) -> bytes:
    """The root of a record whose claims (under the holder's commitment), slots, labels, names and pads are right.

    Raises:
        RecordError: `claims_mismatch`, `control_mismatch`, `control_missing`, … with the field's name.
    """

def pad_fields(leaves: int) -> list[tuple[str, str, str | bool | int | bytes]]:
    """The pads that fill so many leaves up to a multiple of 16."""

def field_salts(seed: bytes, names: list[str]) -> list[bytes]:
    """Salt of each field's leaf, 32 bytes each."""

# --- fhir: bytes of one R4 resource in, its fields out ---

def read_resource(
    text: bytes, *, test: bool = False, modifier_extensions: Sequence[str] = ..., implicit_rules: Sequence[str] = ...
) -> tuple[str, list[tuple[str, str, str | bool | int | bytes]], list[tuple[str, str]], bool]:
    """(resource type, fields in document order, detached (name, text), whether it is marked HTEST).

    `test` lets HTEST through; the URLs listed are the modifiers that the issuer understands.

    Raises:
        FhirError: a lexical, structural or clinical refusal, each with its code and element path.
        LimitError: `json_too_large`, `json_too_deep`, `json_too_many_values`.
    """

def read_resources(
    texts: list[bytes],
    *,
    test: bool = False,
    modifier_extensions: Sequence[str] = ...,
    implicit_rules: Sequence[str] = ...,
) -> list[
    tuple[str, list[tuple[str, str, str | bool | int | bytes]], list[tuple[str, str]], bool] | FhirError | LimitError
]:
    """`read_resource` of each text, over all cores: what it returns, or the error that it would raise."""

def rebuild(
    resource_type: str,
    fields: Sequence[tuple[str, str, str | bool | int | bytes]],
    detached: Sequence[tuple[str, str]],
    *,
    partial: bool = False,
) -> tuple[str, list[str]]:
    """(JSON text, array positions that are not opened) of a resource's fields; control fields are skipped.

    `partial` closes lists up, tags the resource SUBSETTED and marks what R4 requires and is withheld as `masked`.

    Raises:
        RecordError: the fields contradict each other or R4; without `partial`, `position_missing`.
    """

# --- Bundles and streams ---

@final
class BundleSplitter:
    """Cuts one JSON object, in chunks, into the objects of its list `entry`; memory is bounded by the largest one."""

    kind: tuple[str | None, str | None]
    """`resourceType` and `type`, as far as they have been read."""
    is_kind_known: bool
    """Whether `kind` will not change: a Bundle's needs its `type` too."""

    def __new__(cls) -> BundleSplitter: ...
    def feed(self, chunk: bytes) -> list[bytes]:
        """The entries, whole objects, that end in the next bytes. After an error the splitter is of no further use.

        Raises:
            FhirError: `json_malformed`, `json_bom`, `bundle_entry`, `bundle_entry_twice`, `bundle_trailing`.
            LimitError: `bundle_entry_too_large`, `bundle_head_too_large`, `bundle_spaces`, `json_too_large`,
                `json_too_deep`.
        """
    def finish(self) -> tuple[tuple[str | None, str | None], bytes]:
        """(kind, the object without its entries); once.

        Raises:
            FhirError: the object is not complete or its head malformed; `bundle_ended`.
        """

@final
class References:
    """Resources by their fullUrl, and what references between them resolve to."""

    def __new__(cls) -> References: ...
    def add(self, full_url: str, resource_type: str, id: str | None = None) -> None:  # noqa: A002
        """Add a resource; one without fullUrl cannot be referred to."""
    def resolve(self, reference: str, from_url: str, base: str) -> tuple[str, str] | None:
        """(resource type, absolute URL or nothing) of what `reference` means in the resource of that fullUrl.

        `base` is the issuer's and ends with a slash: what urn:uuid and urn:oid name gets its URL there.

        Source: hl7.org/fhir/R4/bundle.html#references.
        """

def resource_kind(text: bytes) -> tuple[str | None, str | None]:
    """`resourceType` and `type` of a text, read no further than they stand.

    Raises:
        FhirError: what stands before them is malformed.
        LimitError: as `BundleSplitter.feed`.
    """

def bundle_entry(text: bytes) -> tuple[str, bytes | None, str | None, str | None, bool]:
    """(fullUrl or nothing, the resource's own bytes, request method, search mode, whether there is a response).

    Raises:
        FhirError: `bundle_entry_malformed`, `bundle_full_url`.
    """

def bundle_document(head: bytes, full_urls: list[str]) -> bytes:
    """The reduced Bundle that stands for a document, from `BundleSplitter.finish`'s head and its entries' fullUrls.

    Raises:
        FhirError: `bundle_document`.
    """

def outline(text: bytes) -> tuple[str, str | None, str | None, list[str], list[str]]:
    """(resource type, id, subject, references that may place it in a patient's compartment, all references).

    `subject` is the text of the one reference of `subject`, `patient` or `beneficiary`.

    Raises:
        FhirError: not JSON, or `resource_type_missing`.
        LimitError: as `read_resource`.
    """

# --- adherence ---

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

def adherence_measure(name: str, events: _ArrowArray, settings: str) -> _ArrowArray:
    """The measure `name` over a batch of whole patients; `settings` is its JSON. Runs on all cores, the lock released.

    Columns: `patient` (any type, rows of a patient together), `date`, and those that the measure needs.

    Raises:
        AdherenceError: `measure_unknown`, `settings_invalid`, `column_missing`, `column_type`, `column_twice`,
            `patient_missing`.
    """
