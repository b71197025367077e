"""MedicationDispense, MedicationRequest, MedicationAdministration, MedicationStatement: what each tells of supply.

Source: R4 medicationdispense.html, medicationrequest.html, medicationadministration.html, medicationstatement.html.
"""

from __future__ import annotations

from datetime import date

from chartseal.adherence.fhir.estimates import NotCountedError
from chartseal.adherence.fhir.medications import medication_of
from chartseal.adherence.fhir.members import Json, day, member, members, text
from chartseal.adherence.fhir.rows import Row
from chartseal.adherence.fhir.supply import supply_of

_NOT_DISPENSED = frozenset({"declined", "on-hold", "stopped"})
_ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_INPATIENT = "inpatient"
"""R4's medicationdispense-category."""
_PRESCRIBED = frozenset({"active", "completed", "on-hold", "stopped"})


def status_reason(resource: Json) -> NotCountedError:
    """`status_` and the status in snake case; `status_unknown` also for none."""
    status = text(resource, "status")
    plain = status.replace("-", "_") if status.replace("-", "").isalpha() and len(status) < 20 else "unknown"
    return NotCountedError(f"status_{plain}")


def dispense(resource: Json) -> list[Row]:
    """A completed dispense is a supply; one declined, on hold or stopped is none, and is evidence of that.

    Raises:
        NotCountedError: any other status; no medication; `category_inpatient`, which is used up in hospital.
    """
    status = text(resource, "status")
    if status != "completed" and status not in _NOT_DISPENSED:
        raise status_reason(resource)
    if _INPATIENT in {text(each, "code") for each in members(member(resource, "category"), "coding")}:
        raise NotCountedError("category_inpatient")
    handed, prepared = (day(text(resource, name)) for name in ("whenHandedOver", "whenPrepared"))
    row = Row(
        "supply" if status == "completed" else "not_dispensed",
        _subject(resource),
        handed or prepared,
        medication=medication_of(resource),
        prescriptions=tuple(text(each, "reference") for each in members(resource, "authorizingPrescription")),
        prepared=prepared,
        identifiers=_identifiers(resource),
    )
    if handed is None and prepared is not None:
        row.how.append("when_prepared")
    quantity = member(resource, "quantity")
    row.take(
        supply_of(
            member(resource, "daysSupply"), quantity, members(resource, "dosageInstruction"), row.date, "days_supply"
        )
    )
    return [row]


def request(resource: Json) -> list[Row]:
    """An order is a prescription, whether filled or not; days are those of one fill.

    Raises:
        NotCountedError: `intent_not_order`, `do_not_perform`, `reported`; a draft, cancelled or mistaken one; no
            medication.
    """
    if text(resource, "intent") not in _ORDERS:
        raise NotCountedError("intent_not_order")
    if resource.get("doNotPerform") is True:
        raise NotCountedError("do_not_perform")
    if resource.get("reportedBoolean") is True or resource.get("reportedReference") is not None:
        raise NotCountedError("reported")
    if text(resource, "status") not in _PRESCRIBED:
        raise status_reason(resource)
    row = Row("prescribed", _subject(resource), day(text(resource, "authoredOn")), medication=medication_of(resource))
    row.instance_of = _instance_of(resource)
    fill = member(resource, "dispenseRequest")
    stated, quantity = member(fill, "expectedSupplyDuration"), member(fill, "quantity")
    row.take(supply_of(stated, quantity, members(resource, "dosageInstruction"), row.date, "expected_supply_duration"))
    return [row]


def _instance_of(resource: Json) -> tuple[str, ...]:
    """What an `instance-order` fulfils (R4: it represents an instance for one point in time of another order).

    `priorPrescription` names an order that it replaces: a renewal, which tells of days of its own.
    """
    if text(resource, "intent") != "instance-order":
        return ()
    return tuple(filter(None, (text(each, "reference") for each in members(resource, "basedOn"))))


def administration(resource: Json) -> list[Row]:
    """One that was not done is a missed dose.

    Raises:
        NotCountedError: any other status: what was given is no supply.
    """
    if text(resource, "status") != "not-done":
        raise status_reason(resource)
    return [Row("missed_dose", _subject(resource), _effective(resource), medication=medication_of(resource))]


def statement(resource: Json) -> list[Row]:
    """One of a medication not taken is a stop, on the first day that it speaks of, else on the day it was asserted.

    Raises:
        NotCountedError: any other status: what a patient says to take is no supply.
    """
    if text(resource, "status") != "not-taken":
        raise status_reason(resource)
    said = _effective(resource)
    row = Row("stop", _subject(resource), said or day(text(resource, "dateAsserted")))
    row.medication = medication_of(resource)
    if said is None and row.date is not None:
        row.how.append("date_asserted")
    return [row]


def _identifiers(resource: Json) -> frozenset[str]:
    """Those that a system makes unique: a bare value may be another pharmacy's too."""
    listed = ((text(each, "system"), text(each, "value")) for each in members(resource, "identifier"))
    return frozenset(f"{system}|{value}" for system, value in listed if system and value)


def _subject(resource: Json) -> str:
    return text(member(resource, "subject"), "reference")


def _effective(resource: Json) -> date | None:
    return day(text(resource, "effectiveDateTime")) or day(text(member(resource, "effectivePeriod"), "start"))
