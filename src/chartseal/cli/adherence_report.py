"""`chartseal adherence [report]`: how well supplies cover the days, per patient and class, and what is not known."""

from __future__ import annotations

from typing import cast

import click
import pyarrow as pa

from chartseal.adherence import Columns, Window, cma, mpr, pdc
from chartseal.adherence.cma import CmaName
from chartseal.adherence.pdc import Period
from chartseal.cli.adherence_days import until_death
from chartseal.cli.adherence_events import Gathered
from chartseal.cli.adherence_notes import label, notes_of
from chartseal.cli.adherence_options import CMAS, Asked, measure_options, period_option, require_suffix
from chartseal.cli.adherence_rows import print_json
from chartseal.cli.adherence_shown import Shown, print_table
from chartseal.cli.adherence_written import write_table

_PLOTS = (".svg", ".png", ".html")


@click.command("report")
@click.option("--measure", type=click.Choice(("pdc", "mpr", *CMAS)), default="pdc", show_default=True)
@period_option
@click.option("--plot", type=click.Path(), help="Draw a patient's timeline: FILE.svg, .png or .html.")
@measure_options
def command(asked: Asked, measure: str, period: Period, plot: str | None) -> None:
    """Measure how well supplies cover the days, per patient and class of medication.

    PATHS are FHIR (charts, Bundles, NDJSON, folders of them, packed or not), or one table of rows: Parquet, CSV, JSON,
    or sqlite:///FILE#TABLE, duckdb:///FILE#TABLE, postgresql://…#TABLE. Days of supply that nothing tells stay unknown:
    such rows have a reason in the place of a number.
    """
    require_suffix(plot, _PLOTS, "--plot")
    window = asked.window()
    result = _measured(asked.gathered, measure, period, window, asked.columns)
    notes = notes_of(asked.gathered, asked.columns)
    shown = Shown(result, measure, window, notes, asked.gathered.fhir, asked.hints())
    if asked.output is not None:
        write_table(asked.output, shown.table())
    print_json(shown) if asked.as_json else print_table(shown)
    if plot is not None:
        _draw(asked.gathered, window, period, asked.columns, plot)


def _measured(gathered: Gathered, measure: str, period: Period, window: Window, columns: Columns) -> pa.Table:
    """A table of the measure, rows by patient and group."""
    events, window = until_death(gathered, window)
    if measure == "mpr":
        return mpr(events, window, columns=columns)
    if measure == "pdc":
        return pdc(events, window, period=period, columns=columns)
    return cma(events, cast("CmaName", measure.upper()), window, columns=columns)


def _draw(gathered: Gathered, window: Window, period: Period, columns: Columns, path: str) -> None:
    from chartseal.adherence.plot import timeline  # what draws takes long to load

    events, window = until_death(gathered, window)
    if isinstance(events, pa.Table) and gathered.fhir is not None:
        events = _with_labels(events)
    timeline(events, window, period=period, path=path, columns=columns)


def _with_labels(events: pa.Table) -> pa.Table:
    """Events whose classes are named as in the table for people."""
    pairs = zip(events["class"].to_pylist(), events["medication"].to_pylist(), strict=True)
    called = {name: medication or "" for name, medication in pairs}
    labels = [name and label(name, called[name]) for name in events["class"].to_pylist()]
    return events.set_column(events.column_names.index("class"), "class", pa.array(labels, pa.string()))
