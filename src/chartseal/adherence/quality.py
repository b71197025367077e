"""PQA's PDC measures over a year: each patient's denominator, numerator and why, and the rate."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from importlib.resources import files
from typing import Any

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.pdc import THRESHOLD, threshold_json
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import days_since_epoch
from chartseal.errors import AdherenceError


@dataclass(frozen=True)
class QualityMeasure:
    """What a measure counts. A class that ends in `*` stands for all that begin so, as ATC codes do.

    One fill of `excluding_classes` in the treatment period excludes, and so does a period `excluded`, its class among
    `exclusions`, that touches the year.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    excluding_classes: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    minimum_age: int = 18
    """Years at the start of the measurement year; 0 asks for no birth date."""
    minimum_fill_dates: int = 2
    minimum_days: int = 91
    """Of the treatment period."""
    threshold: Fraction = THRESHOLD

    def also_excluding(self, *exclusions: str) -> QualityMeasure:
        """The measure with more kinds of exclusion, as `pregnancy`."""
        return replace(self, exclusions=(*self.exclusions, *exclusions))


@dataclass(frozen=True)
class Enrolment:
    """How periods `enrolled` are read: `gaps` gaps of at most `gap_days` days do not end enrolment.

    If `required`, a patient without such a period is not enrolled; else enrolled throughout.
    """

    required: bool = False
    gap_days: int = 31
    """A month, where enrolment is verified by months."""
    gaps: int = 1


def measures() -> Mapping[str, QualityMeasure]:
    """PDC-DR, PDC-RASA and PDC-STA, by name."""
    found = tomllib.loads(files(__package__).joinpath("quality.toml").read_text("utf-8"))
    return {name: QualityMeasure(name, **_tuples(stated)) for name, stated in found.items()}


def _tuples(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()}


def quality(
    events: EventTable,
    measure: QualityMeasure | str,
    year: int,
    *,
    enrolment: Enrolment | None = None,
    shift_stays: bool = False,
    as_of: date | None = None,
    columns: Columns | None = None,
) -> pa.Table:
    """Who is in the measure's denominator and numerator, one row a patient.

    The treatment period goes from the index (first fill of a measured class in `year`) to the end of the year, of
    enrolment or the day of death. In the denominator is who is of age (a period `born`), is not excluded, and has fills
    on two dates and 91 days of treatment; in the numerator, whose PDC reaches 4/5, compared as whole numbers. Supplies
    of an ingredient are shifted forward, those of a combination (`a|b`) for each; supplies from before the index do not
    count. With `shift_stays`, days of periods `stay` and `snf` are in neither, and what is on hand is used afterwards.
    With `as_of` the year ends with that day: nothing after it is known yet, and a later answer may be another.

    Returns columns `patient`, `denominator`, `numerator` (null where they cannot be told), `why` (`adherent`,
    `too_few_days_covered`; `no_fill_in_year`, `under_age`, `not_enrolled`, `fill_after_death`, `excluded`,
    `too_few_fill_dates`, `treatment_period_short`, `treatment_period_in_stay`; `birth_unknown`, `birth_ambiguous`,
    `patient_unknown`, `date_unknown`, `date_invalid`, `days_supply_unknown`, `days_supply_invalid`), `exclusion`
    (which, where excluded), `index`, `treatment_days`, `stay_days`, `fill_dates`, `covered_days`, `pdc`,
    `gap_days_allowed`.

    Raises:
        AdherenceError: `measure_unknown`, `year_invalid`, `as_of_invalid`, `threshold_invalid`, `column_missing`,
            `column_type`, `table_unreadable`.

    Source: PQA, Proportion of Days Covered (PDC-DR, PDC-RASA, PDC-STA); CMS, Medicare Part C & D Star Ratings Technical
    Notes, Medication Adherence Measure Calculations (stays).
    """
    chosen = _measure(measure)
    settings = _settings(chosen, year, enrolment or Enrolment(), shift_stays)
    if as_of is not None:
        settings["end"] = min(settings["end"], _end(year, as_of))
    # A measure is of a patient, in whatever groups other measures see the supplies.
    return measure_table("quality", events, settings, columns=replace(columns or Columns(), group=""))


def _measure(measure: QualityMeasure | str) -> QualityMeasure:
    if isinstance(measure, QualityMeasure):
        return measure
    known = measures()
    if measure not in known:
        raise AdherenceError(f"none of {', '.join(known)}", "measure_unknown", "measure")
    return known[measure]


def _settings(measure: QualityMeasure, year: int, enrolment: Enrolment, shift_stays: bool) -> dict[str, Any]:
    if not 1901 <= year <= 2198:
        raise AdherenceError("from 1901 to 2198", "year_invalid", "year")
    return {
        "start": days_since_epoch(date(year, 1, 1)),
        "end": days_since_epoch(date(year + 1, 1, 1)),
        "classes": measure.classes,
        "excluding_classes": measure.excluding_classes,
        "exclusions": measure.exclusions,
        "minimum_age": measure.minimum_age,
        "minimum_fill_dates": measure.minimum_fill_dates,
        "minimum_days": measure.minimum_days,
        "threshold": threshold_json(measure.threshold),
        "enrolment": {"required": enrolment.required, "gap_days": enrolment.gap_days, "gaps": enrolment.gaps},
        "shift_stays": shift_stays,
    }


def _end(year: int, as_of: date) -> int:
    """The first day that is not known yet."""
    if as_of < date(year, 1, 1):
        raise AdherenceError("before the measurement year", "as_of_invalid", "as_of")
    return days_since_epoch(as_of) + 1


@dataclass(frozen=True)
class Rate:
    """What a measure reports: numerator / denominator, and how many patients there are of each `why`."""

    denominator: int
    numerator: int
    unknown: int
    """Patients of whom it cannot be told whether they are in the denominator."""
    why: Mapping[str, int]

    @property
    def rate(self) -> Fraction | None:
        """None where nobody is in the denominator."""
        return Fraction(self.numerator, self.denominator) if self.denominator else None


def summary(table: pa.Table) -> Rate:
    """The rate of what `quality` returned."""
    denominator, numerator = table["denominator"].to_pylist(), table["numerator"].to_pylist()
    why: Sequence[str] = table["why"].to_pylist()
    return Rate(denominator.count(True), numerator.count(True), denominator.count(None), dict(Counter(why)))
