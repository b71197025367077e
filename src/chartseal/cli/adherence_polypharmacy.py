"""`chartseal adherence polypharmacy`: one estimate of a patient's several medications."""

from __future__ import annotations

import click

from chartseal.adherence import polypharmacy, polypharmacy_intervals
from chartseal.adherence.cma import CmaName
from chartseal.adherence.polypharmacy import Method
from chartseal.cli.adherence_days import until_death
from chartseal.cli.adherence_options import Asked, carry_options, cma_option, measure_options
from chartseal.cli.adherence_spans import Share


@click.command(
    "polypharmacy",
    epilog="Example: chartseal adherence polypharmacy supplies.csv --cma cma7 --aggregate mean",
)
@cma_option
@click.option(
    "--aggregate", type=click.Choice(("mean", "median", "min", "max")), default="mean", show_default=True, help="How."
)
@click.option("--aggregate-last", is_flag=True, help="Aggregate the medications' CMAs, not their values day by day.")
@click.option("--intervals", is_flag=True, help="List the intervals that are aggregated, with each medication's value.")
@click.option("--require-all", is_flag=True, help="A medication without a value leaves the patient without.")
@click.option("--threshold", type=Share(), help="Tell the share of days on which so much was at hand, as 80%.")
@carry_options
@measure_options
def command(
    asked: Asked,
    cma: CmaName,
    aggregate: Method,
    aggregate_last: bool,
    intervals: bool,
    require_all: bool,
    threshold: float | None,
    **carry: bool,
) -> None:
    """Estimate a CMA of each patient's medications together; a medication is a class, or a group.

    By CMA7 the mean says which share of medications was at hand on an average day, the minimum on which share of the
    days all were, the maximum any. PATHS are as `chartseal adherence report` takes them.
    """
    if (intervals or threshold is not None) and aggregate_last:
        raise click.UsageError("--intervals and --threshold aggregate first: leave --aggregate-last out")
    if intervals and threshold is not None:
        raise click.UsageError("--threshold is of the estimate, not of --intervals")
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    settings = {"skip_unknown": not require_all, **carry}
    if intervals:
        found = polypharmacy_intervals(events, cma, until, method=aggregate, columns=asked.columns, **settings)
    else:
        settings["aggregate_first"] = not aggregate_last
        found = polypharmacy(
            events, cma, until, method=aggregate, threshold=threshold, columns=asked.columns, **settings
        )
    asked.tell("polypharmacy", found, window)
