"""The dose of a day, out of dosage instructions.

Source: hl7.org/fhir/R4/dosage.html.
"""

from __future__ import annotations

from fractions import Fraction

from chartseal.adherence.fhir.estimates import NotEstimatedError
from chartseal.adherence.fhir.members import Json, member, members
from chartseal.adherence.fhir.quantities import Amount, amount
from chartseal.adherence.fhir.timing import times_a_day


def daily_dose(dosages: list[Json]) -> Amount:
    """The dose of a day, the same every day: Σ dose x times a day of instructions that hold at the same time.

    Instructions of one `sequence` hold at the same time, those of different ones one after the other.

    Raises:
        NotEstimatedError: `dosage_missing`; `dosages_without_sequence` (several); `dosages_consecutive`;
            `as_needed`; `dose_range`, `dose_missing`, `dose_several`, `dose_invalid`, `dose_unit_missing`;
            `units_unlike`; and what `times_a_day` raises.
    """
    if not dosages:
        raise NotEstimatedError("dosage_missing")
    _require_same_time(dosages)
    doses = [_of_one(dosage) for dosage in dosages]
    if len({dose.unit for dose in doses}) > 1:
        raise NotEstimatedError("units_unlike")
    return Amount(sum((dose.value for dose in doses), Fraction(0)), doses[0].unit)


def _require_same_time(dosages: list[Json]) -> None:
    if len(dosages) == 1:
        return
    sequences = [dosage.get("sequence") for dosage in dosages]
    if not all(isinstance(each, int) for each in sequences):
        raise NotEstimatedError("dosages_without_sequence")
    if len(set(sequences)) > 1:
        raise NotEstimatedError("dosages_consecutive")


def _of_one(dosage: Json) -> Amount:
    if dosage.get("asNeededBoolean") is True or dosage.get("asNeededCodeableConcept") is not None:
        raise NotEstimatedError("as_needed")
    dose = _dose(members(dosage, "doseAndRate"))
    return Amount(dose.value * times_a_day(member(dosage, "timing")), dose.unit)


def _dose(rates: list[Json]) -> Amount:
    """The one dose; ordered and calculated ones that are equal are one."""
    if any(rate.get("doseRange") is not None for rate in rates):
        raise NotEstimatedError("dose_range")
    found = {amount(member(rate, "doseQuantity"), "dose") for rate in rates}
    if not found:
        raise NotEstimatedError("dose_missing")
    if len(found) > 1:
        raise NotEstimatedError("dose_several")
    return found.pop()
