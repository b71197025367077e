"""CMAs of sliding windows beside AdhereR's, every value of every row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pytest

from chartseal.adherence import sliding
from tests.vectors.adherer.arguments import carry_rules, cma_name, result_names
from tests.vectors.adherer.expected import Case, cases, ours_of_groups, same_date, same_number
from tests.vectors.adherer.timed_arguments import slides
from tests.vectors.adherer.timed_defects import SLIDING_DEFECTS

Place: TypeAlias = tuple[str, str, str]
"""Parameter set, patient, window."""


@pytest.fixture(scope="module")
def found(shared: Path) -> list[Case]:
    return list(cases(shared / "vectors/adherence", ["CMA_sliding_window"]))


def test_every_row(found: list[Case]) -> None:
    computed = [case for case in found if case.outputs]
    assert computed
    assert {place for case in computed for place in differing(case)} == set(SLIDING_DEFECTS)


def test_what_aborts_in_adherer_is_estimated_here(found: list[Case]) -> None:
    """CMA8 of a patient whose supply outlasts a window: a row with a reason, and values for all others."""
    aborted = [case for case in found if not case.outputs]
    assert {case.args["CMA.to.apply"] for case in aborted} == {"CMA8"}
    for case in aborted:
        rows = found_cmas(case).to_pylist()
        assert set(Counter(row["patient"] for row in rows).values()) == {10}
        assert all((row["cma"] is None) == (row["reason"] == "supplied_throughout") for row in rows)
        assert 0 < sum(row["cma"] is None for row in rows) < len(rows)


def found_cmas(case: Case) -> pa.Table:
    arguments = case.arguments()
    arguments.medication_groups()
    where, window, rules = slides(arguments), arguments.window(), carry_rules(arguments)
    name = cma_name(str(arguments.take("CMA.to.apply", "")))
    arguments.flag("force.NA.CMA.for.failed.patients", default=True)
    result_names(arguments)
    arguments.done()
    return sliding(
        arguments.events(),
        name,
        window,
        start=where.start,
        length=where.length,
        step=where.step,
        columns=arguments.columns(),
        **vars(rules),
    )


def differing(case: Case) -> set[Place]:
    """Rows that are not the same, or in one of the two alone."""
    rows = ours_of_groups(found_cmas(case))
    ours = {(row["patient"], str(row["window"])): row for row in rows if row["window"] is not None}
    name = case.patient
    theirs = {(row[name], row["window.ID"]): row for row in case.rows("cma")}
    assert all(row.keys() == {name, "window.ID", "window.start", "window.end", "CMA"} for row in theirs.values())
    wrong = {
        place
        for place in ours.keys() & theirs.keys()
        if not (
            same_date(ours[place]["window_start"], theirs[place]["window.start"])
            and same_date(ours[place]["window_end"], theirs[place]["window.end"])
            and same_number(ours[place]["cma"], theirs[place]["CMA"])
        )
    }
    return {(case.name, *place) for place in wrong | (ours.keys() ^ theirs.keys())}
