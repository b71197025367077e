"""The page of definitions: its code runs, and gives the numbers that it draws and lists."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs/adherence-definitions.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> dict[str, list[str]]:
    """Rows of Markdown tables by their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells}


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    code = section("Event intervals and gap days").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def test_intervals_and_gaps(example: dict[str, Any]) -> None:
    listed = rows(section("Event intervals and gap days"))
    for supply in example["supplies"]:
        found = [supply["interval_days"], supply["gap_days"], supply["carried_over"]]
        assert found == [int(cell) for cell in listed[supply["event"]]]


def test_the_drawing(example: dict[str, Any]) -> None:
    drawn = {line[:8].strip(): line[8:] for line in section("Event intervals and gap days").splitlines()}
    for supply in example["supplies"]:
        begins = (supply["date"] - example["first"]).days
        waits, used = begins // 2, int(begins + supply["carried_over"]) // 2
        assert drawn[supply["event"]] == " " * waits + "-" * (used - waits) + "#" * (int(supply["days_supply"]) // 2)
        if supply["gap_days"]:
            gap_ends = (begins + supply["interval_days"]) // 2
            assert drawn["gap"] == ("." * (int(supply["gap_days"]) // 2)).rjust(gap_ends)


@pytest.mark.parametrize("number", range(1, 10))
def test_estimates(example: dict[str, Any], number: int) -> None:
    by_hand, value = rows(section("CMA 0 to 9"))[f"CMA{number}"]
    estimate = example["estimates"][f"CMA{number}"]
    assert estimate == pytest.approx(float(fraction(by_hand)), abs=1e-12)
    assert estimate == pytest.approx(float(value), abs=0.00005)


def fraction(text: str) -> Fraction:
    """The value of a formula of whole numbers, +, -, /, · and brackets."""
    assert re.fullmatch(r"[0-9 +\-/·()]+", text)
    exact = re.sub(r"(\d+)", r"Fraction(\1)", text).replace("·", "*")
    return Fraction(eval(exact, {"Fraction": Fraction}))
