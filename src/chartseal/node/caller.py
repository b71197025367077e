"""Who is calling, proved by a token of this node, and standing still.

admitted = Depends(authenticated(Admission(tokens, clients)))

@router.get("/fhir/{kind}")
def search(kind: str, caller: Caller = admitted) -> Response: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import Request
from starlette.datastructures import Headers

from chartseal.consent import Requester
from chartseal.errors import TokenError, VaultKeyError
from chartseal.node.smart.b2b import B2b
from chartseal.node.smart.clients import Clients
from chartseal.node.smart.tokens import Tokens

_BEARER = re.compile(r"Bearer +([A-Za-z0-9_.-]+)", re.ASCII | re.IGNORECASE)
_IN_URL = "access_token"


@dataclass(frozen=True, slots=True)
class Caller:
    """A requester, and the token that it came with."""

    requester: Requester
    client_id: str
    token_id: str
    expires_at: datetime
    b2b: B2b | None = field(default=None, repr=False)
    """All that the client says of person and organisation, for accounting."""


class Admission:
    """Lets callers in by their tokens."""

    def __init__(
        self, tokens: Tokens, clients: Clients, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """With what reads tokens, and what knows who stands."""
        self._tokens = tokens
        self._clients = clients
        self._now = now

    def admit(self, authorization: Sequence[str], query: Mapping[str, str]) -> Caller:
        """The caller with these values of the Authorization header and this query.

        A role that was lost since the token was given is lost at once; one that was won needs another token.

        Raises:
            TokenError: `token_missing`, `token_malformed`, `token_in_url`, `token_invalid`, `token_expired`,
                `client_gone`: its accreditation or registration has ended.
            ChainError: who is accredited cannot be known now.
            VaultKeyError: our own keys cannot be read.
        """
        now = self._now()
        token = self._tokens.read(_bearer(authorization, query), now)
        client = self._clients.find(token.client_id, now)
        if client is None:
            raise TokenError("the client stands here no more", "client_gone")
        requester = Requester(
            account=client.account,
            roles=client.roles & token.roles,
            is_accredited=client.is_accredited,
            purpose=token.b2b.purpose,
            scopes=token.scopes.granted(client.allowed),
            person=token.b2b.person,
            organisation=token.b2b.organization_id,
        )
        return Caller(requester, client.client_id, token.token_id, token.expires_at, token.b2b)

    def identify(self, headers: Headers) -> str | None:
        """Whose request this is, by its headers alone, for counting: the client that its token was given to, whether it
        stands or not; None where there is no token of ours, or our keys cannot be read.
        """
        try:
            return self._tokens.read(_bearer(headers.getlist("authorization"), {}), self._now()).client_id
        except (TokenError, VaultKeyError):
            return None


def authenticated(admission: Admission) -> Callable[[Request], Caller]:
    """A FastAPI dependency that gives the caller; it raises as `Admission.admit`, before a handler runs."""

    def caller_of(request: Request) -> Caller:
        return admission.admit(request.headers.getlist("authorization"), request.query_params)

    return caller_of


def challenge(error: TokenError) -> str:
    """The WWW-Authenticate header of a refusal (RFC 6750 section 3); it says no more than that."""
    if error.code == "token_missing":
        return "Bearer"
    is_form = error.code in ("token_malformed", "token_in_url")
    return f'Bearer error="{"invalid_request" if is_form else "invalid_token"}"'


def _bearer(authorization: Sequence[str], query: Mapping[str, str]) -> str:
    if _IN_URL in query:  # a URL ends in logs and histories
        raise TokenError("a token stands in the Authorization header, never in the URL", "token_in_url")
    if not authorization:
        raise TokenError("the request has no token", "token_missing")
    found = _BEARER.fullmatch(authorization[0])
    if len(authorization) > 1 or found is None:
        raise TokenError("expected one Authorization header with a bearer token", "token_malformed")
    return found[1]
