"""`chartseal adherence durations`: days of supply from quantities and prescribed doses, pruned and covered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import click

from chartseal.adherence import DurationRules, Span, cover, durations, prune, supplies
from chartseal.adherence.durations import Method
from chartseal.cli.adherence_options import Asked, table_options
from chartseal.cli.adherence_spans import Length

_METHODS = ("continue", "carryover", "discard")
_CUTS = ("dose-change", "special-period", "interruption")
_SHOWN = ("patient", "group", "class", "ingredient", "date", "days_supply", "daily_dose", "begun", "ended", "leftover")
_DAYS = Length(days_alone=True)


class _Special(click.ParamType[Any]):
    """`stay=carryover`: a kind of periods, and what becomes of supply in them."""

    name = "kind=method"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Method]:
        """Read the pair."""
        kind, _, method = str(value).partition("=")
        if not kind or method not in _METHODS:
            self.fail(f"expected KIND=METHOD, of {', '.join(_METHODS)}", param, ctx)
        return kind, cast("Method", method)


@click.command(
    "durations",
    epilog="Example: chartseal adherence durations doses.csv --special stay=carryover --supplies -o supplies.csv",
)
@click.option("--interruption", type=click.Choice(_METHODS), default="continue", show_default=True, help="Its method.")
@click.option("--special", multiple=True, type=_Special(), help="Of periods: stay=carryover and so on (repeatable).")
@click.option("--split-on-dose-change/--no-split-on-dose-change", default=True, help="A new dose cuts supplies. [yes]")
@click.option("--carry-over", is_flag=True, help="Take supplies of a medication one after another.")
@click.option("--renew", is_flag=True, help="A prescription that is not renewed with the others ends.")
@click.option("--backdate", is_flag=True, help="A first prescription counts from the first supply before it.")
@click.option("--wait", type=_DAYS, help="How long supply waits at most, as 90d.")
@click.option("--quantity", default="quantity", show_default=True, help="The column of dispensed total doses.")
@click.option("--prescribed-days", default="prescribed_days", show_default=True, help="That of prescriptions' days.")
@click.option("--cut", "cuts", multiple=True, type=click.Choice(_CUTS), help="Prune after these alone (repeatable).")
@click.option("--refilled-within", type=_DAYS, help="Prune what is left if it is refilled so soon after a cut.")
@click.option("--not-refilled-within", type=_DAYS, help="Prune what is left if it is not.")
@click.option("--keep-all", is_flag=True, help="Say what would be pruned, in a column, and prune nothing.")
@click.option("--cover", "covered", multiple=True, help="Count periods of this kind, as stay, as supply (repeatable).")
@click.option("--days-before", type=_DAYS, default="7d", show_default=True, help="From supply to such a period.")
@click.option("--days-after", type=_DAYS, default="7d", show_default=True, help="From such a period to supply.")
@click.option("--supplies", "taken", is_flag=True, help="Leave out parts of no days: rows to be measured.")
@table_options
def command(
    asked: Asked,
    quantity: str,
    prescribed_days: str,
    covered: tuple[str, ...],
    days_before: Span,
    days_after: Span,
    taken: bool,
    **given: Any,
) -> None:
    """Compute how many days dispensed quantities last at the doses prescribed.

    PATHS are one table: rows of kind `supply` have a quantity, rows of kind `prescribed` a daily dose. Remainders are
    pruned with --refilled-within or --not-refilled-within; periods are covered after that. The rows written are events,
    which the other commands measure.
    """
    events, columns, pruning = asked.gathered.events, asked.columns, _pruning(given)
    rules = _rules(given)
    found = durations(events, rules, quantity=quantity, prescribed_days=prescribed_days, columns=columns)
    found = prune(found, **pruning) if pruning else found
    if covered:
        before, after = days_before.count, days_after.count
        found = cover(found, events, kinds=covered, days_before=before, days_after=after, columns=columns)
    asked.tell("durations", supplies(found) if taken else found, shown=(*_SHOWN, "pruned", "reason"))


def _rules(given: Mapping[str, Any]) -> DurationRules:
    return DurationRules(
        interruption=given["interruption"],
        special=dict(given["special"]),
        split_on_dose_change=given["split_on_dose_change"],
        carry_over=given["carry_over"],
        renew=given["renew"],
        backdate=given["backdate"],
        wait_days=_count(given["wait"]),
    )


def _pruning(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of `prune`; empty where nothing is to be pruned."""
    near, far = _count(given["refilled_within"]), _count(given["not_refilled_within"])
    if near is None and far is None:
        if given["cuts"] or given["keep_all"]:
            raise click.UsageError("--cut and --keep-all are of --refilled-within and --not-refilled-within")
        return {}
    cuts = [cut.replace("-", "_") for cut in given["cuts"] or _CUTS]
    return {
        "include": cuts,
        "refilled_within": near,
        "not_refilled_within": far,
        "keep_all": given["keep_all"],
    }


def _count(span: Span | None) -> int | None:
    return None if span is None else span.count
