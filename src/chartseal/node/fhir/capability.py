"""The CapabilityStatement, made from the table that routes and searches read.

It does not say that US Core's server is instantiated: US Core demands searches for patients by name, and here nobody
finds a patient whom she did not name.
"""

from __future__ import annotations

import json
from datetime import date
from importlib.metadata import version
from typing import Any

from chartseal.node.fhir.parameters import PROVENANCE
from chartseal.node.fhir.table import TYPES, Served, includes_of

_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_COMMON = {"_id": "token", "_lastUpdated": "date"}
_FHIR_TYPES = {"_id": "the resource's id", "_lastUpdated": "when this node came to hold the record"}
_EVERYTHING = "http://hl7.org/fhir/OperationDefinition/Patient-everything"


def capability_statement(base: str, *, published: date, token_url: str | None = None) -> bytes:
    """What this server does, at `base`; `token_url` is where tokens are had, for clients that look here."""
    url = base.rstrip("/")
    statement: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": published.isoformat(),
        "kind": "instance",
        "software": {"name": "Chartseal", "version": version("chartseal")},
        "implementation": {"description": "Sealed health records, as far as the patient allows", "url": url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": _security(token_url),
                "resource": [_resource(name, served) for name, served in TYPES.items()],
            }
        ],
    }
    return json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode()


def _security(token_url: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}]}
    if token_url is not None:
        found["extension"] = [{"url": _OAUTH, "extension": [{"url": "token", "valueUri": token_url}]}]
    return found


def _resource(resource_type: str, served: Served) -> dict[str, Any]:
    parameters = [_parameter(name, kind, _FHIR_TYPES[name]) for name, kind in _COMMON.items()]
    parameters += [_parameter(name, "reference") for name in served.names_of_patient]
    parameters += [_parameter(name, each.kind.fhir) for name, each in served.parameters.items()]
    found: dict[str, Any] = {
        "type": resource_type,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": False,
        "searchRevInclude": [PROVENANCE],
        "searchParam": parameters,
    }
    if includes := includes_of(resource_type):
        found["searchInclude"] = includes
    if resource_type == "Patient":
        found["operation"] = [{"name": "everything", "definition": _EVERYTHING}]
    return found


def _parameter(name: str, kind: str, words: str = "") -> dict[str, str]:
    return {"name": name, "type": kind, **({"documentation": words} if words else {})}
