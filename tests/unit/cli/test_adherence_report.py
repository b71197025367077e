"""`chartseal adherence`: the report, its account of what is not known, its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from chartseal.cli import cli
from chartseal.errors import AdherenceError
from tests.supplies import METFORMIN, claim, dispense, request

CLASSES = "system,code,class,ingredient\nrxnorm,860975,diabetes,metformin\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["adherence", *map(str, arguments)])


def told(*arguments: str | Path) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """Fills on days 1, 41 and 81, 30 days each, of one patient; one of another of unknown days; an order."""
    days = ("2031-01-01", "2031-02-10", "2031-03-22")
    fills = [dispense(id=f"d{day}", whenHandedOver=day) for day in days]
    unknown = dispense(id="u", subject={"reference": "Patient/p2"}, whenHandedOver="2031-01-05", daysSupply=None)
    path = tmp_path / "chart.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in [*fills, unknown, request(authoredOn="2031-01-01")]))
    (tmp_path / "classes.csv").write_text(CLASSES)
    return path


def test_pdc_of_a_chart(chart: Path) -> None:
    found = told(chart, "--from", "2031-01-01", "--to", "2031-04-20", "--classes", chart.parent / "classes.csv")
    first, second = found["rows"]
    # 1 January to 20 April is 110 days; the fills cover 30 each from days 1, 41, 81.
    assert (first["group"], first["covered_days"], first["period_days"]) == ("diabetes", 90, 110)
    assert (first["pdc"], first["adherent"], first["gap_days_left"]) == (90 / 110, True, 2)
    assert (first["supplies"], first["days_found"]) == (3, "days_supply:3")
    assert (second["pdc"], second["reason"], second["days_unknown"]) == (
        None,
        "days_supply_unknown",
        "dosage_missing:1",
    )
    assert found["window"] == {"start": "2031-01-01", "end": "2031-04-21"}
    assert (found["daysFound"], found["daysUnknown"]) == ({"days_supply": 3}, {"dosage_missing": 1})
    assert found["kinds"] == {"prescribed": 1, "supply": 4}


def test_a_table_for_people(chart: Path) -> None:
    shown = run(chart, "--from", "2031-01-01", "--to", "2031-04-20").output
    assert "90 of 110" in shown
    assert "0.818" in shown
    assert "days supply unknown (1 dosage missing)" in shown
    assert "PDC, 2031-01-01 to 2031-04-20" in shown  # as --from and --to say it
    assert "read: 4 supplies, 1 prescription" in shown
    assert "with a number: 1, without: 1; at 0.80 or more: 1" in shown
    assert "days of supply not known: 1 dosage missing" in shown


def test_the_days_are_those_known_where_none_are_given(chart: Path) -> None:
    assert told(chart)["window"] == {"start": "2031-01-01", "end": "2031-03-23"}
    assert told(chart, "--from", "2031-01-11", "--days", "20")["window"] == {"start": "2031-01-11", "end": "2031-01-31"}
    assert told(chart, "--days", "90")["rows"][0]["period_days"] == 90
    later = told(chart, "--from", "2030-12-02", "--to", "2031-01-31")["rows"][0]
    whole = told(chart, "--from", "2030-12-02", "--to", "2031-01-31", "--period", "window")["rows"][0]
    assert (later["period_days"], whole["period_days"]) == (31, 61)


def test_other_measures(chart: Path) -> None:
    days = ("--from", "2031-01-01", "--to", "2031-04-20")
    assert told(chart, *days, "--measure", "mpr")["rows"][0]["mpr"] == 90 / 110
    assert told(chart, *days, "--by", "patient")["rows"][0].get("group") is None
    assert told(chart, *days, "--patient", "p1")["rows"][0]["patient"] == "Patient/p1"
    assert len(told(chart, *days, "--patient", "Patient/p2")["rows"]) == 1
    assert isinstance(run(chart, *days, "--patient", "1").exception, AdherenceError)


@pytest.mark.parametrize("number", range(1, 10))
def test_every_cma(chart: Path, number: int) -> None:
    days = ("--from", "2031-01-01", "--to", "2031-04-20", "--patient", "p1")
    (row,) = told(chart, *days, "--measure", f"cma{number}")["rows"]
    # Two of three fills are over before the last, on day 81; gaps of 10 days follow each, and the window ends with one.
    expected = {1: 60 / 80, 2: 90 / 110, 3: 60 / 80, 4: 90 / 110, 5: 60 / 80, 6: 90 / 110, 7: 90 / 110, 8: 90 / 110}
    expected[9] = (0.75 * 80 + 1.0 * 30) / 110
    assert row["cma"] == pytest.approx(expected[number], abs=1e-12)
    shown = run(chart, *days, "--measure", f"cma{number}").output
    assert f"{expected[number]:.3f}" in shown


@pytest.mark.parametrize("days", [("--from", "2031-01-01", "--to", "2031-04-20"), ("--days", "110")])
def test_nobody_takes_anything_after_death(chart: Path, days: tuple[str, ...]) -> None:
    died = {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "2031-02-15"}
    chart.write_text(chart.read_text() + json.dumps(died) + "\n")
    pdc, unknown = told(chart, *days)["rows"]
    assert (pdc["covered_days"], pdc["period_days"], unknown["reason"]) == (36, 46, "days_supply_unknown")
    assert told(chart, *days, "--measure", "cma7")["rows"][0]["cma"] == pytest.approx(36 / 46, abs=1e-12)
    chart.write_text(chart.read_text().replace("2031-02-15", "2030-02-15"))
    assert told(chart, *days)["rows"][0]["reason"] == "window_empty"


def test_the_day_of_death_counts_as_in_a_quality_measure(tmp_path: Path) -> None:
    path = tmp_path / "chart.ndjson"
    fills = [dispense(id=day, whenHandedOver=day) for day in ("2031-01-01", "2031-02-10")]
    person = {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-01", "deceasedDateTime": "2031-05-15"}
    path.write_text("".join(json.dumps(each) + "\n" for each in [*fills, person]))
    (tmp_path / "classes.csv").write_text(CLASSES.replace("diabetes", "biguanide"))
    classes = ("--classes", tmp_path / "classes.csv")
    (report,) = told(path, *classes, "--from", "2031-01-01", "--to", "2031-12-31")["rows"]
    (answer,) = told("quality", path, *classes, "--measure", "PDC-DR", "--year", "2031")["rows"]
    assert (report["covered_days"], report["period_days"]) == (60, 135)
    assert (answer["covered_days"], answer["treatment_days"]) == (60, 135)


@pytest.mark.parametrize(
    "days", [("--to", "9999-12-31"), ("--from", "9999-12-31", "--days", "5"), ("--from", "0001-01-01")]
)
def test_days_that_no_calendar_of_ours_has_are_refused(chart: Path, days: tuple[str, ...]) -> None:
    result = run(chart, *days)
    assert isinstance(result.exception, click.UsageError | SystemExit)
    assert "1900-01-01 to 2199-12-31" in f"{result.output} {result.exception}"


def test_groups_of_a_file(chart: Path) -> None:
    groups = chart.parent / "groups.toml"
    groups.write_text("early = 'date < 2031-02-01'\nlate = 'not early'\n")
    found = told(chart, "--groups", groups, "--patient", "p1", "--to", "2031-04-20")["rows"]
    assert [(row["group"], row["fills"]) for row in found] == [("early", 1), ("late", 2)]
    for text in ("early = ", "early = 1", "\xff"):
        groups.write_text(text)
        error = run(chart, "--groups", groups).exception
        assert isinstance(error, AdherenceError)
        assert error.code == "groups_unreadable"


@pytest.mark.parametrize("suffix", ["svg", "png", "html"])
def test_a_plot(chart: Path, suffix: str) -> None:
    path = chart.parent / f"out.{suffix}"
    assert run(chart, "--patient", "p1", "--plot", path).exit_code == 0
    assert path.stat().st_size > 1_000
    result = run(chart, "--plot", path)
    assert isinstance(result.exception, AdherenceError)
    assert result.exception.code == "patient_ambiguous"
    assert "days of supply found by: 3 as stated" in result.output  # what was found is told all the same


def test_a_picture_names_codes_apart(tmp_path: Path) -> None:
    coding = METFORMIN["coding"][0]
    other = {"coding": [{**coding, "code": "860981"}]}
    chart, picture = tmp_path / "chart.ndjson", tmp_path / "out.svg"
    fills = dispense(id="d1"), dispense(id="d2", medicationCodeableConcept=other)
    chart.write_text("".join(json.dumps(each) + "\n" for each in fills))
    assert "each code is measured apart" in run(chart, "--plot", picture).output
    assert all(f"RxNorm {code}" in picture.read_text() for code in ("860975", "860981"))


def test_what_is_left_to_us_is_said(chart: Path) -> None:
    assert "--to says up to when" in run(chart).output
    assert "each code is measured apart" in run(chart).output
    chosen = run(chart, "--classes", chart.parent / "classes.csv", "--to", "2031-04-20").output
    assert "--to says up to when" not in chosen
    assert "each code is measured apart" not in chosen


def test_patients_as_a_whole_bear_no_class(chart: Path) -> None:
    assert "860975" in run(chart).output
    assert "860975" not in run(chart, "--by", "patient").output


def test_only_known_days_were_found(chart: Path) -> None:
    prescribed = [request(authoredOn="2031-01-01"), request(id="r2", authoredOn="2031-02-01", dispenseRequest=None)]
    chart.write_text("".join(json.dumps(each) + "\n" for each in prescribed))
    found = told(chart, "--supplies", "prescribed")
    assert sum(found["daysFound"].values()) == 1
    assert sum(found["daysUnknown"].values()) == 1


def test_prescribing_is_measured_where_asked(chart: Path) -> None:
    found = told(chart, "--supplies", "prescribed", "--to", "2031-04-20")
    assert [(row["fills"], row["supplies"], row["covered_days"]) for row in found["rows"]] == [(1, 1, 30)]


def test_a_chart_without_supplies_says_so(tmp_path: Path) -> None:
    path = tmp_path / "chart.json"
    path.write_text(json.dumps(request(dispenseRequest=None)))
    shown = run(path).output
    assert "nothing to measure: no supply is told" in shown
    assert "--supplies prescribed" in shown
    assert "prescriptions whose days are not known: 1 dosage missing" in shown
    assert told(path)["rows"] == []


def test_what_does_not_count_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "chart.ndjson"
    path.write_text(
        "".join(json.dumps(each) + "\n" for each in [claim(), dispense(), dispense(id="x", status="unknown")])
    )
    shown = run(path).output
    assert "not counted: 1 ExplanationOfBenefit, same fill as dispense" in shown
    assert "not counted: 1 MedicationDispense, status unknown" in shown


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_rows_as_a_file(chart: Path, suffix: str) -> None:
    output = chart.parent / f"out.{suffix}"
    assert run(chart, "-o", output).exit_code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    if suffix == "csv":
        patients = [row["patient"] for row in csv.DictReader(output.open())]
    elif suffix == "json":
        patients = [row["patient"] for row in json.loads(output.read_text())]
    else:
        patients = pyarrow.parquet.read_table(output)["patient"].to_pylist()
    assert patients == ["Patient/p1", "Patient/p2"]


def test_a_table_with_its_own_names(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("PATIENT_ID,DATE,DURATION,CATEGORY\n007,01/02/2031,30,a\n007,01/03/2031,30,b\n")
    names = "patient=PATIENT_ID,date=DATE,days_supply=DURATION,class=CATEGORY"
    options = ("--columns", names, "--date-format", "%d/%m/%Y", "--to", "2031-03-30")
    found = told(path, *options)["rows"]
    assert [(row["patient"], row["group"], row["covered_days"]) for row in found] == [
        ("007", "a", 30),
        ("007", "b", 30),
    ]
    (together,) = told(path, *options, "--by", "patient")["rows"]
    assert (together["covered_days"], together["period_days"]) == (58, 58)
    assert "with a number: 2" in run(path, *options).output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "2030-01-01"], "--to is before"),
        (["--to", "2031-04-20", "--days", "3"], "leave --to out"),
        (["--columns", "patiënt=x"], "expected patient="),
        (["--columns", "patient=x,patient=y"], "expected patient="),
        (["--from", "2031"], "expected a date"),
        (["-o", "out.xlsx"], "ending in"),
        (["--plot", "out.pdf"], "ending in"),
    ],
)
def test_misuse_is_named(chart: Path, options: list[str], message: str) -> None:
    result = run(chart, *options)
    assert result.exit_code == 2
    assert message in result.output


def test_sources_that_do_not_go_together(chart: Path) -> None:
    table = chart.parent / "events.csv"
    table.write_text("patient,date,days_supply\n1,2031-01-01,30\n")
    assert "or one table" in run(chart, table).output
    assert "--classes is for FHIR" in run(table, "--classes", chart.parent / "classes.csv").output
    assert isinstance(run(chart.parent / "none").exception, AdherenceError)


def test_no_value_of_a_chart_reaches_the_terminal_raw(tmp_path: Path) -> None:
    path = tmp_path / "chart.json"
    path.write_text(json.dumps(dispense(medicationCodeableConcept={**METFORMIN, "text": "a\tb [red]c[/red]"})))
    shown = run(path).output
    assert "\\t" in shown
    assert "[red]c[/red]" in shown


def test_an_impossible_date_is_one_patients_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("patient,date,days_supply\na,2031-01-01,30\na,2031-01-31,30\nb,3031-01-01,30\nc,0001-01-01,30\n")
    found = told(path)
    assert found["window"] == {"start": "2031-01-01", "end": "2031-02-01"}
    assert [row["reason"] for row in found["rows"]] == [None, "date_invalid", "date_invalid"]


def test_an_id_that_several_patients_have_is_not_one_patients(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "patient,date,days_supply\nhttps://a.example/Patient/1,2031-01-01,30\nhttps://b.example/Patient/1,2031-01-01,30\n"
    )
    result = run(path, "--patient", "1")
    assert isinstance(result.exception, AdherenceError)
    assert result.exception.code == "patient_ambiguous"
    assert len(told(path, "--patient", "https://a.example/Patient/1")["rows"]) == 1


def test_pdc_to_date_by_other_rules(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "patient,date,days_supply,class,ingredient\n"
        "a,2031-01-01,30,statin,x\na,2031-01-11,30,statin,x\na,2031-03-01,30,statin,x\n"
    )
    given = (rows, "--from", "2031-01-01", "--to", "2031-04-10")

    def covered(*options: str) -> tuple[int, int, bool]:
        [row] = told(*given, *options)["rows"]
        return row["covered_days"], row["period_days"], row["adherent"]

    assert covered() == (90, 100, True)
    assert covered("--shift", "none") == (70, 100, False)
    assert covered("--threshold", "90%") == (90, 100, True)
    assert covered("--threshold", "90.1%") == (90, 100, False)
    assert covered("--as-of", "2031-02-28") == (59, 59, True)
    assert "at 0.80 or more: 1" in run(*given).output
    assert "at 0.905 or more: 0" in run(*given, "--threshold", "90.5%").output
    assert "at 1.00 or more: 0" in run(*given, "--threshold", "100%").output


@pytest.mark.parametrize(
    "options",
    [
        ("--measure", "mpr", "--threshold", "80%"),
        ("--measure", "cma7", "--as-of", "2031-01-01"),
        ("--plot", "x.svg", "--shift", "class"),
        ("--threshold", "0%"),
        ("--threshold", "100.1%"),
        ("--threshold", "0.8"),
    ],
)
def test_options_that_change_nothing_are_refused(chart: Path, options: tuple[str, ...]) -> None:
    assert run(chart, *options).exit_code == 2


def test_to_date_nothing_later_is_known(tmp_path: Path) -> None:
    table = tmp_path / "supplies.csv"
    known = "patient,date,days_supply,class\np,2031-01-01,30,c\np,2031-02-10,30,c\n"
    asked = ["--from", "2031-01-01", "--to", "2031-12-31", "--as-of", "2031-03-01", "--json"]
    rows = []
    for later in ("", "p,2031-06-01,,c\n"):
        table.write_text(known + later)
        done = CliRunner().invoke(cli, ["adherence", "report", str(table), *asked])
        assert done.exit_code == 0, done.output
        rows.append(json.loads(done.output)["rows"])
    assert rows[0] == rows[1]
    assert rows[0][0]["reason"] is None
