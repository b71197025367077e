"""Commands of every measure: each tells what its function returns, by the same words for the same settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from chartseal.adherence import (
    Column,
    Columns,
    DurationRules,
    EpisodeRule,
    Percent,
    Span,
    Window,
    cma,
    cover,
    covered,
    durations,
    episodes,
    gaps,
    grouped,
    initiation,
    per_episode,
    persistence,
    polypharmacy,
    polypharmacy_intervals,
    prune,
    sliding,
    supplies,
)
from chartseal.cli import cli
from chartseal.errors import AdherenceError
from tests.supplies import dispense, request

ROOT = Path(__file__).resolve().parents[3]
SUPPLIES = ROOT / "examples/adherence/supplies.csv"
EVENTS = duckdb.read_csv(str(SUPPLIES)).to_arrow_table()
KNOWN = Window.between(date(2025, 1, 4), date(2025, 12, 30))
YEAR = Window.between(date(2025, 1, 1), date(2025, 12, 31))
TO_YEAR = ("--from", "2025-01-01", "--to", "2025-12-31")
BY_CLASS = Columns(group="class")
BY_PATIENT = Columns(group="")

MEASURES: list[tuple[list[str], Callable[[], pa.Table]]] = [
    (["cma"], lambda: cma(EVENTS, "CMA7", KNOWN, columns=BY_CLASS)),
    (["cma", "--cma", "cma0", *TO_YEAR], lambda: cma(EVENTS, "CMA0", YEAR, columns=BY_CLASS)),
    (
        ["cma", "--cma", "cma9", "--follow-up", "2y", "--from", "180d", "--days", "90"],
        lambda: cma(EVENTS, "CMA9", Window(Span(0), Span(2, "years"), Span(180), Span(90)), columns=BY_CLASS),
    ),
    (
        ["cma", "--by", "patient", "--carry-only-for-same-medication", "--consider-dosage-change", *TO_YEAR],
        lambda: cma(
            EVENTS,
            "CMA7",
            YEAR,
            carry_only_for_same_medication=True,
            consider_dosage_change=True,
            columns=BY_PATIENT,
        ),
    ),
    (
        ["cma", "--follow-up", "2y", *TO_YEAR],
        lambda: cma(EVENTS, "CMA7", Window(Span(0), Span(2, "years"), date(2025, 1, 1), Span(365)), columns=BY_CLASS),
    ),
    (["gaps", *TO_YEAR], lambda: gaps(EVENTS, YEAR, columns=BY_CLASS)),
    (["gaps", "--cma", "cma6", *TO_YEAR], lambda: gaps(EVENTS, YEAR, cma="CMA6", columns=BY_CLASS)),
    (
        ["gaps", "--outside-follow-up", "--from", "2025-06-01", "--to", "2025-06-30"],
        lambda: gaps(
            EVENTS,
            Window.between(date(2025, 6, 1), date(2025, 6, 30)),
            outside_follow_up=True,
            columns=BY_CLASS,
        ),
    ),
    (
        ["gaps", "--no-carry-over-within", "--no-carry-over-into", *TO_YEAR],
        lambda: gaps(EVENTS, YEAR, carry_over_within=False, carry_over_into=False, columns=BY_CLASS),
    ),
    (
        ["sliding", "--cma", "cma7", "--length", "2m", "--step", "30d", "--start", "1w", *TO_YEAR],
        lambda: sliding(
            EVENTS, "CMA7", YEAR, start=Span(1, "weeks"), length=Span(2, "months"), step=Span(30), columns=BY_CLASS
        ),
    ),
    (["sliding", *TO_YEAR], lambda: sliding(EVENTS, "CMA7", YEAR, columns=BY_CLASS)),
    (
        ["sliding", "--windows", "4", "--start", "2025-02-01", *TO_YEAR],
        lambda: sliding(EVENTS, "CMA7", YEAR, start=date(2025, 2, 1), step=4, columns=BY_CLASS),
    ),
    (
        ["episodes", "--gap", "20d", "--append", "50%", *TO_YEAR],
        lambda: episodes(EVENTS, YEAR, EpisodeRule(permissible_gap=Span(20), append=0.5), columns=BY_CLASS),
    ),
    (
        ["episodes", "--gap", "50%", "--by", "patient", "--no-class-change", "--dose-change", "--no-carry-over"],
        lambda: episodes(
            EVENTS,
            KNOWN,
            EpisodeRule(permissible_gap=Percent(50), class_change=False, dose_change=True),
            carry_over=False,
            columns=BY_PATIENT,
        ),
    ),
    (
        ["episodes", "--follow-up-from", "2025-02-01", "--follow-up", "6m"],
        lambda: episodes(
            EVENTS,
            Window(date(2025, 2, 1), Span(6, "months"), Span(0), Span(6, "months")),
            EpisodeRule(),
            columns=BY_CLASS,
        ),
    ),
    (
        ["per-episode", "--cma", "cma9", "--gap", "30d", *TO_YEAR],
        lambda: per_episode(EVENTS, "CMA9", YEAR, EpisodeRule(permissible_gap=Span(30)), columns=BY_CLASS),
    ),
    (
        ["polypharmacy", "--aggregate", "median", "--threshold", "80%", *TO_YEAR],
        lambda: polypharmacy(EVENTS, "CMA7", YEAR, method="median", threshold=0.8, columns=BY_CLASS),
    ),
    (
        ["cma", "--per-group", "--follow-up", "1y", "--from", "30d", "--days", "100"],
        lambda: cma(
            EVENTS, "CMA7", Window(Span(0), Span(1, "years"), Span(30), Span(100), per_group=True), columns=BY_CLASS
        ),
    ),
    (["polypharmacy"], lambda: polypharmacy(EVENTS, "CMA7", KNOWN, columns=BY_CLASS)),
    (
        ["polypharmacy", "--cma", "cma9", "--aggregate", "min", "--aggregate-last", "--require-all", *TO_YEAR],
        lambda: polypharmacy(
            EVENTS, "CMA9", YEAR, aggregate_first=False, method="min", skip_unknown=False, columns=BY_CLASS
        ),
    ),
    (
        ["polypharmacy", "--intervals", "--aggregate", "max", "--per-group", "--days", "200"],
        lambda: polypharmacy_intervals(
            EVENTS,
            "CMA7",
            Window(Span(0), Span(200), Span(0), Span(200), per_group=True),
            method="max",
            columns=BY_CLASS,
        ),
    ),
    (
        ["persistence", "--gap", "2w", "--shift", "class", "--shift-stays", *TO_YEAR],
        lambda: persistence(EVENTS, YEAR, permissible_gap=14, shift="class", shift_stays=True, columns=BY_CLASS),
    ),
    (
        ["covered", "--shift", "none", "--as-of", "2025-09-01", *TO_YEAR],
        lambda: covered(EVENTS, YEAR, period="from_first_fill", shift="none", as_of=date(2025, 9, 1), columns=BY_CLASS),
    ),
    (["covered", "--period", "window", *TO_YEAR], lambda: covered(EVENTS, YEAR, period="window", columns=BY_CLASS)),
]


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["adherence", *map(str, arguments)])


def told(*arguments: str | Path) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def as_told(table: pa.Table) -> Any:
    return json.loads(json.dumps(table.to_pylist(), default=str))


@pytest.mark.parametrize(("arguments", "expected"), MEASURES, ids=[" ".join(each[0]) for each in MEASURES])
def test_a_command_tells_what_its_function_returns(arguments: list[str], expected: Callable[[], pa.Table]) -> None:
    rows = as_told(expected())
    assert rows
    name, *options = arguments
    assert told(name, SUPPLIES, *options)["rows"] == rows
    assert f"rows: {len(rows)}" in run(name, SUPPLIES, *options).output


DOSES = """patient,kind,date,end,quantity,daily_dose,class
1,prescribed,2031-01-01,,,2,a
1,prescribed,2031-01-21,,,4,a
1,supply,2031-01-01,,100,,a
1,stay,2031-01-26,2031-01-31,,,
1,supply,2031-02-03,,40,,a
"""


@pytest.fixture
def doses(tmp_path: Path) -> Path:
    path = tmp_path / "doses.csv"
    path.write_text(DOSES)
    return path


def read(path: Path) -> pa.Table:
    return duckdb.read_csv(str(path), dtype={"patient": "VARCHAR"}).to_arrow_table()


def test_durations(doses: Path) -> None:
    rules = DurationRules(special={"stay": "carryover"}, wait_days=10)
    found = durations(read(doses), rules)
    options = ("--special", "stay=carryover", "--wait", "10d")
    assert told("durations", doses, *options)["rows"] == as_told(found)
    pruned = prune(found, include=["special_period"], refilled_within=7)
    cut = (*options, "--cut", "special-period", "--refilled-within", "1w")
    assert pruned.num_rows < found.num_rows
    assert told("durations", doses, *cut)["rows"] == as_told(pruned)
    marked = prune(found, not_refilled_within=2, keep_all=True)
    assert told("durations", doses, *options, "--not-refilled-within", "2d", "--keep-all")["rows"] == as_told(marked)
    whole = cover(pruned, read(doses), days_after=3)
    assert whole.num_rows > pruned.num_rows
    assert told("durations", doses, *cut, "--cover", "stay", "--days-after", "3d")["rows"] == as_told(whole)
    other = ("--interruption", "discard", "--no-split-on-dose-change", "--carry-over", "--renew", "--backdate")
    taken = supplies(
        durations(
            read(doses),
            DurationRules(
                interruption="discard", split_on_dose_change=False, carry_over=True, renew=True, backdate=True
            ),
        )
    )
    assert told("durations", doses, *other, "--supplies")["rows"] == as_told(taken)


def test_what_durations_writes_is_measured(doses: Path) -> None:
    written = doses.parent / "supplies.parquet"
    assert run("durations", doses, "--special", "stay=carryover", "--supplies", "-o", written).exit_code == 0
    days = ("--from", "2031-01-01", "--to", "2031-02-09")
    (row,) = told("report", written, *days)["rows"]
    # 20 days at 2, 5 at 4 up to the stay, 10 after it; 10 more of the second supply, which wait for those: 40 days.
    assert (row["covered_days"], row["period_days"]) == (35, 40)


def test_initiation(tmp_path: Path) -> None:
    chart = tmp_path / "chart.ndjson"
    resources = [request(authoredOn="2031-01-01"), dispense(whenHandedOver="2031-02-10")]
    chart.write_text("".join(json.dumps(each) + "\n" for each in resources))
    (row,) = told("initiation", chart, "--until", "2031-12-31")["rows"]
    assert (row["days"], row["initiated"], row["primary_nonadherent"]) == (40, True, True)
    (row,) = told("initiation", chart, "--within", "6w")["rows"]
    assert row["primary_nonadherent"] is False
    table = tmp_path / "rows.csv"
    table.write_text("patient,kind,date,class,ingredient\n1,prescribed,2031-01-01,a,x\n1,supply,2031-01-05,a,y\n")
    expected = initiation(read(table), date(2031, 3, 1))
    assert told("initiation", table, "--until", "2031-03-01")["rows"] == as_told(expected)
    (row,) = told("initiation", table, "--until", "2031-03-01", "--medication", "class")["rows"]
    assert (row["days"], row["initiated"]) == (4, True)


def test_groups(tmp_path: Path) -> None:
    groups, written = tmp_path / "groups.toml", tmp_path / "grouped.parquet"
    groups.write_text("statins = 'class == \"statins\"'\nall = 'days_supply > 0'\n")
    filters = {"statins": 'class == "statins"', "all": "days_supply > 0"}
    expected = grouped(EVENTS, filters, others="rest")
    found = told("grouped", SUPPLIES, "--groups", groups, "--others", "rest", "-o", written)
    assert found["groups"] == {name: expected["group"].to_pylist().count(name) for name in ("all", "rest", "statins")}
    assert pyarrow.parquet.read_table(written)["group"].to_pylist() == expected["group"].to_pylist()
    assert "statins: " in run("grouped", SUPPLIES, "--groups", groups).output
    measured = told("cma", SUPPLIES, "--groups", groups, *TO_YEAR)["rows"]
    assert measured == as_told(cma(grouped(EVENTS, filters), "CMA7", YEAR))
    assert told("cma", written, *TO_YEAR)["rows"] == as_told(cma(expected, "CMA7", YEAR))
    for measure in ("cma", "report"):
        refused = run(measure, SUPPLIES, "--groups", groups, "--by", "class")
        assert (refused.exit_code, "count twice" in refused.output) == (2, True)


def test_groups_of_a_table_with_groups_of_its_own_name(tmp_path: Path) -> None:
    table, groups = tmp_path / "rows.csv", tmp_path / "groups.toml"
    table.write_text("patient,date,days_supply,arm\n1,2031-01-01,30,x\n1,2031-02-01,30,y\n")
    groups.write_text("both = 'days_supply == 30'\n")
    (row,) = told("report", table, "--columns", "group=arm", "--groups", groups)["rows"]
    assert (row["group"], row["fills"]) == ("both", 2)


def test_days_of_each_patient(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(
        "patient,date,days_supply,index_date\n1,2031-01-01,30,2031-01-11\n1,2031-02-01,30,2031-01-11\n"
        "2,2031-01-01,30,2031-01-21\n"
    )
    window = Window(Span(0), Span(1, "years"), Column("index_date"), Span(30))
    found = told("cma", table, "--follow-up", "1y", "--from", "column:index_date", "--days", "30")
    assert found["rows"] == as_told(cma(read(table), "CMA7", window))
    assert [row["window_start"] for row in found["rows"]] == ["2031-01-11", "2031-01-21"]
    assert found["window"] == {"start": None, "end": None}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_rows_as_a_file(tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    assert run("episodes", SUPPLIES, "-o", output).exit_code == 0
    assert output.stat().st_mode & 0o777 == 0o600
    relation = duckdb.sql(f"SELECT patient FROM '{output}'")
    assert relation is not None
    assert len(relation.fetchall()) == len(told("episodes", SUPPLIES)["rows"])


def test_for_people() -> None:
    shown = run("episodes", SUPPLIES, "--gap", "20d", "--to", "2025-12-31").output
    assert "Episodes, up to 2025-12-31" in shown
    assert "follow up end" in shown
    assert "not measured: 2 days supply unknown" in shown
    assert "CMA7, 2025-01-01 to 2025-12-31" in run("cma", SUPPLIES, *TO_YEAR).output
    assert "CMA7, each patient's own days" in run("cma", SUPPLIES, "--days", "90").output
    assert "more: -o FILE.csv" not in shown


def test_more_rows_than_a_terminal_holds(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("patient,date,days_supply\n" + "".join(f"{each},2031-01-01,30\n" for each in range(201)))
    assert "… and 1 more" in run("persistence", table, "--gap", "9d").output


@pytest.mark.parametrize("measure", ["cma", "gaps", "sliding", "episodes", "per-episode", "polypharmacy", "covered"])
def test_nobody_takes_anything_after_death(tmp_path: Path, measure: str) -> None:
    chart = tmp_path / "chart.ndjson"
    died = {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "2031-02-15"}
    fills = [dispense(id=day, whenHandedOver=day) for day in ("2031-01-01", "2031-02-10")]
    chart.write_text("".join(json.dumps(each) + "\n" for each in [*fills, died]))
    ends = [
        ("--from", "2031-01-01", "--to", "2031-03-31"),
        ("--follow-up", "3m"),
        ("--follow-up-from", "2031-01-01", "--follow-up", "12w"),
    ]
    rows = [told(measure, chart, *days)["rows"] for days in ends]
    if measure == "sliding":
        assert [each[0]["reason"] for each in rows] == ["window_outside_observation"] * 3
        return
    refused = run(measure, chart, "--days", "90", "--per-group")
    assert (refused.exit_code, "some patients have died" in refused.output) == (2, True)
    for row in chain(*rows):
        row.pop("follow_up_start", None)  # every supply counts, or those from then on
    assert rows[0] == rows[1] == rows[2]
    last = rows[0][-1]
    if "cma" in last:
        assert last["cma"] == pytest.approx(36 / 46)  # the day of death counts
    elif measure == "gaps":
        assert (last["interval_days"], last["window_end"]) == (6, "2031-02-16")
    else:
        assert last["end"] == "2031-02-16"


def test_a_death_on_the_calendars_last_day_cuts_nothing(tmp_path: Path) -> None:
    chart = tmp_path / "chart.ndjson"
    died = {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "9999-12-31"}
    chart.write_text(json.dumps(dispense(whenHandedOver="2031-01-01")) + "\n" + json.dumps(died) + "\n")
    (row,) = told("covered", chart, "--days", "30")["rows"]
    assert row["end"] == "2031-01-31"


def test_persistence_says_that_death_censors(tmp_path: Path) -> None:
    chart = tmp_path / "chart.ndjson"
    died = {"resourceType": "Patient", "id": "p1", "deceasedDateTime": "2031-01-15"}
    chart.write_text(json.dumps(dispense(whenHandedOver="2031-01-01")) + "\n" + json.dumps(died) + "\n")
    (row,) = told("persistence", chart, "--gap", "30d", "--to", "2031-12-31")["rows"]
    assert (row["censored_by"], row["persistent_days"]) == ("death", 15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["episodes", "--gap", "60"], "expected a number and d, w, m"),
        (["episodes", "--gap", "101y"], "expected a number and d, w, m"),
        (["episodes", "--append", "101%"], "expected a percentage"),
        (["persistence"], "Missing option '--gap'"),
        (["persistence", "--gap", "2m"], "months have no fixed days"),
        (["sliding", "--step", "0d"], "not 0"),
        (["sliding", "--step", "9d", "--windows", "3"], "--step or --windows"),
        (["sliding", "--start", "column:x"], "the same for all"),
        (["sliding", "--windows", "0"], "1<=x"),
        (["polypharmacy", "--intervals", "--aggregate-last"], "leave --aggregate-last out"),
        (["polypharmacy", "--threshold", "80%", "--intervals"], "--threshold is of the estimate"),
        (["cma", "--per-group", *TO_YEAR], "--per-group is of days that count from a first supply"),
        (["durations", "--special", "stay"], "expected KIND=METHOD"),
        (["durations", "--cut", "dose-change"], "--refilled-within"),
        (["grouped"], "--groups FILE.toml"),
        (["cma", "--others", "x"], "--others are of --groups"),
        (["cma", "--from", "180d"], "need --follow-up"),
        (["cma", "--follow-up-from", "2025-01-01"], "need --follow-up"),
        (["cma", "--follow-up", "1y", "--from", "30d"], "say how long to measure"),
        (["cma", "--from", "2200-01-01", "--days", "2"], "expected a date from 1900-01-01 to 2199-12-31"),
        (["cma", "--from", "soon"], "expected a date"),
        (["cma", "--to", "2024-01-01"], "--to is before"),
        (["cma", "-o", "out.xlsx"], "ending in"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_misuse_is_named(arguments: list[str], message: str) -> None:
    name, *options = arguments
    result = run(name, SUPPLIES, *options)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["durations"], "column_missing"),
        (["polypharmacy", "--by", "group"], "column_missing"),
        (["cma", "--follow-up", "1y", "--from", "column:nowhere", "--days", "3"], "column_missing"),
        (["episodes", "--patient", "nobody"], "patient_unknown"),
        (["gaps", "--cma", "cma6", "--outside-follow-up"], "settings_invalid"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else each,
)
def test_what_is_refused_has_a_code(arguments: list[str], code: str) -> None:
    name, *options = arguments
    error = run(name, SUPPLIES, *options).exception
    assert isinstance(error, AdherenceError)
    assert error.code == code


def test_fhir_has_no_columns_of_windows(tmp_path: Path) -> None:
    chart = tmp_path / "chart.json"
    chart.write_text(json.dumps(dispense()))
    refused = run("cma", chart, "--follow-up", "1y", "--from", "column:date", "--days", "3")
    assert (refused.exit_code, "is for tables" in refused.output) == (2, True)
    (row,) = told("cma", chart)["rows"]
    shown = run("cma", chart).output
    assert row["group"] in ("http://www.nlm.nih.gov/research/umls/rxnorm|860975",)
    assert "RxNorm 860975 metformin" in shown
    assert "days of supply found by: 1 as stated" in shown
