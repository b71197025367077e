"""`chartseal adherence grouped`: events with the medication groups that filters say they are in."""

from __future__ import annotations

import json
from collections import Counter

import click
import pyarrow as pa

from chartseal.cli.adherence_options import Asked, table_options
from chartseal.cli.adherence_written import write_table
from chartseal.cli.opened import value_text


@click.command(
    "grouped",
    epilog="Example: chartseal adherence grouped supplies.csv --groups groups.toml --others others -o grouped.csv",
)
@table_options
def command(asked: Asked) -> None:
    """Say of each supply and prescription which of --groups it is in: a row for each.

    A filter is a line of TOML such as statins = 'class starts_with "C10AA"'. The other commands take --groups, too.
    PATHS are as `chartseal adherence report` takes them.
    """
    events = asked.gathered.events
    if not asked.in_groups:
        raise click.UsageError("say which with --groups FILE.toml")
    if asked.output is not None:
        write_table(asked.output, events)
    counts = _counts(events)
    if asked.as_json:
        told = {"measure": "grouped", "groups": counts, "rows": events.to_pylist()}
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    for name, count in counts.items():
        click.echo(f"{value_text(name)}: {count:,} rows")


def _counts(events: pa.Table) -> dict[str, int]:
    """Rows by group, in the order of names; periods are in none."""
    return dict(sorted(Counter(events["group"].drop_null().to_pylist()).items()))
