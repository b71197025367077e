"""PDC and MPR of random patients beside the day-by-day reference, and what must hold of any."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.adherence import Window, mpr, pdc
from tests import adherence_reference as reference
from tests.adherence_patients import Patient, by_patient, cohorts, day, examples, moved, table, windows
from tests.adherence_reference import Days

Windows = tuple[Window, Days, Days]
PERIODS = st.sampled_from(["window", "from_first_fill"])
SHIFTS = st.sampled_from(["ingredient", "class", "none"])


def drilled(scale: float, check: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> None:
    """`check` on a drill's share of 100,000 patients."""
    slow = (HealthCheck.too_slow, HealthCheck.data_too_large)
    limits = settings(max_examples=examples(scale), deadline=None, suppress_health_check=slow)
    limits(given(*strategies)(check))()


def check_pdc(cohort: list[Patient], chosen: Windows, period: Any, shift: Any, threshold: Fraction) -> None:
    window, follow_up, observation = chosen
    found = pdc(table(cohort), window, period=period, shift=shift, threshold=threshold)
    for patient, [row] in zip(cohort, by_patient(found), strict=True):
        expected = reference.pdc(
            patient,
            moved(follow_up, patient),
            moved(observation, patient),
            from_first_fill=period == "from_first_fill",
            shift=shift,
            threshold=threshold,
        )
        if expected is None:
            assert (row["pdc"], row["reason"]) == (None, "no_event_in_window")
            continue
        days = expected.period[1] - expected.period[0]
        assert row["reason"] is None
        assert row["fills"] == len(expected.fills)
        assert row["first_fill"] == (day(expected.fills[0]) if expected.fills else None)
        assert row["last_fill"] == (day(expected.fills[-1]) if expected.fills else None)
        assert (row["period_start"], row["period_days"]) == (day(expected.period[0]), days)
        assert (row["covered_days"], row["gap_days"]) == (expected.covered, days - expected.covered)
        assert (row["pdc"], row["adherent"]) == (expected.covered / days, expected.adherent)
        assert row["gap_days_allowed"] == expected.allowed
        assert row["supply_end"] == day(expected.supply_end)


THRESHOLDS = st.sampled_from([Fraction(4, 5), Fraction(1, 3), Fraction(1), Fraction(1, 1_000_000)])


def test_pdc_is_the_references() -> None:
    drilled(0.005, check_pdc, cohorts(fractions=True), windows(), PERIODS, SHIFTS, THRESHOLDS)


@pytest.mark.long
def test_pdc_is_the_references_on_very_many(drill_scale: float) -> None:
    drilled(drill_scale, check_pdc, cohorts(fractions=True), windows(), PERIODS, SHIFTS, THRESHOLDS)


def check_mpr(cohort: list[Patient], chosen: Windows) -> None:
    window, _, observation = chosen
    for patient, [row] in zip(cohort, by_patient(mpr(table(cohort), window)), strict=True):
        assert row["mpr"] == pytest.approx(reference.mpr(patient, moved(observation, patient)), abs=1e-12)


def test_mpr_is_the_references() -> None:
    drilled(0.005, check_mpr, cohorts(fractions=True), windows())


@given(cohorts(most=5), cohorts(most=3), windows(), SHIFTS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_adding_supply_never_lowers_pdc(
    cohort: list[Patient], more: list[Patient], chosen: Windows, shift: Any
) -> None:
    # Nothing is added before the first supply: that would move the windows themselves.
    added = [
        [*patient, *(each for each in others if each.day >= min(own.day for own in patient))]
        for patient, others in zip(cohort, more, strict=True)
    ]
    before, after = (pdc(table(each), chosen[0], shift=shift)["pdc"].to_pylist() for each in (cohort, added))
    for fewer, greater in zip(before, after, strict=True):
        assert (fewer or 0.0) <= (greater or 0.0) <= 1.0


@given(cohorts(most=5), windows(), PERIODS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_covered_and_gap_days_are_the_period(cohort: list[Patient], chosen: Windows, period: Any) -> None:
    for row in pdc(table(cohort), chosen[0], period=period).to_pylist():
        if row["reason"] is None:
            assert 0 <= row["covered_days"] <= row["period_days"]
            assert row["covered_days"] + row["gap_days"] == row["period_days"]
            assert row["adherent"] == (row["gap_days"] <= row["gap_days_allowed"])
