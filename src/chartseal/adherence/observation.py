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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from chartseal.adherence.fhir.members import codes, day, member, members, text
from chartseal.adherence.pdc import pdc
from chartseal.adherence.reaching import reaching, supplies_of
from chartseal.adherence.windows import Window
from chartseal.errors import AdherenceError

SYSTEM = "urn:chartseal:1:adherence"
"""Codes of the report: `pdc`, `covered-days`, `period-days`, `class`; its method `pdc-ingredient-shift`."""

ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"

MOST_DISPENSINGS = 10_000
"""That a report is derived from."""

_METHOD = "pdc-ingredient-shift"
_RELEASED = {"final", "amended", "corrected"}
_PLACES = 6
"""Decimal places that a claim keeps."""
_LARGEST_EXPONENT = 30
"""Of a number that is stated: what is beyond it is none of days."""


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
        _check_means(resource)
        start, end = (_day(resource, name) for name in ("start", "end"))
        if end < start:
            raise _malformed("Observation.effectivePeriod")
        covered = stated_numbers(resource)["covered-days"]
        if covered != covered.to_integral_value():
            raise _malformed("Observation.component[covered-days].valueQuantity")
        subject = text(member(resource, "subject"), "reference")
        return cls(subject, _class(resource), start, end, int(covered), _derived_from(resource))

    def to_fhir(self, *, issued: datetime | None = None, performer: str | None = None) -> dict[str, Any]:
        """The Observation: PDC as value, its days and class as components, window, dispensings; status final.

        Its id follows from what it says: the same report made twice is one resource.

        Raises:
            AdherenceError: `window_not_over`: it is issued before the window's last day, which nobody knows yet.
        """
        if issued is not None and issued.date() < self.end:
            raise AdherenceError("days to come are not covered yet", "window_not_over")
        content = {
            "status": "final",
            "category": [{"coding": [_category("therapy")]}],
            "code": _own("pdc", "Proportion of days covered"),
            "subject": {"reference": self.subject},
            "effectivePeriod": {"start": self.start.isoformat(), "end": self.end.isoformat()},
            **({"issued": issued.isoformat(timespec="seconds")} if issued else {}),
            **({"performer": [{"reference": performer}]} if performer else {}),
            "valueQuantity": _quantity(float(self.pdc), "{1}"),
            "method": _own(_METHOD, "Overlapping supply of one ingredient shifted forward"),
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
    if not at_least.is_finite() or not 0 < at_least <= 1:
        raise AdherenceError("a proportion of days lies above 0 and up to 1", "threshold_invalid")
    if end < start:
        raise AdherenceError("the window ends before it starts", "window_empty")
    return (
        f'Observation["{SYSTEM}"|pdc].value >= {at_least:f} {{1}}'
        f' and component["{SYSTEM}"|class].value = {_written(medication_class)}'
        f" and effective = {start} to {end}"
    )


def report(
    events: pa.Table, medication_class: str, coding: Coding, start: date, end: date, *, subject: str
) -> AdherenceReport:
    """Measure one patient's supplies of one class (`class` of the events) over a window, both days included.

    `events` is a canonical table of one patient with `event` references, as `fhir.read_events` makes it.

    Raises:
        AdherenceError: `column_missing`, `patients_many`, `patient_differs` (`subject` is not the events' patient),
            `window_empty`, `event_unknown` (a supply without a reference), `dispensings_many`, or the reason why PDC
            cannot be measured (`days_supply_unknown`, `no_event_in_window`, …): nothing is sealed that had to be
            guessed.
    """
    if end < start:
        raise AdherenceError("the window ends before it starts", "window_empty")
    supplies = supplies_of(events, medication_class, end)
    if not all(_is_same(str(patient), subject) for patient in events.column("patient").unique().to_pylist()):
        raise AdherenceError("the events are of another patient than the subject", "patient_differs", "subject")
    measured = pdc(supplies, Window.between(start, end), shift="ingredient").to_pylist()
    if not measured or measured[0]["reason"] is not None:
        reason = measured[0]["reason"] if measured else "no_event_in_window"
        raise AdherenceError("the supplies of this class cannot be measured", reason)
    named = reaching(supplies.to_pylist(), start)
    if len(named) > MOST_DISPENSINGS:
        raise AdherenceError(f"derived from more than {MOST_DISPENSINGS} dispensings", "dispensings_many")
    return AdherenceReport(subject, coding, start, end, measured[0]["covered_days"], tuple(named))


def _is_same(one: str, other: str) -> bool:
    """Whether both are of one patient: one may leave out the server, or all but the id, as tables do."""
    short, long = sorted((one, other), key=len)
    return one == other or (bool(short) and long.endswith(f"/{short}"))


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
    quantity = member(element, "valueQuantity")
    value = quantity.get("value")
    is_plain = (text(quantity, "system"), text(quantity, "code")) == (UCUM, unit) and "comparator" not in quantity
    if not is_plain or isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _malformed(f"{path}.valueQuantity")
    number = Decimal(str(value) if isinstance(value, float) else value)
    if not number.is_finite() or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise _malformed(f"{path}.valueQuantity")
    return number


def _check_means(resource: Mapping[str, Any]) -> None:
    """It is released, and says no more than a report of this measure: neither a second code nor another method."""
    if text(resource, "status") not in _RELEASED:
        raise _malformed("Observation.status")
    for name, code in (("code", "pdc"), ("method", _METHOD)):
        if codes(member(resource, name)) != {(SYSTEM, code)}:
            raise _malformed(f"Observation.{name}")
    for name in ("modifierExtension", "implicitRules"):
        if name in resource:
            raise _malformed(f"Observation.{name}")


def _component(resource: Mapping[str, Any], code: str) -> Mapping[str, Any]:
    found = [each for each in members(resource, "component") if (SYSTEM, code) in codes(member(each, "code"))]
    if len(found) != 1 or len(codes(member(found[0], "code"))) != 1:
        raise _malformed(f"Observation.component[{code}]")
    return found[0]


def _class(resource: Mapping[str, Any]) -> Coding:
    codings = members(member(_component(resource, "class"), "valueCodeableConcept"), "coding")
    if len(codings) != 1 or not all(text(codings[0], name) for name in ("system", "code")):
        raise _malformed("Observation.component[class].valueCodeableConcept")
    return Coding(*(text(codings[0], name) for name in ("system", "code", "display")))


def _day(resource: Mapping[str, Any], name: str) -> date:
    written = text(member(resource, "effectivePeriod"), name)
    found = day(written)
    if found is None or written != found.isoformat():
        raise _malformed(f"Observation.effectivePeriod.{name}")
    return found


def _derived_from(resource: Mapping[str, Any]) -> tuple[str, ...]:
    listed = resource.get("derivedFrom", [])
    if not isinstance(listed, list) or len(listed) > MOST_DISPENSINGS:
        raise _malformed("Observation.derivedFrom")
    return tuple(_references(listed))


def _references(listed: Sequence[Any]) -> Iterator[str]:
    for place, each in enumerate(listed):
        reference = text(each, "reference") if isinstance(each, dict) else ""
        if not reference:
            raise _malformed(f"Observation.derivedFrom[{place}]")
        yield reference


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
    """As a policy's text quotes it."""
    system, code = (each.replace("\\", "\\\\").replace('"', '\\"') for each in (coding.system, coding.code))
    return f'"{system}"|"{code}"'
