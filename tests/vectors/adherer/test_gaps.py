"""Event intervals and gap days beside AdhereR's `compute.event.int.gaps`, every value of every row."""

from __future__ import annotations

from pathlib import Path

from chartseal.adherence import gaps
from tests.vectors.adherer.arguments import carry_rules, result_names
from tests.vectors.adherer.expected import Case, cases
from tests.vectors.adherer.supplies import RowCheck, by_event


def test_every_row(shared: Path) -> None:
    found = list(cases(shared / "vectors/adherence", ["compute.event.int.gaps"]))
    assert found
    assert {case.name: differing(case) for case in found} == {case.name: set() for case in found}


def differing(case: Case) -> set[str]:
    """Numbers of the events whose row is not ours."""
    arguments = case.arguments()
    window, rules, names = arguments.window(), carry_rules(arguments), result_names(arguments)
    within = arguments.flag("carryover.within.obs.window", default=False)
    into = arguments.flag("carryover.into.obs.window", default=False)
    all_intervals = arguments.flag("keep.event.interval.for.all.events", default=False)
    outside = not arguments.flag("remove.events.outside.followup.window", default=True)
    arguments.done()
    ours = gaps(
        arguments.events(),
        window,
        carry_over_within=within,
        carry_over_into=into,
        outside_follow_up=outside,
        columns=arguments.columns(),
        **vars(rules),
    ).to_pylist()
    kept = {row["event"]: row for row in ours if row["reason"] != "outside_follow_up"}
    theirs = by_event(case, case.rows("event_info"))
    assert theirs.keys() == kept.keys()
    check = RowCheck(names, all_intervals)
    assert not any(check.left_over(row) for row in theirs.values())
    return {event for event, row in theirs.items() if not check(kept[event], row)}
