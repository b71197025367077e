"""A second opinion: the optional package fhir.resources checks what sealing itself does not, bindings aside.

It knows R4B, whose resources are R4's but for a few that were reworked (hl7.org/fhir/R4B/diff.html): a refusal of those
may be R4B's own.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from chartseal import _json
from chartseal.errors import FhirError, MissingExtraError

_SHOWN = 5
"""Places that a refusal names."""


def validate(text: bytes) -> None:
    """Check one resource, JSON in UTF-8.

    Raises:
        FhirError: `validation_refused`; it names places, never values.
        MissingExtraError: fhir.resources is not installed.
    """
    model, refusal = _library()
    try:
        resource = _json.loads(text)
    except ValueError as exc:
        raise FhirError("not JSON", "json_malformed") from exc
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    try:
        chosen = model(name)
    except (TypeError, ValueError) as exc:
        raise FhirError("not a resource type of R4", "validation_refused", "resourceType") from exc
    try:
        chosen.model_validate(resource)
    except refusal as exc:
        raise _refused(str(name), exc) from None  # pydantic's message carries values


def _refused(name: str, error: Any) -> FhirError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = dict.fromkeys(_place(name, each["type"], each["loc"]) for each in found)
    shown = ", ".join(list(places)[:_SHOWN])
    rest = "" if len(places) <= _SHOWN else f" and {len(places) - _SHOWN} more"
    return FhirError(f"refused by fhir.resources at {shown}{rest}", "validation_refused", next(iter(places)))


def _place(name: str, kind: str, location: tuple[int | str, ...]) -> str:
    path = name
    # A member that R4 does not know is named by whoever wrote it, with whatever words.
    for part in location[:-1] if kind == "extra_forbidden" else location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


@lru_cache(maxsize=1)
def _library() -> tuple[Any, type[Exception]]:
    try:
        models = import_module("fhir.resources.R4B")
        pydantic = import_module("pydantic")
    except ImportError as exc:
        raise MissingExtraError("full validation needs the extra: pip install 'chartseal[validate]'") from exc
    return models.get_fhir_model_class, pydantic.ValidationError
