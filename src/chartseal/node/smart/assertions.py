"""A client's assertion: who it is, proved by its key, for this node alone, once, within five minutes.

Source: RFC 7523 section 3; SMART App Launch 2.2, "Authenticating to the Token endpoint".
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from chartseal.errors import AccessError, PeerError
from chartseal.node.smart.b2b import NAME, B2b
from chartseal.node.smart.clients import LONGEST_CLIENT_ID, Client, Clients
from chartseal.node.smart.jose import Unverified, VerifyingKey, moment
from chartseal.node.smart.replays import LONGEST_ID, Replays

LONGEST_LIFE = timedelta(minutes=5)
CLOCK_SKEW = timedelta(seconds=30)
"""By how much a client's clock may differ."""

_TYPES = ("", "jwt", "client-authentication+jwt")


@dataclass(frozen=True, slots=True)
class Asserted:
    """A client that proved who it is."""

    client: Client
    extensions: Any
    """The assertion's `extensions`, not read yet."""

    def b2b(self) -> B2b:
        """For whom it asks, and why.

        Raises:
            AccessError: `b2b_missing`, `b2b_malformed`.
        """
        data = self.extensions
        if data is not None and not isinstance(data, dict):
            raise AccessError("expected an object", "b2b_malformed", "extensions")
        return B2b.from_json(None if data is None else data.get(NAME))


class Assertions:
    """Checks the assertions that come to one token endpoint."""

    def __init__(self, clients: Clients, replays: Replays, audience: str) -> None:
        """`audience` is the endpoint's own URL."""
        self._clients = clients
        self._replays = replays
        self._audience = audience

    def check(self, text: str, client_id: str | None, now: datetime) -> Asserted:
        """The client that signed the assertion; afterwards it counts no more. `client_id` is what the form says.

        Raises:
            AccessError: `assertion_malformed`, `assertion_key`, `assertion_audience`, `assertion_expired`,
                `assertion_not_begun`, `assertion_too_long`, `assertion_replayed`, `client_unknown`; as
                `Unverified.read` and `claims`; the replays' faults.
            PeerError: the client's keys cannot be had.
            ChainError: who is accredited cannot be known now.
        """
        unverified = Unverified.read(text)
        if unverified.type not in _TYPES:
            raise AccessError("another kind of signed text", "assertion_malformed", "header.typ")
        stated = _stated_client(unverified)
        client = self._clients.find(stated, now)
        claims = self._verified(unverified, client)
        if client is None:
            raise AccessError("there is no such client", "client_unknown")
        _require_sender(claims, stated, client_id)
        if claims.get("aud") not in (self._audience, [self._audience]):
            raise AccessError("the assertion is for another endpoint", "assertion_audience", "aud")
        expires_at = _require_times(claims, now)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_ID or not jti.isprintable():
            raise _malformed("jti")
        self._replays.use(client.client_id, jti, expires_at, now)
        return Asserted(client, claims.get("extensions"))

    def _verified(self, unverified: Unverified, client: Client | None) -> dict[str, Any]:
        """The claims under the client's key, or an error that took as long."""
        try:
            key = None if client is None else self._clients.key(client, unverified.kid, unverified.algorithm)
        except PeerError:
            _check_in_vain(unverified)
            raise
        if client is None or key is None or unverified.key_set_url not in ("", client.key_set_url):
            _check_in_vain(unverified)
            code = "client_unknown" if client is None else "assertion_key"
            raise AccessError("the assertion names no key of a client", code, "header.kid")
        return unverified.claims(key)


def _check_in_vain(unverified: Unverified) -> None:
    """Check by a key that nobody has, so that an error takes as long whether there is such a client or not."""
    with suppress(AccessError):
        unverified.claims(_decoy(unverified.algorithm))


@cache
def _decoy(algorithm: str) -> VerifyingKey:
    return ECKey.generate_key("P-384") if algorithm == "ES384" else RSAKey.generate_key(2_048)


def _stated_client(unverified: Unverified) -> str:
    """The client that the content names, before anybody knows whether it signed it."""
    stated = unverified.peek().get("iss")
    if not isinstance(stated, str) or not 0 < len(stated) <= LONGEST_CLIENT_ID:
        raise _malformed("iss")
    return stated


def _require_sender(claims: dict[str, Any], stated: str, client_id: str | None) -> None:
    if claims.get("iss") != stated or claims.get("sub") != stated:
        raise _malformed("sub")
    if client_id not in (None, stated):
        raise AccessError("the form names another client than the assertion", "assertion_malformed", "client_id")


def _require_times(claims: dict[str, Any], now: datetime) -> datetime:
    """When the assertion ends, aware."""
    try:
        begins, issued, ends = (moment(claims, name) for name in ("nbf", "iat", "exp"))
    except AccessError as exc:
        raise _malformed(exc.path) from exc
    if ends is None:
        raise _malformed("exp")
    seconds, skew, life = now.timestamp(), CLOCK_SKEW.total_seconds(), LONGEST_LIFE.total_seconds()
    if ends <= seconds - skew:
        raise AccessError("the assertion has ended", "assertion_expired", "exp")
    if max(begins or 0, issued or 0) > seconds + skew:
        raise AccessError("the assertion has not begun", "assertion_not_begun", "nbf")
    if ends > seconds + life + skew or (issued is not None and ends > issued + life):
        raise AccessError("the assertion lasts longer than five minutes", "assertion_too_long", "exp")
    return datetime.fromtimestamp(ends, UTC)


def _malformed(place: str) -> AccessError:
    return AccessError("the assertion lacks a part, or has one that is none", "assertion_malformed", place)
