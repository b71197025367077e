"""AdhereR's medication groups in our words, and measured apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartseal.adherence import cma
from tests.vectors.adherer.arguments import Arguments, Input, UnknownArgumentError
from tests.vectors.adherer.expected import Case, cases
from tests.vectors.adherer.medication_groups import ALL_OTHERS, UnknownExpressionError, filter_of


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(CATEGORY == 'medA' & PERDAY >= 2)", "( `CATEGORY` == 'medA' and `PERDAY` >= 2 )"),
        ("{A} & PERDAY < 4", 'group("A") and `PERDAY` < 4'),
        ('!{A} | CATEGORY != "medB"', 'not group("A") or `CATEGORY` != "medB"'),
        ("my.class %in% c('x', \"y\")", "`my.class` in ['x', \"y\"]"),
        ("DOSE %in% c(1, 2.5)", "`DOSE` in [1, 2.5]"),
    ],
)
def test_an_expression_in_our_words(expression: str, expected: str) -> None:
    assert filter_of(expression) == expected


@pytest.mark.parametrize(
    "expression",
    ["nchar(CATEGORY) > 3", "DATE == as.Date('2031-01-01')", "A %in% B", "A %in% c(f)", "A + 1 > 2", "A[1]"],
)
def test_what_has_no_words_of_ours_is_refused(expression: str) -> None:
    with pytest.raises(UnknownExpressionError):
        filter_of(expression)


def found(case: Case, extra: dict[str, Any]) -> dict[tuple[str, str], float | None]:
    arguments = Arguments({**case.args, **extra}, Input.read(case.input))
    arguments.medication_groups()
    window = arguments.window()
    rows = cma(arguments.events(), "CMA9", window, columns=arguments.columns()).to_pylist()
    return {(row["patient"], row["group"]): row["cma"] for row in rows}


@pytest.fixture(scope="module")
def case(shared: Path) -> Case:
    (case,) = [case for case in cases(shared / "vectors/adherence", ["CMA9"]) if case.name == "sy_CMA9_W1"]
    return case


@pytest.mark.parametrize("per_group", [False, True])
def test_a_column_and_expressions_of_its_values_are_the_same_groups(case: Case, per_group: bool) -> None:
    per = {"followup.window.start.per.medication.group": per_group}
    classes = sorted({str(row["CATEGORY"]) for row in Input.read(case.input).rows})
    assert len(classes) > 1
    named = {name: f"CATEGORY == '{name}'" for name in classes[1:]}
    by_column = found(case, {"medication.groups": "CATEGORY", **per})
    by_name = found(case, {"medication.groups": named, "flatten.medication.groups": True, **per})
    assert {
        (who, ALL_OTHERS if group == classes[0] else group): each for (who, group), each in by_column.items()
    } == by_name


def test_follow_up_of_groups_matters(case: Case) -> None:
    groups = {"medication.groups": "CATEGORY"}
    assert found(case, groups) != found(case, {**groups, "followup.window.start.per.medication.group": True})


def test_numbers_are_compared_and_groups_overlap(case: Case) -> None:
    named = {"all": "PERDAY > 0", "many": "{all} & PERDAY >= 4"}
    groups = {group for _, group in found(case, {"medication.groups": named})}
    assert groups == {"all", "many"}


def test_what_is_no_group_is_no_result(case: Case) -> None:
    with pytest.raises(UnknownArgumentError, match=r"medication\.groups"):
        found(case, {"medication.groups": ["CATEGORY == 'medA'"]})
