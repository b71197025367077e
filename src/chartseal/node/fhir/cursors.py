"""Where the next page begins: an opaque token, for one caller, of one search, for an hour.

The search itself is in it, encrypted, so that no link holds a patient's reference; and a place in the vault, so that
nobody learns from two of them how many records lie between.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from Crypto.Cipher import AES
from Crypto.Cipher._mode_gcm import GcmMode

from chartseal.errors import FhirRequestError

LIFETIME = timedelta(hours=1)
KEY_SIZE = 32

_DOMAIN = b"chartseal/1/node-cursor\0"
_NONCE_SIZE, _TAG_SIZE = 12, 16
_LONGEST = 16_384


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an answer."""

    target: str
    """What was asked: a type, or a patient's id for $everything."""
    is_everything: bool
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    """As `Query.pairs`."""
    begins: int
    """The row of the first record that is not given yet."""


class Cursors:
    """Makes and opens them under one key, which all processes of a node share."""

    def __init__(self, key: bytes) -> None:
        """Take 32 secret bytes.

        Raises:
            ValueError: not 32 bytes.
        """
        if len(key) != KEY_SIZE:
            raise ValueError(f"the key of cursors has {KEY_SIZE} bytes")
        self._key = key

    def make(self, cursor: Cursor, *, client_id: str, now: datetime) -> str:
        """A token for one caller."""
        ends = int((now + LIFETIME).timestamp())
        row = cursor.begins.to_bytes(8).hex()  # always of one length: a token's length tells no place
        members = [cursor.target, cursor.is_everything, cursor.pairs, row, ends]
        data = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
        nonce = secrets.token_bytes(_NONCE_SIZE)
        sealed = b"".join(self._cipher(nonce, client_id).encrypt_and_digest(data))
        return urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def open(self, token: str, *, client_id: str, now: datetime) -> Cursor:
        """What a token holds.

        Raises:
            FhirRequestError: `cursor_refused`: not one of ours, another caller's, or too old.
        """
        refusal = FhirRequestError("the page's link is not yours, or too old: search again", "cursor_refused")
        if len(token) > _LONGEST or not token.isascii():
            raise refusal
        try:
            data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            nonce, sealed, tag = data[:_NONCE_SIZE], data[_NONCE_SIZE:-_TAG_SIZE], data[-_TAG_SIZE:]
            opened = self._cipher(nonce, client_id).decrypt_and_verify(sealed, tag)
        except ValueError:
            raise refusal from None
        target, is_everything, pairs, row, ends = json.loads(opened)  # whoever has the key wrote it
        if now.timestamp() >= ends:
            raise refusal
        return Cursor(target, is_everything, tuple((name, value) for name, value in pairs), int(row, 16))

    def _cipher(self, nonce: bytes, client_id: str) -> GcmMode:
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce)
        cipher.update(_DOMAIN + hashlib.sha256(client_id.encode()).digest())
        return cipher
