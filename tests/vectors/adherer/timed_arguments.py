"""Arguments of treatment episodes, sliding windows and polypharmacy.

AdhereR's permissible gaps and sliding windows count a month as 30 days and a year as 365, other than its follow-up and
observation windows, which are calendar ones; ours are calendar ones everywhere, and are given days here.

Source: the reference manual of AdhereR 0.8.1; months by its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import cast

from chartseal.adherence import EpisodeRule, Percent, Span
from chartseal.adherence.polypharmacy import Method
from tests.vectors.adherer.arguments import MISSING, Arguments, UnknownArgumentError

DAYS = {"days": 1, "weeks": 7, "months": 30, "years": 365}

MORE_OUTPUT = ("return.inner.event.info", "return.mapping.events.episodes")


def episode_rule(arguments: Arguments, default_gap: int) -> EpisodeRule:
    """When an episode ends."""
    unit = arguments.choice("maximum.permissible.gap.unit", (*DAYS, "percent"), "days")
    name = "maximum.permissible.gap"
    if unit == "percent":
        gap: Span | Percent = Percent(float(arguments.take(name, default_gap)))
    else:
        gap = Span(arguments.whole(name, default_gap) * DAYS[unit])
    rule = EpisodeRule(
        gap,
        class_change=arguments.flag("medication.change.means.new.treatment.episode", default=True),
        dose_change=arguments.flag("dosage.change.means.new.treatment.episode", default=False),
        append=float(arguments.take("maximum.permissible.gap.append.to.episode", False)),
    )
    if arguments.take("treat.epi", None) not in MISSING:
        raise UnknownArgumentError("treat.epi: episodes made elsewhere are not read; ours are computed")
    take_output(arguments)
    return rule


def take_output(arguments: Arguments) -> None:
    """Arguments that ask for more output, and change none."""
    for name in MORE_OUTPUT:
        arguments.flag(name, default=False)


@dataclass(frozen=True)
class Slides:
    """Where sliding windows are."""

    start: Span | date
    length: Span
    step: Span | int


def slides(arguments: Arguments) -> Slides:
    """Start, duration and step of the sliding windows; a number of windows goes before a step."""
    take_output(arguments)
    step: Span | int = _days(arguments, "sliding.window.step.duration", "sliding.window.step.unit", 30)
    count = arguments.take("sliding.window.no.steps", None)
    if count not in MISSING:
        step = int(count)
    start = arguments.take("sliding.window.start", 0)
    unit = arguments.unit("sliding.window.start.unit")
    length = _days(arguments, "sliding.window.duration", "sliding.window.duration.unit", 90)
    if isinstance(start, Mapping) and set(start) == {"date"}:
        return Slides(date.fromisoformat(start["date"]), length, step)
    if not isinstance(start, int):
        raise UnknownArgumentError("sliding.window.start: not a whole number")
    return Slides(Span(start * DAYS[unit]), length, step)


def _days(arguments: Arguments, name: str, unit: str, default: int) -> Span:
    return Span(arguments.whole(name, default) * DAYS[arguments.unit(unit)])


@dataclass(frozen=True)
class Aggregation:
    """How several medications make one estimate."""

    aggregate_first: bool
    method: Method
    skip_unknown: bool


def aggregation(arguments: Arguments) -> Aggregation:
    """The arguments of aggregation; the manual does not say how a threshold is compared."""
    if arguments.take("thresholds", None) not in MISSING:
        raise UnknownArgumentError("thresholds: whether a value that equals it counts is not documented")
    method = arguments.choice("aggregation.method", ("mean", "median", "min", "max"), "")
    options = arguments.take("aggregation.method.arguments", None) or {}
    if set(options) - {"na.rm"}:
        raise UnknownArgumentError("aggregation.method.arguments: not na.rm alone")
    skip_unknown = bool(options.get("na.rm", False))
    return Aggregation(arguments.flag("aggregate.first", default=True), cast(Method, method), skip_unknown)
