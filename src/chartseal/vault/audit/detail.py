"""What accounting must name and the chain must not: encrypted beside an entry, under a key of its own.

Source: format specification, section 20.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

from chartseal.errors import AuditError

LARGEST = 16_384
"""Bytes of a detail."""

_DOMAIN = b"chartseal/1/audit-detail\0"
_NONCE_SIZE, _TAG_SIZE = 12, 16


def encrypt(secret: bytes, log: bytes, sequence: int, entry_nonce: bytes, detail: Mapping[str, str]) -> bytes:
    """A detail's ciphertext: nonce, AES-256-GCM.

    Raises:
        AuditError: `detail_malformed`; too large, or not text.
    """
    try:
        data = json.dumps(dict(sorted(detail.items())), ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as exc:
        raise AuditError("a detail is texts by name", "detail_malformed") from exc
    if len(data) > LARGEST:
        raise AuditError(f"a detail has at most {LARGEST} bytes", "detail_malformed")
    nonce = secrets.token_bytes(_NONCE_SIZE)
    cipher = AES.new(_key(secret, log, sequence, entry_nonce), AES.MODE_GCM, nonce=nonce)
    return nonce + b"".join(cipher.encrypt_and_digest(data))


def decrypt(secret: bytes, log: bytes, sequence: int, entry_nonce: bytes, data: bytes) -> dict[str, str]:
    """Read a detail.

    Raises:
        AuditError: `detail_refused`; altered, another entry's, or under another secret.
    """
    cipher = AES.new(_key(secret, log, sequence, entry_nonce), AES.MODE_GCM, nonce=data[:_NONCE_SIZE] or b"\0")
    try:
        opened = cipher.decrypt_and_verify(data[_NONCE_SIZE:-_TAG_SIZE], data[-_TAG_SIZE:])
    except ValueError as exc:
        raise AuditError("the detail does not open", "detail_refused", f"entry {sequence}") from exc
    found: dict[str, str] = json.loads(opened)  # whoever has the secret wrote it
    return found


def _key(secret: bytes, log: bytes, sequence: int, entry_nonce: bytes) -> bytes:
    info = _DOMAIN + log + sequence.to_bytes(8) + entry_nonce
    key = HKDF(secret, 32, b"", SHA256, context=info)
    assert isinstance(key, bytes)  # noqa: S101 (one key was asked for)
    return key
