"""Answers that are no records: OperationOutcomes, with the library's own codes, and what the receiver is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chartseal.errors import ChartsealError, CoreError, FhirRequestError, VaultKeyError

FHIR_JSON = "application/fhir+json; charset=utf-8"
CODE_SYSTEM = "https://chartseal.dev/CodeSystem/error"

_BY_CODE: Mapping[str, tuple[int, str]] = {
    "not_found": (404, "not-found"),
    "type_not_served": (404, "not-supported"),
    "format_not_served": (406, "not-supported"),
    "media_type_unsupported": (415, "not-supported"),
    "body_too_large": (413, "too-long"),
    "query_too_long": (414, "too-long"),
    "parameter_unknown": (400, "not-supported"),
    "parameter_not_served": (400, "not-supported"),
    "search_too_wide": (400, "required"),
    "cursor_refused": (410, "expired"),
    "not_searchable": (501, "not-supported"),
    "disk_full": (507, "no-store"),
}
"""HTTP status, and FHIR's code: hl7.org/fhir/R4/valueset-issue-type.html."""
_TRANSIENT = frozenset(
    {"vault_unavailable", "vault_busy", "blobs_unavailable", "register_unavailable", "register_busy"},
)
"""What may be otherwise in a moment, as keys out of reach may."""
_MALFORMED = (400, "value")
_UNAVAILABLE = (503, "transient")
_FAILED = (500, "exception")

PART_2_NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
"""The statement of 42 CFR 2.32(a)(2), as of 2024, verbatim."""
NOTICES: Mapping[str, str] = {
    "part2-notice": PART_2_NOTICE,
    "not-for-transfusion": "A blood group here is for information: not for transfusion.",
}
"""Duties that are done by telling the receiver: these words, with the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: a status, headers, and the body in pieces."""

    status: int
    pieces: tuple[bytes, ...] = field(repr=False)
    headers: Mapping[str, str]

    @property
    def body(self) -> bytes:
        """The body whole."""
        return b"".join(self.pieces)


def answer(status: int, *pieces: bytes, duties: Iterable[str] = ()) -> Answer:
    """An answer in FHIR's JSON that nobody keeps on the way."""
    notices = " ".join(NOTICES[each] for each in sorted(duties) if each in NOTICES)
    headers = {
        "Content-Type": FHIR_JSON,
        "Content-Length": str(sum(map(len, pieces))),
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
        **({"Chartseal-Notice": notices} if notices else {}),
    }
    return Answer(status, pieces, headers)


def issue(severity: str, code: str, word: str, detail: str, path: str = "") -> dict[str, Any]:
    """One issue; `code` is FHIR's, `word` the library's."""
    found: dict[str, Any] = {
        "severity": severity,
        "code": code,
        "details": {"coding": [{"system": CODE_SYSTEM, "code": word}]},
        "diagnostics": detail,
    }
    return found | ({"expression": [path]} if path else {})


def outcome(issues: Iterable[dict[str, Any]]) -> bytes:
    """An OperationOutcome."""
    found = {"resourceType": "OperationOutcome", "issue": list(issues)}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(error: ChartsealError) -> Answer:
    """An error as an answer: of the caller's faults what and where, of ours only the code."""
    status, code = _mapped(error)
    is_callers = isinstance(error, FhirRequestError)
    detail = error.detail if is_callers and isinstance(error, CoreError) else HTTPStatus(status).phrase
    path = error.path if is_callers and isinstance(error, CoreError) else ""
    return answer(status, outcome([issue("error", code, error.code, detail, path)]))


def _mapped(error: ChartsealError) -> tuple[int, str]:
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, FhirRequestError):
        return _MALFORMED
    return _UNAVAILABLE if isinstance(error, VaultKeyError) or error.code in _TRANSIENT else _FAILED


def not_found() -> FhirRequestError:
    """Of what is not here and of what may not be shown: nobody can tell them apart."""
    return FhirRequestError("there is no such resource here, or none that you may see", "not_found")
