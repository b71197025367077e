"""The page of differences names tests that exist; and those of its rows that no other module tests."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from chartseal.adherence import Columns, Span, Window, pdc, polypharmacy

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/adherence-differences.md").read_text(encoding="utf-8")
FIRST = date(2031, 1, 1)


def supplies(*rows: tuple[int, float]) -> pa.Table:
    """Supplies of one ingredient: day after the first, days supply."""
    return pa.table(
        {
            "patient": ["p"] * len(rows),
            "date": [FIRST + timedelta(row[0]) for row in rows],
            "days_supply": pa.array([row[1] for row in rows], pa.float64()),
            "ingredient": ["statin"] * len(rows),
        }
    )


def test_each_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and "---" not in line and "| Test |" not in line]
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert rows
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= written, row


def test_overlaps_cascade() -> None:
    """Three supplies of 30 days, ten days apart, last 90 days; shifted once, they would last 70."""
    window = Window.between(FIRST, FIRST + timedelta(99))
    (row,) = pdc(supplies((0, 30), (10, 30), (20, 30)), window).to_pylist()
    assert (row["covered_days"], row["supply_end"]) == (90, FIRST + timedelta(90))


@pytest.mark.parametrize(("days", "adherent"), [(159, False), (160, True)])
def test_the_threshold_is_exact(days: int, adherent: bool) -> None:
    """159 of 200 days are 0.795, which rounds to 0.80."""
    (row,) = pdc(supplies((0, days)), Window.between(FIRST, FIRST + timedelta(199))).to_pylist()
    assert (row["pdc"], row["adherent"]) == (days / 200, adherent)


def test_polypharmacy_last_counts_what_ran_out_before() -> None:
    """30 days of supply for 100 days; the window begins on day 50, with the last supply of 50 days at its middle."""
    events, window = supplies((0, 30), (100, 50)), Window(Span(0), Span(150), Span(50), Span(100))
    columns = Columns(group="ingredient")
    first, last = (
        polypharmacy(events, "CMA9", window, aggregate_first=first, columns=columns)["cma"][0].as_py()
        for first in (True, False)
    )
    assert (first, last) == (pytest.approx(50 / 100), pytest.approx((50 * 0.3 + 50) / 100))
