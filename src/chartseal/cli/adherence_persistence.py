"""`chartseal adherence initiation`, `persistence`, `covered`: when treatment begins and stops, which days it covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import click

from chartseal.adherence import Span, covered, initiation, persistence
from chartseal.adherence.pdc import Period, Shift
from chartseal.cli.adherence_days import until_death
from chartseal.cli.adherence_options import Asked, measure_options, period_option, shift_option, table_options
from chartseal.cli.adherence_spans import Length, OneDay

_INITIATION_SHOWN = (
    *("patient", "group", "class", "ingredient", "first_prescription", "first_supply"),
    *("days", "initiated", "primary_nonadherent", "censored_by", "reason"),
)


@click.command(
    "persistence",
    epilog="Example: chartseal adherence persistence supplies.csv --gap 60d --from 2025-01-01 --to 2025-12-31",
)
@click.option("--gap", required=True, type=Length(days_alone=True), help="More days without supply end it: 60d.")
@shift_option
@click.option("--shift-stays", is_flag=True, help="Days of stays use no supply and are no gap.")
@measure_options
def persistence_command(asked: Asked, gap: Span, shift: Shift, shift_stays: bool) -> None:
    """Time each treatment from its first supply to discontinuation, or to where it is censored.

    PATHS are as `chartseal adherence report` takes them.
    """
    window = asked.window()
    found = persistence(  # which censors at death itself
        asked.gathered.events,
        window,
        permissible_gap=gap.count,
        shift=shift,
        shift_stays=shift_stays,
        columns=asked.columns,
    )
    asked.tell("persistence", found, window)


@click.command(
    "initiation",
    epilog="Example: chartseal adherence initiation export/ --within 30d --until 2025-12-31",
)
@click.option("--until", type=OneDay(), help="The last day that the data tell of; else the last that a row names.")
@click.option("--within", type=Length(days_alone=True), default="30d", show_default=True, help="Later is nonadherence.")
@click.option(
    "--medication",
    type=click.Choice(("ingredient", "class")),
    default="ingredient",
    show_default=True,
    help="What is one medication: by class, a switch within it begins nothing.",
)
@table_options
def initiation_command(asked: Asked, until: date | None, within: Span, medication: str) -> None:
    """Count days from each medication's first prescription to its first supply.

    Prescriptions are rows of kind `prescribed`; FHIR tells them itself. PATHS are as `chartseal adherence report`
    takes them.
    """
    last = until or asked.gathered.days()[1]
    if last is None:
        raise click.UsageError("no row names a day: say --until")
    columns = replace(asked.columns, ingredient="") if medication == "class" else asked.columns
    found = initiation(asked.gathered.events, last, within_days=within.count, columns=columns)
    asked.tell("initiation", found, shown=_INITIATION_SHOWN)


@click.command(
    "covered",
    epilog="Example: chartseal adherence covered supplies.csv --from 2025-01-01 --to 2025-12-31 -o spans.csv",
)
@period_option
@shift_option
@click.option("--as-of", type=OneDay(), help="Up to this day, counted.")
@measure_options
def covered_command(asked: Asked, period: Period, shift: Shift, as_of: date | None) -> None:
    """List the spans of days that PDC counts: covered, gaps, and stays beside them.

    PATHS are as `chartseal adherence report` takes them.
    """
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    found = covered(events, until, period=period, shift=shift, as_of=as_of, columns=asked.columns)
    asked.tell("covered", found, window)
