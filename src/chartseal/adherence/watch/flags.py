"""Alerts as FHIR R4 resources: Flag for whoever opens the chart, DetectedIssue for whoever reviews medication.

Both have the alert's id, so that a server that is sent the same alert again updates one resource. Source:
hl7.org/fhir/R4/flag.html, detectedissue.html, extension-flag-detail.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chartseal.adherence.watch.alert import Alert, Status
from chartseal.adherence.watch.policy import Kind

SYSTEM = "urn:chartseal:adherence-alert"
"""The code system of the kinds of alerts."""

_FLAG_DETAIL = "http://hl7.org/fhir/StructureDefinition/flag-detail"
_CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "drug", "display": "Drug"}
_REFERENCE = re.compile(r"([A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}|urn:[!-~]{1,250}|https?://[!-~]{1,240})", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)

_FLAG_STATUS: Mapping[Status, str] = {
    "active": "active",
    "paused": "inactive",
    "resolved": "inactive",
    "withdrawn": "entered-in-error",
}
DISPLAYS: Mapping[Kind, str] = {
    "class_switch": "Switched to another medication class",
    "discontinuation": "Treatment discontinued",
    "dose_change": "Daily dose changed",
    "gap_days_low": "Few gap days left this year",
    "ingredient_switch": "Switched to another ingredient",
    "late_refill": "Refill is late",
    "overuse": "More supplied than days gone by",
    "pdc_drop": "Days covered have fallen",
    "pdc_low": "Days covered are low",
    "primary_nonadherence": "New prescription not filled",
    "restart": "Treatment restarted",
    "stock_high": "Large stock on hand",
    "supply_unknown": "Days of supply unknown",
}


def to_flag(alert: Alert) -> dict[str, Any]:
    """The alert as a Flag; its evidence stands in the extension that R4 has for it."""
    period = {"start": alert.raised.isoformat()}
    if alert.until is not None:
        period["end"] = alert.until.isoformat()
    flag: dict[str, Any] = {
        "resourceType": "Flag",
        "id": alert.id,
        "status": _FLAG_STATUS[alert.status],
        "category": [{"coding": [dict(_CATEGORY)]}],
        "code": _code(alert),
        "subject": _patient(alert.patient),
        "period": period,
    }
    details = [{"url": _FLAG_DETAIL, "valueReference": each} for each in _evidence(alert)]
    return {**flag, "extension": details} if details else flag


def to_detected_issue(alert: Alert) -> dict[str, Any]:
    """The alert as a DetectedIssue; `identifiedPeriod` has an end once it is over."""
    period = {"start": alert.raised.isoformat()}
    if alert.until is not None:
        period["end"] = alert.until.isoformat()
    issue: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "id": alert.id,
        "status": "entered-in-error" if alert.status == "withdrawn" else "final",
        "code": _code(alert),
        "severity": alert.severity,
        "patient": _patient(alert.patient),
        "identifiedPeriod": period,
    }
    evidence = _evidence(alert)
    if evidence:
        issue |= {"implicated": evidence, "evidence": [{"detail": evidence}]}
    return issue


def _code(alert: Alert) -> dict[str, Any]:
    """The kind; the class stands in the text. Nothing of the patient does."""
    display = DISPLAYS[alert.kind]
    text = f"{display}: {alert.medication_class}" if alert.medication_class.strip() else display
    return {"coding": [{"system": SYSTEM, "code": alert.kind, "display": display}], "text": text}


def _patient(patient: str) -> dict[str, Any]:
    """A reference as it is, an id as that of a Patient, anything else as an identifier."""
    if _REFERENCE.fullmatch(patient):
        return {"reference": patient}
    if _ID.fullmatch(patient):
        return {"reference": f"Patient/{patient}"}
    return {"identifier": {"value": patient}}


def _evidence(alert: Alert) -> list[dict[str, Any]]:
    """References as they are; a table's own ids of rows are identifiers."""
    return [
        {"reference": each} if _REFERENCE.fullmatch(each) else {"identifier": {"value": each}}
        for each in alert.evidence
        if each.strip()
    ]
