"""A view key: it finds and reads what is sealed to one address, and can neither sign nor prove."""

from __future__ import annotations

from pathlib import Path

from chartseal import _core
from chartseal.attestation.signer import make_secret
from chartseal.errors import KeyFileError, KeyFormatError
from chartseal.keys import _files
from chartseal.keys.address import SealingAddress
from chartseal.keys.wallet import Received, Wallet

_KIND = "view-key"


class ViewKey:
    """The X25519 secret of one sealing address, in memory: for a proxy or a device that only reads.

    What it has seen it has seen: it cannot be called back, only another epoch begun. Whoever has it can prove to others
    what was sealed to the address.
    """

    __slots__ = ("_key", "_secret", "address")

    def __init__(self, secret: bytes, address: SealingAddress) -> None:
        """Take the raw X25519 scalar (32 bytes) of the address.

        Raises:
            KeyFormatError: `view_key_mismatch`: the secret is another address's.
        """
        self._secret = secret
        self._key = _core.ViewKey(secret, address.data)
        self.address = address

    @classmethod
    def of(cls, wallet: Wallet, address: int = 0, epoch: int = 0) -> ViewKey:
        """The view key of a wallet's address."""
        return cls(wallet.view_secret(address, epoch), wallet.sealing_address(address, epoch))

    @classmethod
    def load(cls, path: Path, passphrase: str) -> ViewKey:
        """Open a view key's file.

        Raises:
            KeyFileError: unreadable, damaged, of another kind, or with a secret of another address.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        secret = _files.unlock(members.get("secret"), passphrase)
        stated = members.get("address")
        try:
            return cls(secret, SealingAddress.parse(stated if isinstance(stated, str) else ""))
        except KeyFormatError as exc:
            raise KeyFileError("the key file's secret is not its address's") from exc

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the key file, mode 0600: the secret in Web3 Secret Storage, the address in clear.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        try:
            keystore = make_secret(self._secret, passphrase)
        except ValueError as exc:  # as of a wallet: 1 in 2^128
            raise KeyFileError("this key cannot be kept in a key file", "key_file_unsupported") from exc
        _files.write(path, _files.encode(_KIND, {"address": str(self.address), "secret": keystore}), force=force)

    def scan(self, announcements: bytes) -> list[int]:
        """Positions of the announcements (34 bytes each, joined) that may be for the address; one in 65,536 others too.

        Raises:
            KeyFormatError: `announcements_malformed`: the last one is cut.
        """
        return self._key.scan(announcements)

    def receive(self, enc: bytes) -> Received:
        """Recompute what `enc` (32 bytes) delivers.

        Raises:
            KeyFormatError: `enc_invalid`.
        """
        return Received(enc, *self._key.receive(enc))

    def open(self, enc: bytes, ciphertext: bytes) -> bytes:
        """Decrypt a delivered record.

        Raises:
            KeyFormatError: `enc_invalid`, or `ciphertext_refused`: another delivery's, or altered.
        """
        return self._key.open(enc, ciphertext)
