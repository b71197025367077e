"""FHIR R4 over HTTP: each route parses a request, asks `Answers`, and maps errors to OperationOutcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from chartseal.consent import Requester
from chartseal.errors import ChartsealError, FhirRequestError
from chartseal.node.fhir.answering import Answers, Asked
from chartseal.node.fhir.gate import Caller, Gate
from chartseal.node.fhir.outcomes import Answer, answer, refusal
from chartseal.node.fhir.parameters import JSON_FORMATS, LONGEST, require_json

_CONSENT = "consent"
FORM = "application/x-www-form-urlencoded"

Pointed = Callable[[str, Requester], str | None]
"""Gives the id of the patient whose consent for this requester has that root, if there is one in force."""

_PIECE = 256 << 10
"""Bytes that leave at once."""
_ANY = frozenset({"*/*", "application/*"})


def fhir_router(
    answers: Answers,
    *,
    caller: Callable[..., Any],
    gate: Callable[[Caller], Gate],
    clock: Callable[[], datetime],
    capability: bytes,
    pointed: Pointed = lambda *_: None,
) -> APIRouter:
    """The routes under /fhir. `caller` is a FastAPI dependency that gives an authenticated caller, or raises; `gate`
    is asked once for each request, so that a consent that was withdrawn counts at the next page.
    """
    router = APIRouter(prefix="/fhir", default_response_class=Response, tags=["fhir"])

    its_caller, its_form = Depends(caller), Depends(_form)

    def asked(who: Caller) -> Asked:
        return Asked(who, gate(who), clock())

    @router.get("/metadata", operation_id="capabilities")
    def capabilities(request: Request) -> Response:
        """What this server does."""
        return _respond(request, lambda: answer(200, capability))

    @router.get("/Patient/$everything", operation_id="everythingUnderConsent")
    def under_consent(request: Request, who: Caller = its_caller) -> Response:
        """All that a consent opens: its root (`consent`) points to the patient."""
        return _respond(request, lambda: _under_consent(answers, request, pointed, asked(who)))

    @router.get("/Patient/{identifier}/$everything", operation_id="everything")
    def everything(request: Request, identifier: str, who: Caller = its_caller) -> Response:
        """All of a patient's records that the caller may see."""
        return _respond(
            request,
            lambda: answers.everything(identifier, _query(request), asked(who), is_strict=_is_strict(request)),
        )

    @router.get("/{resource_type}/{identifier}", operation_id="read")
    def read(request: Request, resource_type: str, identifier: str, who: Caller = its_caller) -> Response:
        """One resource."""
        return _respond(request, lambda: _read(answers, request, resource_type, identifier, asked(who)))

    @router.get("/{resource_type}", operation_id="search")
    def search(request: Request, resource_type: str, who: Caller = its_caller) -> Response:
        """Resources of one type that match."""
        return _respond(
            request,
            lambda: answers.search(resource_type, _query(request), asked(who), is_strict=_is_strict(request)),
        )

    @router.post("/{resource_type}/_search", operation_id="searchByForm")
    def search_by_form(
        request: Request,
        resource_type: str,
        who: Caller = its_caller,
        form: str | FhirRequestError = its_form,
    ) -> Response:
        """The same, with the parameters in a form, so that no log of addresses holds them."""

        def found() -> Answer:
            if isinstance(form, FhirRequestError):
                raise form
            return answers.search(resource_type, form, asked(who), is_strict=_is_strict(request))

        return _respond(request, found)

    return router


def _under_consent(answers: Answers, request: Request, pointed: Pointed, asked: Asked) -> Answer:
    pairs = request.query_params.multi_items()
    roots = [value for name, value in pairs if name == _CONSENT]
    if len(roots) != 1:
        raise FhirRequestError("this operation takes the root of one consent", "parameter_value", _CONSENT)
    patient = pointed(roots[0], asked.caller.requester)
    if patient is None:
        raise answers.unknown("Patient", asked)
    rest = urlencode([pair for pair in pairs if pair[0] != _CONSENT])
    path = f"Patient/$everything?{_CONSENT}={roots[0]}"  # links name the patient no better than who asks did
    return answers.everything(patient, rest, asked, is_strict=_is_strict(request), path=path)


def _respond(request: Request, make: Callable[[], Answer]) -> Response:
    try:
        _require_acceptable(request)
        made = make()
    except ChartsealError as exc:
        made = refusal(exc)
    headers = dict(made.headers)
    if int(headers["Content-Length"]) <= _PIECE:
        return Response(made.body, made.status, headers)
    return StreamingResponse(_joined(made.pieces), made.status, headers)


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that are worth a step each."""
    waiting, size = list[bytes](), 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _read(answers: Answers, request: Request, resource_type: str, identifier: str, asked: Asked) -> Answer:
    for name, value in request.query_params.multi_items():
        if name == "_format":
            require_json(value)
        elif name != "_pretty":
            raise FhirRequestError("a read takes no such parameter", "parameter_not_served", "")
    return answers.read(resource_type, identifier, asked)


def _query(request: Request) -> str:
    return bytes(request.scope["query_string"]).decode("latin-1")


def _is_strict(request: Request) -> bool:
    preferences = ",".join(request.headers.getlist("prefer")).replace(";", ",").split(",")
    return any(each.strip().lower() == "handling=strict" for each in preferences)


def _require_acceptable(request: Request) -> None:
    """Refuse whoever takes no JSON; `_format` says more than the header (hl7.org/fhir/R4/http.html#mime-type).

    Raises:
        FhirRequestError: `format_not_served`.
    """
    accepted = ",".join(request.headers.getlist("accept"))
    types = {each.partition(";")[0].strip().lower() for each in accepted.split(",")} - {""}
    if types and not types & (JSON_FORMATS | _ANY) and "_format" not in request.query_params:
        raise FhirRequestError("answers are application/fhir+json", "format_not_served", "Accept")


async def _form(request: Request) -> str | FhirRequestError:
    """The form's text, at most so many bytes of it; or why it is none, for the route to say."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return FhirRequestError(f"expected {FORM}", "media_type_unsupported")
    if request.scope["query_string"]:
        return FhirRequestError("the parameters are in the form, or in the address, not in both", "query_malformed")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            return FhirRequestError(f"a search has at most {LONGEST} bytes", "body_too_large")
    return body.decode("latin-1")
