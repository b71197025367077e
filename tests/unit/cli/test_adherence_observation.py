"""`chartseal adherence observation`, `check`, `generate`: what they print, and the days that they take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from chartseal.cli import cli

FOLDER = Path(__file__).resolve().parents[3] / "examples/adherence"
CHART, CLASSES = FOLDER / "made-up-12-1.json", str(FOLDER / "classes.csv")
WINDOW = ("--from", "2025-01-15", "--to", "2025-07-13")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["adherence", *arguments])


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def observed(output: Path) -> Any:
    asked = ("--classes", CLASSES, "--class", "statins", "--code", "atc|C10AA", *WINDOW)
    return told("observation", str(CHART), *asked, "-o", str(output))


def shown(folder: Path) -> Path:
    """The report beside the dispensings, as a Bundle of plain resources."""
    observed(folder / "report.json")
    report = json.loads((folder / "report.json").read_text())
    entries = [
        {"fullUrl": f"https://fhir.example.org/Observation/{report['id']}", "resource": report},
        *(each for each in json.loads(CHART.read_text())["entry"] if "Dispense" in each["resource"]["resourceType"]),
    ]
    facts = folder / "facts.json"
    facts.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return facts


def test_what_is_sealed_is_told(tmp_path: Path) -> None:
    found = observed(tmp_path / "report.json")
    assert (found["coveredDays"], found["periodDays"], found["dispensings"]) == (154, 180, 6)
    assert set(found) == {"coveredDays", "periodDays", "pdc", "dispensings", "file"}


def test_what_is_recomputed_is_told(tmp_path: Path) -> None:
    [found] = told("check", str(shown(tmp_path)), "--classes", CLASSES, "--class", "statins")["reports"]
    assert (found["coveredDays"], found["periodDays"], found["start"]) == (154, 180, "2025-01-15")
    assert (found["sealedBy"], found["notChecked"]) == (None, [])


def test_the_first_day_of_histories_is_one_that_an_event_may_have(tmp_path: Path) -> None:
    generate = ("generate", "--seed", "1", "-o", str(tmp_path / "made"), "--start")
    assert told(*generate, "2031-02-28")["patients"] == 1
    refused = run(*generate, "1899-12-31")
    assert refused.exit_code == 2
    assert "expected a date from 1900-01-01" in refused.output
