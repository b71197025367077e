"""Who signs: a protocol for KMS and HSM, and keys held in memory from a keystore file, a descriptor or the environment.

A key in memory lives in the Rust core, which overwrites it when it goes and shows it to nobody.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from chartseal import _core, _json
from chartseal.attestation.hexes import Address, Digest, address_from, checksum_address
from chartseal.errors import KeyFormatError, KeystoreError, PackageError

_LARGEST_KEY_TEXT = 128
_LARGEST_KEYSTORE = 65_536
_MOST_PBKDF2_ROUNDS = 10_000_000
_MOST_SCRYPT_MEMORY = 2**30


class Signer(Protocol):
    """Anything that signs 32-byte digests with one secp256k1 key."""

    @property
    def address(self) -> Address:
        """The key's address."""

    def sign_digest(self, digest: Digest) -> bytes:
        """Sign: 65 bytes r, s, v; low s, v 27 or 28."""


class LocalSigner:
    """A key in this process."""

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes, big-endian.

        Raises:
            KeyFormatError: not a key of the curve.
        """
        self.key = _core.SigningKey(secret)
        self.address = Address(self.key.address)

    def sign_digest(self, digest: Digest) -> bytes:
        """Sign by RFC 6979."""
        return self.key.sign_digest(digest)

    def __repr__(self) -> str:
        return f"LocalSigner({checksum_address(self.address)})"


def from_fd(descriptor: int) -> LocalSigner:
    """A key from an open descriptor: 32 raw bytes, or 64 hex digits with or without 0x and a line end.

    Raises:
        KeyFormatError: neither, or the descriptor cannot be read.
    """
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(_LARGEST_KEY_TEXT + 1)
    except OSError as exc:
        raise KeyFormatError("the key's descriptor cannot be read") from exc
    return LocalSigner(data if len(data) == 32 else _from_text(data.decode("ascii", "replace")))


def from_environment(variable: str, environment: Mapping[str, str] = os.environ) -> LocalSigner:
    """A key from an environment variable: 64 hex digits with or without 0x.

    Raises:
        KeyFormatError: unset, or not such a text.
    """
    text = environment.get(variable)
    if text is None:
        raise KeyFormatError("the environment variable for the key is not set")
    return LocalSigner(_from_text(text))


def _from_text(text: str) -> bytes:
    text = text.strip()
    digits = text.removeprefix("0x")
    if len(digits) != 64 or not all(char in "0123456789abcdefABCDEF" for char in digits):
        raise KeyFormatError("a key is 64 hex digits")
    return bytes.fromhex(digits)


def from_keystore(path: Path, passphrase: str) -> LocalSigner:
    """The key of a Web3 Secret Storage file (version 3).

    Raises:
        KeystoreError: unreadable, malformed, another key's address inside, or the passphrase is wrong.
    """
    try:
        text = path.read_bytes()
    except OSError as exc:
        raise KeystoreError("the keystore file cannot be read") from exc
    return open_keystore(_parsed(text), passphrase)


def _parsed(text: bytes) -> Any:
    if len(text) > _LARGEST_KEYSTORE:
        raise KeystoreError("the keystore file is too large")
    try:
        return _json.loads(text)
    except ValueError as exc:
        raise KeystoreError("the keystore file is not JSON") from exc


def open_keystore(data: Any, passphrase: str) -> LocalSigner:
    """The key of a parsed keystore.

    Raises:
        KeystoreError: as `from_keystore`.
    """
    signer = LocalSigner(open_secret(data, passphrase))
    if data.get("address"):
        text = str(data["address"])
        try:
            stated = address_from("0x" + text.removeprefix("0x").lower(), "address")
        except PackageError as exc:
            raise KeystoreError("the keystore's address is malformed") from exc
        if stated != signer.address:
            raise KeystoreError("the keystore states another key's address")
    return signer


def open_secret(data: Any, passphrase: str) -> bytes:
    """The bytes that a keystore object holds, whether they are a key or not.

    Raises:
        KeystoreError: malformed, work factors that would hang or exhaust a machine, or the passphrase is wrong.
    """
    # Imported when it is used: its pairing curves take half a second, which verifying does without.
    from eth_keyfile import keyfile

    if not isinstance(data, dict):
        raise KeystoreError("a keystore is a JSON object")
    _require_bounded_work(data)
    try:
        return bytes(keyfile.decode_keyfile_json(data, passphrase.encode()))
    except (ValueError, KeyError, TypeError, NotImplementedError, AttributeError, MemoryError, OverflowError) as exc:
        raise KeystoreError("the keystore is malformed or the passphrase is wrong") from exc


def _require_bounded_work(data: dict[str, Any]) -> None:
    """A keystore from elsewhere may ask for hours of work or all memory."""
    crypto = data.get("crypto", data.get("Crypto"))
    parameters = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(parameters, dict):
        raise KeystoreError("the keystore has no key derivation parameters")
    numbers = {name: parameters.get(name, 1) for name in ("n", "r", "p", "c")}
    if any(not isinstance(number, int) or isinstance(number, bool) or number < 1 for number in numbers.values()):
        raise KeystoreError("the keystore's work factors are malformed")
    if 128 * numbers["n"] * numbers["r"] * numbers["p"] > _MOST_SCRYPT_MEMORY or numbers["c"] > _MOST_PBKDF2_ROUNDS:
        raise KeystoreError("the keystore's work factors are out of bounds")


def make_keystore(secret: bytes, passphrase: str) -> dict[str, Any]:
    """Encrypt a signing key as Web3 Secret Storage (scrypt, n = 2^18).

    Raises:
        KeyFormatError: not a key of the curve.
    """
    address = _core.SigningKey(secret).address
    return {**make_secret(secret, passphrase), "address": address.hex()}


def make_secret(secret: bytes, passphrase: str) -> dict[str, Any]:
    """Encrypt any 32 bytes in the same form, without the address member."""
    from eth_keyfile import keyfile

    data = dict(keyfile.create_keyfile_json(secret, passphrase.encode(), kdf="scrypt"))
    data.pop("address", None)
    return data
