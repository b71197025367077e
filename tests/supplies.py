"""Small resources that tests change one member of."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from chartseal.adherence.fhir import ClassTable, FhirEvents, read_events

Resource = dict[str, Any]

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
METFORMIN = {"coding": [{"system": RXNORM, "code": "860975", "display": "metformin 500 MG Oral Tablet"}]}
TABLET = {"system": "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm", "code": "TAB"}
DAILY = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
CLASSES = ClassTable.of([{"system": "rxnorm", "code": "860975", "class": "diabetes", "ingredient": "metformin"}])


def changed(resource: Resource, changes: Resource) -> Resource:
    """The resource with other members; None takes one away."""
    return {name: value for name, value in {**resource, **changes}.items() if value is not None}


def dosage(timing: Resource | None = DAILY, dose: float | Decimal = 1, **changes: Any) -> Resource:
    """One tablet a day."""
    return changed({"timing": timing, "doseAndRate": [{"doseQuantity": {"value": dose, **TABLET}}]}, changes)


def days(value: float | Decimal, code: str = "d") -> Resource:
    """A UCUM duration."""
    return {"value": value, "system": UCUM, "code": code}


def dispense(**changes: Any) -> Resource:
    """30 days of metformin, handed over on 5 April 2031."""
    return changed(
        {
            "resourceType": "MedicationDispense",
            "id": "d1",
            "status": "completed",
            "medicationCodeableConcept": METFORMIN,
            "subject": {"reference": "Patient/p1"},
            "daysSupply": days(30),
            "whenHandedOver": "2031-04-05T20:15:00-05:00",
        },
        changes,
    )


def request(**changes: Any) -> Resource:
    """The order of it."""
    return changed(
        {
            "resourceType": "MedicationRequest",
            "id": "r1",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": METFORMIN,
            "subject": {"reference": "Patient/p1"},
            "authoredOn": "2031-04-01",
            "dispenseRequest": {"expectedSupplyDuration": days(30)},
        },
        changes,
    )


def claim(**changes: Any) -> Resource:
    """A pharmacy's claim for it, as CARIN Blue Button has them."""
    supply = {
        "coding": [
            {"system": "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBSupportingInfoType", "code": "dayssupply"}
        ]
    }
    pharmacy = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "pharmacy"}]}
    return changed(
        {
            "resourceType": "ExplanationOfBenefit",
            "id": "e1",
            "identifier": [{"system": "urn:example:claims", "value": "1"}],
            "status": "active",
            "type": pharmacy,
            "use": "claim",
            "patient": {"reference": "Patient/p1"},
            "created": "2031-04-05",
            "insurer": {"display": "payer"},
            "provider": {"display": "pharmacy"},
            "outcome": "complete",
            "insurance": [{"focal": True, "coverage": {"display": "plan"}}],
            "supportingInfo": [{"sequence": 1, "category": supply, "valueQuantity": {"value": 30}}],
            "item": [{"sequence": 1, "productOrService": METFORMIN, "servicedDate": "2031-04-05"}],
        },
        changes,
    )


def read(*resources: Resource, classes: ClassTable | None = CLASSES, **options: Any) -> FhirEvents:
    """Their events, read as NDJSON."""
    return read_events("".join(json.dumps(each) + "\n" for each in resources).encode() + b"\n", classes, **options)


def rows(*resources: Resource, **options: Any) -> list[dict[str, Any]]:
    """Their events as dicts."""
    found: list[dict[str, Any]] = read(*resources, **options).events.to_pylist()
    return found


def dropped(*resources: Resource, **options: Any) -> dict[tuple[str, str], int]:
    """What is not among them, by type and reason."""
    return {
        (each["resource_type"], each["reason"]): each["count"]
        for each in read(*resources, **options).dropped.to_pylist()
    }
