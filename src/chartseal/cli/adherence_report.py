"""`chartseal adherence [report]`: how well supplies cover the days, per patient and class, and what is not known."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import cast

import click
import pyarrow as pa

from chartseal.adherence import Columns, Window, mpr, pdc
from chartseal.adherence.cma import CmaName, cma
from chartseal.adherence.fhir import Supplies
from chartseal.adherence.groups import grouped
from chartseal.adherence.pdc import Period
from chartseal.cli.adherence_events import ColumnNames, Gathered, OneDay, gather, grouped_by, until_death, window_of
from chartseal.cli.adherence_notes import notes_of
from chartseal.cli.adherence_shown import Shown, print_json, print_table
from chartseal.cli.adherence_written import WRITTEN, write_table
from chartseal.errors import AdherenceError

_CMAS = tuple(f"cma{number}" for number in range(1, 10))
_LARGEST_GROUPS = 1 << 20
_PLOTS = (".svg", ".png", ".html")


@click.command("report")
@click.argument("paths", nargs=-1, required=True)
@click.option("--classes", type=click.Path(), help="CSV of system, code, class, ingredient: which codes mean what.")
@click.option("--from", "first", type=OneDay(), help="First day; left out, that of the first supply.")
@click.option("--to", "last", type=OneDay(), help="Last day, counted; left out, the last that the events know.")
@click.option("--days", type=click.IntRange(1, 36_500), help="So many days from --from, or from each first supply.")
@click.option("--measure", type=click.Choice(("pdc", "mpr", *_CMAS)), default="pdc", show_default=True)
@click.option(
    "--period",
    type=click.Choice(("first-fill", "window")),
    default="first-fill",
    show_default=True,
    help="What PDC covers: from the first fill on, or the whole window.",
)
@click.option("--by", type=click.Choice(("class", "patient", "group")), help="What is measured apart. [class]")
@click.option("--groups", type=click.Path(), help="TOML of name = 'condition': groups of supplies, measured apart.")
@click.option("--columns", type=ColumnNames(), help="A table's own names: patient=PATIENT_ID,date=DATE,…")
@click.option("--date-format", default="%Y-%m-%d", show_default=True, help="Of dates in CSV and JSON rows.")
@click.option(
    "--supplies",
    type=click.Choice(("dispensed", "prescribed", "either")),
    default="dispensed",
    show_default=True,
    help="What counts in FHIR: either takes prescriptions that no dispense fills, too.",
)
@click.option("--patient", help="This patient alone: an id, or a reference.")
@click.option("--plot", type=click.Path(), help="Draw a patient's timeline: FILE.svg, .png or .html.")
@click.option("-o", "--output", type=click.Path(), help="Write all rows: FILE.csv, .parquet or .json.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    paths: tuple[str, ...],
    classes: str | None,
    first: date | None,
    last: date | None,
    days: int | None,
    measure: str,
    period: str,
    by: str | None,
    groups: str | None,
    columns: Columns | None,
    date_format: str,
    supplies: Supplies,
    patient: str | None,
    plot: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Measure how well supplies cover the days, per patient and class of medication.

    PATHS are FHIR (charts, Bundles, NDJSON, folders of them, packed or not), or one table of rows: Parquet, CSV, JSON,
    or sqlite:///FILE#TABLE, duckdb:///FILE#TABLE, postgresql://…#TABLE. Days of supply that nothing tells stay unknown:
    such rows have a reason in the place of a number.
    """
    _require_suffix(output, WRITTEN, "-o")
    _require_suffix(plot, _PLOTS, "--plot")
    gathered = gather(paths, classes=classes, columns=columns, date_format=date_format, supplies=supplies)
    gathered = gathered.of_patient(patient) if patient is not None else gathered
    if groups is not None:
        gathered = _in_groups(gathered, groups)
    window = window_of(gathered, first, last, days)
    apart = grouped_by(gathered.columns, by or ("group" if groups else "class"))
    result = _measured(gathered, measure, period, window, apart)
    shown = Shown(result, measure, window, notes_of(gathered, apart), gathered.fhir)
    if output is not None:
        write_table(output, shown.table())
    if plot is not None:
        _draw(gathered, window, period, apart, plot)
    print_json(shown) if as_json else print_table(shown)


def _require_suffix(path: str | None, known: tuple[str, ...], option: str) -> None:
    if path is not None and Path(path).suffix.lower() not in known:
        raise click.UsageError(f"{option} takes a file ending in {', '.join(known)}")


def _measured(gathered: Gathered, measure: str, period: str, window: Window, columns: Columns) -> pa.Table:
    """A table of the measure, rows by patient and group."""
    events, window = until_death(gathered, window)
    if measure == "mpr":
        return mpr(events, window, columns=columns)
    if measure == "pdc":
        return pdc(events, window, period=_since(period), columns=columns)
    return cma(events, cast("CmaName", measure.upper()), window, columns=columns)


def _in_groups(gathered: Gathered, path: str) -> Gathered:
    """The events with a column `group`, one row for each group that an event is in.

    Raises:
        AdherenceError: `groups_unreadable`, and what `grouped` raises.
    """
    try:
        with open(path, "rb") as stream:
            text = stream.read(_LARGEST_GROUPS + 1)
        conditions = tomllib.loads(text.decode())
    except (OSError, ValueError) as exc:
        raise AdherenceError("the groups cannot be read", "groups_unreadable", Path(path).name) from exc
    if len(text) > _LARGEST_GROUPS or not all(isinstance(each, str) for each in conditions.values()):
        raise AdherenceError("not lines of name = 'condition'", "groups_unreadable", Path(path).name)
    return replace(gathered, events=grouped(gathered.events, conditions, columns=gathered.columns))


def _since(period: str) -> Period:
    return "from_first_fill" if period == "first-fill" else "window"


def _draw(gathered: Gathered, window: Window, period: str, columns: Columns, path: str) -> None:
    from chartseal.adherence.plot import timeline  # what draws takes long to load

    events, window = until_death(gathered, window)
    timeline(events, window, period=_since(period), path=path, columns=columns)
