"""`chartseal adherence [report]`: how well supplies cover the days, per patient and class, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import click
import pyarrow as pa
from click.core import ParameterSource

from chartseal.adherence import Columns, Window, cma, mpr, pdc
from chartseal.adherence.cma import CmaName
from chartseal.adherence.pdc import Period
from chartseal.cli.adherence_days import until_death
from chartseal.cli.adherence_events import Gathered
from chartseal.cli.adherence_notes import label, notes_of
from chartseal.cli.adherence_options import CMAS, Asked, measure_options, period_option, require_suffix, shift_option
from chartseal.cli.adherence_rows import print_json
from chartseal.cli.adherence_shown import Shown, print_table
from chartseal.cli.adherence_spans import OneDay, Proportion
from chartseal.cli.adherence_written import write_table

_PLOTS = (".svg", ".png", ".html")


@click.command("report")
@click.option("--measure", type=click.Choice(("pdc", "mpr", *CMAS)), default="pdc", show_default=True)
@period_option
@shift_option
@click.option("--as-of", type=OneDay(), help="PDC to date: nothing after this day counts.")
@click.option("--threshold", type=Proportion(), default="80%", show_default=True, help="The PDC that is adherent.")
@click.option("--plot", type=click.Path(), help="Draw a patient's timeline: FILE.svg, .png or .html.")
@measure_options
def command(asked: Asked, measure: str, period: Period, plot: str | None, **of_pdc: Any) -> None:
    """Measure how well supplies cover the days, per patient and class of medication.

    PATHS are FHIR (charts, Bundles, NDJSON, folders of them, packed or not), or one table of rows: Parquet, CSV, JSON,
    or sqlite:///FILE#TABLE, duckdb:///FILE#TABLE, postgresql://…#TABLE. Days of supply that nothing tells stay unknown:
    such rows have a reason in the place of a number.
    """
    require_suffix(plot, _PLOTS, "--plot")
    _require_pdc(measure, plot)
    window = asked.window()
    if of_pdc["as_of"] is not None:
        asked = replace(asked, gathered=asked.gathered.until(of_pdc["as_of"]))
    result = _measured(asked.gathered, measure, window, asked.columns, period=period, **of_pdc)
    notes = notes_of(asked.gathered, asked.columns)
    shown = Shown(result, measure, window, notes, asked.gathered.fhir, asked.hints(), of_pdc["threshold"])
    if asked.output is not None:
        write_table(asked.output, shown.table())
    print_json(shown) if asked.as_json else print_table(shown)
    if plot is not None:
        drawn = {name: of_pdc[name] for name in ("as_of", "threshold")}
        _draw(asked.gathered, window, asked.columns, plot, period=period, **drawn)


def _require_pdc(measure: str, plot: str | None) -> None:
    """Refuse options that would change nothing."""
    context = click.get_current_context()
    given = [
        name
        for name in ("as_of", "shift", "threshold")
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given and measure != "pdc":
        raise click.UsageError(f"--{given[0].replace('_', '-')} is of --measure pdc")
    if "shift" in given and plot is not None:
        raise click.UsageError("--plot shifts supplies of one ingredient: leave --shift out")


def _measured(gathered: Gathered, measure: str, window: Window, columns: Columns, **of_pdc: Any) -> pa.Table:
    """A table of the measure, rows by patient and group."""
    events, window = until_death(gathered, window)
    if measure == "mpr":
        return mpr(events, window, columns=columns)
    if measure == "pdc":
        return pdc(events, window, columns=columns, **of_pdc)
    return cma(events, cast("CmaName", measure.upper()), window, columns=columns)


def _draw(gathered: Gathered, window: Window, columns: Columns, path: str, **of_pdc: Any) -> None:
    from chartseal.adherence.plot import timeline  # what draws takes long to load

    events, window = until_death(gathered, window)
    if isinstance(events, pa.Table) and gathered.fhir is not None:
        events = _with_labels(events)
    timeline(events, window, path=path, columns=columns, **of_pdc)


def _with_labels(events: pa.Table) -> pa.Table:
    """Events whose classes are named as in the table for people."""
    pairs = zip(events["class"].to_pylist(), events["medication"].to_pylist(), strict=True)
    called = {name: medication or "" for name, medication in pairs}
    labels = [name and label(name, called[name]) for name in events["class"].to_pylist()]
    return events.set_column(events.column_names.index("class"), "class", pa.array(labels, pa.string()))
