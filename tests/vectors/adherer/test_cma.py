"""CMA 1 to 9 beside AdhereR's, every value of every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartseal.adherence import Window, cma, gaps
from tests.vectors.adherer.arguments import (
    Arguments,
    CmaName,
    Input,
    ResultNames,
    UnknownArgumentError,
    carry_rules,
    cma_name,
    result_names,
)
from tests.vectors.adherer.defects import CMA_DEFECTS
from tests.vectors.adherer.expected import (
    Case,
    cases,
    of_group,
    ours_of_groups,
    same_date,
    same_flag,
    same_number,
)
from tests.vectors.adherer.supplies import RowCheck, by_event

NAMES = tuple(f"CMA{number}" for number in range(1, 10))


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "vectors/adherence"


@pytest.mark.parametrize("function", NAMES)
def test_every_row(folder: Path, function: str) -> None:
    found = list(cases(folder, [function]))
    assert found
    wrong = {place for case in found for place in differing(case)}
    assert wrong == {place for place in CMA_DEFECTS if place[0] in {case.name for case in found}}


def differing(case: Case) -> set[tuple[str, str]]:
    """Parameter set and patient of every row that is not ours."""
    arguments = case.arguments()
    arguments.medication_groups()
    window, rules, names = arguments.window(), carry_rules(arguments), result_names(arguments)
    omits_failed = not arguments.flag("force.NA.CMA.for.failed.patients", default=True)
    name = cma_name(case.function)
    arguments.fixed("carryover.within.obs.window", name >= "CMA5")
    arguments.fixed("carryover.into.obs.window", name >= "CMA7")
    arguments.done()
    events, columns = arguments.events(), arguments.columns()
    ours = ours_of_groups(cma(events, name, window, columns=columns, **vars(rules)))
    found = {row["patient"]: row for row in ours if not (omits_failed and row["cma"] is None)}
    patients = estimates(case, found) | starts(case, found)
    if "event_info" in case.outputs:
        supplies = ours_of_groups(gaps(events, window, cma=name, columns=columns, **vars(rules)))
        patients |= intervals(case, supplies, found, name, names)
    return {(case.name, patient) for patient in patients}


def estimates(case: Case, ours: dict[str, Any]) -> set[str]:
    theirs = {row[case.patient]: row for row in case.rows("cma")}
    assert all(row.keys() == {case.patient, "CMA"} for row in theirs.values())
    assert theirs.keys() == ours.keys() or "medication.groups" in case.args  # a group without a supply is no row here
    values = {who: ours[who]["cma"] if who in ours else None for who in theirs.keys() | ours.keys()}
    expected = {who: theirs[who]["CMA"] if who in theirs else "NA" for who in values}
    return {who for who, value in values.items() if not same_number(value, expected[who])}


def starts(case: Case, ours: dict[str, Any]) -> set[str]:
    """CMA8's real observation window; AdhereR lists no patient without events in follow-up, and never an end."""
    if "real_obs_windows" not in case.outputs:
        return set()
    theirs = {row[case.patient]: row for row in case.rows("real_obs_windows")}
    assert {patient for patient, row in ours.items() if row["follow_up_supplies"]} == theirs.keys()
    assert {row["window.end"] for row in theirs.values()} <= {"NA"}
    return {
        patient for patient, row in theirs.items() if not same_date(ours[patient]["window_start"], row["window.start"])
    }


def intervals(
    case: Case, supplies: list[dict[str, Any]], estimated: dict[str, Any], name: CmaName, names: ResultNames
) -> set[str]:
    """AdhereR keeps intervals of before the window for CMA9 alone, and no supply outside follow-up."""
    check = RowCheck(names, all_intervals=name == "CMA9")
    theirs = by_event(case, case.rows("event_info"))
    followed = [row for row in supplies if row["reason"] != "outside_follow_up"]
    kept = {of_group(row["event"], row.get("group")): row for row in followed}
    assert theirs.keys() == kept.keys()
    wrong = set()
    for event, row in theirs.items():
        ours = kept[event]
        right = check(ours, row) and same_flag(ours["used"], row.pop(".EVENT.USED.IN.CMA"))
        if ".OBS.START.DATE.UPDATED" in row:
            right &= same_date(estimated[ours["patient"]]["window_start"], row.pop(".OBS.START.DATE.UPDATED"))
        assert not check.left_over(row)
        if not right:
            wrong.add(ours["patient"])
    return wrong


def test_an_unknown_argument_is_no_result(folder: Path) -> None:
    case = next(cases(folder, ["CMA1"]))
    arguments = Arguments({**case.args, "carryover.sideways": True}, Input.read(case.input))
    assert isinstance(arguments.window(), Window)
    with pytest.raises(UnknownArgumentError, match=r"carryover\.sideways"):
        arguments.done()
