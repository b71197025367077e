"""What docs/adherence-quality.md and its definitions say: the code runs, and drawings are what is computed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from chartseal.adherence import QualityMeasure, Window, covered, quality

DOCS = Path(__file__).resolve().parents[3] / "docs"
FIRST = date(2031, 1, 1)


@pytest.mark.parametrize("name", ["adherence-quality.md", "adherence-definitions.md"])
def test_code_runs(name: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    assert blocks
    shared: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, name, "exec"), shared)


def drawn(spans: Iterable[dict[str, Any]], length: int) -> str:
    signs = {"covered": "#", "gap": ".", "stay": "o"}
    line = ["."] * length
    for span in spans:
        for day in range((span["start"] - FIRST).days, (span["end"] - FIRST).days):
            line[day] = signs[span["kind"]]
    return "".join(line)


def test_the_drawing_of_pdc() -> None:
    page = (DOCS / "adherence-definitions.md").read_text()
    fills = [(0, 14, "lisinopril"), (10, 14, "lisinopril"), (21, 7, "losartan"), (34, 14, "losartan")]
    window = Window.between(FIRST, FIRST + timedelta(39))

    def bar(*ingredients: str) -> str:
        chosen = [fill for fill in fills if fill[2] in ingredients]
        events = pa.table(
            {
                "patient": ["p"] * len(chosen),
                "date": [FIRST + timedelta(day) for day, _, _ in chosen],
                "days_supply": [days for _, days, _ in chosen],
                "ingredient": [ingredient for _, _, ingredient in chosen],
            }
        )
        return drawn(covered(events, window).to_pylist(), 40)

    assert f"\nlisinopril  {bar('lisinopril')}\n" in page
    assert f"\nlosartan    {bar('losartan')}\n" in page
    assert f"\ncovered     {bar('lisinopril', 'losartan')}\n" in page
    marks = "".join("v" if day in {fill[0] for fill in fills} else "." for day in range(40))
    assert f"\nfills       {marks}\n" in page


def test_the_drawing_of_a_stay() -> None:
    page = (DOCS / "adherence-quality.md").read_text()
    events = pa.table(
        {
            "patient": ["p"] * 4,
            "kind": [None, None, "stay", "died"],
            "date": [FIRST + timedelta(day - 1) for day in (1, 12, 5, 15)],
            "end": pa.array([None, None, FIRST + timedelta(6), None], pa.date32()),
            "days_supply": [8, 4, None, None],
            "class": ["statin", "statin", None, None],
        }
    )
    plain = drawn((row for row in covered(events, _FIFTEEN).to_pylist() if row["kind"] != "stay"), 15)
    fifteen = QualityMeasure("short", "Fifteen days", ("statin",), minimum_age=0, minimum_days=0)
    rows = [quality(events, fifteen, 2031, shift_stays=shifts).to_pylist()[0] for shifts in (False, True)]
    told = [f"{row['covered_days']} of {row['treatment_days'] - row['stay_days']} days" for row in rows]
    assert f"\nsupplies        {plain}    {told[0]}\n" in page
    (shifted,) = re.findall(rf"\nwith the stay   ([#.o]{{15}})    {told[1]}\n", page)
    assert (shifted.count("#"), shifted.count("o")) == (rows[1]["covered_days"], rows[1]["stay_days"])


_FIFTEEN = Window.between(FIRST, FIRST + timedelta(14))
