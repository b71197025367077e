"""A CMA of each treatment episode."""

from __future__ import annotations

import pyarrow as pa

from chartseal.adherence.cma import CmaName
from chartseal.adherence.episodes import EpisodeRule
from chartseal.adherence.kernel import measure_table
from chartseal.adherence.tables import Columns, EventTable
from chartseal.adherence.windows import Window


def per_episode(
    events: EventTable,
    cma: CmaName,
    window: Window | None = None,
    rule: EpisodeRule | None = None,
    *,
    carry_only_for_same_medication: bool = False,
    consider_dosage_change: bool = False,
    columns: Columns | None = None,
) -> pa.Table:
    """`cma` of each treatment episode of follow-up, of the part of it that lies in the observation window.

    Episodes are those of `episodes`, with carry-over where the CMA has it (CMA 5 to 9). The part [s, e) of an episode
    is the CMA's observation window; CMA9's follow-up ends on e too, so that the last supply is used up by then.

    Returns columns `patient`, `group` (where events have one), `episode` (its number in follow-up), `start`, `end`
    (of the part; the first day after it), `days`, `gap_days` (of the whole episode, as `episodes` has them), `cma`,
    `reason` (why `cma` is null; `no_episode_in_window` is a row without an episode).

    Raises:
        AdherenceError: `column_missing`, `column_type`, `settings_invalid`, `table_unreadable`.

    Source: Dima & Dediu 2017, PLoS ONE 12(4):e0174426; Vollmer et al. 2012, BMC Health Services Research 12:155.
    """
    window = window or Window()
    settings = {
        "cma": cma,
        "window": window.to_json(),
        "rule": (rule or EpisodeRule()).to_json(),
        "carry_only_for_same_medication": carry_only_for_same_medication,
        "consider_dosage_change": consider_dosage_change,
    }
    return measure_table("per_episode", events, settings, columns=columns, extra=window.columns())
