"""Routes by which an EHR pushes: a resource, a Bundle, or NDJSON of any size."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import anyio
from fastapi import APIRouter, Path, Request, Security
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import StreamingResponse

from chartseal import _core, _json
from chartseal.errors import FhirError, IngestError, ServiceError
from chartseal.node.ingest.intake import Intake, PushRefusedError, Refusal
from chartseal.node.ingest.jobs import Imports, Job, State, time_of
from chartseal.node.ingest.pushers import Pushers
from chartseal.node.ingest.spool import Upload
from chartseal.node.problems import FHIR_JSON, issue, outcome, status_of

IMPORT = "/import"
MOST_ISSUES = 100
"""Of one answer; a push that is refused for more reasons is told of these first."""
_JSON_TYPES = frozenset({"application/fhir+json", "application/json"})
_NDJSON_TYPES = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})
_PUSHED_BUNDLES = frozenset({"transaction", "collection"})
_GZIP = b"\x1f\x8b"
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)


class _FhirType(Convertor[str]):
    regex = "[A-Z][A-Za-z]{0,63}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("fhirtype", _FhirType())

TypeName = Annotated[str, Path(pattern=f"^{_FhirType.regex}$")]
JobName = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
_EXAMPLE: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-05-04",
    "valueQuantity": {"value": 4.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
}
_BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [{"resource": _EXAMPLE, "request": {"method": "POST", "url": "Observation"}}],
}

_LINE = json.dumps(_EXAMPLE) + "\n"


def _body(media_type: str, schema: str, example: Any) -> dict[str, Any]:
    """How a body stands in the OpenAPI."""
    return {
        "requestBody": {"required": True, "content": {media_type: {"schema": {"type": schema}, "example": example}}}
    }


_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"description": "Malformed"},
    401: {"description": "No credential to push with"},
    403: {"description": "Nobody may push to this node"},
    409: {"description": "The same is being pushed already, or a patient left her address"},
    413: {"description": "Too large"},
    415: {"description": "Another media type or packing"},
    422: {"description": "Something is refused, and nothing was sealed"},
    429: {"description": "Too often"},
    503: {"description": "Not now"},
    507: {"description": "No room"},
}


class Pushing(NamedTuple):
    """What the routes work with."""

    intake: Intake
    imports: Imports
    pushers: Pushers
    base_url: str


def router(pushing: Pushing) -> APIRouter:
    """The routes."""
    shown = Security(HTTPBearer(scheme_name="push", auto_error=False))  # in the schema; each route asks `pushers`
    made = APIRouter(tags=["ingest"], responses=_REFUSED, dependencies=[shown])
    _add_pushes(made, pushing)
    _add_imports(made, pushing)
    return made


def _add_pushes(made: APIRouter, pushing: Pushing) -> None:
    @made.post("/fhir/{resource_type:fhirtype}", status_code=201, openapi_extra=_body(FHIR_JSON, "object", _EXAMPLE))
    async def push_resource(resource_type: TypeName, request: Request) -> Response:
        """Seal one resource. The same bytes are sealed once: then the answer is 200."""
        pusher = pushing.pushers.require(request.headers)
        data = await _read(request)
        return await run_in_threadpool(_push_resource, pushing, resource_type, data, pusher)

    @made.post("/fhir", status_code=200, openapi_extra=_body(FHIR_JSON, "object", _BUNDLE))
    async def push_bundle(request: Request) -> Response:
        """Seal all resources of a transaction or collection, or none."""
        pusher = pushing.pushers.require(request.headers)
        data = await _read(request)
        return await run_in_threadpool(_push_bundle, pushing, data, pusher)


async def _read(request: Request) -> bytes:
    """The body, which the guard bounds.

    Raises:
        ServiceError: `media_type_unsupported`, and what the guard raises.
    """
    require_type(request, _JSON_TYPES)
    return await request.body()


def require_type(request: Request, types: frozenset[str]) -> None:
    """Take a body of these types, in UTF-8.

    Raises:
        ServiceError: `media_type_unsupported`.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    found = {each.strip().lower().replace('"', "") for each in parameters.split(";")} - {"", "fhirversion=4.0"}
    if kind.strip().lower() not in types or found - {"charset=utf-8"}:
        raise ServiceError(f"expected {min(types)} in UTF-8", "media_type_unsupported")


def _push_resource(pushing: Pushing, resource_type: str, data: bytes, pusher: str) -> Response:
    found, bundle_type = _kind(data)
    if found != resource_type:
        raise FhirError("the resource is of another type than the URL", "resource_type_other", "resourceType")
    if found == "Bundle" and bundle_type != "document":
        raise FhirError("other Bundles than documents go to the base", "bundle_type_refused", "Bundle.type")
    return _pushed(pushing, data, pusher, [_entry(pushing, _json_of(data))])


def _push_bundle(pushing: Pushing, data: bytes, pusher: str) -> Response:
    found, bundle_type = _kind(data)
    if found != "Bundle" or bundle_type not in _PUSHED_BUNDLES:
        raise FhirError("expected a transaction or collection", "bundle_type_refused", "Bundle.type")
    entries = _json_of(data).get("entry", [])
    if not isinstance(entries, list):
        raise FhirError("expected an array", "type_mismatch", "Bundle.entry")
    places = [_entry(pushing, each.get("resource") if isinstance(each, dict) else None) for each in entries]
    if bundle_type == "collection":
        return _pushed(pushing, data, pusher, places)
    return _pushed(pushing, data, pusher, places, is_transaction=True)


def _kind(data: bytes) -> tuple[str | None, str | None]:
    """A resource's type, and a Bundle's own.

    Raises:
        ServiceError: `encoding_unsupported`: it is packed, and no header says so.
        FhirError, LimitError: it is no JSON.
    """
    if data.startswith(_GZIP):
        raise ServiceError("a packed body bears Content-Encoding: gzip", "encoding_unsupported")
    return _core.resource_kind(data)


def _json_of(data: bytes) -> dict[str, Any]:
    try:
        found = _json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise FhirError("not a resource in JSON", "not_an_object")
    return found


def _entry(pushing: Pushing, resource: Any) -> str:
    """Where a resource is read; empty where it has no id."""
    members = resource if isinstance(resource, dict) else {}
    kind, name = members.get("resourceType"), members.get("id")
    if not (isinstance(kind, str) and isinstance(name, str) and _ID.fullmatch(name)):
        return ""
    return f"{pushing.base_url}/fhir/{kind}/{name}"


def _pushed(
    pushing: Pushing, data: bytes, pusher: str, places: Sequence[str], *, is_transaction: bool = False
) -> Response:
    try:
        done = pushing.intake.push(data, pusher)
    except PushRefusedError as error:
        return _refused(error)
    status = 201 if done.is_new else 200
    if is_transaction:
        return _fhir(_responses(places, status), 200)
    told = f"{done.sealed} records sealed" if done.is_new else "sealed before"
    headers = {"Location": places[0]} if len(places) == 1 and places[0] else {}
    code = "sealed" if done.is_new else "sealed_before"
    return _fhir(outcome(issue(code, status, told, severity="information")), status, headers)


def _responses(places: Sequence[str], status: int) -> dict[str, Any]:
    """A transaction's answer. Source: hl7.org/fhir/R4/http.html#trules."""
    told = "201 Created" if status == 201 else "200 OK"
    entries = [{"response": {"status": told, **({"location": place} if place else {})}} for place in places]
    return {"resourceType": "Bundle", "type": "transaction-response", **({"entry": entries} if entries else {})}


def _refused(error: PushRefusedError) -> Response:
    issues = [_issue(each) for each in error.refusals[:MOST_ISSUES]]
    return _fhir(outcome(*issues), status_of(error))


def _issue(refusal: Refusal) -> dict[str, Any]:
    place = ".".join(filter(None, (refusal.place, refusal.path)))
    return issue(refusal.code, 422, refusal.detail, place)


def _fhir(members: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(members), status, headers, FHIR_JSON)


def _add_imports(made: APIRouter, pushing: Pushing) -> None:
    imports, pushers = pushing.imports, pushing.pushers

    @made.post(IMPORT, status_code=202, openapi_extra=_body("application/fhir+ndjson", "string", _LINE))
    async def import_ndjson(request: Request) -> Response:
        """Upload NDJSON, one resource or Bundle a line; it is sealed afterwards. Poll what Content-Location names."""
        pusher = pushers.require(request.headers)
        require_type(request, _NDJSON_TYPES)
        job = await _upload(imports, request, pusher)
        where = f"{pushing.base_url}{IMPORT}/{job.id}"
        return JSONResponse({"id": job.id, "state": job.state}, 202, {"Content-Location": where})

    @made.get(IMPORT + "/{name}", responses={202: {"description": "Not done"}})
    def import_status(name: JobName, request: Request) -> Response:
        """How far an import is: 202 until it is done, then what became of it."""
        job, progress = imports.find(name, pushers.require(request.headers))
        if job.state in (State.WAITING, State.RUNNING):
            told = f"{progress.items} of {progress.total} resources" if progress.total else str(job.state)
            return JSONResponse({"state": job.state}, 202, {"X-Progress": told, "Retry-After": "1"})
        if job.state is State.FAILED:
            raise IngestError("the import failed; push it again to go on where it stopped", job.error or None)
        return JSONResponse(_result(pushing, job))

    @made.delete(IMPORT + "/{name}", status_code=202)
    def cancel_import(name: JobName, request: Request) -> Response:
        """Stop an import, and forget it. What was sealed stays."""
        imports.cancel(name, pushers.require(request.headers))
        return JSONResponse({"state": "cancelled"}, 202)

    @made.get(IMPORT + "/{name}/errors", response_class=StreamingResponse)
    def import_errors(name: JobName, request: Request) -> Response:
        """What an import refused: an OperationOutcome a line."""
        found = imports.refusals(name, pushers.require(request.headers))
        return StreamingResponse(_lines(found), media_type="application/fhir+ndjson")


async def _upload(imports: Imports, request: Request, pusher: str) -> Job:
    """Spool the body as it comes.

    Raises:
        ServiceError: what the guard raises; `encoding_unsupported`; the upload is deleted then.
        IngestError: `imports_full`, `spool_unavailable`, `disk_full`.
    """
    upload = await run_in_threadpool(imports.begin)
    try:
        async for piece in request.stream():
            if not upload.size and piece.startswith(_GZIP[:1]):  # no JSON begins so
                raise ServiceError("a packed body bears Content-Encoding: gzip", "encoding_unsupported")
            await run_in_threadpool(upload.write, piece)
    except BaseException:
        await _abandon(upload)
        raise
    return await run_in_threadpool(imports.add, upload, pusher)


async def _abandon(upload: Upload) -> None:
    """Even where the request is being given up."""
    with anyio.CancelScope(shield=True):
        await run_in_threadpool(upload.abandon)


def _result(pushing: Pushing, job: Job) -> dict[str, Any]:
    """What became of an import, in the form of FHIR's bulk manifests."""
    where = f"{pushing.base_url}{IMPORT}/{job.id}/errors"
    errors = [{"type": "OperationOutcome", "url": where, "count": job.refused}] if job.refused else []
    return {
        "transactionTime": time_of(job.ended_at),
        "request": f"{pushing.base_url}{IMPORT}",
        "requiresAccessToken": True,
        "resources": job.resources,
        "refused": job.refused,
        "codes": job.codes,
        "output": [],
        "error": errors,
    }


def _lines(refusals: Iterator[Refusal]) -> Iterator[bytes]:
    for each in refusals:
        yield json.dumps(outcome(_issue(each))).encode() + b"\n"
