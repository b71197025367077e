"""A therapy as FHIR R4: what a prescriber, a pharmacy, a hospital and an insurer would write down of it.

Source: hl7.org/fhir/R4; claims as CARIN Blue Button writes pharmacy ones (supportingInfo `dayssupply`, `refillnum`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, TypeAlias

from chartseal.adherence.generator.formulary import RXNORM, Product
from chartseal.adherence.generator.therapy import Fill, Stay, Therapy

Resource: TypeAlias = dict[str, Any]

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_UNITS = "http://unitsofmeasure.org"
_CLAIM_INFORMATION = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBSupportingInfoType"
_CLAIM_NUMBERS = "urn:chartseal:generated:claims"


class Chart:
    """The resources of one patient, whose history starts on `start`; ids are the patient's with a count."""

    def __init__(self, patient: str, start: date, *, claims: bool) -> None:
        self.patient, self._start, self._claims = patient, start, claims
        self._count = {"rx": 0, "fill": 0, "claim": 0}

    def person(self, family: str, given: str, gender: str, born: date, days: int) -> Iterator[Resource]:
        """The patient, and the cover that claims are made on."""
        name = [{"family": family, "given": [given]}]
        yield {
            "resourceType": "Patient",
            "id": self.patient,
            "name": name,
            "gender": gender,
            "birthDate": f"{born}",
        }
        if self._claims:
            yield {
                "resourceType": "Coverage",
                "id": f"{self.patient}-cover",
                "status": "active",
                "beneficiary": self._subject(),
                "period": {"start": f"{self._start}", "end": self._date(days - 1)},
                "payor": [{"display": "Made-up Health Plan"}],
            }

    def stay(self, stay: Stay) -> Resource:
        """An inpatient encounter, from the morning of its first day to the morning after its last."""
        return {
            "resourceType": "Encounter",
            "id": f"{self.patient}-stay",
            "status": "finished",
            "class": {"system": f"{_TERMINOLOGY}v3-ActCode", "code": "IMP", "display": "inpatient encounter"},
            "subject": self._subject(),
            "period": {"start": self._time(stay.day, "09:15"), "end": self._time(stay.end, "10:30")},
        }

    def therapy(self, therapy: Therapy) -> Iterator[tuple[Resource, Fill | None]]:
        """Requests, dispenses and claims in order; with each collected dispense (or claim alone) its fill."""
        request = self._request(therapy.first, therapy.prescribed)
        yield request, None
        prescribed, refill = therapy.first, 0
        for fill in therapy.fills:
            if fill.product != prescribed:
                request, prescribed, refill = self._request(fill.product, fill.day), fill.product, 0
                yield request, None
            yield from self._fill(fill, request["id"], refill, "days_supply_missing" in therapy.behaviours)
            refill += fill.collected

    def _fill(self, fill: Fill, request: str, refill: int, unstated: bool) -> Iterator[tuple[Resource, Fill | None]]:
        self._count["fill"] += 1
        dispense = self._dispense(fill, request, unstated)
        yield dispense, fill if fill.collected else None
        if self._claims and not unstated and fill.days:
            claim = self._claim(fill, request, refill)
            yield claim, None
            if not fill.collected:
                yield self._reversal(claim, fill), None

    def _request(self, product: Product, day: int) -> Resource:
        self._count["rx"] += 1
        return {
            "resourceType": "MedicationRequest",
            "id": f"{self.patient}-rx-{self._count['rx']}",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": _medication(product),
            "subject": self._subject(),
            "authoredOn": self._date(day),
            "dosageInstruction": [_dosage(product)],
        }

    def _dispense(self, fill: Fill, request: str, unstated: bool) -> Resource:
        """Handed over in the evening, so that its day in UTC would be the next one."""
        dispense: Resource = {
            "resourceType": "MedicationDispense",
            "id": f"{self.patient}-fill-{self._count['fill']}",
            "status": "completed" if fill.collected else "cancelled",
            "medicationCodeableConcept": _medication(fill.product),
            "subject": self._subject(),
            "authorizingPrescription": [{"reference": f"MedicationRequest/{request}"}],
        }
        if fill.days:
            dispense["quantity"] = {"value": fill.days * fill.product.tablets_a_day, "unit": "tablet"}
            if not unstated:
                dispense["daysSupply"] = {"value": fill.days, "unit": "days", "system": _UNITS, "code": "d"}
            elif self._count["fill"] % 2:
                del dispense["quantity"]
        dispense["whenPrepared"] = self._time(fill.day, "11:05")
        if fill.collected:
            dispense["whenHandedOver"] = self._time(fill.day, "19:40")
        dispense["dosageInstruction"] = [_dosage(fill.product)]
        return dispense

    def _claim(self, fill: Fill, request: str, refill: int) -> Resource:
        self._count["claim"] += 1
        name = f"{self.patient}-claim-{self._count['claim']}"
        return {
            "resourceType": "ExplanationOfBenefit",
            "id": name,
            "identifier": [{"system": _CLAIM_NUMBERS, "value": name}],
            "status": "active",
            "type": {"coding": [{"system": f"{_TERMINOLOGY}claim-type", "code": "pharmacy"}]},
            "use": "claim",
            "patient": self._subject(),
            "created": self._date(fill.day),
            "insurer": {"display": "Made-up Health Plan"},
            "provider": {"display": "Made-up Pharmacy"},
            "prescription": {"reference": f"MedicationRequest/{request}"},
            "outcome": "complete",
            "supportingInfo": [
                _information(1, "dayssupply", fill.days, {"system": _UNITS, "code": "d"}),
                _information(2, "refillnum", refill, {}),
            ],
            "insurance": [{"focal": True, "coverage": {"reference": f"Coverage/{self.patient}-cover"}}],
            "item": [
                {
                    "sequence": 1,
                    "productOrService": _medication(fill.product),
                    "servicedDate": self._date(fill.day),
                    "quantity": {"value": fill.days * fill.product.tablets_a_day, "unit": "tablet"},
                }
            ],
        }

    def _reversal(self, claim: Resource, fill: Fill) -> Resource:
        """The same claim again, cancelled, with a number of its own that points to the one it takes back."""
        self._count["claim"] += 1
        name = f"{self.patient}-claim-{self._count['claim']}"
        prior = {"coding": [{"system": f"{_TERMINOLOGY}ex-relatedclaimrelationship", "code": "prior"}]}
        return claim | {
            "id": name,
            "identifier": [{"system": _CLAIM_NUMBERS, "value": name}],
            "status": "cancelled",
            "created": self._date(fill.day + 2),
            "related": [{"relationship": prior, "reference": claim["identifier"][0]}],
        }

    def _subject(self) -> dict[str, str]:
        return {"reference": f"Patient/{self.patient}"}

    def _date(self, day: int) -> str:
        return f"{self._start + timedelta(day)}"

    def _time(self, day: int, hour: str) -> str:
        return f"{self._date(day)}T{hour}:00-05:00"


def _medication(product: Product) -> dict[str, Any]:
    coding = {"system": RXNORM, "code": product.rxnorm, "display": product.display}
    return {"coding": [coding], "text": product.display}


def _dosage(product: Product) -> dict[str, Any]:
    """So many tablets a day, one at a time; as needed without a length that anybody could count on."""
    tablet = {"value": 1, "unit": "tablet"}
    if not product.is_long_term:
        dose = {"doseRange": {"low": tablet, "high": {"value": 2, "unit": "tablet"}}}
        timing = {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}
        return {"timing": timing, "asNeededBoolean": True, "doseAndRate": [dose]}
    timing = {"repeat": {"frequency": product.tablets_a_day, "period": 1, "periodUnit": "d"}}
    return {"timing": timing, "doseAndRate": [{"doseQuantity": tablet}]}


def _information(sequence: int, code: str, value: int, unit: dict[str, str]) -> dict[str, Any]:
    category = {"coding": [{"system": _CLAIM_INFORMATION, "code": code}]}
    return {"sequence": sequence, "category": category, "valueQuantity": {"value": value} | unit}
