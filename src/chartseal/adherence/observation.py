"""What a pharmacy or clinic seals: the proportion of days covered as a FHIR Observation, and the policy on it.

    made = report(events, "statin", Coding(ATC, "C10AA"), date(2026, 1, 1), date(2026, 6, 30), subject="Patient/1")
    resource = made.to_fhir()
    policy = compile_policy(made.question(at_least=Decimal("0.80")))

The period is the whole window, so that class and window say what was measured. The value is cut, never rounded, to the
six decimal places that claims keep: nothing below 0.80 reads as 0.80.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chartseal.adherence.pdc import pdc
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError

SYSTEM = "urn:chartseal:1:adherence"
"""Codes of the report: `pdc`, `covered-days`, `period-days`, `class`; its method `pdc-ingredient-shift`."""

ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"

_RELEASED = {"final", "amended", "corrected"}
_PLACES = 6
"""Decimal places that a claim keeps."""


@dataclass(frozen=True)
class Coding:
    """A code of a system, as ATC's or RxNorm's for a class of medicines."""

    system: str
    code: str
    display: str = ""

    def to_fhir(self) -> dict[str, str]:
        """As R4's Coding."""
        shown = {"display": self.display} if self.display else {}
        return {"system": self.system, "code": self.code, **shown}


@dataclass(frozen=True)
class AdherenceReport:
    """Days covered of a window's days, by which dispensings. `end` is the window's last day, included."""

    subject: str
    """Reference to the patient, relative or absolute."""
    medication_class: Coding
    start: date
    end: date
    covered_days: int
    derived_from: tuple[str, ...]
    """References to the dispensings whose supply reaches the window."""

    @property
    def period_days(self) -> int:
        """Days of the window."""
        return (self.end - self.start).days + 1

    @property
    def pdc(self) -> Decimal:
        """Covered days / period days, cut to six decimal places."""
        cut = self.covered_days * 10**_PLACES // self.period_days
        return Decimal(cut).scaleb(-_PLACES).normalize()

    @classmethod
    def from_fhir(cls, resource: Mapping[str, Any]) -> AdherenceReport:
        """A report out of its Observation, as `to_fhir` writes it; its own numbers are `stated_numbers`.

        Raises:
            AdherenceError: `report_malformed`, with the element's path.
        """
        if resource.get("status") not in _RELEASED:
            raise _malformed("Observation.status")
        period = resource.get("effectivePeriod") or {}
        return cls(
            resource.get("subject", {}).get("reference", ""),
            _class(resource),
            _day(period, "start"),
            _day(period, "end"),
            int(stated_numbers(resource)["covered-days"]),
            tuple(_reference(each, place) for place, each in enumerate(resource.get("derivedFrom", ()))),
        )

    def to_fhir(self, *, issued: datetime | None = None, performer: str | None = None) -> dict[str, Any]:
        """The Observation: PDC as value, its days and class as components, window, dispensings; status final.

        Its id follows from what it says: the same report made twice is one resource.
        """
        content = {
            "status": "final",
            "category": [{"coding": [_category("therapy")]}],
            "code": _own("pdc", "Proportion of days covered"),
            "subject": {"reference": self.subject},
            "effectivePeriod": {"start": self.start.isoformat(), "end": self.end.isoformat()},
            **({"issued": issued.isoformat(timespec="seconds")} if issued else {}),
            **({"performer": [{"reference": performer}]} if performer else {}),
            "valueQuantity": _quantity(float(self.pdc), "{1}"),
            "method": _own("pdc-ingredient-shift", "Overlapping supply of one ingredient shifted forward"),
            **({"derivedFrom": [{"reference": each} for each in self.derived_from]} if self.derived_from else {}),
            "component": [
                {"code": _own("covered-days", "Days covered"), "valueQuantity": _quantity(self.covered_days, "d")},
                {"code": _own("period-days", "Days of the period"), "valueQuantity": _quantity(self.period_days, "d")},
                {
                    "code": _own("class", "Class of medicines"),
                    "valueCodeableConcept": {"coding": [self.medication_class.to_fhir()]},
                },
            ],
        }
        return {"resourceType": "Observation", "id": _id(content), **content}

    def question(self, at_least: Decimal) -> str:
        """The text of the policy that asks for `at_least` of this class in this window, for `compile_policy`."""
        return question(self.medication_class, self.start, self.end, at_least)


def question(medication_class: Coding, start: date, end: date, at_least: Decimal) -> str:
    """The text of a policy: PDC of at least `at_least` (0 to 1) for this class from `start` to `end`, both included.

    Raises:
        AdherenceError: `threshold_invalid`, `window_empty`.
    """
    if not 0 < at_least <= 1:
        raise AdherenceError("a proportion of days lies above 0 and up to 1", "threshold_invalid")
    if end < start:
        raise AdherenceError("the window ends before it starts", "window_empty")
    return (
        f'Observation["{SYSTEM}"|pdc].value >= {at_least} {{1}}'
        f' and component["{SYSTEM}"|class].value = {_written(medication_class)}'
        f" and effective = {start} to {end}"
    )


def report(
    events: pa.Table, medication_class: str, coding: Coding, start: date, end: date, *, subject: str
) -> AdherenceReport:
    """Measure one patient's supplies of one class (`class` of the events) over a window, both days included.

    `events` is a canonical table of one patient with `event` references, as `fhir.read_events` makes it.

    Raises:
        AdherenceError: `patients_many`, `window_empty`, or the reason why PDC cannot be measured
            (`days_supply_unknown`, `no_event_in_window`, …): nothing is sealed that had to be guessed.
    """
    if end < start:
        raise AdherenceError("the window ends before it starts", "window_empty")
    supplies = _supplies(events, medication_class, end)
    measured = pdc(supplies, Window.between(start, end), shift="ingredient").to_pylist()
    if not measured or measured[0]["reason"] is not None:
        reason = measured[0]["reason"] if measured else "no_event_in_window"
        raise AdherenceError("the supplies of this class cannot be measured", reason)
    return AdherenceReport(
        subject, coding, start, end, measured[0]["covered_days"], tuple(_reaching(supplies.to_pylist(), start))
    )


def _supplies(events: pa.Table, medication_class: str, end: date) -> pa.Table:
    if len(pc.unique(events.column("patient"))) > 1:
        raise AdherenceError("a report is about one patient", "patients_many")
    kind = pc.fill_null(events.column("kind"), "supply") if "kind" in events.column_names else None
    chosen = pc.equal(events.column("class"), medication_class)
    if kind is not None:
        chosen = pc.and_(chosen, pc.equal(kind, "supply"))
    # An unknown date stays in: it cannot be told to lie outside.
    dated = pc.fill_null(pc.less_equal(events.column("date"), pa.scalar(end, pa.date32())), True)
    return events.filter(pc.and_(pc.fill_null(chosen, False), dated))


def _reaching(supplies: Sequence[Mapping[str, Any]], start: date) -> list[str]:
    """The references of those supplies without which the window might be covered otherwise, in order of date."""
    kept: list[tuple[date, str]] = []
    for ingredient in {row.get("ingredient") for row in supplies}:
        chain: list[tuple[date, str]] = []
        covered_to: date | None = None
        for row in sorted(
            (row for row in supplies if row.get("ingredient") == ingredient), key=lambda row: row["date"]
        ):
            if covered_to is not None and covered_to <= min(row["date"], start):
                chain = []  # all before was used up, outside of the window
            chain.append((row["date"], row["event"]))
            first = row["date"] if covered_to is None else max(covered_to, row["date"])
            covered_to = first + timedelta(days=int(row["days_supply"]))
        if covered_to is not None and covered_to > start:
            kept += chain
    return [event for _, event in sorted(kept)]


def stated_numbers(resource: Mapping[str, Any]) -> dict[str, Decimal]:
    """What the Observation states: `pdc`, `covered-days`, `period-days`.

    Raises:
        AdherenceError: `report_malformed`, with the element's path.
    """
    return {
        "pdc": _number(resource, "Observation", "{1}"),
        **{
            code: _number(_component(resource, code), f"Observation.component[{code}]", "d")
            for code in ("covered-days", "period-days")
        },
    }


def _number(element: Mapping[str, Any], path: str, unit: str) -> Decimal:
    quantity = element.get("valueQuantity") or {}
    value = quantity.get("value")
    if quantity.get("code") != unit or "comparator" in quantity or not isinstance(value, int | float):
        raise _malformed(f"{path}.valueQuantity")
    return Decimal(str(value))


def _component(resource: Mapping[str, Any], code: str) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = [
        each
        for each in resource.get("component", ())
        for coding in each.get("code", {}).get("coding", ())
        if coding.get("system") == SYSTEM and coding.get("code") == code
    ]
    if len(found) != 1:
        raise _malformed(f"Observation.component[{code}]")
    return found[0]


def _class(resource: Mapping[str, Any]) -> Coding:
    codings = _component(resource, "class").get("valueCodeableConcept", {}).get("coding", ())
    if len(codings) != 1 or not all(isinstance(codings[0].get(name), str) for name in ("system", "code")):
        raise _malformed("Observation.component[class].valueCodeableConcept")
    return Coding(codings[0]["system"], codings[0]["code"], codings[0].get("display", ""))


def _day(period: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(period[name])
    except (KeyError, ValueError, TypeError) as exc:
        raise _malformed(f"Observation.effectivePeriod.{name}") from exc


def _reference(element: Mapping[str, Any], place: int) -> str:
    reference = element.get("reference")
    if not isinstance(reference, str):
        raise _malformed(f"Observation.derivedFrom[{place}]")
    return reference


def _malformed(path: str) -> AdherenceError:
    return AdherenceError("not as a report of adherence has it", "report_malformed", path)


def _id(content: Mapping[str, Any]) -> str:
    said = json.dumps({key: content[key] for key in content if key != "issued"}, sort_keys=True)
    return f"pdc-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _own(code: str, display: str) -> dict[str, Any]:
    return {"coding": [Coding(SYSTEM, code, display).to_fhir()]}


def _category(code: str) -> dict[str, str]:
    return {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _written(coding: Coding) -> str:
    return f'"{coding.system}"|"{coding.code}"'
