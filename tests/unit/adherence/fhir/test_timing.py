"""How often a day: every code and every shape of repeat, each beside a neighbour that says nothing sound."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from chartseal.adherence.fhir.estimates import NotEstimatedError
from chartseal.adherence.fhir.timing import GTS, times_a_day


def coded(*codes: str, system: str = GTS) -> dict[str, Any]:
    return {"code": {"coding": [{"system": system, "code": code} for code in codes]}}


def reason(timing: dict[str, Any]) -> str:
    with pytest.raises(NotEstimatedError) as refused:
        times_a_day(timing)
    return refused.value.reason


@pytest.mark.parametrize(
    ("code", "times"),
    [
        *(("QD", 1), ("AM", 1), ("PM", 1), ("BED", 1), ("BID", 2), ("TID", 3), ("QID", 4), ("QOD", Fraction(1, 2))),
        *(("Q1H", 24), ("Q2H", 12), ("Q3H", 8), ("Q4H", 6), ("Q6H", 4), ("Q8H", 3), ("WK", Fraction(1, 7))),
    ],
)
def test_each_code_of_r4_is_so_many_times_a_day(code: str, times: Fraction) -> None:
    assert times_a_day(coded(code)) == times


def test_codes_that_say_nothing_exact() -> None:
    assert reason(coded("MO")) == "timing_unknown"
    assert reason(coded("STAT")) == "timing_unknown"
    assert reason(coded("BID", system="urn:example")) == "timing_missing"
    assert reason(coded("BID", "TID")) == "timing_contradicts"


@pytest.mark.parametrize(
    ("repeat", "times"),
    [
        ({"frequency": 1, "period": 1, "periodUnit": "d"}, 1),
        ({"frequency": 2, "period": 1, "periodUnit": "d"}, 2),
        ({"period": 1, "periodUnit": "d"}, 1),  # R4: once a period where no frequency is stated
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, 3),
        ({"frequency": 1, "period": Decimal("0.5"), "periodUnit": "d"}, 2),
        ({"frequency": 1, "period": 30, "periodUnit": "min"}, 48),
        ({"frequency": 1, "period": 3, "periodUnit": "wk"}, Fraction(1, 21)),
        ({"frequency": 3, "period": 1, "periodUnit": "wk"}, Fraction(3, 7)),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "count": 10, "duration": 20, "durationUnit": "min"}, 1),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "wed", "fri"]}, Fraction(3, 7)),
        ({"frequency": 3, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed", "fri"]}, Fraction(3, 7)),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["sun"]}, Fraction(1, 7)),
        ({"dayOfWeek": ["sat", "sun"]}, Fraction(2, 7)),
        ({"when": ["MORN"]}, 1),
        ({"when": ["MORN", "HS"]}, 2),
        ({"when": ["AC"]}, 3),
        ({"when": ["CM", "CV"], "dayOfWeek": ["mon"]}, Fraction(2, 7)),
        ({"timeOfDay": ["09:00:00"]}, 1),
        ({"timeOfDay": ["09:00:00", "21:00:00"], "frequency": 2, "period": 1, "periodUnit": "d"}, 2),
        ({"timeOfDay": ["09:00:00", "21:00:00"], "period": 1, "periodUnit": "d"}, 2),
        ({"when": ["MORN"], "frequency": 1, "period": 2, "periodUnit": "d"}, Fraction(1, 2)),
        ({"when": ["MORN"], "frequency": 3, "period": 1, "periodUnit": "wk"}, Fraction(3, 7)),
        ({"when": ["C"], "frequency": 3, "period": 1, "periodUnit": "d"}, 3),
    ],
)
def test_repeat(repeat: dict[str, Any], times: Fraction) -> None:
    assert times_a_day({"repeat": repeat}) == times


@pytest.mark.parametrize(
    ("repeat", "why"),
    [
        ({}, "timing_missing"),
        ({"frequency": 2}, "timing_missing"),  # in what time?
        ({"duration": Decimal("33.33"), "durationUnit": "h"}, "timing_missing"),
        ({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}, "timing_range"),
        ({"frequency": 1, "period": 4, "periodMax": 6, "periodUnit": "h"}, "timing_range"),
        ({"frequency": 1, "period": 1, "periodUnit": "mo"}, "timing_period"),
        ({"frequency": 1, "period": 1, "periodUnit": "a"}, "timing_period"),
        ({"frequency": 1, "period": 0, "periodUnit": "d"}, "timing_period"),
        ({"frequency": 1, "period": 1}, "timing_period"),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed"]}, "timing_contradicts"),
        ({"frequency": 1, "period": 2, "periodUnit": "d", "dayOfWeek": ["mon"]}, "timing_contradicts"),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "when": ["CM", "CV"]}, "timing_contradicts"),
        ({"frequency": 1, "period": 6, "periodUnit": "h", "when": ["MORN"]}, "timing_contradicts"),
        ({"frequency": 8, "period": 1, "periodUnit": "wk", "when": ["MORN"]}, "timing_contradicts"),
        ({"when": ["CM"], "timeOfDay": ["09:00:00"]}, "timing_contradicts"),
        ({"when": ["SOON"]}, "timing_unknown"),
        ({"dayOfWeek": ["someday"]}, "timing_unknown"),
    ],
)
def test_repeat_that_says_nothing_exact(repeat: dict[str, Any], why: str) -> None:
    assert reason({"repeat": repeat}) == why


def test_code_and_repeat_must_agree() -> None:
    twice = {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}
    assert times_a_day({**twice, **coded("BID")}) == 2
    assert reason({**twice, **coded("TID")}) == "timing_contradicts"
    assert reason({**twice, "event": ["2031-04-05"]}) == "timing_event"


@pytest.mark.parametrize(
    "bounds",
    [
        {"boundsDuration": {"value": 10, "system": "http://unitsofmeasure.org", "code": "d"}},
        {"boundsPeriod": {"start": "2031-01-16", "end": "2031-01-20"}},
        {"boundsRange": {"high": {"value": 10}}},
    ],
)
def test_bounds_change_nothing(bounds: dict[str, Any]) -> None:
    assert times_a_day({"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", **bounds}}) == 1
