"""Keys that sign cards: as an issuer publishes them, and as a signed card names one.

Source: spec.smarthealth.cards, "Determining keys associated with an issuer" and "Revocation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chartseal import _json
from chartseal.errors import HealthCardError
from chartseal.keys.health_card import HealthCardKey
from chartseal.sharing._encoding import to_base64url

LARGEST_KEY_SET = 1 << 18
"""Bytes."""
LARGEST_REVOCATIONS = 1 << 22
"""Bytes of one key's list of revoked cards."""
MOST_KEYS = 200
KEY_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_RID = re.compile(r"([A-Za-z0-9_-]{1,24})(?:\.([0-9]{1,12}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CardKey:
    """A public key that an issuer's set has."""

    kid: str
    """Its thumbprint (RFC 7638)."""
    key: ECKey
    crl_version: int | None = None
    """How often its list of revoked cards changed; None where it has none."""


def public_jwk(key: HealthCardKey) -> dict[str, str]:
    """The key as an issuer publishes it."""
    x, y = (to_base64url(each) for each in key.public)
    found = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    return {"kty": "EC", "kid": found.thumbprint(), "use": "sig", "alg": "ES256", "crv": "P-256", "x": x, "y": y}


def signing_key(key: HealthCardKey) -> ECKey:
    """The key as joserfc signs with it."""
    x, y = (to_base64url(each) for each in key.public)
    return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": to_base64url(key.secret)})


def key_set(keys: Iterable[HealthCardKey]) -> str:
    """What an issuer serves at `/.well-known/jwks.json`."""
    return json.dumps({"keys": [public_jwk(key) for key in keys]}, indent=1) + "\n"


def find_key(key_set_text: bytes, kid: str) -> CardKey:
    """The key of a set that has this id, once it is what the specification asks of it. Other keys are nobody's affair.

    Raises:
        HealthCardError: `keys_malformed`; `card_key_unknown`.
    """
    members = _object(key_set_text, LARGEST_KEY_SET, "the issuer's keys")
    keys = members.get("keys")
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise _malformed("the issuer's keys are no key set")
    for each in keys:
        if isinstance(each, dict) and each.get("kid") == kid:
            return _checked(each, kid)
    raise HealthCardError("the issuer has no such key", "card_key_unknown", "kid")


def _checked(members: dict[str, Any], kid: str) -> CardKey:
    asked = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256"}
    if {name: members.get(name) for name in asked} != asked or "d" in members:
        raise _malformed("the issuer's key is none that signs health cards")
    try:
        key = ECKey.import_key({name: str(members.get(name)) for name in ("kty", "crv", "x", "y")})
        thumbprint = key.thumbprint()
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise _malformed("the issuer's key is no point of P-256") from exc
    if thumbprint != kid:
        raise _malformed("the issuer's key has another id than its own")
    version = members.get("crlVersion")
    if version is not None and (type(version) is not int or version < 1):
        raise _malformed("the issuer's key has a crlVersion that is no count")
    return CardKey(kid, key, version)


def is_revoked(list_text: bytes, key: CardKey, rid: str, not_before: float) -> bool:
    """Whether a key's list revokes a card: its `rid`, whole or up to a time that is after the card's `nbf`.

    Raises:
        HealthCardError: `revocations_malformed`: no list, another key's, or an older one than the key's count says.
    """
    members = _object(list_text, LARGEST_REVOCATIONS, "the issuer's revocations", "revocations_malformed")
    counter, rids = members.get("ctr"), members.get("rids")
    count = int(counter) if isinstance(counter, str) and counter.isascii() and counter.isdecimal() else counter
    is_ours = (members.get("kid"), members.get("method")) == (key.kid, "rid")
    if not is_ours or type(count) is not int or not isinstance(rids, list):
        raise _malformed("the issuer's revocations are not of this key", "revocations_malformed")
    if count < (key.crl_version or 1):
        raise _malformed("the issuer's revocations are older than its key says", "revocations_malformed")
    return any(_names(entry, rid, not_before) for entry in rids)


def _names(entry: Any, rid: str, not_before: float) -> bool:
    found = _RID.fullmatch(entry) if isinstance(entry, str) else None
    if found is None:  # an entry that cannot be read might be this card's
        raise _malformed("the issuer's revocations have an entry that is none", "revocations_malformed")
    return found[1] == rid and (found[2] is None or not_before < int(found[2]))


def _object(text: bytes, most: int, what: str, code: str = "keys_malformed") -> dict[str, Any]:
    if len(text) > most:
        raise HealthCardError(f"{what} are too long", "limit_exceeded")
    try:
        members = _json.loads(text)
    except ValueError as exc:
        raise _malformed(f"{what} are not JSON", code) from exc
    if not isinstance(members, dict):
        raise _malformed(f"{what} are no JSON object", code)
    return members


def _malformed(detail: str, code: str = "keys_malformed") -> HealthCardError:
    return HealthCardError(detail, code)
