"""Errors as answers: OperationOutcome under /fhir, RFC 9457 problem+json elsewhere, each with the library's own code.

What a caller did wrong is told with its place; of what is wrong here only the code is told. No answer holds a
traceback, a value, or a path of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from chartseal import errors
from chartseal.errors import ChartsealError, CoreError

FHIR_JSON = "application/fhir+json"
PROBLEM_JSON = "application/problem+json"
CODE_SYSTEM = "urn:chartseal:error"
RETRY_SECONDS = 5
"""After which a caller may try what could not be done now."""

_BY_CODE: Mapping[str, int] = {
    # of requests
    "request_malformed": 400,
    "body_malformed": 400,
    "credential_missing": 401,
    "credential_refused": 401,
    "push_off": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_too_slow": 408,
    "body_too_large": 413,
    "unpacks_too_large": 413,
    "target_too_long": 414,
    "media_type_unsupported": 415,
    "encoding_unsupported": 415,
    "rate_exceeded": 429,
    "headers_too_large": 431,
    # of what is pushed
    "import_unknown": 404,
    "import_not_done": 409,
    "imports_full": 503,
    "spool_unavailable": 503,
    "sealing_in_progress": 409,
    "input_unreadable": 400,
    # of the vault and its queue
    "map_malformed": 500,
    "map_too_large": 500,
    "map_unreadable": 500,
    "internal_error": 500,
    "record_unknown": 404,
    "record_erased": 410,
    "address_left": 409,
    "not_searchable": 501,
    "vault_unavailable": 503,
    "vault_busy": 503,
    "blobs_unavailable": 503,
    "queue_unavailable": 503,
    "queue_busy": 503,
    "status_store_unusable": 503,
    "replays_busy": 503,
    "replays_unavailable": 503,
    "disk_full": 507,
    "quota_exceeded": 507,
}

_BY_CLASS: Mapping[type[ChartsealError], int] = {
    errors.LimitError: 413,
    errors.FhirError: 422,
    errors.RecordError: 422,
    errors.PatientError: 422,
    errors.SealingError: 422,
    errors.IngestError: 422,
    errors.DisclosureError: 422,
    errors.VerificationError: 422,
    errors.DeliveryError: 422,
    errors.SuccessorError: 422,
    errors.PredicatePolicyError: 422,
    errors.AttestationError: 422,
    errors.SignatureError: 422,
    errors.ServiceError: 400,
    errors.ConsentError: 422,
    errors.ScopeError: 400,
    errors.TokenError: 401,
    errors.PeerError: 502,
    errors.ChainError: 503,
    errors.ConsentStoreError: 503,
    errors.NodeError: 503,
    errors.VaultKeyError: 503,
    errors.MissingExtraError: 501,
}
"""By the nearest class of an error that stands here; whatever else is raised is this node's own fault: 500."""

_ISSUES: Mapping[int, str] = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    408: "timeout",
    409: "conflict",
    410: "deleted",
    413: "too-long",
    414: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    431: "too-long",
    501: "not-supported",
    502: "transient",
    503: "transient",
    507: "no-store",
}
"""FHIR's code for a status. Source: hl7.org/fhir/R4/valueset-issue-type.html."""


def status_of(error: ChartsealError) -> int:
    """The HTTP status of an error, by its code, else by its class."""
    found = _BY_CODE.get(error.code)
    if found is not None:
        return found
    return next((_BY_CLASS[each] for each in type(error).__mro__ if each in _BY_CLASS), 500)


def detail_of(error: ChartsealError, status: int) -> tuple[str, str]:
    """What may be told of an error, and its place: of our own faults neither."""
    if status >= 500 or not isinstance(error, CoreError):
        return HTTPStatus(status).phrase, ""
    return error.detail, error.path


def issue(code: str, status: int, detail: str, path: str = "", *, severity: str = "error") -> dict[str, Any]:
    """One issue of an OperationOutcome."""
    found: dict[str, Any] = {
        "severity": severity,
        "code": _ISSUES.get(status, "exception") if severity == "error" else "informational",
        "details": {"coding": [{"system": CODE_SYSTEM, "code": code}]},
        "diagnostics": detail,
    }
    if path:
        found["expression"] = [path]
    return found


def outcome(*issues: dict[str, Any]) -> dict[str, Any]:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def is_fhir(scope: Scope) -> bool:
    """Whether a request is for the FHIR API."""
    path = str(scope.get("path", ""))
    return path == "/fhir" or path.startswith("/fhir/")


def answer(scope: Scope, error: ChartsealError, request_id: str) -> Response:
    """The answer to a request that met a deliberate error."""
    status = status_of(error)
    return told(scope, error.code, status, *detail_of(error, status), request_id=request_id)


def unexpected(scope: Scope, request_id: str) -> Response:
    """The answer to a request that met a fault of the program."""
    return told(scope, "internal_error", 500, HTTPStatus(500).phrase, request_id=request_id)


def told(scope: Scope, code: str, status: int, detail: str, path: str = "", *, request_id: str) -> Response:
    """An answer that tells a code."""
    headers = _headers(status)
    if is_fhir(scope):
        members = outcome(issue(code, status, detail, path)) | {"id": request_id}
        return Response(json.dumps(members), status, headers, FHIR_JSON)
    members = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **({"path": path} if path else {}),
        "requestId": request_id,
    }
    return Response(json.dumps(members), status, headers, PROBLEM_JSON)


def _headers(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if status in (429, 503):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}
