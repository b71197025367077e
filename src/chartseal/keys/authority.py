"""The authority's key file: the key that accredits."""

from __future__ import annotations

import secrets
from pathlib import Path

from chartseal.attestation.hexes import Address, checksum_address
from chartseal.attestation.signer import LocalSigner, make_keystore
from chartseal.errors import KeyFileError
from chartseal.keys import _files
from chartseal.keys.issuer import SECP256K1_ORDER

_KIND = "authority-key"


class AuthorityKey:
    """An authority's secret, in memory."""

    __slots__ = ("_secret", "signer")

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes, big-endian.

        Raises:
            KeyFormatError: the secret is no key.
        """
        self.signer = LocalSigner(secret)
        self._secret = secret

    @classmethod
    def generate(cls) -> AuthorityKey:
        """A new secret, from the operating system's randomness."""
        return cls((secrets.randbelow(SECP256K1_ORDER - 1) + 1).to_bytes(32))

    @property
    def address(self) -> str:
        """What verifiers name in their policies, with EIP-55's checksum."""
        return checksum_address(self.signer.address)

    @staticmethod
    def stated_address(path: Path) -> Address:
        """The address that a key file states, for which no passphrase is needed.

        Raises:
            KeyFileError: unreadable, damaged or of another kind.
        """
        return _files.stated_address(_KIND, path)

    @classmethod
    def load(cls, path: Path, passphrase: str) -> AuthorityKey:
        """Open an authority's key file.

        Raises:
            KeyFileError: unreadable, damaged, of another kind, or stating another key's address.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        key = cls(_files.unlock(members.get("accredit"), passphrase))
        if key.address != members.get("address"):
            raise KeyFileError("the key file states another key's address")
        return key

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the key file, mode 0600.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        members = {"address": self.address, "accredit": make_keystore(self._secret, passphrase)}
        _files.write(path, _files.encode(_KIND, members), force=force)
