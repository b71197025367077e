"""A node's own signing keys: ES384, derived from secrets that a `KeyProvider` keeps, numbered, the newest signs.

    keys = SigningKeys(open_keys("node-keys.json", passphrase), CLIENT_KEYS)
    keys.rotate()          # the first, or the next; the one before it still verifies
    keys.published()       # for /.well-known/jwks.json

Two purposes, never mixed: what a node signs as a client is published, what it signs tokens by is its own affair.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from chartseal.errors import VaultKeyError
from chartseal.node.smart.jose import VerifyingKey
from chartseal.vault.keys import KeyProvider

CLIENT_KEYS, TOKEN_KEYS = "nodeclient", "nodetoken"
"""Purposes, which are words that secrets are named by: `nodeclient-1`."""

_ALGORITHM = "ES384"
_KEPT = 2
_FRESH = 5.0
"""Seconds for which the place is not asked again: another process may rotate."""


class SigningKeys:
    """The keys of one purpose."""

    def __init__(self, provider: KeyProvider, purpose: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the place; keys are read when they are needed."""
        self._provider = provider
        self._start = re.compile(rf"{purpose}-([1-9][0-9]*)")
        self._purpose = purpose
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[int, ECKey] = {}
        self._read_at: float | None = None

    def rotate(self) -> str:
        """Make the next key, and forget those before the one that signed until now; the new key's id.

        What the forgotten ones signed counts no more, so leave five minutes, a token's life, between two rotations.

        Raises:
            VaultKeyError: `keys_read_only`, `keys_unavailable`, …
        """
        numbers = self._numbers()
        following = max(numbers, default=0) + 1
        try:
            self._provider.make(self._name(following))
        except VaultKeyError as exc:
            if exc.code != "key_exists":  # else another process was quicker, and its key is as new
                raise
        for number in sorted({*numbers, following})[:-_KEPT]:
            self._provider.destroy(self._name(number))
        with self._lock:
            self._read_at = None
        return str(self._newest().kid)

    def sign(self, kind: str, content: bytes) -> str:
        """A compact signature by the newest key; `kind` is the header's `typ`.

        Raises:
            VaultKeyError: `key_missing` where none was made yet, `keys_unavailable`, …
        """
        key = self._newest()
        header = {"alg": _ALGORITHM, "kid": key.kid, "typ": kind}
        return jws.serialize_compact(header, content, key, algorithms=[_ALGORITHM])

    def find(self, kid: str) -> VerifyingKey | None:
        """The key of that id, or None.

        Raises:
            VaultKeyError: `keys_unavailable`, …
        """
        return next((key for key in self._keys().values() if key.kid == kid), None)

    def published(self) -> dict[str, Any]:
        """The JWK set of the public keys, the newest first.

        Raises:
            VaultKeyError: `keys_unavailable`, …
        """
        members = [key.as_dict(private=False) for _, key in sorted(self._keys().items(), reverse=True)]
        return {"keys": [{**each, "use": "sig", "alg": _ALGORITHM} for each in members]}

    def _newest(self) -> ECKey:
        keys = self._keys()
        if not keys:
            raise VaultKeyError(f"there is no key {self._name(1)}", "key_missing")
        return keys[max(keys)]

    def _keys(self) -> dict[int, ECKey]:
        with self._lock:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= _FRESH:
                numbers = self._numbers()
                self._known = {number: self._known.get(number) or self._key(number) for number in numbers}
                self._read_at = now
            return self._known

    def _numbers(self) -> list[int]:
        found = (self._start.fullmatch(name) for name in self._provider.names())
        return sorted(int(each[1]) for each in found if each)

    def _key(self, number: int) -> ECKey:
        secret = self._provider.get(self._name(number))
        options = {"salt": b"", "info": f"chartseal/1/{self._purpose}".encode()}
        key = ECKey.derive_key(secret, "P-384", kdf_options=options)
        key.ensure_kid()  # its RFC 7638 thumbprint
        return key

    def _name(self, number: int) -> str:
        return f"{self._purpose}-{number}"
