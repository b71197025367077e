"""CMAs per episode and per sliding window, and several medications together, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence import (
    Columns,
    EpisodeRule,
    Span,
    Window,
    cma,
    per_episode,
    polypharmacy,
    polypharmacy_intervals,
    sliding,
)
from chartseal.adherence.cma import CmaName
from chartseal.adherence.polypharmacy import Method
from chartseal.errors import AdherenceError

FIRST = date(2031, 1, 1)
BY_CLASS = Columns(group="class")


def supplies(*rows: tuple[int, float, str]) -> pa.Table:
    """Supplies of one patient: day after the first, days supply, class."""
    return pa.table(
        {
            "patient": ["p"] * len(rows),
            "date": [FIRST + timedelta(row[0]) for row in rows],
            "days_supply": pa.array([row[1] for row in rows], pa.float64()),
            "class": [row[2] for row in rows],
        }
    )


def windows(start: int, length: int, follow_up: int = 365) -> Window:
    return Window(Span(0), Span(follow_up), Span(start), Span(length))


def days(row: dict[str, Any], *names: str) -> tuple[int, ...]:
    return tuple((row[name] - FIRST).days for name in names)


TWO_EPISODES = supplies((0, 30, "A"), (40, 30, "A"), (200, 30, "A"), (230, 30, "A"))


def test_a_cma_of_each_episode() -> None:
    rows = per_episode(TWO_EPISODES, "CMA7", windows(0, 365), EpisodeRule(Span(60))).to_pylist()
    assert [(*days(row, "start", "end"), row["cma"]) for row in rows] == [
        (0, 70, pytest.approx(60 / 70)),
        (200, 260, 1.0),
    ]


def test_an_episode_is_cut_by_the_observation_window_and_keeps_its_number() -> None:
    rows = per_episode(TWO_EPISODES, "CMA7", windows(210, 20), EpisodeRule(Span(60))).to_pylist()
    assert [(row["episode"], *days(row, "start", "end"), row["days"], row["cma"]) for row in rows] == [
        (2, 210, 230, 60.0, 1.0)
    ]


def test_no_episode_in_the_window_is_a_reason() -> None:
    rows = per_episode(TWO_EPISODES, "CMA7", windows(100, 20), EpisodeRule(Span(60))).to_pylist()
    assert [(row["episode"], row["cma"], row["reason"]) for row in rows] == [(None, None, "no_episode_in_window")]


@pytest.mark.parametrize(("cma", "expected"), [("CMA7", 1.0), ("CMA8", 1.0), ("CMA9", 1.0)])
def test_an_episode_begins_without_supply_of_the_one_before(cma: CmaName, expected: float) -> None:
    events = supplies((0, 60, "A"), (30, 30, "B"))
    rows = per_episode(events, cma, windows(0, 365), EpisodeRule(Span(300))).to_pylist()
    assert [row["episode"] for row in rows] == [1, 2]
    assert rows[0]["cma"] == expected


def test_windows_slide_by_the_calendar() -> None:
    events = supplies((0, 365, "A"))
    rows = sliding(events, "CMA7", windows(0, 90), length=Span(1, "months"), step=Span(1, "months")).to_pylist()
    assert [days(row, "window_start", "window_end") for row in rows] == [(0, 31), (31, 59), (59, 90)]
    assert {row["cma"] for row in rows} == {1.0}


def test_a_sliding_start_may_be_a_day() -> None:
    events = supplies((0, 30, "A"))
    rows = sliding(events, "CMA7", windows(0, 60), start=FIRST + timedelta(15), length=Span(20), step=Span(10))
    assert [(*days(row, "window_start", "window_end"), row["cma"]) for row in rows.to_pylist()] == [
        (15, 35, 0.75),
        (25, 45, 0.25),
        (35, 55, 0.0),
    ]


@pytest.mark.parametrize(("count", "starts"), [(1, [0]), (2, [0, 70]), (4, [0, 23, 46, 70])])
def test_a_number_of_windows_is_spread_evenly(count: int, starts: list[int]) -> None:
    rows = sliding(supplies((0, 30, "A")), "CMA7", windows(0, 100), length=Span(30), step=count).to_pylist()
    assert [days(row, "window_start")[0] for row in rows] == starts


@pytest.mark.parametrize(("length", "start"), [(Span(61), Span(0)), (Span(10), FIRST - timedelta(1))])
def test_a_window_that_does_not_fit_is_a_reason(length: Span, start: Span | date) -> None:
    rows = sliding(supplies((0, 30, "A")), "CMA7", windows(0, 60), start=start, length=length).to_pylist()
    assert [(row["window"], row["reason"]) for row in rows] == [(None, "window_outside_observation")]


@pytest.mark.parametrize("wrong", [{"length": Span(0)}, {"step": Span(0)}, {"step": 0}, {"start": Span(-1)}])
def test_windows_that_go_nowhere_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AdherenceError) as caught:
        sliding(supplies((0, 30, "A")), "CMA7", windows(0, 60), **wrong)
    assert caught.value.code == "settings_invalid"


def test_an_odd_window_of_one_patient_is_a_row() -> None:
    """Supply from before outlasts the first window, a sole supply begins on the second's last day."""
    events = supplies((0, 200, "A"), (60, 10, "A"))
    rows = sliding(events, "CMA8", windows(0, 60, 60), start=Span(30), length=Span(30), step=Span(30)).to_pylist()
    assert [(row["cma"], row["reason"]) for row in rows] == [(None, "supplied_throughout")]
    rows = sliding(events, "CMA2", windows(0, 60, 60), start=Span(30), length=Span(30), step=Span(30)).to_pylist()
    assert [(row["cma"], row["reason"]) for row in rows] == [(None, "interval_empty")]


# A covers days 0 to 50 and 60 to 80, B covers 20 to 80.
TOGETHER = supplies((0, 50, "A"), (60, 20, "A"), (20, 60, "B"))


@pytest.mark.parametrize(("method", "expected"), [("mean", 65.0), ("min", 50.0), ("max", 80.0)])
def test_availability_is_aggregated_day_by_day(method: Method, expected: float) -> None:
    rows = polypharmacy(TOGETHER, "CMA7", windows(0, 100), method=method, columns=BY_CLASS).to_pylist()
    assert rows == [{"patient": "p", "cma": pytest.approx(expected / 100), "reason": None}]


@pytest.mark.parametrize(("method", "expected"), [("mean", 0.65), ("min", 0.6), ("max", 0.7)])
def test_cmas_are_aggregated_last(method: Method, expected: float) -> None:
    rows = polypharmacy(
        TOGETHER, "CMA7", windows(0, 100), aggregate_first=False, method=method, columns=BY_CLASS
    ).to_pylist()
    assert rows == [{"patient": "p", "cma": pytest.approx(expected), "reason": None}]


def test_time_is_cut_where_any_supply_begins_or_runs_out() -> None:
    rows = polypharmacy_intervals(TOGETHER, "CMA7", windows(0, 100), columns=BY_CLASS).to_pylist()
    found: dict[tuple[int, ...], dict[str, float]] = {}
    for row in rows:
        found.setdefault(days(row, "start", "end"), {})[row["group"]] = row["value"]
    assert found == {
        (0, 20): {"A": 1.0, "B": 0.0},
        (20, 50): {"A": 1.0, "B": 1.0},
        (50, 60): {"A": 0.0, "B": 1.0},
        (60, 80): {"A": 1.0, "B": 1.0},
    }
    assert [row["aggregate"] for row in rows[::2]] == [0.5, 1.0, 0.5, 1.0]


def test_windows_may_count_from_each_groups_first_supply() -> None:
    events = supplies((0, 50, "A"), (100, 50, "B"))
    shared, own = (
        polypharmacy(events, "CMA7", replace(windows(0, 50), per_group=own), method="max", columns=BY_CLASS).to_pylist()
        for own in (False, True)
    )
    assert [shared[0]["cma"], own[0]["cma"]] == [1.0, pytest.approx(100 / 150)]


def test_a_group_of_unknown_supply_leaves_the_patient_without() -> None:
    events = pa.concat_tables([TOGETHER, supplies((30, 0, "C"))])
    rows = polypharmacy(events, "CMA7", windows(0, 100), columns=BY_CLASS).to_pylist()
    assert rows == [{"patient": "p", "cma": None, "reason": "days_supply_invalid"}]


@pytest.mark.parametrize(("skip_unknown", "expected"), [(True, (1.0, None)), (False, (None, "no_estimate"))])
def test_what_is_unknown_is_skipped_or_not(skip_unknown: bool, expected: tuple[float | None, str | None]) -> None:
    """CMA5 needs two supplies, and B has one."""
    events = supplies((0, 50, "A"), (50, 50, "A"), (20, 60, "B"))
    (row,) = polypharmacy(
        events, "CMA5", windows(0, 100), aggregate_first=False, skip_unknown=skip_unknown, columns=BY_CLASS
    ).to_pylist()
    assert (row["cma"], row["reason"]) == expected


def test_no_supply_in_the_window_is_a_reason() -> None:
    rows = polypharmacy(TOGETHER, "CMA7", windows(200, 100), columns=BY_CLASS).to_pylist()
    assert rows == [{"patient": "p", "cma": None, "reason": "no_supply_in_window"}]


def test_medications_are_groups() -> None:
    with pytest.raises(AdherenceError) as caught:
        polypharmacy(TOGETHER, "CMA7", windows(0, 100))
    assert (caught.value.code, caught.value.path) == ("column_missing", "group")


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 90 / 100), (0.6, 20 / 100)])
def test_days_on_which_enough_is_at_hand_are_counted_whole(threshold: float, expected: float) -> None:
    """One of two is at hand on days 0 to 90, both on days 30 to 50."""
    events = supplies((0, 50, "A"), (30, 60, "B"))
    rows = polypharmacy(events, "CMA7", windows(0, 100), threshold=threshold, columns=BY_CLASS).to_pylist()
    assert rows[0]["cma"] == pytest.approx(expected)


def test_a_threshold_is_of_intervals() -> None:
    for options in ({"aggregate_first": False, "threshold": 0.5}, {"threshold": 1.1}):
        with pytest.raises(AdherenceError, match="from 0 to 1"):
            polypharmacy(TOGETHER, "CMA7", windows(0, 100), columns=BY_CLASS, **options)  # type: ignore[arg-type]  # both kinds


@pytest.mark.parametrize(("groups", "expected"), [("AB", 0.4), ("ABC", 0.5), ("ABCD", 0.6)])
def test_the_median_of_groups(groups: str, expected: float) -> None:
    days_supply = {"A": 30, "B": 50, "C": 70, "D": 90}
    events = supplies(*((0, days_supply[name], name) for name in groups))
    rows = polypharmacy(
        events, "CMA7", windows(0, 100), aggregate_first=False, method="median", columns=BY_CLASS
    ).to_pylist()
    assert rows[0]["cma"] == pytest.approx(expected)


def test_follow_up_of_a_group_may_count_from_its_own_first_supply() -> None:
    events = supplies((0, 50, "A"), (100, 25, "B"))
    window = windows(0, 50)
    shared, own = (cma(events, "CMA7", each, columns=BY_CLASS) for each in (window, replace(window, per_group=True)))
    assert shared["cma"].to_pylist() == [1.0, None]
    assert own["cma"].to_pylist() == [1.0, 0.5]
    assert own["window_start"].to_pylist() == [FIRST, FIRST + timedelta(100)]
