"""MPR by hand, and what reading a table refuses."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from chartseal.adherence import Columns, Span, Window, mpr
from chartseal.adherence.kernel import measure
from chartseal.errors import AdherenceError

EVENTS = pa.table(
    {
        "patient": ["b", "a", "b", "a"],
        "date": [date(2031, 1, 1), date(2031, 1, 1), date(2031, 2, 15), date(2031, 1, 20)],
        "days_supply": [30, 30, 30, None],
    }
)


def test_days_supplied_by_days_of_the_window() -> None:
    found = mpr(EVENTS, Window(observation_length=Span(90))).to_pylist()
    assert found == [
        {"patient": "a", "mpr": None, "reason": "days_supply_unknown"},
        {"patient": "b", "mpr": 60 / 90, "reason": None},
    ]


def test_a_supply_on_the_windows_end_is_not_in_it() -> None:
    windows = (Window(observation_length=Span(45)), Window(observation_length=Span(46)))
    assert [mpr(EVENTS, window).to_pylist()[1]["mpr"] for window in windows] == [30 / 45, 60 / 46]


def test_other_names_of_columns() -> None:
    renamed = EVENTS.rename_columns(["ID", "WHEN", "DAYS"])
    columns = Columns(patient="ID", date="WHEN", days_supply="DAYS")
    assert mpr(renamed, columns=columns).to_pylist() == mpr(EVENTS).to_pylist()


def test_no_events_are_no_rows() -> None:
    assert mpr(EVENTS.slice(0, 0)).column_names == ["patient", "mpr", "reason"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(AdherenceError, match="WHEN") as caught:
        mpr(EVENTS, columns=Columns(date="WHEN"))
    assert caught.value.code == "column_missing"


def test_settings_are_strict() -> None:
    with pytest.raises(AdherenceError) as caught:
        measure("mpr", EVENTS.to_batches()[0], {"window": {}, "windows": {}})
    assert caught.value.code == "settings_invalid"
