"""Quantities: amounts that can be divided by one another, and durations in days.

Source: hl7.org/fhir/R4/datatypes.html#Quantity and #Duration; UCUM (ucum.org).
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from chartseal.adherence.fhir.estimates import NotEstimatedError
from chartseal.adherence.fhir.members import Json, number, text

UCUM = "http://unitsofmeasure.org"
_DAYS = {"d": 1, "wk": 7}


@dataclass(frozen=True)
class Amount:
    """A number of a unit; two units are alike where system and code are equal, or, without a code, their words."""

    value: Fraction
    unit: tuple[str, str]


def amount(quantity: Json, what: str) -> Amount:
    """A positive amount with its unit; `what` begins the reasons.

    Raises:
        NotEstimatedError: `…_missing`, `…_invalid` (no positive number, or a comparator), `…_unit_missing`: 30 of an
            unnamed unit may be tablets or millilitres.
    """
    if not quantity:
        raise NotEstimatedError(f"{what}_missing")
    value = number(quantity, "value")
    if value is None or value <= 0 or quantity.get("comparator") is not None:
        raise NotEstimatedError(f"{what}_invalid")
    code = text(quantity, "code")
    unit = (text(quantity, "system"), code) if code else ("", text(quantity, "unit").casefold())
    if not unit[1]:
        raise NotEstimatedError(f"{what}_unit_missing")
    return Amount(value, unit)


def days(duration: Json, start: date | None) -> Fraction:
    """A duration in days: UCUM's d and wk; mo as calendar months from `start`.

    Raises:
        NotEstimatedError: `duration_missing`, `duration_invalid` (no number, a comparator, not a whole number of months
            or no day to count them from), `duration_unit` (any other unit, or none).
    """
    if not duration:
        raise NotEstimatedError("duration_missing")
    value = number(duration, "value")
    if value is None or duration.get("comparator") is not None:
        raise NotEstimatedError("duration_invalid")
    code = text(duration, "code") if text(duration, "system") == UCUM else ""
    if code == "mo":
        return Fraction(_months(value, start))
    if code not in _DAYS:
        raise NotEstimatedError("duration_unit")
    return value * _DAYS[code]


def _months(count: Fraction, start: date | None) -> int:
    """Days of so many calendar months: from 31 January, one ends on the last of February."""
    if start is None or count.denominator != 1 or not 0 < count <= 120:
        raise NotEstimatedError("duration_invalid")
    years, month = divmod(start.month - 1 + int(count), 12)
    year = start.year + years
    if year > date.max.year:
        raise NotEstimatedError("duration_invalid")
    last = calendar.monthrange(year, month + 1)[1]
    return (date(year, month + 1, min(start.day, last)) - start).days
