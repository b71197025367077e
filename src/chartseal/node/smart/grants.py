"""The token endpoint's decision: a form in, a token or a refusal out.

Source: RFC 6749 sections 4.4 and 5.2; RFC 7521 section 4.2; SMART App Launch 2.2, Backend Services. Of whoever is
refused as a client the answer is the same, whatever the cause, so that nobody learns which clients there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from urllib.parse import parse_qsl

from chartseal.consent import Scopes
from chartseal.errors import AccessError, PeerError, ScopeError, TokenRequestError
from chartseal.node.smart.assertions import Asserted, Assertions
from chartseal.node.smart.b2b import B2b
from chartseal.node.smart.tokens import IssuedToken, Tokens

LARGEST_FORM = 32_768
"""Bytes."""
GRANT_TYPE = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

INVALID_REQUEST, INVALID_CLIENT, INVALID_GRANT = "invalid_request", "invalid_client", "invalid_grant"
INVALID_SCOPE, UNSUPPORTED_GRANT = "invalid_scope", "unsupported_grant_type"

_MOST_FIELDS = 20
_REQUIRED = ("grant_type", "scope", "client_assertion_type", "client_assertion")
_OTHER_WAYS = frozenset({"client_secret", "assertion", "code", "refresh_token", "username", "password"})
_OWN_FAULTS = frozenset({"replays_unavailable", "replays_busy", "disk_full"})


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and what it is for."""

    token: IssuedToken
    client_id: str
    scopes: Scopes
    b2b: B2b = field(repr=False)


class Grants:
    """Decides on requests for tokens."""

    def __init__(self, assertions: Assertions, tokens: Tokens) -> None:
        """With what checks clients and what gives tokens."""
        self._assertions = assertions
        self._tokens = tokens

    def decide(self, form: Mapping[str, str], now: datetime) -> Granted:
        """A token for the scopes that were asked for, as far as the client may have them.

        Raises:
            TokenRequestError: with RFC 6749's word for it.
            AccessError: the store of used assertions is at fault.
            ChainError: who is accredited cannot be known now.
            VaultKeyError: there is no key to sign by.
        """
        _require_form(form)
        asserted = self._authenticated(form, now)
        try:
            b2b = asserted.b2b()
        except AccessError as exc:
            raise TokenRequestError(exc.detail, exc.code, INVALID_GRANT, exc.path) from exc
        try:
            scopes = Scopes.parse(form["scope"]).granted(asserted.client.allowed)
        except ScopeError as exc:
            raise TokenRequestError(exc.detail, exc.code, INVALID_SCOPE, "scope") from exc
        if not scopes.scopes:
            raise TokenRequestError("none of the scopes is given here", "scope_refused", INVALID_SCOPE, "scope")
        token = self._tokens.issue(asserted.client, scopes, b2b, now)
        return Granted(token, asserted.client.client_id, scopes, b2b)

    def _authenticated(self, form: Mapping[str, str], now: datetime) -> Asserted:
        try:
            return self._assertions.check(form["client_assertion"], form.get("client_id"), now)
        except (AccessError, PeerError) as exc:
            if exc.code in _OWN_FAULTS:
                raise
            raise TokenRequestError(exc.detail, exc.code, INVALID_CLIENT, exc.path) from exc


def read_form(content: bytes) -> Mapping[str, str]:
    """The fields of a form's content (`application/x-www-form-urlencoded`), each once.

    Raises:
        TokenRequestError: `form_malformed`, `form_duplicate`, `limit_exceeded`.
    """
    if len(content) > LARGEST_FORM:
        raise TokenRequestError("the form is too long", "limit_exceeded", INVALID_REQUEST)
    try:
        text = content.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as exc:
        raise TokenRequestError("the form is none", "form_malformed", INVALID_REQUEST) from exc
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenRequestError("a field stands twice", "form_duplicate", INVALID_REQUEST)
    return MappingProxyType(found)


def _require_form(form: Mapping[str, str]) -> None:
    for name in _REQUIRED:
        if not form.get(name):
            raise TokenRequestError("a field is missing", "form_malformed", INVALID_REQUEST, name)
    if form["grant_type"] != GRANT_TYPE:
        raise TokenRequestError("only client_credentials is served", "grant_unsupported", UNSUPPORTED_GRANT)
    if form["client_assertion_type"] != ASSERTION_TYPE or form.keys() & _OTHER_WAYS:
        raise TokenRequestError("a client shows who it is by an assertion alone", "form_malformed", INVALID_REQUEST)
