"""A SMART Health Link: where encrypted files are, and the key that opens them.

Source: hl7.org/fhir/uv/smart-health-cards-and-links, "SMART Health Links", protocol version 1.
"""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from chartseal import _json
from chartseal.errors import ShareLinkError
from chartseal.sharing._encoding import from_base64url, to_base64url

SCHEME = "shlink:/"
VERSION = 1
KEY_BYTES = 32
LONGEST_URL = 128
"""Characters of the link's own URL."""
LONGEST_LABEL = 80
LONGEST_LINK = 4_096
"""Characters of a link with its viewer."""
LONGEST_VIEWER = 512
LONG_TERM, PASSCODE, DIRECT = "L", "P", "U"
"""Flags: what is behind it may change; a passcode opens it; its URL is the one file itself."""
_LAST_MOMENT = 253_402_300_799


@dataclass(frozen=True, slots=True)
class ShareLink:
    """One link. Whoever has it can open what is behind it, with the passcode where it asks for one.

    Raises:
        ShareLinkError: `link_malformed`.
    """

    url: str
    """The manifest's, or with `U` the file's: at most 128 characters."""
    key: bytes = field(repr=False)
    """Of AES-256-GCM: 32 bytes. The server never has it."""
    flags: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    """A hint for whoever reads the link; the server keeps to its own."""
    label: str = ""
    """What it is, for whoever opens it: at most 80 characters."""

    def __post_init__(self) -> None:
        """Refuse what the specification does not have."""
        if len(self.key) != KEY_BYTES:
            raise _malformed(f"a link's key has {KEY_BYTES} bytes", "key")
        if {PASSCODE, DIRECT} <= self.flags:
            raise _malformed("a link to a file itself has no passcode", "flag")
        if len(self.label) > LONGEST_LABEL or not self.label.isprintable():
            raise _malformed(f"a label has at most {LONGEST_LABEL} characters, which show", "label")
        _check_url(self.url)

    @staticmethod
    def make_key() -> bytes:
        """A new key, from the operating system's randomness."""
        return secrets.token_bytes(KEY_BYTES)

    @property
    def needs_passcode(self) -> bool:
        """Whether its server asks for one."""
        return PASSCODE in self.flags

    @property
    def is_direct(self) -> bool:
        """Whether its URL is the one file, with no manifest."""
        return DIRECT in self.flags

    def to_uri(self, viewer: str = "") -> str:
        """`shlink:/…`, behind a viewer's `https://…#` where one is given: a browser keeps what follows to itself.

        Raises:
            ShareLinkError: `viewer_refused`.
        """
        members: dict[str, Any] = {"url": self.url, "key": to_base64url(self.key)}
        if self.expires_at is not None:
            members["exp"] = int(self.expires_at.timestamp())
        if self.flags:
            members["flag"] = "".join(sorted(self.flags))
        if self.label:
            members["label"] = self.label
        members["v"] = VERSION
        payload = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
        return f"{_viewer(viewer)}{SCHEME}{to_base64url(payload)}"

    @classmethod
    def from_uri(cls, text: str) -> ShareLink:
        """Read a link, with a viewer before it or without. What the specification tells to ignore is.

        Raises:
            ShareLinkError: `link_malformed`, `limit_exceeded`, or `link_version`: of a newer protocol.
        """
        if len(text) > LONGEST_LINK:
            raise ShareLinkError("the link is too long", "limit_exceeded")
        members = _payload(text.strip())
        if members.get("v", VERSION) != VERSION or isinstance(members.get("v"), bool):
            raise ShareLinkError("the link is of a newer protocol than this program's", "link_version", "v")
        url, flag, label = (_text(members, name) for name in ("url", "flag", "label"))
        known = frozenset(flag) & {LONG_TERM, PASSCODE, DIRECT}
        return cls(url, _key(_text(members, "key")), known, _moment(members.get("exp")), label)


def _payload(text: str) -> dict[str, Any]:
    before, found, encoded = text.rpartition(SCHEME)
    if not found or (before and not before.endswith("#")):
        raise _malformed("expected shlink:/ and a payload")
    try:
        members = _json.loads(from_base64url(encoded))
    except ValueError as exc:
        raise _malformed("the payload is no JSON in base64url") from exc
    if not isinstance(members, dict):
        raise _malformed("the payload is no JSON object")
    return members


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise _malformed("expected a text", name)
    return value


def _key(text: str) -> bytes:
    try:
        return from_base64url(text)
    except ValueError as exc:
        raise _malformed("expected base64url", "key") from exc


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 <= value <= _LAST_MOMENT:
        raise _malformed("expected seconds since 1970", "exp")
    return datetime.fromtimestamp(int(value), UTC)


def _check_url(url: str) -> None:
    """Its form; where it leads is judged when it is opened."""
    if len(url) > LONGEST_URL or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise _malformed(f"a link's URL has at most {LONGEST_URL} characters of ASCII", "url")
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise _malformed("not a URL", "url") from exc
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment:
        raise _malformed("expected an https URL", "url")


def _viewer(viewer: str) -> str:
    if not viewer:
        return ""
    bare = viewer.removesuffix("#")
    is_plain = bare.isascii() and bare.isprintable() and " " not in bare and "#" not in bare
    if not bare.startswith("https://") or not is_plain or len(viewer) > LONGEST_VIEWER:
        raise ShareLinkError("a viewer is an https URL", "viewer_refused", "viewer")
    return f"{bare}#"


def _malformed(detail: str, place: str = "") -> ShareLinkError:
    return ShareLinkError(detail, "link_malformed", place)
