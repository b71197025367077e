"""CMA1 to CMA9 of random patients beside the day-by-day reference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.adherence import Window
from chartseal.adherence.cma import cma
from tests import adherence_reference as reference
from tests.adherence_patients import Patient, by_patient, cohorts, examples, moved, table, windows
from tests.adherence_reference import Days

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def check(
    number: int, cohort: list[Patient], chosen: tuple[Window, Days, Days], same_medication: bool, dosage: bool
) -> None:
    window, follow_up, observation = chosen
    flags: dict[str, Any] = {}
    if number > 4:
        flags = {"carry_only_for_same_medication": same_medication, "consider_dosage_change": dosage}
    found = cma(table(cohort), f"CMA{number}", window, **flags)  # type: ignore[arg-type]
    for patient, [row] in zip(cohort, by_patient(found), strict=True):
        within = moved(follow_up, patient), moved(observation, patient)
        expected = reference.cma(number, patient, *within, same_medication=same_medication, dosage=dosage)
        assert (row["reason"] is None) == (expected is not None)
        assert row["cma"] == (None if expected is None else pytest.approx(expected, abs=1e-9)), (number, patient, row)
        if number > 2 and expected is not None:
            assert 0.0 <= row["cma"] <= 1.0 + 1e-12


def drilled(number: int, scale: float) -> None:
    """Whole days for CMA8, whose window may begin within a day otherwise, for which a day has no one answer."""
    fractions, dosage = number != 8, st.booleans() if number != 8 else st.just(False)
    limits = settings(max_examples=examples(scale, 11_112), deadline=None, suppress_health_check=SLOW)

    @limits
    @given(cohorts(fractions=fractions), windows(), st.booleans(), dosage)
    def run(cohort: list[Patient], chosen: tuple[Window, Days, Days], same_medication: bool, dosage: bool) -> None:
        check(number, cohort, chosen, same_medication, dosage)

    run()


@pytest.mark.parametrize("number", range(1, 10))
def test_each_is_the_references(number: int) -> None:
    drilled(number, 0.01)


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 10))
def test_each_is_the_references_on_very_many(number: int, drill_scale: float) -> None:
    drilled(number, drill_scale)
