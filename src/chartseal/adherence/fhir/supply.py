"""How long a supply lasts: as it is stated, else its quantity by the dose of a day, else not known and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from chartseal.adherence.fhir.dosage import daily_dose
from chartseal.adherence.fhir.estimates import NotEstimatedError
from chartseal.adherence.fhir.members import Json, text
from chartseal.adherence.fhir.quantities import Amount, amount, days


@dataclass(frozen=True)
class Supply:
    """Days of a supply and how they were found (`how`), or the reason why they are not known."""

    days: Fraction | None = None
    daily_dose: Fraction | None = None
    how: str = ""
    reason: str = ""


def supply_of(stated: Json, quantity: Json, dosages: list[Json], start: date | None, how: str) -> Supply:
    """The supply of one fill; `how` is the code for days that are stated.

    `stated` is a Duration; bounds of a dosage are the length of a therapy and never looked at. The reason is that of
    the duration where one is stated, else that of what `quantity` by dose misses.
    """
    dose, no_dose = _dose(dosages)
    value = dose.value if dose else None
    try:
        months = "_calendar_months" if text(stated, "code") == "mo" else ""
        return Supply(days(stated, start), value, how + months)
    except NotEstimatedError as exc:
        unreadable = exc.reason if stated else ""
    try:
        if dose is None:
            raise NotEstimatedError(no_dose)
        return Supply(_quotient(quantity, dose), value, "quantity_per_dose")
    except NotEstimatedError as exc:
        return Supply(daily_dose=value, reason=unreadable or exc.reason)


def _dose(dosages: list[Json]) -> tuple[Amount | None, str]:
    try:
        return daily_dose(dosages), ""
    except NotEstimatedError as exc:
        return None, exc.reason


def _quotient(quantity: Json, dose: Amount) -> Fraction:
    """Days that a quantity lasts at a dose a day of the same unit; nothing is converted."""
    supplied = amount(quantity, "quantity")
    if supplied.unit != dose.unit:
        raise NotEstimatedError("units_unlike")
    return supplied.value / dose.value
