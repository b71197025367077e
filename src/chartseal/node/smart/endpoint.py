"""`POST /auth/token`, and what a node says of itself under `.well-known`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from chartseal.attestation import Signer
from chartseal.consent import Scopes
from chartseal.errors import ChartsealError, TokenRequestError
from chartseal.node.smart.b2b import NAME
from chartseal.node.smart.clients import READING
from chartseal.node.smart.grants import GRANT_TYPE, INVALID_CLIENT, INVALID_REQUEST, LARGEST_FORM, Grants, read_form
from chartseal.node.smart.identity import NAME as STATEMENT
from chartseal.node.smart.identity import Statement
from chartseal.node.smart.jose import ALGORITHMS, KeySet
from chartseal.node.smart.key_sets import KEY_SET_PATH
from chartseal.node.smart.signing_keys import SigningKeys

TOKEN_PATH = "/auth/token"  # noqa: S105 (a path)
FHIR_PATH = "/fhir"
CONFIGURATION_PATH = "/.well-known/smart-configuration"

_FORM = "application/x-www-form-urlencoded"
_PATIENCE = 10.0
"""Seconds for a form to come in."""
_AT_ONCE = 8
"""Decisions at a time: one may wait for a slow peer's keys, and must not take all threads from others."""
_PRIVATE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_PUBLIC = {"Cache-Control": "public, max-age=60"}
_TOLD = {
    "invalid_request": "the form is malformed, has a field twice, or shows the client by other means than an assertion",
    "invalid_client": "the client could not be authenticated",
    "invalid_grant": "the assertion's extension hl7-b2b is missing or malformed",
    "invalid_scope": "none of the scopes is given",
    "unsupported_grant_type": "only client_credentials is served",
}
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "scope", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": [GRANT_TYPE]},
                        "scope": {"type": "string"},
                        "client_assertion_type": {"type": "string"},
                        "client_assertion": {"type": "string"},
                        "client_id": {"type": "string"},
                    },
                }
            }
        },
    }
}

_log = structlog.get_logger("chartseal.node.smart")


@dataclass(frozen=True, slots=True)
class SmartParts:
    """What the endpoint needs."""

    grants: Grants
    client_keys: SigningKeys
    base_url: str
    """The node's own, without a slash at its end."""
    account: Signer | None = None
    """The node's accredited key, which vouches for what it serves; without it, other nodes take it for nobody's."""
    allowed: Scopes = READING
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def token_url(base_url: str) -> str:
    """Where a node gives tokens, which is the audience of assertions for it."""
    return base_url + TOKEN_PATH


def smart_configuration(base_url: str, allowed: Scopes) -> dict[str, Any]:
    """What SMART App Launch 2.2 has a server say: no launch and no authorisation endpoint, since none is served."""
    return {
        "issuer": base_url,
        "jwks_uri": base_url + KEY_SET_PATH,
        "token_endpoint": token_url(base_url),
        "grant_types_supported": [GRANT_TYPE],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": str(allowed).split(" "),
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        "udap_authorization_extensions_supported": [NAME],
        "udap_authorization_extensions_required": [NAME],
    }


def smart_router(parts: SmartParts) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["smart"])
    deciding = asyncio.Semaphore(_AT_ONCE)

    @router.post(TOKEN_PATH, openapi_extra=_OPENAPI, responses={400: {}, 401: {}, 503: {}})
    async def token(request: Request) -> JSONResponse:
        """Give a client an access token for its assertion (SMART Backend Services)."""
        try:
            form = read_form(await _content(request))
            async with deciding:
                return await run_in_threadpool(_answered, parts, form)
        except TokenRequestError as refusal:
            return _refused(refusal)

    @router.get(CONFIGURATION_PATH)
    @router.get(FHIR_PATH + CONFIGURATION_PATH)
    async def configuration() -> JSONResponse:
        """Say how clients are authenticated here (SMART App Launch)."""
        return JSONResponse(smart_configuration(parts.base_url, parts.allowed), headers=_PUBLIC)

    @router.get(KEY_SET_PATH)
    async def key_set() -> JSONResponse:
        """Publish the keys that this node signs assertions by, where it is a client."""
        return JSONResponse(await run_in_threadpool(_published, parts), headers=_PUBLIC)

    return router


def _published(parts: SmartParts) -> dict[str, Any]:
    """The key set, with the account's statement about it."""
    published = parts.client_keys.published()
    if parts.account is None:
        return published
    keys = KeySet.loads(json.dumps(published).encode())
    statement = Statement.make(parts.account, parts.base_url, keys, parts.now())
    return {**published, STATEMENT: statement.to_json()}


async def _content(request: Request) -> bytes:
    """The form's bytes.

    Raises:
        TokenRequestError: anything but such a form, or in the URL; `limit_exceeded`; `form_slow`.
    """
    if request.url.query:
        raise TokenRequestError("a form stands in the body, not in the URL", "form_malformed", INVALID_REQUEST)
    if "authorization" in request.headers:
        raise TokenRequestError("a client shows who it is in one way", "form_malformed", INVALID_REQUEST)
    kinds = request.headers.getlist("content-type")
    if [kind.partition(";")[0].strip().lower() for kind in kinds] != [_FORM] or "content-encoding" in request.headers:
        raise TokenRequestError("expected a form", "form_malformed", INVALID_REQUEST)
    content = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for piece in request.stream():
                content += piece
                if len(content) > LARGEST_FORM:
                    raise TokenRequestError("the form is too long", "limit_exceeded", INVALID_REQUEST)
    except TimeoutError:
        raise TokenRequestError("the form did not come in time", "form_slow", INVALID_REQUEST) from None
    return bytes(content)


def _answered(parts: SmartParts, form: Mapping[str, str]) -> JSONResponse:
    """A token, or that this node cannot say now; refusals are raised."""
    now = parts.now()
    try:
        granted = parts.grants.decide(form, now)
    except TokenRequestError:
        raise
    except ChartsealError as fault:
        _log.error("token_unavailable", code=fault.code)
        told = {"error": "temporarily_unavailable", "error_description": "no token can be given now"}
        return JSONResponse(told, 503, headers={**_PRIVATE, "Retry-After": "5"})
    _log.info("token_granted", client=granted.client_id, token=granted.token.token_id, purpose=granted.b2b.purpose)
    answer = {
        "access_token": granted.token.text,
        "token_type": "Bearer",
        "expires_in": max(0, int((granted.token.expires_at - now).total_seconds())),
        "scope": str(granted.scopes),
    }
    return JSONResponse(answer, headers=_PRIVATE)


def _refused(refusal: TokenRequestError) -> JSONResponse:
    """RFC 6749 section 5.2; the log has the code, which the client does not get."""
    _log.info("token_refused", code=refusal.code, error=refusal.oauth_error)
    status = 401 if refusal.oauth_error == INVALID_CLIENT else 400
    told = {"error": refusal.oauth_error, "error_description": _TOLD[refusal.oauth_error]}
    return JSONResponse(told, status, headers=_PRIVATE)
