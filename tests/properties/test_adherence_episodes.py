"""Treatment episodes of random patients beside the day-by-day reference."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.adherence import EpisodeRule, Span, Window, episodes
from tests import adherence_reference as reference
from tests.adherence_patients import Patient, by_patient, cohorts, day, examples, moved, table, windows
from tests.adherence_reference import Days

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def drilled(scale: float) -> None:
    limits = settings(max_examples=examples(scale), deadline=None, suppress_health_check=SLOW)

    @limits
    @given(cohorts(), windows(), st.sampled_from([0, 1, 7, 30, 90]), st.booleans())
    def run(cohort: list[Patient], chosen: tuple[Window, Days, Days], gap: int, class_change: bool) -> None:
        rule = EpisodeRule(Span(gap), class_change=class_change)
        found = episodes(table(cohort), chosen[0], rule)
        for patient, rows in zip(cohort, by_patient(found), strict=True):
            within = moved(chosen[1], patient)
            expected = reference.episodes(patient, within, gap, change_starts_anew=class_change)
            # A supply on the day that follow-up ends on, or that another class begins on, is an episode of no days, of
            # which days know nothing.
            episodes_of_days = [row for row in rows if row["start"] != row["end"] or row["start"] is None]
            assert [(row["start"], row["end"]) for row in episodes_of_days] == [
                (day(start), day(end)) for start, end in expected if start != end
            ] or (rows[0]["reason"] is not None and not expected), (patient, within, rows, expected)

    run()


def test_episodes_are_the_references() -> None:
    drilled(0.005)


@pytest.mark.long
def test_episodes_are_the_references_on_very_many(drill_scale: float) -> None:
    drilled(drill_scale)
