"""Treatment episodes, and CMAs of each, beside AdhereR's, every value of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pytest

from chartseal.adherence import EpisodeRule, episodes, per_episode
from tests.vectors.adherer.arguments import carry_rules, cma_name, result_names
from tests.vectors.adherer.expected import Case, cases, ours_of_groups, same_date, same_number
from tests.vectors.adherer.timed_arguments import episode_rule
from tests.vectors.adherer.timed_defects import EPISODE_DEFECTS, PER_EPISODE_DEFECTS

Place: TypeAlias = tuple[str, str, str]
"""Parameter set, patient, episode."""


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "vectors/adherence"


def test_every_row_of_episodes(folder: Path) -> None:
    found = [case for case in cases(folder, ["compute.treatment.episodes"]) if not dose_changes(case)]
    assert {place for case in found for place in differing(case, "episodes", found_episodes(case))} == set(
        EPISODE_DEFECTS
    )


def test_dosage_changes_begin_episodes_only_here(folder: Path) -> None:
    """AdhereR's flag is inert: without it all rows are the same, with it those of a changed dose differ."""
    (case,) = [case for case in cases(folder, ["compute.treatment.episodes"]) if dose_changes(case)]
    assert differing(case, "episodes", found_episodes(case, dose_change=False)) == set()
    ours = found_episodes(case)
    changed = {row["patient"] for row in ours.to_pylist() if row["ended"] == "dose_change"}
    assert changed
    assert {patient for _, patient, _ in differing(case, "episodes", ours)} == changed


def test_every_row_of_cmas_of_episodes(folder: Path) -> None:
    found = list(cases(folder, ["CMA_per_episode"]))
    assert {place for case in found for place in differing(case, "cma", found_cmas(case))} == set(PER_EPISODE_DEFECTS)


def dose_changes(case: Case) -> bool:
    return bool(case.args.get("dosage.change.means.new.treatment.episode", False))


def found_episodes(case: Case, **changes: bool) -> pa.Table:
    arguments = case.arguments()
    rule = replace(episode_rule(arguments, 90), **changes)  # type: ignore[arg-type]  # flags of the rule
    arguments.medication_groups()
    window, rules = arguments.window(), carry_rules(arguments, default=True)
    carry_over = arguments.flag("carryover.within.obs.window", default=True)
    result_names(arguments)
    arguments.done()
    return episodes(arguments.events(), window, rule, carry_over=carry_over, columns=arguments.columns(), **vars(rules))


def found_cmas(case: Case) -> pa.Table:
    arguments = case.arguments()
    rule: EpisodeRule = episode_rule(arguments, 180)
    arguments.medication_groups()
    window, rules = arguments.window(), carry_rules(arguments)
    name = cma_name(str(arguments.take("CMA.to.apply", "")))
    arguments.flag("force.NA.CMA.for.failed.patients", default=True)
    result_names(arguments)
    arguments.done()
    return per_episode(arguments.events(), name, window, rule, columns=arguments.columns(), **vars(rules))


def differing(case: Case, output: str, table: pa.Table) -> set[Place]:
    """Rows that are not the same, or in one of the two alone."""
    ours = {(row["patient"], str(row["episode"])): row for row in ours_of_groups(table) if row["episode"] is not None}
    name = case.patient
    theirs = {(row[name], row["episode.ID"]): row for row in case.rows(output)}
    known = {name, "episode.ID", "episode.start", "episode.end", "episode.duration", "end.episode.gap.days", "CMA"}
    assert all(row.keys() <= known for row in theirs.values())
    wrong = {place for place in ours.keys() & theirs.keys() if not same(ours[place], theirs[place])}
    return {(case.name, *place) for place in wrong | (ours.keys() ^ theirs.keys())}


def same(ours: Mapping[str, Any], theirs: Mapping[str, str]) -> bool:
    """Gaps after episodes are whole numbers in AdhereR, cut off."""
    return all(
        (
            same_date(ours["start"], theirs["episode.start"]),
            same_date(ours["end"], theirs["episode.end"]),
            same_number(ours["days"], theirs["episode.duration"]),
            same_number(float(int(ours["gap_days"])), theirs["end.episode.gap.days"]),
            same_number(ours.get("cma"), theirs.get("CMA", "NA")),
        )
    )
