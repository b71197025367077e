"""Several medications taken together, and a number of sliding windows, beside the day-by-day reference."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.adherence import Columns, Span, Window, polypharmacy, sliding
from chartseal.adherence.polypharmacy import Method
from tests import adherence_reference as reference
from tests.adherence_patients import Patient, by_patient, cohorts, day, examples, moved, table, windows
from tests.adherence_reference import Days

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
BY_CLASS = Columns(group="class")


def together(values: Sequence[float | None], method: Method, *, skip_unknown: bool) -> float | None:
    """One number of the medications' own."""
    known = [each for each in values if each is not None]
    if not known or (len(known) < len(values) and not skip_unknown):
        return None
    numbers: dict[Method, float] = {"mean": mean(known), "median": median(known), "min": min(known), "max": max(known)}
    return numbers[method]


def several(scale: float) -> None:
    limits = settings(max_examples=examples(scale), deadline=None, suppress_health_check=SLOW)

    @limits
    @given(cohorts(), windows(), st.sampled_from(["mean", "median", "min", "max"]), st.booleans())
    def run(cohort: list[Patient], chosen: tuple[Window, Days, Days], method: Method, skip_unknown: bool) -> None:
        found = polypharmacy(
            table(cohort),
            "CMA7",
            chosen[0],
            aggregate_first=False,
            method=method,
            skip_unknown=skip_unknown,
            columns=BY_CLASS,
        )
        for patient, [row] in zip(cohort, by_patient(found), strict=True):
            within = moved(chosen[1], patient), moved(chosen[2], patient)
            parts = [[each for each in patient if each.medication == name] for name in "mn"]
            each = [reference.cma(7, part, *within) for part in parts if part]
            expected = together(each, method, skip_unknown=skip_unknown)
            assert row["cma"] == (None if expected is None else pytest.approx(expected, abs=1e-9)), (patient, row)

    run()


def spread(first: int, length: int, count: int, end: int) -> list[Days]:
    """Windows of a length that begin at equal distances, in whole days, the last of which ends on `end`."""
    spare = end - first - length
    starts = [first + (number * spare // (count - 1) if count > 1 else 0) for number in range(count)]
    return [(start, start + length) for start in starts] if spare >= 0 else []


def numbered(scale: float) -> None:
    limits = settings(max_examples=examples(scale), deadline=None, suppress_health_check=SLOW)

    @limits
    @given(cohorts(), windows(), st.integers(0, 40), st.integers(1, 120), st.integers(1, 9))
    def run(cohort: list[Patient], chosen: tuple[Window, Days, Days], offset: int, length: int, count: int) -> None:
        found = sliding(table(cohort), "CMA7", chosen[0], start=Span(offset), length=Span(length), step=count)
        for patient, rows in zip(cohort, by_patient(found), strict=True):
            follow_up, (start, end) = moved(chosen[1], patient), moved(chosen[2], patient)
            expected = spread(start + offset, length, count, end)
            told = [(row["window_start"], row["window_end"]) for row in rows if row["window"] is not None]
            if rows[0]["window"] is None:
                assert rows[0]["reason"] == "window_outside_observation" or not reference.up_to(patient, follow_up)
                assert not expected or rows[0]["reason"] != "window_outside_observation"
                continue
            assert told == [(day(first), day(last)) for first, last in expected]
            for row, within in zip(rows, expected, strict=True):
                value = reference.cma(7, patient, follow_up, within)
                assert row["cma"] == (None if value is None else pytest.approx(value, abs=1e-9)), (patient, row)

    run()


def test_medications_apart_are_the_references() -> None:
    several(0.005)


def test_a_number_of_windows_is_the_references() -> None:
    numbered(0.003)


@pytest.mark.long
def test_both_are_the_references_on_very_many(drill_scale: float) -> None:
    several(drill_scale)
    numbered(drill_scale)
