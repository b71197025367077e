"""Estimates of several medications together beside AdhereR's, every value of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from chartseal.adherence import polypharmacy, polypharmacy_intervals
from tests.vectors.adherer.arguments import Arguments, carry_rules, cma_name
from tests.vectors.adherer.expected import Case, cases, same_date, same_number
from tests.vectors.adherer.timed_arguments import aggregation

Place: TypeAlias = tuple[str, str]
"""Patient, interval."""

AFTER_ALL_WINDOWS = ("900009", "4")
"""With CMA9: an interval after the windows of all medications, in which none counts."""


@pytest.fixture(scope="module")
def found(shared: Path) -> list[Case]:
    return list(cases(shared / "vectors/adherence", ["CMA_polypharmacy"]))


def test_every_patient(found: list[Case]) -> None:
    """AdhereR lists no patient without an estimate."""
    assert found
    for case in found:
        arguments, options = mapped(case)
        rows = polypharmacy(arguments.events(), **options).to_pylist()
        ours = {row["patient"]: row["cma"] for row in rows}
        theirs = {row[str(case.args["ID.colname"])]: row["CMA"] for row in case.rows("cma")}
        assert ours.keys() >= theirs.keys()
        assert {patient for patient, cma in ours.items() if not same_number(cma, theirs.get(patient, "NA"))} == set()


def test_every_interval(found: list[Case]) -> None:
    for case in (case for case in found if "intermediate" in case.outputs):
        arguments, options = mapped(case)
        del options["aggregate_first"]
        rows = polypharmacy_intervals(arguments.events(), **options).to_pylist()
        ours: dict[Place, list[dict[str, Any]]] = {}
        for row in rows:
            if row["interval"] is not None:
                ours.setdefault((row["patient"], str(row["interval"])), []).append(row)
        theirs = {(row[str(case.args["ID.colname"])], row["intersect.ID"]): row for row in case.rows("intermediate")}
        outside = {AFTER_ALL_WINDOWS} if "CMA9" in case.name else set()
        assert theirs.keys() - ours.keys() == outside
        assert {place for place, groups in ours.items() if not same(groups, theirs[place])} == set()


def mapped(case: Case) -> tuple[Arguments, dict[str, Any]]:
    """A medication is a patient of its own to AdhereR: its windows count from its own first supply."""
    arguments = case.arguments()
    group = str(arguments.take("medication.groups", case.args["medication.class.colname"]))
    arguments.require_column("medication.groups", group)
    options = {
        **vars(aggregation(arguments)),
        **vars(carry_rules(arguments)),
        "cma": cma_name(str(arguments.take("CMA.to.apply", ""))),
        "window": replace(arguments.window(), per_group=True),
        "columns": arguments.columns(group=group),
    }
    arguments.flag("force.NA.CMA.for.failed.patients", default=True)
    arguments.done()
    return arguments, options


def same(ours: list[dict[str, Any]], theirs: Mapping[str, str]) -> bool:
    """AdhereR's least and greatest of no values are infinite."""
    first, values = ours[0], {row["group"]: row["value"] for row in ours}
    groups = [name for name in theirs if name.startswith("med")]
    aggregate = theirs["prop.trt.groups.available"]
    return all(
        (
            same_date(first["start"], theirs["intersect.start"]),
            same_date(first["end"], theirs["intersect.end"]),
            same_number(first["days"], theirs["intersect.duration"]),
            same_number(first["aggregate"], "NA" if aggregate.endswith("Inf") else aggregate),
            *(same_number(values.get(group), theirs[group]) for group in groups),
        )
    )
