"""Adherence to medication: events of supply in, measures of how well they cover the days out.

In: a table of events (pyarrow, pandas, polars, a DuckDB relation), one row a supply. Out: a pyarrow Table.

    window = Window(observation_start=Span(180, "days"), observation_length=Span(365, "days"))
    ratios = mpr(events, window)
    ratios.to_pandas()

A patient whose events cannot be measured is a row whose value is null and whose `reason` says why; nobody ends a
cohort. It needs the extra `adherence`.
"""

from __future__ import annotations

from importlib.util import find_spec

from chartseal.errors import MissingExtraError

for _name in ("duckdb", "pyarrow"):
    if find_spec(_name) is None:
        raise MissingExtraError(f"{_name} is not installed: pip install 'chartseal[adherence]'")

from chartseal.adherence.cma import cma  # noqa: E402
from chartseal.adherence.durations import DurationRules, durations  # noqa: E402
from chartseal.adherence.episodes import EpisodeRule, Percent, episodes  # noqa: E402
from chartseal.adherence.gaps import gaps  # noqa: E402
from chartseal.adherence.groups import grouped  # noqa: E402
from chartseal.adherence.initiation import initiation  # noqa: E402
from chartseal.adherence.pdc import covered, pdc  # noqa: E402
from chartseal.adherence.per_episode import per_episode  # noqa: E402
from chartseal.adherence.periods import with_periods  # noqa: E402
from chartseal.adherence.persistence import persistence  # noqa: E402
from chartseal.adherence.polypharmacy import polypharmacy, polypharmacy_intervals  # noqa: E402
from chartseal.adherence.quality import Enrolment, QualityMeasure, Rate, measures, quality, summary  # noqa: E402
from chartseal.adherence.ratio import mpr  # noqa: E402
from chartseal.adherence.remainders import cover, prune, supplies  # noqa: E402
from chartseal.adherence.sliding import sliding  # noqa: E402
from chartseal.adherence.tables import Columns  # noqa: E402
from chartseal.adherence.windows import Column, Span, Window  # noqa: E402

__all__ = [
    "Column",
    "Columns",
    "DurationRules",
    "Enrolment",
    "EpisodeRule",
    "Percent",
    "QualityMeasure",
    "Rate",
    "Span",
    "Window",
    "cma",
    "cover",
    "covered",
    "durations",
    "episodes",
    "gaps",
    "grouped",
    "initiation",
    "measures",
    "mpr",
    "pdc",
    "per_episode",
    "persistence",
    "polypharmacy",
    "polypharmacy_intervals",
    "prune",
    "quality",
    "sliding",
    "summary",
    "supplies",
    "with_periods",
]
