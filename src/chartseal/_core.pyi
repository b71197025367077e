"""Typed face of the Rust core (chartseal-core)."""

from typing import final

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
class Wallet:
    """A holder's keys from a BIP-39 seed of 64 bytes; `address` and `epoch` choose the view key."""

    def __new__(cls, seed: bytes) -> Wallet: ...
    def spend_public(self) -> bytes:
        """S, packed."""
    def address(self, address: int = 0, epoch: int = 0) -> bytes:
        """The sealing address, 64 bytes: pack(S) ‖ view public key."""
    def view_secret(self, address: int = 0, epoch: int = 0) -> bytes:
        """The raw X25519 scalar, 32 bytes; whoever has it finds and reads."""
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

def poseidon_hash(inputs: list[bytes]) -> bytes:
    """circomlib's Poseidon of 1 to 10 field elements."""

def registration_message(challenge: bytes, address: bytes, origin: str, expiry: int) -> bytes:
    """F("registration"; bytes32 challenge, bytes address, bytes32 keccak256(origin), uint64 expiry)."""

def verify_holder_signature(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature of a field element under a packed key, by circomlib's equation.

    Raises:
        KeyFormatError: `public` is refused as a point.
        SignatureError: `signature_malformed` or `signature_invalid`.
    """
