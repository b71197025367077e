"""`chartseal adherence cma`, `gaps`, `sliding`: intervals between supplies, and the CMAs made of them."""

from __future__ import annotations

from datetime import date
from typing import cast

import click

from chartseal.adherence import Column, Span, cma, gaps, sliding
from chartseal.adherence.cma import CmaName
from chartseal.cli.adherence_days import until_death
from chartseal.cli.adherence_options import CMAS, Asked, carry_options, cma_option, measure_options
from chartseal.cli.adherence_spans import Length, Start

_GAPS_SHOWN = ("patient", "group", "date", "days_supply", "interval_days", "gap_days", "carried_over", "used", "reason")


@click.command(
    "cma",
    epilog="Example: chartseal adherence cma supplies.csv --cma cma9 --follow-up 2y --from 180d --days 365",
)
@click.option("--cma", "name", type=click.Choice(("cma0", *CMAS)), default="cma7", show_default=True, help="Which CMA.")
@carry_options
@measure_options
def cma_command(asked: Asked, name: str, **carry: bool) -> None:
    """Estimate a CMA, a continuous measure of medication availability, per patient and class.

    PATHS are as `chartseal adherence report` takes them.
    """
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    asked.tell(name, cma(events, cast("CmaName", name.upper()), until, columns=asked.columns, **carry), window)


@click.command(
    "gaps",
    epilog="Example: chartseal adherence gaps supplies.csv --from 2025-01-01 --to 2025-12-31 --cma cma7 -o gaps.csv",
)
@click.option("--cma", "name", type=click.Choice(CMAS), help="Carry over as this CMA does, and say what it uses.")
@click.option("--carry-over-within/--no-carry-over-within", default=True, help="Carry over within the window. [yes]")
@click.option("--carry-over-into/--no-carry-over-into", default=True, help="Carry over from before the window. [yes]")
@click.option("--outside-follow-up", is_flag=True, help="Measure supplies outside follow-up too.")
@carry_options
@measure_options
def gaps_command(asked: Asked, name: str | None, **settings: bool) -> None:
    """List each supply with its interval to the next, days without supply in it, and days carried over.

    PATHS are as `chartseal adherence report` takes them.
    """
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    chosen = cast("CmaName", name.upper()) if name is not None else None
    found = gaps(events, until, cma=chosen, columns=asked.columns, **settings)
    asked.tell("gaps", found, window, shown=_GAPS_SHOWN)


@click.command(
    "sliding",
    epilog="Example: chartseal adherence sliding supplies.csv --cma cma7 --length 90d --step 30d",
)
@cma_option
@click.option("--length", type=Length(least=1), default="90d", show_default=True, help="How long each window is.")
@click.option("--step", type=Length(least=1), help="From one window's start to the next one's. [30d]")
@click.option("--windows", type=click.IntRange(1, 10_000), help="So many windows, spread evenly, in place of --step.")
@click.option("--start", type=Start(), default="0d", help="Where the first begins: 30d after --from, or a date. [0d]")
@carry_options
@measure_options
def sliding_command(
    asked: Asked,
    cma: CmaName,
    length: Span,
    step: Span | None,
    windows: int | None,
    start: Span | date | Column,
    **carry: bool,
) -> None:
    """Estimate a CMA in windows that slide over the days measured.

    PATHS are as `chartseal adherence report` takes them.
    """
    if step is not None and windows is not None:
        raise click.UsageError("give --step or --windows")
    if isinstance(start, Column):
        raise click.UsageError("--start takes a length or a date, the same for all")
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    each = windows or step or Span(30)
    found = sliding(events, cma, until, start=start, length=length, step=each, columns=asked.columns, **carry)
    asked.tell("sliding", found, window)
