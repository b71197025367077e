"""What a node is asked: paths below its FHIR base."""

from __future__ import annotations

import re

from chartseal.attestation import to_hex
from chartseal.errors import PullError

_ID = re.compile(r"(?:Patient/)?([A-Za-z0-9\-.]{1,64})", re.ASCII)
_SEARCH = re.compile(r"[A-Z][A-Za-z]{1,63}(?:\?[\x21-\x7e]{1,2000})?", re.ASCII)
_PROVENANCES = "_revinclude=Provenance:target"


def everything_of(patient: str) -> str:
    """All that may be shown of a patient, by her id at that node: `42` or `Patient/42`.

    Raises:
        PullError: `question_malformed`.
    """
    found = _ID.fullmatch(patient)
    if not found or set(found[1]) == {"."}:
        raise PullError("expected a patient's id", "question_malformed", "patient")
    return f"Patient/{found[1]}/$everything"


def everything_under(root: bytes) -> str:
    """All that a consent opens, by its root (32 bytes), which is the only pointer to its patient."""
    return f"Patient/$everything?consent={to_hex(root)}"


def search(text: str) -> str:
    """A FHIR search, `Observation?code=…`, with the Provenances of what it finds.

    Raises:
        PullError: `question_malformed`.
    """
    if not _SEARCH.fullmatch(text) or "#" in text:
        raise PullError("expected a search: a resource type, ? and parameters", "question_malformed", "search")
    if _PROVENANCES in text:
        return text
    return f"{text}{'&' if '?' in text else '?'}{_PROVENANCES}"
