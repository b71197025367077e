"""`chartseal adherence quality`: tables beside tables, FHIR, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chartseal.cli import cli

FILES = {
    "events.csv": """ID,date,days_supply,class,ingredient
007,2031-01-01,90,statin,atorvastatin
007,2031-04-01,275,statin,atorvastatin
8,2031-01-01,90,C10AA05,atorvastatin
8,2031-04-01,30,C10AA05,atorvastatin
9,2031-01-01,90,statin,atorvastatin
9,2031-04-01,,statin,atorvastatin
10,2031-01-01,90,statin,atorvastatin
10,2031-04-01,90,statin,atorvastatin
""",
    "births.csv": "patient,date\n007,1950-01-01\n8,1950-01-01\n9,1950-01-01\n10,1950-01-01\n",
    "exclusions.csv": "patient,date,end,class\n10,2031-06-01,,pregnancy\n",
    "enrolment.csv": "patient,date,end\n8,2031-01-01,2031-06-01\n9,2031-01-01,\n10,2031-01-01,\n",
    "stays.csv": "patient,date,end\n8,2031-03-01,2031-03-11\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(*arguments: str) -> Result:
    given = ("events.csv", "--columns", "patient=ID", "--measure", "PDC-STA", "--year", "2031")
    return CliRunner().invoke(cli, ["adherence", "quality", *given, "--births", "births.csv", *arguments])


def told(*arguments: str) -> Any:
    result = ran(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def rows(*arguments: str) -> dict[str, Any]:
    return {row["patient"]: row for row in told(*arguments)["rows"]}


def test_the_rate_and_each_patients_answer(folder: Path) -> None:
    found = told()
    assert (found["rate"], found["denominator"], found["numerator"], found["unknown"]) == (1 / 3, 3, 1, 1)
    assert {row["patient"]: row["why"] for row in found["rows"]} == {
        "007": "adherent",
        "8": "too_few_days_covered",
        "9": "days_supply_unknown",
        "10": "too_few_days_covered",
    }


def test_tables_of_periods(folder: Path) -> None:
    assert rows("--exclusions", "exclusions.csv")["10"]["why"] == "too_few_days_covered"
    assert rows("--exclusions", "exclusions.csv", "--exclude", "pregnancy")["10"]["why"] == "excluded"
    enrolled = rows("--enrolment", "enrolment.csv")
    assert (enrolled["007"]["why"], enrolled["8"]["treatment_days"]) == ("not_enrolled", 151)
    shifted = rows("--stays", "stays.csv", "--shift-inpatient")["8"]
    assert (shifted["stay_days"], shifted["covered_days"]) == (10, 120)
    assert rows("--stays", "stays.csv")["8"]["stay_days"] == 0


def test_names_in_other_letters_are_the_same_names(folder: Path) -> None:
    (folder / "events.csv").write_text(FILES["events.csv"].replace(",statin,", ",Statin ,"))
    assert told()["denominator"] == 3
    (folder / "exclusions.csv").write_text("patient,date,class\n10,2031-06-01,Hospice\n")
    assert rows("--exclusions", "exclusions.csv")["10"]["exclusion"] == "hospice"


def test_periods_of_nobody_who_has_fills_are_told(folder: Path) -> None:
    (folder / "exclusions.csv").write_text("patient,date,class\nPatient/10,2031-06-01,hospice\n")
    result = ran("--exclusions", "exclusions.csv", "--json")
    assert "no patient of a period excluded has a fill" in result.stderr
    assert json.loads(result.stdout)["denominator"] == 3
    assert not ran("--json").stderr


def test_for_people(folder: Path) -> None:
    text = ran().output
    assert "PDC-STA: 1 of 3 patients, 33.3%" in text
    assert "1 more cannot be told" in text


def test_a_row_a_patient_in_a_file(folder: Path) -> None:
    assert ran("-o", "out.csv").exit_code == 0
    with (folder / "out.csv").open(newline="") as stream:
        assert {row["patient"]: row["numerator"] for row in csv.DictReader(stream)}["007"] == "true"
    assert ran("-o", "out.txt").exit_code == 2


def test_fhir_tells_births_itself(tmp_path: Path) -> None:
    made, classes = tmp_path / "made.ndjson", tmp_path / "classes.csv"
    generate = ["adherence", "generate", "--seed", "1", "--patients", "9", "--start", "2031-01-01", "-o", str(made)]
    assert CliRunner().invoke(cli, generate).exit_code == 0
    classes.write_text(
        "system,code,class,ingredient\nrxnorm,617310,statins,atorvastatin\nrxnorm,617311,statins,atorvastatin\n"
        "rxnorm,312961,statins,simvastatin\nrxnorm,198211,statins,simvastatin\n"
    )
    given = [str(made), "--classes", str(classes), "--measure", "PDC-STA", "--year", "2031", "--json"]
    found = json.loads(CliRunner().invoke(cli, ["adherence", "quality", *given]).output)
    assert len(found["rows"]) == 9
    assert "birth_unknown" not in found["why"]
    assert found["denominator"] > 0
    assert sum(found["daysFound"].values()) + sum(found["daysUnknown"].values()) == found["kinds"]["supply"]
    told = CliRunner().invoke(cli, ["adherence", "quality", *given[:-1]]).output
    assert "days of supply found by: " in told
    assert "not counted: " in told


def test_what_is_refused(folder: Path) -> None:
    (folder / "exclusions.csv").write_text("patient,date,end,class\n10,,,esrd\n")
    refused = ran("--exclusions", "exclusions.csv")
    assert (refused.exit_code, getattr(refused.exception, "code", "")) == (1, "period_invalid")
    unknown = ran("--measure", "PDC-XYZ")
    assert getattr(unknown.exception, "code", "") == "measure_unknown"


def test_fills_of_other_classes_alone_are_told(folder: Path) -> None:
    assert "class of this measure" not in ran().output
    text = " ".join(ran("--measure", "PDC-RASA").output.split())
    assert "no fill in 2031 is of a class of this measure" in text
    assert "angiotensin receptor blocker" in text


def test_the_year_to_date(folder: Path) -> None:
    whole, to_date = rows()["8"], rows("--as-of", "2031-04-30")["8"]
    assert (whole["treatment_days"], whole["covered_days"], whole["numerator"]) == (365, 120, False)
    assert (to_date["treatment_days"], to_date["covered_days"], to_date["numerator"]) == (120, 120, True)
    assert rows("--as-of", "2031-03-31")["8"]["why"] == "too_few_fill_dates"
    assert rows("--as-of", "2032-06-30") == rows()
    assert rows("--exclusions", "exclusions.csv", "--exclude", "pregnancy", "--as-of", "2031-05-31")["10"]["numerator"]
    assert getattr(ran("--as-of", "2030-12-31").exception, "code", "") == "as_of_invalid"


def test_one_patient_alone(folder: Path) -> None:
    assert list(rows("--patient", "8")) == ["8"]
    assert getattr(ran("--patient", "8' OR '1'='1").exception, "code", "") == "patient_unknown"
    assert ran("--groups", "groups.toml").exit_code == 2
