"""The routes that serve links: a manifest for a POST, a file for a GET.

    app.include_router(link_routes(store), prefix="/s")

They read nothing but the request, and nothing of theirs is logged: a URL here is half of what opens a link. Whatever
does not open is the same 404.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from chartseal import _json
from chartseal.errors import ShareLinkError, SharingError
from chartseal.sharing.links.store import LONGEST_RECIPIENT, ListedFile, ShareStore

LARGEST_REQUEST = 4_096
"""Bytes of a manifest request."""
JOSE = "application/jose"

_PATIENCE_SECONDS = 10
"""In which a request's body has come."""
_LONGEST_PASSCODE_SENT = 1_024
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "access-control-allow-origin": "*",  # viewers are pages of other origins; what they need is in the request
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "content-type",
    "access-control-max-age": "86400",
}
_STATUSES = {"link_inactive": 404, "passcode_missing": 401, "passcode_refused": 401, "limit_exceeded": 413}
_TITLES = {400: "Bad Request", 404: "Not Found", 413: "Content Too Large", 503: "Service Unavailable"}
_RECIPIENT_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_RECIPIENT,
    "description": "Who opens the link, for whoever shared it; characters that show.",
}
_REQUEST_SCHEMA = {
    "type": "object",
    "required": ["recipient"],
    "properties": {
        "recipient": _RECIPIENT_SCHEMA,
        "passcode": {"type": "string", "maxLength": _LONGEST_PASSCODE_SENT},
        "embeddedLengthMax": {"type": "integer", "minimum": 0},
    },
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Not such a request"},
    404: {"description": "There is no such link, or it has ended"},
    503: {"description": "The store cannot be used now"},
}
_MANIFEST_ANSWERS: dict[int | str, dict[str, Any]] = {
    **_ANSWERS,
    200: {"description": "The manifest", "content": {"application/json": {}}},
    401: {"description": "No passcode, or a wrong one", "content": {"application/json": {}}},
    413: {"description": "The request is too long"},
}
_FILE_ANSWERS: dict[int | str, dict[str, Any]] = {**_ANSWERS, 200: {"description": "A JWE", "content": {JOSE: {}}}}


@dataclass(frozen=True, slots=True)
class ManifestRequest:
    """What the body of a manifest request says."""

    recipient: str
    passcode: str | None
    embedded_most: int | None

    @classmethod
    def read(cls, body: bytes) -> ManifestRequest:
        """Read it; members that are not known are ignored, as the specification has it.

        Raises:
            ShareLinkError: `request_malformed`, which tells no value.
        """
        try:
            members = _json.loads(body)
        except ValueError as exc:
            raise _malformed("expected a JSON object") from exc
        if not isinstance(members, dict):
            raise _malformed("expected a JSON object")
        recipient, passcode, most = (members.get(name) for name in ("recipient", "passcode", "embeddedLengthMax"))
        if not isinstance(recipient, str):
            raise _malformed("expected a text", "recipient")
        if passcode is not None and (not isinstance(passcode, str) or len(passcode) > _LONGEST_PASSCODE_SENT):
            raise _malformed("expected a text", "passcode")
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
            raise _malformed("expected a number of characters", "embeddedLengthMax")
        return cls(recipient, passcode, most)


def link_routes(store: ShareStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> APIRouter:
    """Routes below the store's base: `POST /{name}`, `GET /{name}?recipient=…`, `GET /files/{token}`."""
    routes = APIRouter(tags=["SMART Health Links"])
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST_SCHEMA}}}}

    async def manifest(name: str, request: Request) -> Response:
        """A link's manifest."""

        def answer(asked: ManifestRequest) -> Response:
            files = store.open_manifest(
                name,
                recipient=asked.recipient,
                passcode=asked.passcode,
                embedded_most=asked.embedded_most,
                now=clock(),
            )
            return JSONResponse({"files": [_listed(file) for file in files]}, headers=_HEADERS)

        async def work() -> Response:
            return await run_in_threadpool(answer, ManifestRequest.read(await _body(request)))

        return await _told(work)

    async def direct(name: str, request: Request) -> Response:
        """A direct link's file."""

        async def work() -> Response:
            recipient = request.query_params.get("recipient", "")
            return _jose(await run_in_threadpool(lambda: store.open_direct(name, recipient=recipient, now=clock())))

        return await _told(work)

    async def location(token: str) -> Response:
        """A file where a manifest said that it is."""

        async def work() -> Response:
            return _jose(await run_in_threadpool(lambda: store.open_location(token, now=clock())))

        return await _told(work)

    async def preflight() -> Response:
        return Response(status_code=204, headers=_HEADERS | _PREFLIGHT)

    recipient = {"name": "recipient", "in": "query", "required": True, "schema": _RECIPIENT_SCHEMA}
    routes.add_api_route("/files/{token}", location, methods=["GET"], response_class=Response, responses=_FILE_ANSWERS)
    routes.add_api_route(
        "/{name}",
        direct,
        methods=["GET"],
        response_class=Response,
        responses=_FILE_ANSWERS,
        openapi_extra={"parameters": [recipient]},
    )
    routes.add_api_route(
        "/{name}",
        manifest,
        methods=["POST"],
        response_class=Response,
        responses=_MANIFEST_ANSWERS,
        openapi_extra=body,
    )
    routes.add_api_route("/{name}", preflight, methods=["OPTIONS"], include_in_schema=False)
    return routes


async def _body(request: Request) -> bytes:
    """The request's body.

    Raises:
        ShareLinkError: `limit_exceeded`; `request_malformed`: it did not come whole, or not in time.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            async for piece in request.stream():
                data += piece
                if len(data) > LARGEST_REQUEST:
                    raise ShareLinkError("the request is too long", "limit_exceeded")
    except (TimeoutError, ClientDisconnect) as exc:
        raise _malformed("the request did not come whole and in time") from exc
    return bytes(data)


async def _told(work: Callable[[], Awaitable[Response]]) -> Response:
    """What was done, or why not, as RFC 9457 has it; with a passcode, as the specification of links has it."""
    try:
        return await work()
    except SharingError as error:
        status = _STATUSES.get(error.code, 400 if isinstance(error, ShareLinkError) else 503)
        if status == 401:
            remaining = error.remaining if isinstance(error, ShareLinkError) else None
            return JSONResponse({"remainingAttempts": remaining}, status, headers=_HEADERS)
        members = {"type": "about:blank", "title": _TITLES[status], "status": status, "code": error.code}
        return JSONResponse(members, status, headers=_HEADERS, media_type="application/problem+json")


def _listed(file: ListedFile) -> dict[str, str]:
    where = {"embedded": file.embedded} if file.embedded is not None else {"location": str(file.location)}
    return {
        "contentType": file.content_type,
        **where,
        "lastUpdated": file.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fhirVersion": "4.0.1",
    }


def _jose(text: str) -> Response:
    return Response(text, headers=_HEADERS, media_type=JOSE)


def _malformed(detail: str, place: str = "") -> ShareLinkError:
    return ShareLinkError(detail, "request_malformed", place)
