"""How a cohort is cut and ordered changes no result."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartseal.adherence import Columns, cma, covered, episodes, gaps, mpr, pdc
from chartseal.adherence.tables import batches, whole_patients
from tests.adherence_patients import Patient, cohorts, table


def _cma(number: int, events: pa.Table) -> pa.Table:
    flags = {"carry_only_for_same_medication": number > 4, "consider_dosage_change": number > 4}
    return cma(events, f"CMA{number}", **flags)  # type: ignore[arg-type]


MEASURES: Mapping[str, Callable[[pa.Table], pa.Table]] = {
    "covered": covered,
    "episodes": episodes,
    "gaps": gaps,
    "mpr": mpr,
    "pdc": pdc,
    "pdc of each class": partial(pdc, columns=Columns(group="class")),
    **{f"cma {number}": partial(_cma, number) for number in range(10)},
}

FEW = settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def cut(events: pa.Table, lengths: Sequence[int]) -> pa.RecordBatchReader:
    """A reader whose batches have these lengths, over and over."""
    ends = [0, *accumulate(length for _ in range(events.num_rows) for length in lengths)]
    parts = [events.slice(start, end - start).combine_chunks() for start, end in pairwise(ends) if start < len(events)]
    found = [batch for part in parts for batch in part.to_batches()]
    return pa.RecordBatchReader.from_batches(events.schema, found)


@pytest.mark.parametrize("name", MEASURES)
def test_the_order_of_rows_is_irrelevant(name: str) -> None:
    @FEW
    @given(cohorts(fractions=True, most=5), st.randoms())
    def check(cohort: list[Patient], chance: random.Random) -> None:
        events = table(cohort)
        order = list(range(events.num_rows))
        chance.shuffle(order)
        measured = MEASURES[name]
        assert measured(events.take(order)).to_pylist() == measured(events).to_pylist()

    check()


@pytest.mark.parametrize("name", MEASURES)
def test_splitting_a_cohort_changes_nothing(name: str) -> None:
    @FEW
    @given(
        cohorts(fractions=True, most=5),
        st.lists(st.integers(1, 30), min_size=1, max_size=5),
        st.sampled_from([40, 150]),
    )
    def check(cohort: list[Patient], lengths: list[int], rows: int) -> None:
        events = table(cohort)
        measured = MEASURES[name]
        parts = [measured(pa.Table.from_batches([part])) for part in whole_patients(cut(events, lengths), rows)]
        assert pa.concat_tables(parts).to_pylist() == measured(events).to_pylist()

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
