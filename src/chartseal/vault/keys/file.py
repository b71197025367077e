"""A vault's keys in one file, under a passphrase.

The passphrase opens a file key (Web3 Secret Storage, scrypt), and that key the secrets, so that however many there are,
opening the file costs one scrypt. Source: format specification, key files.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from Crypto.Cipher import AES

from chartseal.attestation.signer import make_secret
from chartseal.errors import KeyFileError, VaultKeyError
from chartseal.keys import _files
from chartseal.vault.keys.secret import (
    damaged,
    exists,
    is_name,
    missing,
    new_secret,
    require_name,
    require_size,
    unavailable,
)

_KIND = "vault-keys"
_DOMAIN = b"chartseal/1/vault-keys\0"
_NONCE_SIZE, _TAG_SIZE = 12, 16
_MOST = 400
"""Secrets in one file: it stays under the size of key files."""


class KeystoreFile:
    """Secrets in a file, mode 0600. The first secret that is made makes the file."""

    def __init__(self, path: Path, passphrase: str) -> None:
        """Open the file, if there is one.

        Raises:
            WrongPassphraseError: the file is whole, but the passphrase does not open it.
            VaultKeyError: `keys_damaged`, `keys_unavailable`.
        """
        self._path = path
        self._passphrase = passphrase
        self._wrapped: Any = None
        self._key = b""
        self._current()

    def names(self) -> Sequence[str]:
        """The names that are kept, sorted."""
        return sorted(self._secrets())

    def get(self, name: str) -> bytes:
        """A secret, 32 bytes."""
        sealed = self._secrets().get(require_name(name))
        if sealed is None:
            raise missing(name)
        return self._opened(name, sealed)

    def make(self, name: str) -> bytes:
        """A new secret, on the disk before it is given."""
        with self._changing() as kept:
            if require_name(name) in kept:
                raise exists(name)
            if len(kept) >= _MOST:
                raise VaultKeyError(f"a key file holds at most {_MOST} keys", "keys_full")
            secret = new_secret()
            kept[name] = self._sealed(name, secret).hex()
        return secret

    def destroy(self, name: str) -> None:
        """Write the file without it, and overwrite the file before. A copy elsewhere still holds it."""
        with self._changing() as kept:
            kept.pop(require_name(name), None)

    def _secrets(self) -> dict[str, str]:
        members = self._current()
        return {} if members is None else dict(members["secrets"])

    def _current(self) -> dict[str, Any] | None:
        """The file as it is now: another process may have made or destroyed secrets; None where there was never one."""
        if self._wrapped is None and not self._path.exists():
            return None
        members = self._read()
        if self._wrapped is None:
            with _telling():
                self._key = _files.unlock(members["key"], self._passphrase)
            self._wrapped = members["key"]
        if members["key"] != self._wrapped:
            raise unavailable("the file is another than the one that was opened")
        return members

    def _read(self) -> dict[str, Any]:
        with _telling():
            members = _files.decode(_KIND, _files.read(self._path))
        kept = members.get("secrets")
        whole = isinstance(kept, dict) and all(is_name(name) and isinstance(kept[name], str) for name in kept)
        if not whole or not isinstance(members.get("key"), dict):
            raise damaged("the file lacks a member")
        return members

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """The secrets, which are written when the block ends; nobody else changes them meanwhile."""
        with _only_one(self._path.absolute().parent):
            members = self._current() or self._begin()
            kept = members["secrets"]
            before = dict(kept)
            yield kept
            if kept != before:
                whole = {"key": members["key"], "secrets": kept}
                with _telling(), _overwriting(self._path):
                    _files.write(self._path, _files.encode(_KIND, whole), force=True)
                self._wrapped = members["key"]

    def _begin(self) -> dict[str, Any]:
        self._key = secrets.token_bytes(32)
        try:
            return {"key": make_secret(self._key, self._passphrase), "secrets": {}}
        except ValueError as exc:  # that form takes 1 to n - 1 of secp256k1; all others are 1 in 2^128
            raise unavailable("no file key could be made") from exc

    def _sealed(self, name: str, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_SIZE)
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce)
        cipher.update(_DOMAIN + name.encode())
        ciphertext, tag = cipher.encrypt_and_digest(secret)
        return bytes(nonce + ciphertext + tag)

    def _opened(self, name: str, text: str) -> bytes:
        try:
            data = bytes.fromhex(text)
            cipher = AES.new(self._key, AES.MODE_GCM, nonce=data[:_NONCE_SIZE])
            cipher.update(_DOMAIN + name.encode())
            secret = cipher.decrypt_and_verify(data[_NONCE_SIZE:-_TAG_SIZE], data[-_TAG_SIZE:])
        except ValueError as exc:
            raise damaged(f"{name} does not open") from exc
        return require_size(name, bytes(secret))


@contextmanager
def _telling() -> Iterator[None]:
    """Tell a fault of the file as one of the vault's keys; a wrong passphrase stays what it is."""
    try:
        yield
    except KeyFileError as exc:
        if exc.code in ("key_file_unreadable", "key_file_unwritable"):
            raise unavailable(exc.detail, exc.__cause__) from exc
        raise damaged(exc.detail) from exc


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, waiting for whoever has it; it ends with the process, however that ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise unavailable(f"the folder cannot be opened: {exc.strerror}") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _overwriting(path: Path) -> Iterator[None]:
    """Overwrite the file that stands there, once another has taken its name for good."""
    try:
        before = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        yield
        return
    except OSError as exc:
        raise unavailable(f"the file cannot be written: {exc.strerror}") from exc
    try:
        yield
        _overwrite(before)
    finally:
        os.close(before)


def _overwrite(descriptor: int) -> None:
    try:
        os.pwrite(descriptor, secrets.token_bytes(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)
    except OSError as exc:
        raise unavailable(f"the file before cannot be overwritten: {exc.strerror}", exc) from exc
