"""Treatment episodes: stretches of supply without a gap longer than the permissible one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Span, Window

_NINETY_DAYS = Span(90)


@dataclass(frozen=True)
class Percent:
    """A permissible gap that is so many per cent of the days supply of the supply before it; may be above 100."""

    percent: float


@dataclass(frozen=True)
class EpisodeRule:
    """When an episode ends.

    A gap **longer than** `permissible_gap` ends it, in the course of follow-up and at its end alike; so does a change
    of class, or of daily dose, where those are set. `append` (0 to 1) says how much of the permissible gap belongs to
    an episode that a gap ended. Months and years of a `Span` are calendar ones from the first day without supply.
    """

    permissible_gap: Span | Percent = _NINETY_DAYS
    class_change: bool = True
    dose_change: bool = False
    append: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As the kernel reads it."""
        gap = self.permissible_gap
        return {
            "permissible_gap": {"percent": gap.percent} if isinstance(gap, Percent) else {"span": gap.to_json()},
            "class_change": self.class_change,
            "dose_change": self.dose_change,
            "append": self.append,
        }


def episodes(
    events: EventTable,
    window: Window | None = None,
    rule: EpisodeRule | None = None,
    *,
    carry_over: bool = True,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """The treatment episodes of each patient's follow-up window.

    Days left of a supply are carried over to the next (`carry_over`), to one of another class too unless
    `carry_only_for_same_medication`, at the next one's dose where `consider_dosage_change`. Let eₖ be the first day
    without supply after the episode's last supply, carry-over counted: the episode lasts from its first supply to eₖ,
    to the next supply where class or dose changes sooner, or to the end of follow-up where the gap then is no longer
    than the permissible one.

    Returns columns `patient`, `group` (where events have one), `episode` (from 1), `start`, `end` (the first day after
    it), `days` (its length; parts of days where doses change), `gap_days` (days without supply after it), `supplies`,
    `ended` (`gap`, `class_change`, `dose_change`, `follow_up_end`), `reason` (why a group has no episode).

    Raises:
        AdherenceError: `column_missing`, `column_type`, `settings_invalid`, `table_unreadable`.

    Source: Gardarsdottir et al. 2010, Journal of Clinical Epidemiology 63:422; Dima & Dediu 2017, PLoS ONE
    12(4):e0174426.
    """
    window = window or Window()
    settings = {
        "window": window.to_json(),
        "rule": (rule or EpisodeRule()).to_json(),
        "carry_over": carry_over,
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
    }
    return measure_table("episodes", events, settings, columns=columns, extra=window.columns())
