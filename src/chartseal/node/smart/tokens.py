"""Access tokens: short, signed by the node that they are for, and worth nothing anywhere else.

Source: RFC 9068 (`at+jwt`); the content is this node's own affair, and clients take it as opaque.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chartseal.consent import Scopes
from chartseal.errors import AccessError, ScopeError, TokenError
from chartseal.node.smart.b2b import NAME, B2b
from chartseal.node.smart.clients import Client
from chartseal.node.smart.jose import Unverified, moment
from chartseal.node.smart.signing_keys import SigningKeys

LONGEST_LIFE = timedelta(minutes=5)

_KIND = "at+jwt"
_ALGORITHMS = ("ES384",)
_ID_SIZE = 16
_CLOCK_SKEW = timedelta(seconds=30)
"""By how much the clocks of one node's processes may differ."""
_TEXTS = ("jti", "client_id", "scope")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What a client gets."""

    text: str = field(repr=False)
    token_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a token of ours says, as of when it was given."""

    token_id: str
    client_id: str
    roles: frozenset[str]
    scopes: Scopes
    b2b: B2b
    expires_at: datetime


class Tokens:
    """Gives and reads the tokens of one node."""

    def __init__(self, keys: SigningKeys, *, issuer: str, audience: str, lifetime: timedelta = LONGEST_LIFE) -> None:
        """`issuer` is the node's base URL, `audience` that of its FHIR service.

        Raises:
            AccessError: `token_setting`: a life of none, or of more than five minutes.
        """
        if not timedelta(0) < lifetime <= LONGEST_LIFE:
            raise AccessError("a token lives for at most five minutes", "token_setting")
        self._keys = keys
        self._issuer, self._audience = issuer, audience
        self._lifetime = lifetime

    def issue(self, client: Client, scopes: Scopes, b2b: B2b, now: datetime) -> IssuedToken:
        """A token for a client that proved who it is.

        Raises:
            VaultKeyError: there is no key to sign by.
        """
        issued_at = int(now.timestamp())
        expires_at = issued_at + int(self._lifetime.total_seconds())
        token_id = secrets.token_urlsafe(_ID_SIZE)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": client.client_id,
            "client_id": client.client_id,
            "jti": token_id,
            "iat": issued_at,
            "exp": expires_at,
            "scope": str(scopes),
            "roles": sorted(client.roles),
            NAME: b2b.to_json(),
        }
        text = self._keys.sign(_KIND, json.dumps(claims, separators=(",", ":")).encode())
        return IssuedToken(text, token_id, datetime.fromtimestamp(expires_at, UTC))

    def read(self, text: str, now: datetime) -> Token:
        """What a token says, if it is one of ours and counts now.

        Raises:
            TokenError: `token_invalid`, `token_expired`.
            VaultKeyError: our own keys cannot be read.
        """
        try:
            unverified = Unverified.read(text, _ALGORITHMS)
            key = self._keys.find(unverified.kid)
            if key is None or unverified.type != _KIND or unverified.key_set_url:
                raise _invalid()
            claims = unverified.claims(key)
            return self._token(claims, now)
        except (AccessError, ScopeError) as exc:
            raise exc if isinstance(exc, TokenError) else _invalid() from exc

    def _token(self, claims: Mapping[str, Any], now: datetime) -> Token:
        issued, ends = moment(claims, "iat"), moment(claims, "exp")
        if (claims.get("iss"), claims.get("aud")) != (self._issuer, self._audience) or issued is None or ends is None:
            raise _invalid()
        seconds = now.timestamp()
        if issued > seconds + _CLOCK_SKEW.total_seconds() or ends > issued + LONGEST_LIFE.total_seconds():
            raise _invalid()
        if ends <= seconds:
            raise TokenError("the token has ended", "token_expired")
        roles = claims.get("roles")
        if not all(isinstance(claims.get(name), str) for name in _TEXTS) or not isinstance(roles, list):
            raise _invalid()
        return Token(
            claims["jti"],
            claims["client_id"],
            frozenset(map(str, roles)),
            Scopes.parse(claims["scope"]),
            B2b.from_json(claims.get(NAME)),
            datetime.fromtimestamp(ends, UTC),
        )


def _invalid() -> TokenError:
    return TokenError("the token is none of this node's", "token_invalid")
