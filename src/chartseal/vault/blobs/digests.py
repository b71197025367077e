"""Ciphertexts named by their hash, and what is wrong with one."""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeGuard

from chartseal.errors import VaultDamageError

DIGEST_SIZE = 32


def digest_of(data: bytes) -> bytes:
    """The address of a ciphertext: its SHA-256."""
    return hashlib.sha256(data).digest()


def require(digest: bytes, data: bytes) -> bytes:
    """The data, where they are what was put under the hash.

    Raises:
        VaultDamageError: `blob_damaged`.
    """
    if not hmac.compare_digest(digest_of(data), digest):
        raise VaultDamageError("a ciphertext is not what was stored", "blob_damaged", name(digest))
    return data


def missing(digest: bytes) -> VaultDamageError:
    """The error of a ciphertext that is not there."""
    return VaultDamageError("a ciphertext is missing", "blob_missing", name(digest))


def name(digest: bytes) -> str:
    """Its name in a folder or store: 64 hex digits.

    Raises:
        VaultDamageError: `blob_address`; not 32 bytes: the row that bears it is damaged.
    """
    if not is_digest(digest):
        raise VaultDamageError(f"a ciphertext's address has {DIGEST_SIZE} bytes", "blob_address")
    return digest.hex()


def is_digest(value: object) -> TypeGuard[bytes]:
    """Whether a value may be a hash: a damaged row of SQLite may have anything in its place."""
    return isinstance(value, bytes) and len(value) == DIGEST_SIZE


def named(text: str) -> bytes | None:
    """The hash that a name stands for; None where it is no such name."""
    is_name = len(text) == 2 * DIGEST_SIZE and set(text) <= set("0123456789abcdef")
    return bytes.fromhex(text) if is_name else None
