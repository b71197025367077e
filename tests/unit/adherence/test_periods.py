"""Periods out of tables of their own, beside events whatever those call their columns."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence import Columns, quality, with_periods
from chartseal.errors import AdherenceError

EVENTS = pa.table(
    {
        "ID": [7, 7],
        "WHEN": [date(2031, 1, 1), date(2031, 4, 1)],
        "days_supply": [90, 275],
        "class": ["statin", "statin"],
    }
)
NAMES = Columns(patient="ID", date="WHEN")


def periods(**columns: Any) -> pa.Table:
    return pa.table({"patient": ["7"], **columns})


BORN = periods(date=["1950-01-01"])


def why(**beside: pa.Table) -> str:
    events = with_periods(EVENTS, {"born": BORN, **beside}, NAMES)
    (row,) = quality(events, "PDC-STA", 2031, columns=NAMES).to_pylist()
    assert row["patient"] == "7"
    return str(row["why"])


def test_periods_are_of_the_kind_that_their_table_is_named() -> None:
    assert why() == "adherent"
    assert why(excluded=periods(date=["2031-05-01"], **{"class": ["esrd"]})) == "excluded"
    assert why(enrolled=periods(date=["2031-01-01"], end=["2031-02-01"])) == "too_few_fill_dates"


@pytest.mark.parametrize(
    ("kind", "columns", "code"),
    [
        ("enrolled", {"date": ["2031-02-30"]}, "column_type"),
        ("enrolled", {"date": ["2031-02-01"], "end": ["2031-02-01"]}, "period_invalid"),
        ("enrolled", {"date": pa.array([None], pa.string())}, "period_invalid"),
        ("excluded", {"date": ["2031-02-01"]}, "column_missing"),
        ("enrolled", {"end": ["2031-02-01"]}, "column_missing"),
    ],
)
def test_periods_that_would_be_lost_are_refused(kind: str, columns: dict[str, Any], code: str) -> None:
    with pytest.raises(AdherenceError) as caught:
        with_periods(EVENTS, {kind: periods(**columns)}, NAMES)
    assert caught.value.code == code
