"""A health card issuer's key file: the P-256 key that signs SMART Health Cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from Crypto.PublicKey import ECC

from chartseal.attestation import to_hex
from chartseal.attestation.signer import make_secret
from chartseal.errors import KeyFileError, KeyFormatError
from chartseal.keys import _files

_KIND = "health-card-key"
_CURVE = "P-256"


class HealthCardKey:
    """A secret over P-256, in memory. It signs cards and seals nothing: an issuer's seals are another key's."""

    __slots__ = ("_point", "_secret")

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes, big-endian, below the curve's order and not zero.

        Raises:
            KeyFormatError: not such a secret.
        """
        try:
            if len(secret) != 32:
                raise ValueError("not 32 bytes")
            self._point = ECC.construct(curve=_CURVE, d=int.from_bytes(secret)).pointQ
        except ValueError as exc:
            raise KeyFormatError("a health card key is 32 bytes below P-256's order") from exc
        self._secret = secret

    @classmethod
    def generate(cls) -> HealthCardKey:
        """A new key, from the operating system's randomness."""
        return cls(int(ECC.generate(curve=_CURVE).d).to_bytes(32))

    @property
    def public(self) -> tuple[bytes, bytes]:
        """The point's x and y: 32 bytes each, big-endian."""
        return int(self._point.x).to_bytes(32), int(self._point.y).to_bytes(32)

    @property
    def secret(self) -> bytes:
        """32 bytes, for what signs; never shown."""
        return self._secret

    @classmethod
    def load(cls, path: Path, passphrase: str) -> HealthCardKey:
        """Open a key file.

        Raises:
            KeyFileError: unreadable, damaged, of another kind, or stating another key.
            WrongPassphraseError: whole, but the passphrase does not open it.
        """
        members = _files.decode(_KIND, _files.read(path))
        key = cls(_files.unlock(members.get("sign"), passphrase))
        if members.get("public") != key._stated():
            raise KeyFileError("the key file states another key")
        return key

    def save(self, path: Path, passphrase: str, *, force: bool = False) -> None:
        """Write the key file, mode 0600.

        Raises:
            KeyFileError: the file exists and `force` is not given, or it cannot be written.
        """
        members: dict[str, Any] = {"public": self._stated(), "sign": make_secret(self._secret, passphrase)}
        _files.write(path, _files.encode(_KIND, members), force=force)

    def _stated(self) -> dict[str, str]:
        x, y = self.public
        return {"x": to_hex(x), "y": to_hex(y)}
