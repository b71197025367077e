"""`chartseal adherence episodes`, `per-episode`: stretches of treatment, and a CMA of each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from chartseal.adherence import EpisodeRule, Percent, Span, episodes, per_episode
from chartseal.adherence.cma import CmaName
from chartseal.cli.adherence_days import until_death
from chartseal.cli.adherence_options import Asked, carry_options, cma_option, measure_options
from chartseal.cli.adherence_spans import Gap, Share


def _rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what ends an episode; the command gets `rule`."""

    @click.option(
        "--gap", type=Gap(), default="90d", show_default=True, help="Longer ends an episode: 60d, 2m, or 50%."
    )
    @click.option("--class-change/--no-class-change", default=True, help="A change of class ends one. [yes]")
    @click.option("--dose-change/--no-dose-change", default=False, help="A change of daily dose ends one. [no]")
    @click.option("--append", type=Share(), default="0%", show_default=True, help="Of --gap, belongs to what it ended.")
    @functools.wraps(command)
    def with_rule(gap: Span | Percent, class_change: bool, dose_change: bool, append: float, **given: Any) -> None:
        rule = EpisodeRule(permissible_gap=gap, class_change=class_change, dose_change=dose_change, append=append)
        command(rule=rule, **given)

    return with_rule


@click.command(
    "episodes",
    epilog="Example: chartseal adherence episodes supplies.csv --gap 60d --by patient --dose-change",
)
@_rule_options
@click.option("--carry-over/--no-carry-over", default=True, help="Carry days left of a supply over to the next. [yes]")
@carry_options
@measure_options
def episodes_command(asked: Asked, rule: EpisodeRule, **settings: bool) -> None:
    """List treatment episodes: stretches of supply without a gap longer than the permissible one.

    They are those of the whole follow-up: of every supply up to --to, unless --follow-up-from says later. A change of
    class is seen with --by patient alone. PATHS are as `chartseal adherence report` takes them.
    """
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    found = episodes(events, until, rule, columns=asked.columns, **settings)
    whole = replace(window, observation_start=window.follow_up_start, observation_length=window.follow_up_length)
    asked.tell("episodes", found, whole)


@click.command(
    "per-episode",
    epilog="Example: chartseal adherence per-episode supplies.csv --cma cma9 --gap 50%",
)
@cma_option
@_rule_options
@carry_options
@measure_options
def per_episode_command(asked: Asked, cma: CmaName, rule: EpisodeRule, **carry: bool) -> None:
    """Estimate a CMA of each treatment episode, of the part of it that lies in the days measured.

    PATHS are as `chartseal adherence report` takes them.
    """
    window = asked.window()
    events, until = until_death(asked.gathered, window)
    asked.tell("per_episode", per_episode(events, cma, until, rule, columns=asked.columns, **carry), window)
