"""Keys for what a wallet keeps in files of its own: contents are encrypted, and looked up by keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from Crypto.Cipher import AES

_NONCE_SIZE, _TAG_SIZE = 12, 16


@dataclass(frozen=True)
class ContentKeys:
    """For contents, and for what is looked up; 32 bytes each."""

    content: bytes = field(repr=False)
    lookup: bytes = field(repr=False)

    def mark(self, kind: str, *parts: bytes) -> bytes:
        """A keyed hash of parts: equal for equal parts, and nothing to whoever lacks the key."""
        framed = b"".join(len(part).to_bytes(4) + part for part in (kind.encode(), *parts))
        return hmac.new(self.lookup, framed, hashlib.sha256).digest()

    def seal(self, data: bytes, mark: bytes) -> bytes:
        """Encrypt (AES-256-GCM, a fresh nonce), bound to a mark."""
        nonce = secrets.token_bytes(_NONCE_SIZE)
        cipher = AES.new(self.content, AES.MODE_GCM, nonce=nonce)
        cipher.update(mark)
        return nonce + b"".join(cipher.encrypt_and_digest(data))

    def open(self, entry: bytes, mark: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: not what was encrypted under this key and mark.
        """
        cipher = AES.new(self.content, AES.MODE_GCM, nonce=entry[:_NONCE_SIZE])
        cipher.update(mark)
        return cipher.decrypt_and_verify(entry[_NONCE_SIZE:-_TAG_SIZE], entry[-_TAG_SIZE:])
