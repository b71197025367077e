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
from chartseal.predicates.hashes import consent_message, delegation_message, withdrawal_message

if TYPE_CHECKING:
    from chartseal.circuits import Proof, Prover
    from chartseal.keys.contents import ContentKeys

_KIND = "wallet"
_WORDS = 24
_SEED_SIZE = 64
_SEED_BOUND = b"chartseal/1/wallet"
"""Associated data of a seed in a wallet file."""


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
    """Keys from 24 BIP-39 words and, where the holder chose one, their passphrase.

    `address` (0 general, 1 confidential, …) and `epoch` choose the view key. Another passphrase is another wallet: none
    is wrong, and the words alone are a wallet too.

    Source: BIP-39; format specification, holder keys.
    """

    __slots__ = ("_entropy", "_keys", "_secret")

    def __init__(self, entropy: bytes, passphrase: str = "") -> None:
        """Derive the keys of 32 bytes of BIP-39 entropy, and of the words' passphrase.

        Raises:
            WordsError: not 32 bytes, or a passphrase that is no text.
        """
        if len(entropy) != 32:
            raise WordsError("a wallet has 32 bytes of entropy, hence 24 words")
        try:
            seed = Mnemonic.to_seed(Mnemonic("english").to_mnemonic(entropy), passphrase)
        except UnicodeEncodeError:
            raise WordsError("the words' passphrase is not Unicode text") from None
        self._entropy: bytes | None = entropy
        self._secret = seed if passphrase else entropy
        """What the file keeps, and its other keys come from."""
        self._keys = _core.Wallet(seed)

    @classmethod
    def _of_seed(cls, seed: bytes) -> Wallet:
        """A wallet with a passphrase, whose words nobody knows any more."""
        made = cls.__new__(cls)
        made._entropy, made._secret, made._keys = None, seed, _core.Wallet(seed)
        return made

    @classmethod
    def generate(cls, passphrase: str = "") -> Wallet:
        """A new wallet, from the operating system's randomness."""
        return cls(secrets.token_bytes(32), passphrase)

    @classmethod
    def from_words(cls, words: str, passphrase: str = "") -> Wallet:
        """Restore a wallet; case and spacing of the words do not matter, those of the passphrase do.

        Raises:
            WordsError: not 24 words of the list, or their checksum is wrong; no passphrase is.
        """
        spaced = words.lower().split()
        if len(spaced) != _WORDS:
            raise WordsError(f"a wallet has {_WORDS} words, not {len(spaced)}")
        try:
            entropy = bytes(Mnemonic("english").to_entropy(spaced))
        except (ValueError, LookupError) as exc:
            raise WordsError("a word is not in the list, or the words' checksum is wrong") from exc
        return cls(entropy, passphrase)

    @property
    def has_passphrase(self) -> bool:
        """Whether the words alone are another wallet."""
        return len(self._secret) == _SEED_SIZE

    def words(self) -> str:
        """The 24 words, separated by blanks: whoever reads them, and has their passphrase, has the wallet.

        Raises:
            WordsError: `words_not_kept`: of words with a passphrase a file keeps the seed alone.
        """
        if self._entropy is None:
            raise WordsError("the wallet's file keeps no words that have a passphrase", "words_not_kept")
        return Mnemonic("english").to_mnemonic(self._entropy)

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Wallet:
        """Open a wallet file by the file's own passphrase.

        Raises:
            KeyFileError: unreadable, damaged or of another kind.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        if "seed" in members:
            return cls._of_seed(_opened_seed(_files.unlock(members.get("key"), passphrase), members["seed"]))
        return cls(_files.unlock(members.get("entropy"), passphrase))

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the wallet file, mode 0600, under the file's own passphrase: the entropy in Web3 Secret Storage, or
        where the words have a passphrase the seed of both, neither of which it tells.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        _files.write(path, _files.encode(_KIND, self._members(passphrase)), force=force)

    def _members(self, passphrase: str) -> dict[str, Any]:
        if not self.has_passphrase:
            return {"entropy": _kept(self._secret, passphrase)}
        file_key = secrets.token_bytes(32)
        return {"key": _kept(file_key, passphrase), "seed": _sealed_seed(file_key, self._secret)}

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

        HKDF-SHA256 of the entropy, or where the words have a passphrase of the seed, info "chartseal/1/" and the
        purpose: other files have other keys, and another passphrase opens none of them.
        """
        # Imported when it is used, as in `transport`.
        from Crypto.Hash import SHA256
        from Crypto.Protocol.KDF import HKDF

        from chartseal.keys.contents import ContentKeys

        context = f"chartseal/1/{purpose}".encode()
        encryption, lookup = HKDF(self._secret, 32, b"", SHA256, num_keys=2, context=context)
        return ContentKeys(bytes(encryption), bytes(lookup))

    def sign_consent(self, root: bytes, custodian: bytes) -> bytes:
        """Sign a consent's root (32 bytes) for its custodian (20 bytes) with the spend key: 64 bytes.

        Raises:
            FieldEncodingError: a part has another size.
        """
        return self.sign_message(consent_message(root, custodian))

    def sign_withdrawal(self, root: bytes) -> bytes:
        """Sign the withdrawal of a consent by its root (32 bytes) with the spend key: 64 bytes.

        Raises:
            FieldEncodingError: the root has another size.
        """
        return self.sign_message(withdrawal_message(root))

    def sign_message(self, message: bytes) -> bytes:
        """Sign a field element (32 bytes, big-endian) with the spend key, as registrations and consents need."""
        return self._keys.sign(message)


def _kept(secret: bytes, passphrase: str) -> dict[str, Any]:
    try:
        return make_secret(secret, passphrase)
    except ValueError as exc:  # that form takes 1 to n - 1 of secp256k1; all others are 1 in 2^128, or somebody's joke
        raise KeyFileError("these words cannot be kept in a key file", "key_file_unsupported") from exc


def _sealed_seed(file_key: bytes, seed: bytes) -> str:
    from chartseal.keys.contents import ContentKeys  # imported when it is used, as in `content_keys`

    return ContentKeys(file_key, b"").seal(seed, _SEED_BOUND).hex()


def _opened_seed(file_key: bytes, sealed: Any) -> bytes:
    from chartseal.keys.contents import ContentKeys

    try:
        seed = ContentKeys(file_key, b"").open(bytes.fromhex(sealed), _SEED_BOUND)
    except (ValueError, TypeError) as exc:
        raise KeyFileError("the key file's seed does not open") from exc
    if len(seed) != _SEED_SIZE:
        raise KeyFileError(f"the key file holds no seed of {_SEED_SIZE} bytes")
    return seed
