"""base64url and raw DEFLATE, read strictly and within bounds."""

from __future__ import annotations

import base64
import re
import zlib

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def to_base64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of a text without padding that only one text stands for.

    Raises:
        ValueError: another alphabet, padding, or bits that no byte has; the message names no value.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_base64url(data) != text:
        raise ValueError("not base64url")
    return data


def deflate(data: bytes) -> bytes:
    """Raw DEFLATE (RFC 1951), as small as zlib makes it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return packer.compress(data) + packer.flush()


def inflate(data: bytes, most: int) -> bytes:
    """What a whole raw DEFLATE stream holds: at most `most` bytes, of which no more are ever made.

    Raises:
        OverflowError: it holds more.
        ValueError: no such stream, cut, or followed by something.
    """
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error as exc:
        raise ValueError("not a DEFLATE stream") from exc
    if len(found) > most:
        raise OverflowError("a DEFLATE stream holds more than it may")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("not one whole DEFLATE stream")
    return found
