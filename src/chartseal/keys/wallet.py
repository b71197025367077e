"""The holder's wallet: 24 words, the keys derived from them, and the file that keeps them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemonic import Mnemonic

from chartseal import _core
from chartseal.attestation.signer import make_secret
from chartseal.errors import KeyFileError, WordsError
from chartseal.keys import _files
from chartseal.keys.address import SealingAddress
from chartseal.predicates.hashes import delegation_message

if TYPE_CHECKING:
    from chartseal.circuits import Proof, Prover
    from chartseal.keys.contents import ContentKeys

_KIND = "wallet"
_WORDS = 24


@dataclass(frozen=True, slots=True)
class Received:
    """What one `enc` delivers: recomputed by the wallet, never taken from the sender."""

    enc: bytes
    """32 bytes."""
    subject: bytes
    """The record's one-time holder key, packed: 32 bytes."""
    tag: bytes
    """2 bytes."""
    locator: bytes
    """Where the ciphertext lies: 32 bytes."""


class Wallet:
    """Keys from 24 BIP-39 words. `address` (0 general, 1 confidential, …) and `epoch` choose the view key.

    Source: BIP-39, without its optional passphrase; format specification, holder keys.
    """

    __slots__ = ("_entropy", "_keys")

    def __init__(self, entropy: bytes) -> None:
        """Derive the keys of 32 bytes of BIP-39 entropy.

        Raises:
            WordsError: not 32 bytes.
        """
        if len(entropy) != 32:
            raise WordsError("a wallet has 32 bytes of entropy, hence 24 words")
        self._entropy = entropy
        self._keys = _core.Wallet(Mnemonic.to_seed(self.words()))

    @classmethod
    def generate(cls) -> Wallet:
        """A new wallet, from the operating system's randomness."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_words(cls, words: str) -> Wallet:
        """Restore a wallet; case and spacing do not matter.

        Raises:
            WordsError: not 24 words of the list, or their checksum is wrong.
        """
        spaced = words.lower().split()
        if len(spaced) != _WORDS:
            raise WordsError(f"a wallet has {_WORDS} words, not {len(spaced)}")
        try:
            return cls(bytes(Mnemonic("english").to_entropy(spaced)))
        except (ValueError, LookupError) as exc:
            raise WordsError("a word is not in the list, or the words' checksum is wrong") from exc

    def words(self) -> str:
        """The 24 words, separated by blanks: whoever reads them has the wallet."""
        return Mnemonic("english").to_mnemonic(self._entropy)

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Wallet:
        """Open a wallet file.

        Raises:
            KeyFileError: unreadable, damaged or of another kind.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        return cls(_files.unlock(members.get("entropy"), passphrase))

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the wallet file: the entropy in Web3 Secret Storage, mode 0600.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        try:
            keystore = make_secret(self._entropy, passphrase)
        except (
            ValueError
        ) as exc:  # that form takes 1 to n - 1 of secp256k1; all others are 1 in 2^128, or somebody's joke
            raise KeyFileError("these words cannot be kept in a key file", "key_file_unsupported") from exc
        _files.write(path, _files.encode(_KIND, {"entropy": keystore}), force=force)

    def sealing_address(self, address: int = 0, epoch: int = 0) -> SealingAddress:
        """What a provider seals to."""
        return SealingAddress(self._keys.address(address, epoch))

    def view_secret(self, address: int = 0, epoch: int = 0) -> bytes:
        """The raw X25519 scalar of an address: 32 bytes; whoever has it finds and reads what is sealed to it."""
        return self._keys.view_secret(address, epoch)

    def holder_commitment(self) -> bytes:
        """The value of claim 0 of this wallet's records: 32 bytes, big-endian."""
        return _core.holder_commitment(self._keys.spend_public())

    def receive(self, enc: bytes, *, address: int = 0, epoch: int = 0) -> Received:
        """Recompute what `enc` (32 bytes) delivers.

        Raises:
            KeyFormatError: `enc_invalid`.
        """
        return Received(enc, *self._keys.receive(enc, address, epoch))

    def scan(self, announcements: bytes, *, address: int = 0, epoch: int = 0) -> list[int]:
        """Which announcements of a page (34 bytes each, joined) may be this wallet's; one in 65,536 others is too.

        Raises:
            KeyFormatError: `announcements_malformed`: not whole entries.
        """
        return self._keys.scan(announcements, address, epoch)

    def is_mine(self, enc: bytes, subject: bytes, *, address: int = 0, epoch: int = 0) -> bool:
        """Whether a record sealed with `enc` to `subject` is this wallet's."""
        return self.receive(enc, address=address, epoch=epoch).subject == subject

    def open(self, enc: bytes, ciphertext: bytes, *, address: int = 0, epoch: int = 0) -> bytes:
        """Decrypt a delivered record.

        Raises:
            KeyFormatError: `ciphertext_refused`: another delivery's, or altered.
        """
        return self._keys.open(enc, ciphertext, address, epoch)

    def sign_disclosure(
        self,
        enc: bytes,
        subject: bytes,
        digest: bytes,
        *,
        audience: str,
        nonce: bytes,
        expiry: int,
        address: int = 0,
        epoch: int = 0,
    ) -> bytes:
        """Sign a disclosure under one record's subject: packPoint(R) ‖ LE(S), 64 bytes.

        The message is F("holder-signature"; bytes32 digest, bytes32 subject, bytes32 keccak256(audience),
        bytes32 nonce, uint64 expiry). `audience` is the authenticated origin that the request came from; `expiry` is in
        Unix seconds.

        Raises:
            KeyFormatError: `subject_not_ours`, when `enc` does not give `subject`.
        """
        message = _core.holder_message(digest, subject, audience, nonce, expiry)
        return self._keys.sign_as(enc, subject, message, address, epoch)

    def delegate(
        self,
        enc: bytes,
        subject: bytes,
        *,
        proxy: bytes,
        audience: str,
        not_before: int,
        expiry: int,
        majority: int,
        address: int = 0,
        epoch: int = 0,
    ) -> bytes:
        """Let a proxy sign disclosures of one record, as its subject: packPoint(R) ‖ LE(S), 64 bytes.

        The message is `delegation_message`'s. `proxy` is the proxy's packed key, `audience` empty for any verifier;
        times are in Unix seconds, `majority` 0 for none.

        Raises:
            KeyFormatError: `subject_not_ours`, when `enc` does not give `subject`.
        """
        message = delegation_message(subject, proxy, audience, not_before=not_before, expiry=expiry, majority=majority)
        return self._keys.sign_as(enc, subject, message, address, epoch)

    def prove(self, prover: Prover, inputs: Mapping[str, Any], **options: Any) -> Proof:
        """Prove a statement about this wallet's spend secret, which stays in the core; `options` are the prover's.

        Raises:
            ProvingError: the inputs are malformed or do not satisfy the statement, or proving was cancelled.
        """
        return prover.prove(inputs, self._keys, **options)

    def content_keys(self, purpose: str) -> ContentKeys:
        """Keys for what the wallet keeps in a file of its own: they open no record and sign nothing.

        HKDF-SHA256 of the entropy, info "chartseal/1/" and the purpose: other files have other keys.
        """
        # Imported when it is used, as in `transport`.
        from Crypto.Hash import SHA256
        from Crypto.Protocol.KDF import HKDF

        from chartseal.keys.contents import ContentKeys

        context = f"chartseal/1/{purpose}".encode()
        encryption, lookup = HKDF(self._entropy, 32, b"", SHA256, num_keys=2, context=context)
        return ContentKeys(bytes(encryption), bytes(lookup))

    def sign_message(self, message: bytes) -> bytes:
        """Sign a field element (32 bytes, big-endian) with the spend key, as registrations and consents need."""
        return self._keys.sign(message)
