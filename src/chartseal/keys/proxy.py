"""A proxy's key: it signs disclosures of records whose holders gave it a delegation, and nothing else."""

from __future__ import annotations

from pathlib import Path

from chartseal import _core
from chartseal.attestation import to_hex
from chartseal.attestation.signer import make_secret
from chartseal.errors import KeyFileError
from chartseal.keys import _files

_KIND = "proxy-key"


class ProxyKey:
    """A secret over Baby Jubjub, in memory.

    Verifiers see the public key beside every record that it signs for. So a proxy has one for each holder: else
    everybody learns whom else it acts for.
    """

    __slots__ = ("_key", "_secret")

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes, little-endian, below the subgroup's order and not zero.

        Raises:
            KeyFormatError: not such a secret.
        """
        self._secret = secret
        self._key = _core.ProvingKey(secret)

    @classmethod
    def generate(cls) -> ProxyKey:
        """A new key, from the operating system's randomness."""
        return cls(_core.ProvingKey.generate_secret())

    @property
    def public(self) -> bytes:
        """What a holder names in a delegation: a packed point, 32 bytes."""
        return self._key.public()

    @classmethod
    def load(cls, path: Path, passphrase: str) -> ProxyKey:
        """Open a proxy's key file.

        Raises:
            KeyFileError: unreadable, damaged, of another kind, or stating another key.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        key = cls(_files.unlock(members.get("secret"), passphrase))
        if members.get("key") != to_hex(key.public):
            raise KeyFileError("the key file states another key")
        return key

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the key file, mode 0600.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        members = {"key": to_hex(self.public), "secret": make_secret(self._secret, passphrase)}
        _files.write(path, _files.encode(_KIND, members), force=force)

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
        """Sign a disclosure of one record in its holder's place: packPoint(R) ‖ LE(S), 64 bytes.

        The message is the holder's own, as `Wallet.sign_disclosure` has it; without the delegation it is worth nothing.
        """
        return self._key.sign(_core.holder_message(digest, subject, audience, nonce, expiry))
