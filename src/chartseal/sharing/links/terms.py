"""Under which terms a link opens: until when, how often, behind which passcode."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime

from chartseal.errors import ShareLinkError
from chartseal.sharing.links.link import DIRECT, LONG_TERM, PASSCODE

SHORTEST_PASSCODE, LONGEST_PASSCODE = 4, 64
"""Characters."""
ATTEMPTS, MOST_ATTEMPTS = 10, 100
"""Wrong passcodes that a link takes in its whole life, where nothing else is said, and at most."""

_SALT_BYTES = 16
_COST, _BLOCK, _LANES, _HASH_BYTES = 1 << 14, 8, 1, 32
"""scrypt's: 16 MiB and some 50 ms."""
_MOST_AT_ONCE = 4
_hashing = threading.BoundedSemaphore(_MOST_AT_ONCE)  # so that many tries at once take no more than 64 MiB


@dataclass(frozen=True, slots=True)
class Terms:
    """What the sharer chose.

    Raises:
        ShareLinkError: `terms_refused`.
    """

    expires_at: datetime | None = None
    passcode: str | None = field(default=None, repr=False)
    """4 to 64 characters."""
    attempts: int = ATTEMPTS
    """Wrong passcodes, in all, after which nothing opens the link any more."""
    is_one_time: bool = False
    """Opened once, it is closed for everybody."""
    is_long_term: bool = False
    """Its files may change later."""
    is_direct: bool = False
    """Its URL is its only file: no manifest, no passcode."""
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.passcode is not None:
            _check_passcode(self.passcode)
        if not 1 <= self.attempts <= MOST_ATTEMPTS:
            raise _refused(f"a link takes 1 to {MOST_ATTEMPTS} wrong passcodes", "attempts")
        if self.is_direct and self.passcode is not None:
            raise _refused("a link to a file itself has no passcode", "passcode")
        if self.is_one_time and self.is_long_term:
            raise _refused("what is opened once does not change later", "is_one_time")

    @property
    def flags(self) -> frozenset[str]:
        """As a link shows them."""
        chosen = {LONG_TERM: self.is_long_term, PASSCODE: self.passcode is not None, DIRECT: self.is_direct}
        return frozenset(flag for flag, is_set in chosen.items() if is_set)


def _check_passcode(passcode: str) -> None:
    if not SHORTEST_PASSCODE <= len(passcode) <= LONGEST_PASSCODE or not passcode.isprintable():
        raise _refused(f"a passcode has {SHORTEST_PASSCODE} to {LONGEST_PASSCODE} characters, which show", "passcode")


def _refused(detail: str, place: str) -> ShareLinkError:
    return ShareLinkError(detail, "terms_refused", place)


def hash_passcode(passcode: str) -> tuple[bytes, bytes]:
    """A new salt (16 bytes) and scrypt's hash under it (32 bytes)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return salt, _scrypt(passcode, salt)


def is_passcode(passcode: str, salt: bytes, hashed: bytes) -> bool:
    """Whether it is the one that was hashed; it takes as long either way."""
    return hmac.compare_digest(_scrypt(passcode, salt), hashed)


def _scrypt(passcode: str, salt: bytes) -> bytes:
    with _hashing:
        return hashlib.scrypt(
            passcode.encode(errors="surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=_HASH_BYTES
        )
