"""The page of definitions: episodes, sliding windows and several medications, by hand."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs/adherence-definitions.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(title: str, width: int) -> list[list[str]]:
    """Rows of a section's tables that have so many cells, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads = {at - 1 for at, line in enumerate(lines) if line.startswith("|---")}
    kept = [row for at, row in enumerate(cells) if at not in heads and at - 1 not in heads]
    return [row for row in kept if len(row) == width]


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    code = section("Treatment episodes").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    return names


@pytest.fixture(scope="module")
def found(names: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {name: table.to_pylist() for name, table in names["found"].items()}


@pytest.fixture(scope="module")
def events(names: dict[str, Any]) -> list[dict[str, Any]]:
    return list(names["events"].to_pylist())


def day(when: date) -> str:
    return str((when - date(2031, 1, 1)).days)


def test_episodes(found: dict[str, list[dict[str, Any]]]) -> None:
    ours = [
        [str(row["episode"]), day(row["start"]), day(row["end"]), str(int(row["gap_days"])), row["ended"]]
        for row in found["episodes"]
    ]
    assert ours == rows("Treatment episodes", 5)


def test_the_drawing(found: dict[str, list[dict[str, Any]]], events: list[dict[str, Any]]) -> None:
    drawn = {line[:8].strip(): line[8:] for line in section("Treatment episodes").splitlines()}
    bars = [" "] * 90
    for row in found["episodes"]:
        start, end = int(day(row["start"])) // 2, int(day(row["end"])) // 2
        bars[start:end] = str(row["episode"]) * (end - start)
    assert drawn["episode"] == "".join(bars)
    for name, event in zip("abcde", events, strict=True):
        assert drawn[name].lstrip(" -") == "#" * (int(event["days_supply"]) // 2)
        assert drawn[name].rstrip("-#") == " " * (int(day(event["date"])) // 2)


def test_cmas_per_episode(found: dict[str, list[dict[str, Any]]]) -> None:
    listed = rows("CMAs per episode", 3)
    assert [str(row["episode"]) for row in found["per_episode"]] == [row[0] for row in listed]
    assert all(by_hand(row["cma"], *cells[1:]) for row, cells in zip(found["per_episode"], listed, strict=True))


def test_cmas_of_sliding_windows(found: dict[str, list[dict[str, Any]]]) -> None:
    listed = rows("CMAs of sliding windows", 5)
    ours = [[str(row["window"]), day(row["window_start"]), day(row["window_end"])] for row in found["sliding"]]
    assert ours == [row[:3] for row in listed]
    assert all(by_hand(row["cma"], *cells[3:]) for row, cells in zip(found["sliding"], listed, strict=True))


def test_intervals_of_several_medications(found: dict[str, list[dict[str, Any]]]) -> None:
    ours: dict[str, list[str]] = {}
    for row in found["intervals"]:
        number = str(row["interval"])
        ours.setdefault(number, [number, day(row["start"]), day(row["end"])]).append(f"{row['value']:g}")
    for row in found["intervals"][::2]:
        ours[str(row["interval"])].append(f"{row['aggregate']:g}")
    assert list(ours.values()) == rows("Several medications together", 6)


def test_estimates_of_several_medications(found: dict[str, list[dict[str, Any]]]) -> None:
    first, last = rows("Several medications together", 3)
    assert by_hand(found["mean"][0]["cma"], *first[1:])
    assert by_hand(found["last"][0]["cma"], *last[1:])


def by_hand(ours: float, formula: str, value: str) -> bool:
    """Whether an estimate is the value of a formula of whole numbers, and that rounded to four places."""
    assert re.fullmatch(r"[0-9 +/()]+", formula)
    exact = float(eval(re.sub(r"(\d+)", r"Fraction(\1)", formula), {"Fraction": Fraction}))
    return ours == pytest.approx(exact, abs=1e-12) and f"{exact:.4f}" == value
