"""Files behind a link: what they may be, and how each is encrypted under the link's key.

One file is one compact JWE: `dir`, `A256GCM`, its type as `cty`, deflated where that makes it smaller.
Source: hl7.org/fhir/uv/smart-health-cards-and-links, "Encrypting and Decrypting Files"; RFC 7516.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from chartseal import _json
from chartseal.errors import ShareLinkError
from chartseal.sharing._encoding import deflate, from_base64url, inflate

FHIR, CARD, API_ACCESS = "application/fhir+json", "application/smart-health-card", "application/smart-api-access"
CONTENT_TYPES = frozenset({FHIR, CARD, API_ACCESS})
"""What the specification lets a manifest hold."""
DISCLOSURE_TYPE = "application/chartseal+json"
"""Of the Binary that a disclosure travels in, so that a link stays one that any reader opens."""
LARGEST_FILE = 16 << 20
"""Bytes of one file, deflated or not."""
LARGEST_JWE = LARGEST_FILE * 4 // 3 + 4_096
"""Characters."""
_LONGEST_HEADER = 1_024
_DIRECT, _CIPHER, _DEFLATED = "dir", "A256GCM", "DEF"
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})", re.ASCII)
"""Header, no encrypted key, 96 bits of nonce, ciphertext, 128 bits of tag."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """One file.

    Raises:
        ShareLinkError: `file_refused` for another type, or none; `limit_exceeded`.
    """

    content_type: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what no manifest may hold."""
        if self.content_type not in CONTENT_TYPES:
            raise ShareLinkError("a link holds FHIR, health cards or an access token alone", "file_refused")
        if not self.content:
            raise ShareLinkError("the file is empty", "file_refused")
        if len(self.content) > LARGEST_FILE:
            raise ShareLinkError(f"a file has at most {LARGEST_FILE} bytes", "limit_exceeded")

    @property
    def disclosure(self) -> bytes | None:
        """The disclosure that it carries, of which nothing is verified; None where it is another file."""
        if self.content_type != FHIR:
            return None
        try:
            resource = _json.loads(self.content)
        except ValueError:
            return None
        if not isinstance(resource, dict) or resource.get("resourceType") != "Binary":
            return None
        data = resource.get("data")
        if resource.get("contentType") != DISCLOSURE_TYPE or not isinstance(data, str):
            return None
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return None


def fhir_file(text: str | bytes) -> SharedFile:
    """A FHIR resource, such as the Bundle of verified facts that `verification.bundle` writes; its bytes stay.

    Raises:
        ShareLinkError: `file_refused`: no resource; `limit_exceeded`.
    """
    data = text.encode() if isinstance(text, str) else text
    _require_member(data, "resourceType", str, "not a FHIR resource")
    return SharedFile(FHIR, data)


def disclosure_file(disclosure: bytes) -> SharedFile:
    """A disclosure, JSON or text form, in a FHIR Binary.

    Raises:
        ShareLinkError: `limit_exceeded`.
    """
    data = base64.b64encode(disclosure).decode()
    members = {"resourceType": "Binary", "contentType": DISCLOSURE_TYPE, "data": data}
    return SharedFile(FHIR, json.dumps(members, separators=(",", ":")).encode())


def card_file(text: bytes) -> SharedFile:
    """A `.smart-health-card` file, as `cards.write_file` makes it.

    Raises:
        ShareLinkError: `file_refused`: it holds no cards; `limit_exceeded`.
    """
    _require_member(text, "verifiableCredential", list, "not a file of health cards")
    return SharedFile(CARD, text)


def _require_member(data: bytes, name: str, kind: type, told: str) -> None:
    try:
        members = _json.loads(data)
    except ValueError as exc:
        raise ShareLinkError(told, "file_refused") from exc
    if not isinstance(members, dict) or not isinstance(members.get(name), kind):
        raise ShareLinkError(told, "file_refused")


def encrypt(file: SharedFile, key: bytes) -> str:
    """One compact JWE under the link's key (32 bytes), with a nonce of its own from the system's randomness."""
    header: dict[str, str] = {"alg": _DIRECT, "enc": _CIPHER, "cty": file.content_type}
    if len(deflate(file.content)) < len(file.content):
        header["zip"] = _DEFLATED
    return jwe.encrypt_compact(header, file.content, OctKey.import_key(key), registry=_REGISTRY)


def decrypt(text: str, key: bytes) -> SharedFile:
    """The file of one compact JWE.

    Raises:
        ShareLinkError: `file_malformed`; `file_undecryptable`: under another key, or altered; `limit_exceeded`: longer,
            or inflating to more, than a file may be; `file_refused`: of a type that no link holds.
    """
    if len(text) > LARGEST_JWE:
        raise ShareLinkError("an encrypted file is too long", "limit_exceeded")
    content_type = _content_type(text)
    try:
        found = jwe.decrypt_compact(text, OctKey.import_key(key), registry=_REGISTRY)
    except OverflowError as exc:
        raise ShareLinkError("an encrypted file inflates to more than it may", "limit_exceeded") from exc
    except (JoseError, ValueError, TypeError) as exc:
        raise ShareLinkError("the link's key does not open the file", "file_undecryptable") from exc
    return SharedFile(content_type, found.plaintext or b"")


def _content_type(text: str) -> str:
    """What the header says that it is, once it asks for nothing but what a link's file has: no other algorithm, no key
    of its own.
    """
    parts = _COMPACT.fullmatch(text)
    try:
        if parts is None or len(parts[1]) > _LONGEST_HEADER:
            raise ValueError("not a compact JWE")
        decoded = [from_base64url(part) for part in parts.groups()]  # each in the one form that it has
        header = _json.loads(decoded[0])
    except ValueError as exc:
        raise ShareLinkError("an encrypted file is no compact JWE of a link", "file_malformed") from exc
    return _checked(header)


def _checked(header: Any) -> str:
    asked = {"alg": _DIRECT, "enc": _CIPHER}
    if not isinstance(header, dict) or {name: header.get(name) for name in asked} != asked:
        raise ShareLinkError("a link's file is encrypted by dir and A256GCM alone", "file_malformed")
    if not header.keys() <= {"alg", "enc", "cty", "zip"} or header.get("zip", _DEFLATED) != _DEFLATED:
        raise ShareLinkError("an encrypted file's header has a member that it may not have", "file_malformed")
    content_type = header.get("cty")
    if not isinstance(content_type, str):
        raise ShareLinkError("an encrypted file does not say what it is", "file_malformed")
    return content_type.partition(";")[0].strip()


class _Deflate:
    """DEFLATE as joserfc asks for it, bounded by what a file may be."""

    @staticmethod
    def compress(data: bytes) -> bytes:
        return deflate(data)

    @staticmethod
    def decompress(data: bytes) -> bytes:
        return inflate(data, LARGEST_FILE)


class _Registry(jwe.JWERegistry):
    """The one way in which a link's files are encrypted; joserfc's own bounds are for tokens."""

    max_ciphertext_length = LARGEST_JWE
    zips: ClassVar[_Deflate] = _Deflate()

    def get_zip(self, name: str) -> Any:
        """The bounded DEFLATE."""
        return self.zips


_REGISTRY = _Registry(algorithms=[_DIRECT, _CIPHER, _DEFLATED])
