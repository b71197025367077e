"""Entries as FHIR R4: an AuditEvent for each, and a Provenance for those that made or changed a record.

Patients and records stand in them as in the log: by identifiers in a system of the log's own, `urn:uuid:` and its id.
Source: hl7.org/fhir/R4/auditevent.html, provenance.html.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from chartseal.vault.audit.entry import Action, Entry

_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_PATIENT_RECORD = {"system": _DICOM, "code": "110110", "display": "Patient Record"}
_ACTIVITY = {"system": _DICOM, "code": "110100", "display": "Application Activity"}
_SUCCESS, _MINOR_FAILURE = "0", "4"


class _Event(NamedTuple):
    subtype: str
    """ISO 21089's lifecycle event."""
    action: str
    """C, R, U, D or E: AuditEvent.action."""
    operation: str | None = None
    """v3-DataOperation, where it leaves a Provenance."""


_EVENTS = {
    Action.CREATE: _Event("originate", "C", "CREATE"),
    Action.READ: _Event("access", "R"),
    Action.SEARCH: _Event("access", "E"),
    Action.DISCLOSE: _Event("disclose", "R"),
    Action.DELIVER: _Event("transmit", "R"),
    Action.ACCEPT: _Event("receive", "R"),
    Action.AMEND: _Event("amend", "U", "UPDATE"),
    Action.REVOKE: _Event("deprecate", "U", "NULLIFY"),
    Action.ERASE: _Event("destroy", "D", "DELETE"),
    Action.REFUSE: _Event("access", "E"),
    Action.ROTATE: _Event("encrypt", "U"),
    Action.BACKUP: _Event("archive", "R"),
    Action.RESTORE: _Event("restore", "U", "UPDATE"),
    Action.EXPORT: _Event("extract", "R"),
    Action.HOLD: _Event("hold", "U"),
    Action.RELEASE: _Event("unhold", "U"),
    Action.EXPIRE: _Event("destroy", "D"),
    Action.OPEN: _Event("decrypt", "E"),
    Action.MOVE: _Event("amend", "U"),
}


def audit_event(log: bytes, entry: Entry) -> dict[str, Any]:
    """An entry as AuditEvent."""
    event, system = _EVENTS[entry.action], _system(log)
    refused = entry.action is Action.REFUSE
    members: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": _id(log, entry),
        "type": _ACTIVITY if entry.patient is None else _PATIENT_RECORD,
        "subtype": [{"system": _LIFECYCLE, "code": event.subtype}],
        "action": event.action,
        "recorded": _time(entry),
        "outcome": _MINOR_FAILURE if refused else _SUCCESS,
        "purposeOfEvent": [{"coding": [_purpose(entry)]}] if entry.purpose else None,
        "agent": [{"who": _named(system, entry.actor), "requestor": True, "policy": _policy(entry)}],
        "source": {"observer": _named(system, log.hex())},
        "entity": list(_entities(system, entry)),
    }
    return _without_empty(members)


def provenance(log: bytes, entry: Entry) -> dict[str, Any] | None:
    """An entry as Provenance, or None where the act made or changed no record."""
    operation = _EVENTS[entry.action].operation
    if operation is None or not entry.what:
        return None
    system = _system(log)
    members: dict[str, Any] = {
        "resourceType": "Provenance",
        "id": _id(log, entry),
        "target": [_named(system, entry.what)],
        "recorded": _time(entry),
        "reason": [{"coding": [_purpose(entry)]}] if entry.purpose else None,
        "activity": {"coding": [{"system": _OPERATION, "code": operation}]},
        "agent": [{"who": _named(system, entry.actor)}],
        "policy": _policy(entry),
    }
    return _without_empty(members)


def to_ndjson(log: bytes, entries: Iterable[Entry]) -> Iterator[bytes]:
    """Lines of AuditEvents, each followed by its Provenance if it has one."""
    for entry in entries:
        for resource in (audit_event(log, entry), provenance(log, entry)):
            if resource is not None:
                yield json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _system(log: bytes) -> str:
    return f"urn:uuid:{uuid.UUID(bytes=log)}"


def _id(log: bytes, entry: Entry) -> str:
    return f"{log.hex()}-{entry.sequence}"


def _time(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(system: str, value: str) -> dict[str, Any]:
    return {"identifier": {"system": system, "value": value}} if value else {"display": "unnamed"}


def _purpose(entry: Entry) -> dict[str, Any]:
    return {"system": _REASON, "code": entry.purpose}


def _policy(entry: Entry) -> list[str] | None:
    """R4 wants a URI there; a basis is a code."""
    return [f"urn:chartseal:basis:{quote(entry.basis, safe='')}"] if entry.basis else None


def _entities(system: str, entry: Entry) -> Iterator[dict[str, Any]]:
    if entry.patient is not None:
        person = {"type": {"system": _ENTITY, "code": "1"}, "role": {"system": _ROLE, "code": "1"}}
        yield {"what": {"type": "Patient", **_named(system, entry.patient.hex())}, **person}
    if entry.what:
        thing = {"type": {"system": _ENTITY, "code": "2"}, "role": {"system": _ROLE, "code": "4"}}
        yield {"what": _named(system, entry.what), **thing}


def _without_empty(members: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in members.items() if value}
    kept["agent"] = [{name: value for name, value in each.items() if value} for each in kept["agent"]]
    return kept
