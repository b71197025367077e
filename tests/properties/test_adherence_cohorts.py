"""How a cohort is cut and ordered changes no result."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.adherence import Window
from chartseal.adherence.kernel import measure_batches, measure_table
from chartseal.adherence.tables import batches, whole_patients
from tests.adherence_patients import Patient, cohorts, table

MEASURES: Mapping[str, Mapping[str, Any]] = {
    "mpr": {},
    "pdc": {},
    "covered": {},
}
"""Each measure with settings beside the window."""

FEW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def measured(name: str, events: Any) -> list[Mapping[str, Any]]:
    return measure_table(name, events, _settings(name)).to_pylist()  # type: ignore[no-any-return]


def _settings(name: str) -> Mapping[str, Any]:
    return {"window": Window().to_json(), **MEASURES[name]}


def cut(events: pa.Table, lengths: Sequence[int]) -> pa.RecordBatchReader:
    """A reader whose batches have these lengths, over and over."""
    ends = [0, *accumulate(length for _ in range(events.num_rows) for length in lengths)]
    parts = [events.slice(start, end - start).combine_chunks() for start, end in pairwise(ends) if start < len(events)]
    found = [batch for part in parts for batch in part.to_batches()]
    return pa.RecordBatchReader.from_batches(events.schema, found)


@pytest.mark.parametrize("name", MEASURES)
def test_the_order_of_rows_is_irrelevant(name: str) -> None:
    @FEW
    @given(cohorts(fractions=True), st.randoms())
    def check(cohort: list[Patient], chance: random.Random) -> None:
        events = table(cohort)
        order = list(range(events.num_rows))
        chance.shuffle(order)
        assert measured(name, events.take(order)) == measured(name, events)

    check()


@pytest.mark.parametrize("name", MEASURES)
def test_splitting_a_cohort_changes_nothing(name: str) -> None:
    @FEW
    @given(cohorts(fractions=True), st.lists(st.integers(1, 30), min_size=1, max_size=5), st.sampled_from([1, 2, 64]))
    def check(cohort: list[Patient], lengths: list[int], rows: int) -> None:
        events = table(cohort)
        parts = whole_patients(cut(events, lengths), rows)
        found = pa.Table.from_batches(list(measure_batches(name, parts, _settings(name))))
        assert found.to_pylist() == measured(name, events)

    check()


@FEW
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(1, 5)), max_size=20),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 10),
)
def test_no_patient_is_in_two_batches(runs: list[tuple[str | None, int]], lengths: list[int], rows: int) -> None:
    ids = sorted((patient for patient, count in runs for _ in range(count)), key=str)
    events = pa.table({"patient": pa.array(ids, pa.string())})
    found = [batch.column("patient").to_pylist() for batch in whole_patients(cut(events, lengths), rows)]
    assert [patient for part in found for patient in part] == ids
    for before, after in pairwise(found):
        assert not set(before) & set(after)
        assert len(before) >= rows


def test_ids_that_are_no_number_are_one_patient() -> None:
    ids = pa.array([1.0, *[float("nan")] * 5])
    found = [batch.num_rows for batch in whole_patients(cut(pa.table({"patient": ids}), [1]))]
    assert found == [1, 5]


def test_a_batch_is_about_as_long_as_asked() -> None:
    count = 20_000
    events = pa.table({"patient": list(range(count)), "date": pa.nulls(count, pa.date32())})
    found = [batch.num_rows for batch in batches(events, rows=5_000)]
    assert sum(found) == count
    assert max(found) < 2 * 5_000 + 2_048
