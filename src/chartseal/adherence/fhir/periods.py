"""Encounter, Coverage, Patient: periods in hospital and nursing care, of enrolment, and the end of life.

Source: R4 encounter.html, coverage.html, patient.html; v3 ActCode and RoleCode.
"""

from __future__ import annotations

from chartseal.adherence.fhir.dispensed import status_reason
from chartseal.adherence.fhir.estimates import NotCountedError
from chartseal.adherence.fhir.members import Json, codes, day, day_after, member, members, text
from chartseal.adherence.fhir.rows import Row

_INPATIENT = frozenset({"IMP", "ACUTE", "NONAC", "inpatient"})
"""v3 ActCode's inpatient encounters, and DSTU2's word for them."""
_SNF = frozenset(
    {
        ("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "SNF"),
        ("http://snomed.info/sct", "449411000124106"),  # admission to skilled nursing facility
    }
)
_OPEN = frozenset({"arrived", "triaged", "in-progress", "onleave"})


def encounter(resource: Json) -> list[Row]:
    """A stay: `stay` of an inpatient, `snf` in a skilled nursing facility; one that goes on has no end.

    Raises:
        NotCountedError: planned, cancelled, mistaken; `date_unknown`, `end_unknown`, `period_invalid`.
    """
    status, kind = text(resource, "status"), _kind_of_stay(resource)
    if not kind:
        return []
    if status not in _OPEN and status != "finished":
        raise status_reason(resource)
    return [_period(kind, text(member(resource, "subject"), "reference"), resource, ended=status == "finished")]


def _kind_of_stay(resource: Json) -> str:
    code = text(member(resource, "class"), "code")
    told = codes(member(resource, "serviceType")).union(*map(codes, members(resource, "type")))
    if code == "SNF" or (code in _INPATIENT and told & _SNF):
        return "snf"
    return "stay" if code in _INPATIENT else ""


def coverage(resource: Json) -> list[Row]:
    """A period of enrolment of an active coverage; without an end it goes on.

    Raises:
        NotCountedError: any other status; `date_unknown`, `end_unknown`, `period_invalid`.
    """
    if text(resource, "status") != "active":
        raise status_reason(resource)
    return [_period("enrolled", text(member(resource, "beneficiary"), "reference"), resource, ended=False)]


def _period(kind: str, patient: str, resource: Json, *, ended: bool) -> Row:
    """Both days of a Period belong to it. One that has `ended` without saying when would hide all that follows."""
    period = member(resource, "period")
    start, end = day(text(period, "start")), day_after(text(period, "end"))
    if start is None:
        raise NotCountedError("date_unknown")
    if end is None and (ended or "end" in period):
        raise NotCountedError("end_unknown")
    if end is not None and end <= start:
        raise NotCountedError("period_invalid")
    return Row(kind, patient, start, end)


def patient(resource: Json) -> list[Row]:
    """The days of birth and death, as far as they are known to the day.

    Raises:
        NotCountedError: `death_date_unknown`.
    """
    born = day(text(resource, "birthDate"))
    rows = [] if born is None else [Row("born", "", born)]
    if "deceasedDateTime" not in resource and resource.get("deceasedBoolean") is not True:
        return rows
    died = day(text(resource, "deceasedDateTime"))
    if died is None:
        raise NotCountedError("death_date_unknown")
    return [*rows, Row("died", "", died)]
