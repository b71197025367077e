"""`chartseal adherence quality`: PQA's PDC measures of a year, each patient's answer with why, and the rate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import click
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from rich.text import Text

from chartseal.adherence import Enrolment, Rate, measures, quality, summary, with_periods
from chartseal.adherence.sources import read_table
from chartseal.adherence.tables import EventTable
from chartseal.cli.adherence_events import Gathered
from chartseal.cli.adherence_notes import notes_of
from chartseal.cli.adherence_options import Asked, patients_options
from chartseal.cli.adherence_rows import MOST_ROWS, Measured, print_account, print_rest, read_members, wide_console
from chartseal.cli.adherence_spans import OneDay
from chartseal.cli.adherence_written import write_table
from chartseal.cli.opened import new_table, value_text
from chartseal.errors import AdherenceError

_PERIODS = {"births": "born", "deaths": "died", "enrolment": "enrolled", "exclusions": "excluded", "stays": "stay"}
_FILE = click.Path()


@click.command("quality")
@click.option("--measure", required=True, help="PDC-DR, PDC-RASA or PDC-STA.")
@click.option("--year", required=True, type=int, help="The measurement year.")
@click.option("--as-of", type=OneDay(), help="The year to date: what begins after this day is not known yet.")
@click.option("--births", type=_FILE, help="Table of patient, date: age is judged by it.")
@click.option("--deaths", type=_FILE, help="Table of patient, date: treatment ends that day.")
@click.option("--enrolment", type=_FILE, help="Table of patient, date, end: who is not in it is not enrolled.")
@click.option("--exclusions", type=_FILE, help="Table of patient, date, end, class: hospice, esrd, …")
@click.option("--stays", type=_FILE, help="Table of patient, date, end: hospital and skilled nursing stays.")
@click.option("--exclude", multiple=True, help="Another class of exclusion that counts, as pregnancy (repeatable).")
@click.option("--shift-inpatient", is_flag=True, help="Leave days of stays out; use what is on hand after them (CMS).")
@patients_options
def command(
    asked: Asked,
    measure: str,
    year: int,
    as_of: date | None,
    exclude: tuple[str, ...],
    shift_inpatient: bool,
    **tables: str | None,
) -> None:
    """Compute a PQA measure of a year: who is in its denominator and numerator, and why.

    PATHS are FHIR, or one table of rows, as `chartseal adherence report` takes them. In the tables of periods `end` is
    the first day after; nothing there means that it goes on. FHIR tells deaths, stays and enrolment itself.
    """
    if measure not in measures():
        raise AdherenceError(f"none of {', '.join(measures())}", "measure_unknown", "--measure")
    gathered = asked.gathered
    beside = _periods(tables, click.get_current_context().params["date_format"])
    found = quality(
        with_periods(gathered.events, beside, gathered.columns),
        measures()[measure].also_excluding(*exclude),
        year,
        enrolment=Enrolment(required=tables["enrolment"] is not None),
        shift_stays=shift_inpatient,
        as_of=as_of,
        columns=gathered.columns,
    )
    unmatched = _unmatched(found, beside)
    if click.get_current_context().params["patient"] is not None:
        found, unmatched = _of_patient(found, gathered), []
    if asked.output is not None:
        write_table(asked.output, found)
    for kind in unmatched:
        click.echo(f"no patient of a period {kind} has a fill in the year: are ids written alike?", err=True)
    told = Measured(found, measure, None, notes_of(gathered, gathered.columns), gathered.fhir)
    _print_json(told, year) if asked.as_json else _print(told, year)


def _of_patient(found: pa.Table, gathered: Gathered) -> pa.Table:
    """Without the others that tables of periods name."""
    patients = gathered.events[gathered.columns.patient].unique().cast(pa.string())
    return found.filter(pc.is_in(found["patient"], value_set=patients))


def _periods(tables: dict[str, str | None], date_format: str) -> dict[str, pa.Table]:
    given = {_PERIODS[name]: path for name, path in tables.items() if path is not None}
    return {kind: _held(read_table(path, date_format=date_format), kind) for kind, path in given.items()}


def _held(table: EventTable, kind: str) -> pa.Table:
    """A table of periods in memory.

    Raises:
        AdherenceError: `column_missing`, `table_unreadable`.
    """
    try:
        held = table.to_arrow_table() if isinstance(table, duckdb.DuckDBPyRelation) else pa.table(table)
    except (duckdb.Error, pa.ArrowException) as exc:
        raise AdherenceError("the periods cannot be read", "table_unreadable", kind) from exc
    if "patient" not in held.column_names:
        raise AdherenceError(f"periods {kind} have no such column", "column_missing", "patient")
    return held


def _unmatched(found: pa.Table, beside: Mapping[str, pa.Table]) -> list[str]:
    """The kinds of periods none of which is of a patient who has a fill, where there are both."""
    indexes = zip(found["patient"].to_pylist(), found["index"].to_pylist(), strict=True)
    filled = {patient for patient, index in indexes if index is not None}
    told = {kind: set(map(str, table["patient"].to_pylist())) for kind, table in beside.items()}
    return [kind for kind, patients in told.items() if filled and patients and not filled & patients]


def _print_json(found: Measured, year: int) -> None:
    members = {"measure": found.measure, "year": year, **_counts(summary(found.result))}
    told: dict[str, Any] = {**members, "rows": found.result.to_pylist(), **read_members(found)}
    click.echo(json.dumps(told, ensure_ascii=False, default=str))


def _counts(rate: Rate) -> dict[str, Any]:
    return {
        "rate": None if rate.rate is None else float(rate.rate),
        "denominator": rate.denominator,
        "numerator": rate.numerator,
        "unknown": rate.unknown,
        "why": dict(sorted(rate.why.items())),
    }


def _print(told: Measured, year: int) -> None:
    measure, found = told.measure, told.result
    console, rate = wide_console(), summary(found)
    heads = ("patient", "denominator", "numerator", "PDC", "days covered", "index", "why")
    table = new_table(f"{measures()[measure].title}, {year}", *heads)
    for row in found.slice(0, MOST_ROWS).to_pylist():
        table.add_row(*map(Text, _cells(row)))
    console.print(table)
    print_rest(told, console)
    shown = "no rate: nobody is in the denominator" if rate.rate is None else f"{float(rate.rate):.1%}"
    console.print(Text(f"{measure}: {rate.numerator} of {rate.denominator} patients, {shown}"))
    if rate.unknown:
        console.print(Text(f"{rate.unknown} more cannot be told: see why"))
    if found.num_rows and set(rate.why) == {"no_fill_in_year"}:
        known = ", ".join(measures()[measure].classes)
        console.print(Text(f"no fill in {year} is of a class of this measure, which are: {known}"))
    console.print(Text(", ".join(f"{why.replace('_', ' ')}: {count}" for why, count in sorted(rate.why.items()))))
    print_account(told, console)


def _cells(row: dict[str, Any]) -> list[str]:
    days = "" if row["covered_days"] is None else f"{row['covered_days']} of {row['treatment_days'] - row['stay_days']}"
    why = row["why"].replace("_", " ") + (f": {value_text(row['exclusion'])}" if row["exclusion"] else "")
    return [
        value_text(str(row["patient"]).rpartition("/")[2]),
        _word(row["denominator"]),
        _word(row["numerator"]),
        "" if row["pdc"] is None else f"{row['pdc']:.3f}",
        days,
        _day(row["index"]),
        why,
    ]


def _word(answer: bool | None) -> str:
    return "?" if answer is None else "yes" if answer else "no"


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()
