"""JSON Web Signatures and key sets from outside: two algorithms, one key for each, and nothing that a header says of
where keys are.

Source: RFC 7515 (compact form), RFC 7517 (key sets), RFC 7518 section 3; SMART App Launch 2.2, asymmetric client
authentication (ES384, RS384, `kid` in the client's set).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from chartseal import _json
from chartseal.errors import AccessError

ALGORITHMS = ("ES384", "RS384")
"""What signatures of clients may be made by."""
LARGEST_JWS = 16_384
"""Characters of a signature with its content."""
LARGEST_KEY_SET = 65_536
"""Bytes of a key set."""
MOST_KEYS = 20

_LONGEST_KID = 200
_RSA_BITS = range(2_048, 4_096 + 1)
_RSA_EXPONENTS = range(3, 1 << 32)
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_HEADER = frozenset({"alg", "kid", "typ", "jku"})
_TYPES = {"EC": "ES384", "RSA": "RS384"}
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

VerifyingKey = ECKey | RSAKey


@dataclass(frozen=True, slots=True)
class Unverified:
    """A signature in compact form, of which only the header was read."""

    text: str = field(repr=False)
    algorithm: str
    kid: str
    type: str
    """The header's `typ`, in lower case and without `application/`; empty where it has none."""
    key_set_url: str
    """The header's `jku`, never to be called; empty where it has none."""

    @classmethod
    def read(cls, text: str, algorithms: tuple[str, ...] = ALGORITHMS) -> Unverified:
        """Read the header, and refuse what it may not say.

        Keys and certificates in it, and extensions that must be understood (`crit`), are refused, not passed over:
        whoever sends them expects that they count.

        Raises:
            AccessError: `jws_malformed`, `jws_algorithm`, `limit_exceeded`.
        """
        if len(text) > LARGEST_JWS:
            raise AccessError("a signed text is too long", "limit_exceeded")
        if not _COMPACT.fullmatch(text):
            raise _malformed("a signed text has three parts in base64url")
        header = _object(_decoded(text.partition(".")[0]), "header")
        if not header.keys() <= _HEADER or not all(isinstance(value, str) for value in header.values()):
            raise _malformed("a header names an algorithm, a key, a type and nothing else", "header")
        kid = header.get("kid", "")
        if not 0 < len(kid) <= _LONGEST_KID:
            raise _malformed("a header names a key", "header.kid")
        if header.get("alg") not in algorithms:
            raise AccessError("the algorithm is none that is taken here", "jws_algorithm", "header.alg")
        kind = header.get("typ", "").lower().removeprefix("application/")
        return cls(text, header["alg"], kid, kind, header.get("jku", ""))

    def peek(self) -> dict[str, Any]:
        """The content, which nobody may have signed: for finding out whose key to check it by, and nothing else.

        Raises:
            AccessError: `jws_malformed`.
        """
        return _object(_decoded(self.text.split(".")[1]), "claims")

    def claims(self, key: VerifyingKey) -> dict[str, Any]:
        """The content, once the key's signature was checked.

        Raises:
            AccessError: `jws_signature`: another key's, or a key of another algorithm; `jws_malformed`.
        """
        try:
            content = jws.deserialize_compact(self.text, key, algorithms=[self.algorithm])
        except (JoseError, ValueError, TypeError) as exc:
            raise AccessError("the signature is not that key's", "jws_signature") from exc
        return _object(content.payload, "claims")


def moment(claims: Mapping[str, Any], name: str) -> int | None:
    """A time in whole Unix seconds; None where the member is missing. Some clients write a fraction, which is dropped.

    Raises:
        AccessError: `jws_malformed`.
    """
    if name not in claims:
        return None
    value: Any = claims[name]
    if type(value) not in (int, float) or not 0 <= value < 1 << 53:  # True is an int too; NaN is in no range
        raise _malformed("expected seconds since 1970", name)
    return int(value)


@dataclass(frozen=True, slots=True)
class KeySet:
    """A client's public keys by name: of P-384 for ES384, or RSA of 2048 to 4096 bits for RS384."""

    keys: Mapping[str, VerifyingKey]

    def find(self, kid: str, algorithm: str) -> VerifyingKey | None:
        """The key of that name, if it is for that algorithm."""
        key = self.keys.get(kid)
        return key if key is not None and _TYPES[key.key_type] == algorithm else None

    @classmethod
    def loads(cls, text: bytes) -> KeySet:
        """Read a JWK set. Keys of other kinds, and for other uses, are passed over.

        Raises:
            AccessError: `key_set_malformed`: not such a set, a name that two keys have, or a key with its secret part,
                which by now anybody may have; `limit_exceeded`.
        """
        if len(text) > LARGEST_KEY_SET:
            raise AccessError("a key set is too long", "limit_exceeded")
        try:
            data = _json.loads(text)
        except ValueError as exc:
            raise _bad_set("a key set is no JSON") from exc
        items = data.get("keys") if isinstance(data, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise _bad_set("expected a list of keys", "keys")
        if len(items) > MOST_KEYS:
            raise AccessError(f"a key set has at most {MOST_KEYS} keys", "limit_exceeded", "keys")
        found: dict[str, VerifyingKey] = {}
        for at, item in enumerate(items):
            if item.keys() & _SECRET_MEMBERS:
                raise _bad_set("a key stands there with its secret part", f"keys[{at}]")
            if _is_for_us(item):
                key = _key(item, f"keys[{at}]")
                if item["kid"] in found:
                    raise _bad_set("two keys have one name", f"keys[{at}]")
                found[item["kid"]] = key
        return cls(found)


def _is_for_us(item: Mapping[str, Any]) -> bool:
    algorithm = _TYPES.get(item["kty"]) if isinstance(item.get("kty"), str) else None
    if algorithm is None or item.get("alg", algorithm) != algorithm or item.get("use", "sig") != "sig":
        return False
    if algorithm == "ES384" and item.get("crv") != "P-384":
        return False
    kid, operations = item.get("kid"), item.get("key_ops", ["verify"])
    return isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID and operations == ["verify"]


def _key(item: Mapping[str, Any], place: str) -> VerifyingKey:
    names = ("crv", "x", "y") if item["kty"] == "EC" else ("n", "e")
    parts = {name: item[name] for name in names if isinstance(item.get(name), str)}
    if len(parts) != len(names):
        raise _bad_set("a key lacks a member", place)
    kind = ECKey if item["kty"] == "EC" else RSAKey
    if kind is RSAKey:
        _require_usual(parts, place)
    try:
        return kind.import_key({"kty": item["kty"], **parts})
    except (JoseError, ValueError, TypeError, OverflowError) as exc:
        raise _bad_set("a key is none of its kind", place) from exc


def _require_usual(parts: Mapping[str, Any], place: str) -> None:
    """Refuse RSA keys that are weak, or that take long to check by."""
    try:
        modulus, exponent = (int.from_bytes(_decoded(parts[name])) for name in ("n", "e"))
    except AccessError as exc:
        raise _bad_set("a key is none of its kind", place) from exc
    if modulus.bit_length() not in _RSA_BITS or exponent not in _RSA_EXPONENTS or not modulus & exponent & 1:
        raise _bad_set("an RSA key has 2048 to 4096 bits and an odd exponent", place)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as exc:
        raise _malformed("expected base64url") from exc


def _object(text: bytes, place: str) -> dict[str, Any]:
    try:
        data = _json.loads(text)
    except ValueError as exc:
        raise _malformed("expected JSON", place) from exc
    if not isinstance(data, dict):
        raise _malformed("expected an object", place)
    return data


def _malformed(detail: str, place: str = "") -> AccessError:
    return AccessError(detail, "jws_malformed", place)


def _bad_set(detail: str, place: str = "") -> AccessError:
    return AccessError(detail, "key_set_malformed", place)
